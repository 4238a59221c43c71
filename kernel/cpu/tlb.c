// What this CPU remembers of page tables, and where its own begin.
#include "kernel/memory/tables.h"

void tlb_flush_page(u64 address) { __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory"); }

void tlb_flush_all(void) { __asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" ::: "rax", "memory"); }

u64 tables_root(void) {
    u64 cr3;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3 & PTE_ADDRESS;
}
