// What mmap(2) and its like do once their arguments are decoded. Each executes anew with the same
// arguments until it returns something else than CALL_WAITS.
#pragma once

#include "kernel/program/space.h"

struct mapping {
    u64 at, bytes;    // at: a hint, unless is_fixed; bytes: a multiple of the pages' size
    u64 limit;        // a place that is chosen lies below
    bool is_fixed;    // it goes to at and nowhere else,
    bool replaces;    // in the place of what is there
    bool populates;   // its pages are made at once
    int level;        // of pages that have to be large; 0: none has to
    u64 device;       // the physical address, or 0
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
