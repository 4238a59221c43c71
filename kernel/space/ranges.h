// Calls that say something of ranges of memory. A long range is done in pieces, between which
// others get the lock and the CPU: the call's record keeps how far it came.
#pragma once

#include "kernel/space/space.h"

// What a step costs, in instructions or rounds of a string instruction, at most.
#define AREA_COST 8000 // when its flags change
#define PAGE_COST 200
#define MAKE_COST 2000 // and the clearing of the page

// Each piece is whole: others see a range that is done in part. Where the next piece of a range
// from start on begins.
u64 range_from(const struct thread *thread, u64 start);
// A piece is done, up to reach: 0 at the end, else what the call returns to go on.
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

// What is left of the call for this execution.
struct walk range_begin(struct thread *thread, u64 start, u64 end);
// Goes through the areas of the range as far as one execution may; each moves at on, at most to
// end, or returns a negative errno, which ends the call. What the call returns: -ENOMEM if there
// was a hole, else 0.
s64 range_walk(struct thread *thread, struct walk *walk,
               s64 (*each)(struct walk *, const struct area *, u64 end));
// Of each: makes the page at walk->at, if it is not there as it has to be.
s64 range_populate(struct walk *walk, u64 end, bool writes);
