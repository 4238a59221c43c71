// The roots of page tables: the kernel's own, whose lower half is empty, and those of the programs'
// address spaces, which all have its upper half.
#include "kernel/cpu/x86.h"
#include "kernel/lib/string.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"

#define KERNEL_HALF 256 // entries of a root from there on

static paddr kernel_root; // 0: not there yet

paddr tables_root_here(void) { return pte_target(read_cr3()); }

paddr tables_root(void) {
    if (kernel_root.at) return kernel_root;
    return tables_root_here();
}

void tables_set_root(paddr root) { kernel_root = root; }

void tables_begin_root(paddr root) {
    u64 *entries = window(root);
    const u64 *from = window(tables_root());
    memset(entries, 0, KERNEL_HALF * sizeof *entries);
    memcpy(entries + KERNEL_HALF, from + KERNEL_HALF, KERNEL_HALF * sizeof *entries);
}

// What is entered later, for a device far up in memory or another CPU, comes to other roots only
// when somebody looks there.
bool tables_catch_up(u64 address) {
    u64 *here = tables_at(tables_root_here(), address, 3);
    const u64 *there = tables_at(tables_root(), address, 3);
    if (address < WINDOW || *here & PTE_P || !(*there & PTE_P)) return false;
    *here = *there;
    return true;
}
