// A range of the program's memory goes to another place with its pages, piece by piece: for
// mremap().
#pragma once

#include "kernel/space/space.h"

// The call of which the record says what, in each of its executions (remap.c): the new address, or
// a negative errno; or what call_again() returns.
s64 remap(struct thread *thread, bool is_first);

// What it does them with, under the space's lock.
s64 move_begin(struct thread *thread, const struct area *area);
s64 move_piece(struct thread *thread);
bool move_grow(struct space *space, struct move *call, const struct area *area, u64 start, u64 end);
