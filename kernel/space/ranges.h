// Calls that say something of ranges of memory. A long range is done in pieces, between which
// others get the lock and the CPU: the call's record keeps how far it came.
#pragma once

#include "kernel/space/space.h"

// What a step costs, in instructions or rounds of a string instruction, at most.
#define AREA_COST 8000 // when its flags change
#define PAGE_COST 200
#define MAKE_COST 2000 // and the clearing of the page

// How far a call came.
u64 range_from(const struct thread *thread, u64 start);
s64 range_to(struct thread *thread, u64 start, u64 reach, u64 end);

struct walk {
    struct space *space;
    u64 start, at, end; // at: done up to there
    s64 left;           // of a quarter of CALL_INSTRUCTIONS: the last step may clear a large page
    u64 what;           // for the call
    bool ends_at_hole;  // nothing behind a hole is done
    bool has_hole;
    bool is_again; // not the call's first execution
};

struct walk range_begin(struct thread *thread, u64 start, u64 end);
s64 range_walk(struct thread *thread, struct walk *walk,
               s64 (*each)(struct walk *, const struct area *, u64 end));
s64 range_populate(struct walk *walk, u64 end, bool writes);
