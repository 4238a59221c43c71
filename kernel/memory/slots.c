// Makes the slots of CPUs, and lets their stacks grow. Of the page tables of a slot the lowest two
// levels are its CPU's alone once it runs, so they change without locks; the table above them is
// made with the slot.
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

static u64 slot_page_bits(paddr physical) {
    return (physical.at | PTE_P | PTE_W | PTE_NX | PTE_G) & tables_allow;
}

// Fills the entries of pages that lie in one page table.
static bool slot_map_new(u64 start, u64 bytes) {
    u64 *entry = tables_entry(tables_root(), start, 0);
    for (u64 *end = entry + bytes / PAGE_SIZE; entry && entry < end; entry++) {
        paddr page = page_alloc();
        if (!page.at) return false;
        *entry = slot_page_bits(page);
    }
    return entry;
}

// Fills the reserve. The CPU calls this whose slot it is, or that makes the slot, and not inside
// the page allocator. False when no page is left for it.
bool slot_refill(struct slot *slot) {
    while (slot->reserved < SLOT_RESERVE) {
        paddr page = page_alloc();
        if (!page.at) return false;
        slot->reserve[slot->reserved++] = page;
    }
    return true;
}

// Maps the data and the first stack of a CPU other than 0, contents undefined but for struct slot:
// what a slot needs to be entered. CPU 0 calls this for one number after the other. False when
// slots would take more than an eighth of memory.
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

static paddr slot_reserve_take(struct slot *slot) {
    if (!slot->reserved) return (paddr){0};
    return slot->reserve[--slot->reserved];
}

static paddr slot_new_table(void) {
    paddr page = slot_reserve_take(THIS_SLOT());
    if (page.at) memset(window(page), 0, PAGE_SIZE);
    return page;
}

// A page fault of the kernel on this CPU where nothing is mapped, with the stack pointer it had.
// When the address is of the stack, or not far below, it gets a page of the reserve, without locks,
// and the result is NULL; else it says why not, or is empty when the address is none of the
// stack's. Only pages that are touched are there: a function may leave some out, and they come when
// it turns to them. Runs on the page-fault stack. The reserve is filled again at once, unless the
// fault came inside the page allocator; for that SLOT_RESERVE pages are much.
const char *slot_grow(u64 address, u64 rsp) {
    if (tables_catch_up(address)) return NULL;
    struct slot *slot = THIS_SLOT();
    u64 start = ROUND_DOWN((u64)slot, SLOT_SIZE);
    u64 at = address - start;
    u64 sp = rsp - start;
    bool is_in_slot = at >= SLOT_DATA && at < SLOT_SIZE;
    bool is_on_stack = sp >= SLOT_DATA && sp <= SLOT_SIZE;
    if (!is_in_slot || !is_on_stack || at + BELOW_RSP < sp) return "";
    bool is_full = at < SLOT_DATA_MAX;
    u64 *entry = NULL;
    if (!is_full) entry = tables_entry_with(tables_root(), address, 0, slot_new_table);
    paddr page = {0};
    if (entry) page = slot_reserve_take(slot);
    if (!page.at) {
        const char *what = "no page is free";
        if (is_full) what = "its slot is full";
        format(slot->why, sizeof slot->why, "the kernel's stack ran out: %lu KiB of it and %s",
               (SLOT_SIZE - at) / 1024, what);
        return slot->why;
    }
    *entry = slot_page_bits(page);
    if (!slot->allocating) slot_refill(slot); // when it cannot, the last ones still serve
    return NULL;
}
