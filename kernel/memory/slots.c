// See slots.h.
#include "kernel/memory/slots.h"

#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"

#define SLOT_PAGES  ((SLOT_DATA + SLOT_STACK) / PAGE_SIZE + SLOT_RESERVE + 3) // with the page tables
#define SLOTS_SHARE 8                                                         // of memory, at most, goes to them

// Fills the entries of pages that lie in one page table.
static bool map_new(u64 start, u64 bytes) {
    u64 *entry = tables_entry(tables_root(), start, 0);
    for (u64 *end = entry + bytes / PAGE_SIZE; entry && entry < end; entry++) {
        u64 page = page_alloc();
        if (!page) return false;
        *entry = (page | PTE_P | PTE_W | PTE_NX | PTE_G) & tables_allow;
    }
    return entry;
}

bool slot_make(unsigned number) {
    struct slot *slot = slot_number(number);
    u64 start = (u64)cpu_number(number);
    if (number * SLOT_PAGES > pages_total() / SLOTS_SHARE) return false;
    if (!map_new(start, SLOT_DATA) || !map_new(start + SLOT_SIZE - SLOT_STACK, SLOT_STACK)) return false;
    memset(slot, 0, sizeof *slot);
    while (slot->reserved < SLOT_RESERVE) {
        u64 page = page_alloc();
        if (!page) return false;
        slot->reserve[slot->reserved++] = page;
    }
    return true;
}
