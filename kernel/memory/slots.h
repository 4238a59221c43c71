// The slots of CPUs: the CPU's own data at the bottom, its stack at the top (DESIGN).
#pragma once

#include "kernel/cpu/cpus.h"
#include "kernel/lib/address.h"
#include "kernel/memory/frames.h"

#define SLOT_STACK 0x4000 // bytes of stack to begin with
// pages for the stack, and for a page table when it enters another 2 MiB
#define SLOT_RESERVE 4

struct slot { // what this room keeps of a CPU, behind struct cpu
    struct frames_cpu frames;
    paddr reserve[SLOT_RESERVE];
    u32 reserved;    // how many of them there are
    bool allocating; // this CPU is inside the page allocator
    char why[80];    // the stack cannot grow
};
#define SLOT_DATA ROUND_UP(sizeof(struct cpu) + sizeof(struct slot), PAGE_SIZE)
_Static_assert(SLOT_DATA <= SLOT_DATA_MAX, "the stack ends there");

#ifndef SLOT_NUMBER // a test has them elsewhere
#define SLOT_NUMBER(number) ((struct slot *)(cpu_number(number) + 1))
#define THIS_SLOT()         ((struct slot *)(this_cpu() + 1))
#endif

bool slot_make(unsigned number) MUST_USE;
const char *slot_grow(u64 address, u64 rsp);
bool slot_refill(struct slot *slot);
