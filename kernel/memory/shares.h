// Frames of which several address spaces may have entries since a process was forked. Nothing is
// kept of a frame that never was: its one entry owns it. A shared one is found free by tracing: the
// collector (space/collector.c) marks what all spaces have entries of, and what is not marked then
// is free.
#pragma once

#include "kernel/lib/address.h"

// Another space is to have a copy of an entry, or the entry moves. While the collector marks, what
// it has not seen may thereby come to where it has been: so the frame counts as marked.
void shares_copy(paddr physical, u64 bytes);
void shares_moved(paddr physical, u64 bytes);
// A page of 2 MiB that may be shared is to be split in one space; others may have it as a whole.
void shares_split(paddr physical);

// ---- for the collector ----
void shares_begin(void); // from here on it marks
void shares_mark(paddr physical, u64 bytes);
// All spaces were traced. Whether no other entry has it: then it belongs to this one from now on.
bool shares_alone(paddr physical, u64 bytes);
// Gives back what was not marked, from a group on, with so much work. The group to go on with; 0:
// that was all. freed: pages that came back.
u64 shares_sweep(u64 from, u64 work, u64 *freed);
void shares_end(void);
