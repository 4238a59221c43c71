// Long ranges of memory, in pieces: how far a call came, the walk over the areas of a range, and
// the making of pages on the way.
#include "kernel/space/ranges.h"

#include "kernel/cpu/trap.h"
#include "kernel/memory/tables.h"

// Where the next piece of a range from start on begins. Each piece is whole: others see a range
// that is done in part.
u64 range_from(const struct thread *thread, u64 start) { return start + thread->record.done; }

// A piece is done, up to reach. Returns 0 at the end, else what the call returns to go on.
s64 range_to(struct thread *thread, u64 start, u64 reach, u64 end) {
    thread->record.done = reach - start;
    if (reach >= end) return 0;
    return call_again(thread);
}

// What is left of the call for this execution.
struct walk range_begin(struct thread *thread, u64 start, u64 end) {
    struct record *record = &thread->record;
    bool is_again = record->begun;
    if (!record->begun) record->done = record->index = 0;
    record->begun = true;
    struct walk walk = {.space = thread->process->space,
                        .start = start,
                        .at = start + record->done,
                        .end = end,
                        .left = CALL_INSTRUCTIONS / 4};
    walk.has_hole = record->index;
    walk.is_again = is_again;
    return walk;
}

static s64 range_step(struct walk *walk, s64 (*each)(struct walk *, const struct area *, u64 end)) {
    struct space *space = walk->space;
    const struct area *area = areas_find(&space->areas, walk->at);
    walk->left -= AREA_COST;
    if (!area || area->start > walk->at) {
        walk->has_hole = true;
        walk->at = walk->end;
        if (area) walk->at = MIN(area->start, walk->end);
        if (walk->ends_at_hole) return -ENOMEM;
        return 0;
    }
    return each(walk, area, MIN(walk->end, area->end));
}

// Goes through the areas of the range as far as one execution may. each moves walk->at on, at most
// to end, or returns a negative errno, which ends the call. Returns what the call returns: -ENOMEM
// if there was a hole, else 0.
s64 range_walk(struct thread *thread, struct walk *walk,
               s64 (*each)(struct walk *, const struct area *, u64 end)) {
    struct space *space = thread->process->space;
    s64 error = 0;
    space_take(space);
    while (!error && walk->at < walk->end && walk->left > 0) error = range_step(walk, each);
    lock_give(&space->lock);
    if (error) return error;
    thread->record.done = walk->at - walk->start;
    thread->record.index = walk->has_hole;
    if (walk->at < walk->end) return call_again(thread);
    if (walk->has_hole) return -ENOMEM;
    return 0;
}

// Something for each to do: makes the page at walk->at, if it is not there as it has to be. 0 or a
// negative errno.
s64 range_populate(struct walk *walk, u64 end, bool writes) {
    struct space *space = walk->space;
    u64 bytes, *entry = tables_leaf(space->tlb.root, walk->at, &bytes);
    walk->left -= PAGE_COST;
    if (entry && (!writes || *entry & PTE_W)) {
        walk->at = MIN(end, ROUND_DOWN(walk->at, bytes) + bytes);
        return 0;
    }
    u64 access = 0;
    if (writes) access = FAULT_WRITE;
    const char *why = space_make(space, walk->at, access);
    // If others changed the area meanwhile there may be no page: then it is looked at again.
    bool is_made = tables_leaf(space->tlb.root, walk->at, &bytes);
    walk->left -= MAKE_COST;
    if (is_made) walk->left -= (s64)(bytes / sizeof(u64));
    if (!why) return 0;
    if (why == space_no_memory) return -ENOMEM;
    return -EFAULT;
}
