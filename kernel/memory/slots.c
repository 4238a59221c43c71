// See slots.h. Of the page tables of a slot the lowest two levels are its CPU's alone once it runs,
// so they change without locks; the table above them is made with the slot.
#include "kernel/memory/slots.h"

#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"

// with the page tables
#define SLOT_PAGES ((SLOT_DATA + SLOT_STACK) / PAGE_SIZE + SLOT_RESERVE + 3)
// of memory, at most, goes to them
#define SLOTS_SHARE 8
#define BELOW_RSP   0x10000 // what lies further below the stack pointer is not meant to be stack

static u64 slot_page_bits(u64 physical) {
    return (physical | PTE_P | PTE_W | PTE_NX | PTE_G) & tables_allow;
}

// Fills the entries of pages that lie in one page table.
static bool slot_map_new(u64 start, u64 bytes) {
    u64 *entry = tables_entry(tables_root(), start, 0);
    for (u64 *end = entry + bytes / PAGE_SIZE; entry && entry < end; entry++) {
        u64 page = page_alloc();
        if (!page) return false;
        *entry = slot_page_bits(page);
    }
    return entry;
}

bool slot_refill(struct slot *slot) {
    for (u64 page; slot->reserved < SLOT_RESERVE; slot->reserve[slot->reserved++] = page)
        if (!(page = page_alloc())) return false;
    return true;
}

bool slot_make(unsigned number) {
    struct slot *slot = SLOT_NUMBER(number);
    u64 start = (u64)cpu_number(number);
    if (number * SLOT_PAGES > pages_total() / SLOTS_SHARE) return false;
    if (!slot_map_new(start, SLOT_DATA) ||
        !slot_map_new(start + SLOT_SIZE - SLOT_STACK, SLOT_STACK))
        return false;
    memset(slot, 0, sizeof *slot);
    pages_join();
    return slot_refill(slot);
}

static u64 slot_reserve_take(struct slot *slot) {
    return slot->reserved ? slot->reserve[--slot->reserved] : 0;
}

static u64 slot_new_table(void) {
    u64 page = slot_reserve_take(THIS_SLOT());
    if (page) memset(window(page), 0, PAGE_SIZE);
    return page;
}

const char *slot_grow(u64 address, u64 rsp) {
    struct slot *slot = THIS_SLOT();
    u64 start = ROUND_DOWN((u64)slot, SLOT_SIZE), at = address - start, sp = rsp - start;
    if (at < SLOT_DATA || at >= SLOT_SIZE || sp < SLOT_DATA || sp > SLOT_SIZE ||
        at + BELOW_RSP < sp)
        return "";
    u64 *entry =
        at < SLOT_DATA_MAX ? NULL : tables_entry_with(tables_root(), address, 0, slot_new_table);
    u64 page = entry ? slot_reserve_take(slot) : 0;
    if (!page) {
        format(slot->why, sizeof slot->why, "the kernel's stack ran out: %lu KiB of it and %s",
               (SLOT_SIZE - at) / 1024,
               at < SLOT_DATA_MAX ? "its slot is full" : "no page is free");
        return slot->why;
    }
    *entry = slot_page_bits(page);
    if (!slot->allocating) slot_refill(slot); // when it cannot, the last ones still serve
    return NULL;
}
