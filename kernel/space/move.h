// A range of the program's memory goes to another place with its pages, piece by piece: for
// mremap().
#pragma once

#include "kernel/space/space.h"

// The call of which the record says what, in each of its executions (remap.c): the new address, or
// a negative errno; or what call_again() returns.
s64 remap(struct thread *thread, bool is_first);

// Under the space's lock. The call's record says what: from at, old bytes, so that there are so
// many at to. area: there now, and checked; NULL: the range only becomes shorter. 0, and then
// move_piece() goes on, or a negative errno.
s64 move_begin(struct thread *thread, const struct area *area);
// The next piece, with what the call held given back to the account. The new address, or a negative
// errno; or what call_again() returns.
s64 move_piece(struct thread *thread);
// An area grows, or begins, with [start, end): like one that is there, which is locked into memory
// if that is. False: there is no memory for it.
bool move_grow(struct space *space, struct move *call, const struct area *area, u64 start, u64 end);
