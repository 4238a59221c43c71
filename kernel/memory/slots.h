// The slots of CPUs: the CPU's own data at the bottom, its stack at the top (DESIGN).
#pragma once

#include "kernel/lib/types.h"

// Maps the data and the first stack of a CPU other than 0, contents undefined; what a slot needs to be entered. False
// when there is no memory for it.
bool slot_make(unsigned number) MUST_USE;
#define SLOT_STACK 0x4000 // bytes of stack to begin with

// A page fault of the kernel at an address of its own slot: gives the stack its next page from the CPU's reserve,
// without locks, or says why it cannot (NULL: done). Runs on the page-fault stack.
const char *slot_grow(u64 address);
// Fills the reserve of this CPU again; at every point where no lock is held.
void slot_refill(void);
