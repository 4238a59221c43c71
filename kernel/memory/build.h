// From the BIOS map to the final address space: the low kernel builds it, the high kernel takes it
// over.
#pragma once

#include "kernel/memory/pages.h"
#include "kernel/memory/plan.h"

// What the low kernel found out and the high kernel needs. It lies where boot_info says, and holds
// no pointer into the low kernel; those to the extents and the plan's lists are physical addresses
// for the high kernel.
struct handover {
    struct boot_info boot;
    struct plan plan; // its lists lie in scratch memory
    struct pages pages;
    paddr root;       // the final PML4
    u64 tables_allow; // see tables.h
    u64 tables;       // page tables made so far, the PML4 with them
};
_Static_assert(sizeof(struct handover) <= PAGE_SIZE, "the scratch memory begins one page behind");
#define HANDOVER_BYTES(entries) (PAGE_SIZE + PLAN_SCRATCH(entries))

// ---- bootinfo.c, low, pure ----
bool bootinfo_is_other(const struct boot_info *boot, char *text, size_t size) MUST_USE;
bool bootinfo_is_wrong(const struct boot_info *boot, char *text, size_t size) MUST_USE;

// ---- build.c, low ----
void address_space_build(struct handover *handover);

// ---- takeover.c, high; in this order ----
void memory_take_over(const struct handover *handover);
void memory_end_boot(const struct handover *handover);
void memory_give(paddr start, paddr end);
void memory_report(void);
