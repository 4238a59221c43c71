// The slots of CPUs: the CPU's own data at the bottom, its stack at the top (DESIGN).
#pragma once

#include "kernel/cpu/cpus.h"
#include "kernel/memory/frames.h"

#define SLOT_STACK 0x4000 // bytes of stack to begin with
// pages for the stack, and for a page table when it enters another 2 MiB
#define SLOT_RESERVE 4

struct slot { // what this room keeps of a CPU, behind struct cpu
    struct frames_cpu frames;
    u64 reserve[SLOT_RESERVE]; // physical
    u32 reserved;              // how many of them there are
    bool allocating;           // this CPU is inside the page allocator
    char why[80];              // the stack cannot grow
};
#define SLOT_DATA ROUND_UP(sizeof(struct cpu) + sizeof(struct slot), PAGE_SIZE)
_Static_assert(SLOT_DATA <= SLOT_DATA_MAX, "the stack ends there");

#ifndef SLOT_NUMBER // a test has them elsewhere
#define SLOT_NUMBER(number) ((struct slot *)(cpu_number(number) + 1))
#define THIS_SLOT()         ((struct slot *)(this_cpu() + 1))
#endif

// Maps the data and the first stack of a CPU other than 0, contents undefined but for struct slot;
// what a slot needs to be entered. False when slots would take more than an eighth of memory. For
// CPU 0, one number after the other.
bool slot_make(unsigned number) MUST_USE;

// A page fault of the kernel on this CPU where nothing is mapped, with the stack pointer it had.
// When the address is of the stack, or not far below, it gets a page of the reserve, without locks,
// and the result is NULL; else it says why not, or is empty when the address is none of the
// stack's. Only pages that are touched are there: a function may leave some out, and they come when
// it turns to them. Runs on the page-fault stack. The reserve is filled again at once, unless the
// fault came inside the page allocator; for that SLOT_RESERVE pages are much.
const char *slot_grow(u64 address, u64 rsp);
// Fills the reserve, by the CPU whose it is or that makes the slot, not inside the page allocator;
// false when no page is left for it.
bool slot_refill(struct slot *slot);
