// The window onto physical memory: RAM is mapped when the address space is built, the rest here on
// demand. A frame has one memory type: two are undefined (Intel SDM 3A 12.12.4), and can be a
// machine check long afterwards. Holes of the map are never mapped write-back, since the CPU would
// read ahead into whatever device is there.
#include "kernel/memory/window.h"

#include "kernel/cpu/lock.h"
#include "kernel/kernel.h"
#include "kernel/memory/e820.h"
#include "kernel/memory/tables.h"

#define TYPE_BITS (PTE_PCD | PTE_PWT)

u64 window_base;
static struct lock lock = {.rank = LOCK_WINDOW}; // of the window's page tables
static const struct e820_entry *firmware_map;
static u32 firmware_entries;

void window_set_map(const struct e820_entry *map, u32 entries) {
    firmware_map = map;
    firmware_entries = entries;
}

// NULL when the range can have these bits. Below 1 MiB maps say little; the BIOS keeps its tables
// there.
static const char *window_objection(u64 start, u64 end, enum window_kind kind, u64 bits) {
    for (u64 page = start, bytes; page < end; page = ROUND_DOWN(page, bytes) + bytes) {
        const u64 *entry = tables_leaf(tables_root(), WINDOW + page, &bytes);
        if (entry && (*entry ^ bits) & TYPE_BITS)
            return "part of it is mapped with another memory type";
    }
    if (kind == WINDOW_TABLES &&
        !e820_covers(firmware_map, firmware_entries, MAX(start, HIGH_MEMORY), end))
        return "the firmware's memory map has nothing there";
    return NULL;
}

void *window_map(paddr physical, u64 bytes, enum window_kind kind) {
    static const u64 kind_bits[] = {0, PTE_W | PTE_PCD | PTE_PWT, PTE_W | PTE_PWT};
    u64 start = ROUND_DOWN(physical.at, PAGE_SIZE);
    u64 end = physical.at + bytes;
    u64 mapped;
    bool inside = bytes && end > physical.at && end <= WINDOW_END - WINDOW;
    if (inside && window_base == 0 && end <= IDENTITY_END)
        return window(physical); // low kernel: the loader's tables
    lock_take(&lock);
    const char *why = "it is out of reach";
    if (inside && window_base) why = window_objection(start, end, kind, kind_bits[kind]);
    for (u64 page = start; !why && page < end; page += PAGE_SIZE) {
        if (tables_leaf(tables_root(), WINDOW + page, &mapped)) continue;
        if (!tables_map(tables_root(), WINDOW + page, (paddr){page}, PAGE_SIZE,
                        kind_bits[kind] | PTE_G | PTE_NX, PAGE_SIZE))
            why = "no memory is left for page tables";
    }
    lock_give(&lock);
    if (why) log("memory: 0x%lx-0x%lx cannot be mapped: %s", physical.at, end - 1, why);
    if (why) return NULL;
    return window(physical);
}
