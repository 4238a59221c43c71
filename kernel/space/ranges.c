// See ranges.h.
#include "kernel/space/ranges.h"

#include "kernel/cpu/trap.h"
#include "kernel/memory/tables.h"

u64 range_from(const struct thread *thread, u64 start) { return start + thread->record.done; }

s64 range_to(struct thread *thread, u64 start, u64 reach, u64 end) {
    thread->record.done = reach - start;
    return reach < end ? call_again(thread) : 0;
}

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
        walk->at = area ? MIN(area->start, walk->end) : walk->end;
        return walk->ends_at_hole ? -ENOMEM : 0;
    }
    return each(walk, area, MIN(walk->end, area->end));
}

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
    return walk->has_hole ? -ENOMEM : 0;
}

s64 range_populate(struct walk *walk, u64 end, bool writes) {
    struct space *space = walk->space;
    u64 bytes, *entry = tables_leaf(space->tlb->root, walk->at, &bytes);
    walk->left -= PAGE_COST;
    if (entry && (!writes || *entry & PTE_W)) {
        walk->at = MIN(end, ROUND_DOWN(walk->at, bytes) + bytes);
        return 0;
    }
    u64 access = writes ? FAULT_WRITE : 0;
    const char *why = space_make(space, walk->at, access);
    // If others changed the area meanwhile there may be no page: then it is looked at again.
    bool is_made = tables_leaf(space->tlb->root, walk->at, &bytes);
    walk->left -= MAKE_COST + (is_made ? (s64)(bytes / sizeof(u64)) : 0);
    if (!why) return 0;
    return why == space_no_memory ? -ENOMEM : -EFAULT;
}
