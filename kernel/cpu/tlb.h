// What CPUs remember of the program's page tables, and how they forget it together. Pages may be given away, and a
// change of rights counts, only after tlb_flush(); a page table only after one that was told so.
//
// A CPU uses the program's address space from tlb_enter() to tlb_leave(): an idle CPU is not woken because of it. Who
// changed entries counts up the generation and then looks who uses the space; who comes to use it says so and then
// looks at the generation. So one of them sees the other. An idle CPU may still walk the program's tables without being
// asked to, and set accessed bits in them, so it takes part when a table goes.
#pragma once

#include "kernel/lib/types.h"

// All CPUs forget [start, end) of the program's half, whose entries have changed: returns when they have. tables: page
// tables were taken out, too. One CPU at a time; the others serve, wherever they wait, or are interrupted. Panics when
// one does not, after seconds.
void tlb_flush(u64 start, u64 end, bool tables);
void tlb_forget(u64 address); // this CPU alone: another one has given it more rights

void tlb_serve(void); // does what this CPU is asked to: at VECTOR_FLUSH, and from cpu_serve()
void tlb_enter(void); // when the CPU counts as online
bool tlb_leave(void); // whether it was in
