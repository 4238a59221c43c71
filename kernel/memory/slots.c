// See slots.h.
#include "kernel/memory/slots.h"

#include "kernel/cpu/cpu.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/tables.h"

static bool map_new(u64 address, u64 bytes) {
    for (u64 at = address; at < address + bytes; at += PAGE_SIZE) {
        u64 page = page_alloc();
        if (!page || !tables_map(tables_root(), at, page, PAGE_SIZE, PTE_W | PTE_NX | PTE_G, PAGE_SIZE)) return false;
    }
    return true;
}

bool slot_make(unsigned number) {
    u64 slot = SLOTS + number * (u64)SLOT_SIZE;
    return map_new(slot, ROUND_UP(sizeof(struct cpu), PAGE_SIZE)) && map_new(slot + SLOT_SIZE - SLOT_STACK, SLOT_STACK);
}
