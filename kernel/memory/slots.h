// The slots of CPUs: the CPU's own data at the bottom, its stack at the top (DESIGN).
#pragma once

#include "kernel/cpu/cpus.h"
#include "kernel/memory/frames.h"

#define SLOT_STACK   0x4000 // bytes of stack to begin with
#define SLOT_RESERVE 4      // pages for the stack, and for a page table when it enters another 2 MiB

struct slot { // what this room keeps of a CPU, behind struct cpu
    struct frames_cpu frames;
    u64 reserve[SLOT_RESERVE]; // physical
    u32 reserved;              // how many of them there are
    char why[80];              // the stack cannot grow
};
#define SLOT_DATA ROUND_UP(sizeof(struct cpu) + sizeof(struct slot), PAGE_SIZE)
_Static_assert(SLOT_DATA <= SLOT_DATA_MAX, "the stack ends there");

static inline struct slot *slot_number(unsigned number) { return (struct slot *)(cpu_number(number) + 1); }
static inline struct slot *this_slot(void) { return (struct slot *)(this_cpu() + 1); }

// Maps the data and the first stack of a CPU other than 0, contents undefined but for struct slot; what a slot needs to
// be entered. False when slots would take more than an eighth of memory. For CPU 0, one number after the other.
bool slot_make(unsigned number) MUST_USE;
