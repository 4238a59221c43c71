// The window onto physical memory: RAM is mapped when the address space is built, the rest here on demand.
#include "kernel/memory/window.h"

#include "boot/layout.h"
#include "kernel/memory/tables.h"

u64 window_base;

// Is the page mapped, at any page size?
static bool is_mapped(u64 address) {
    u64 table = tables_root();
    for (int shift = 39; shift >= 12; shift -= 9) {
        u64 entry = ((u64 *)window(table))[(address >> shift) % 512];
        if (!(entry & PTE_P)) return false;
        if (entry & PTE_PS) return true;
        table = entry & PTE_ADDRESS;
    }
    return true;
}

void *window_map(u64 physical, u64 bytes, enum window_kind kind) {
    u64 start = ROUND_DOWN(physical, PAGE_SIZE), end = physical + bytes;
    if (bytes == 0 || end < physical || end > WINDOW_END - WINDOW) return NULL;
    if (window_base == 0) return end <= IDENTITY_END ? window(physical) : NULL; // low stage: the loader's identity map
    u64 bits = PTE_P | PTE_G | PTE_NX | (kind == WINDOW_DEVICE ? PTE_W | PTE_PCD | PTE_PWT : 0);
    for (u64 page = start; page < end; page += PAGE_SIZE) {
        if (is_mapped(WINDOW + page)) continue;
        if (!tables_map(tables_root(), WINDOW + page, page, PAGE_SIZE, bits, PAGE_SIZE)) return NULL;
    }
    return window(physical);
}
