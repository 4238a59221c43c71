// The low stage's work on memory: from the BIOS map to the final address space.
#pragma once

#include "kernel/memory/pages.h"
#include "kernel/memory/plan.h"

// What the low stage found out and the high stage needs. It lies at BOUNCE, which no BIOS call uses any more, and holds
// no pointer into the low image; the one pointer in it, to the extents, is a physical address until the window exists.
struct handover {
    struct boot_info boot;
    struct pages pages;
    u64 root;            // physical address of the final PML4
    u64 tables_allow;    // see tables.h
    u64 tables;          // page tables made so far, the PML4 with them
    u64 usable;          // bytes the BIOS map calls usable, cleaned up
    u64 not_write_back;  // bytes that it calls usable and the MTRRs do not make write-back
    u64 ignored;         // usable entries of the map that wrap
    u64 kernel_physical; // the kernel's final image: kernel_low.length bytes at KERNEL_BASE
    u64 stack_physical;  // the first stack's 2 MiB; 0: it has pages
    u64 back;            // struct range[back_count]: what joins linear memory in the end (plan.h), in scratch memory
    u64 back_count;
    u64 entry; // where the high stage starts, in the final address space
    u64 stack_top;
};
_Static_assert(sizeof(struct handover) <= PAGE_SIZE, "the scratch memory begins one page behind");

// Plans and builds everything in handover->boot's machine, and loads the kernel anew at its final place. entry: link
// address of the high stage's entry point. Ends the machine when it is unfit.
void address_space_build(struct handover *handover, u64 entry);
