// What mmap(2) and its like do once their arguments are decoded. Each executes anew with the same
// arguments until it returns something else than CALL_WAITS.
#pragma once

#include "kernel/space/space.h"

struct mapping {
    u64 at, bytes;    // at: a hint, unless is_fixed; bytes: a multiple of the pages' size
    u64 limit;        // a place that is chosen lies below
    bool is_fixed;    // it goes to at and nowhere else,
    bool replaces;    // in the place of what is there
    bool populates;   // its pages are made at once
    int level;        // of pages that have to be large; 0: none has to
    paddr device;     // the physical address, or 0
    s64 error;        // why it cannot be, which counts once there is a place for it; or 0
    struct area like; // rights and flags
};
// The address, or a negative errno. Pages that have to be large are all taken before anything
// changes, so that none is missing later.
s64 mapping_make(struct thread *thread, const struct mapping *wanted);
s64 mapping_remove(struct thread *thread, u64 start, u64 end); // multiples of PAGE_SIZE

struct protection {
    u64 start, end;            // multiples of PAGE_SIZE
    u32 rights;                // AREA_*
    bool grows_up, grows_down; // from the start of an area that grows so
};
s64 mapping_protect(struct thread *thread, const struct protection *wanted);
// The end of the heap goes there, if it can. Where it is then.
s64 mapping_break(struct thread *thread, u64 to);

// ---- parts of these, under the lock of the space ----
// The result of a call under the lock, which ends here. Such a call copies nothing from or to the
// program, which could fault and want the lock, too.
s64 mapping_unlocked(struct space *space, s64 result);
// Takes out all areas of a range. _cut: with nodes ready and no page across the borders. _unmap:
// false, and nothing has changed, when there is no memory for these.
void mapping_cut(struct space *space, u64 start, u64 end);
bool mapping_unmap(struct space *space, u64 start, u64 end);
// The same in pieces, for a call: 0 at the end, -ENOMEM, or what call_again() returns.
s64 mapping_unmap_piece(struct thread *thread, u64 start, u64 end);
// Whether nothing is there, and no stack above needs it.
bool mapping_is_free(struct space *space, u64 start, u64 bytes);
// Where a mapping goes that names no place it must have: at the hint when it is free, else as high
// as it fits below limit, and from 2 MiB or 1 GiB on aligned for pages of that size. 0: nowhere.
u64 mapping_place(struct space *space, u64 hint, u64 bytes, u64 align, u64 limit);
