// What mremap(2) does once its arguments are decoded: areas change their size and place with the
// pages that exist of them. What moves goes in pieces (move.c).
#include <linux/mman.h>
#include "kernel/space/mappings.h"
#include "kernel/space/move.h"
#include "kernel/memory/promises.h"

// Whether an area may become so large, or be shown again, as the call wants; 0 or a negative errno.
static s64 remap_check(struct space *space, const struct move *call, const struct area *area) {
    bool is_device = area->flags & AREA_DEVICE;
    if (!call->old && !(area->flags & AREA_SHARED && area->object)) return -EINVAL;
    if (is_device && call->flags & MREMAP_DONTUNMAP) return -EINVAL;
    if (is_device) return -EFAULT; // it stays where it is
    if (area->object == &objects_file && call->bytes > call->old)
        return refused("mremap", "new length", call->bytes,
                       "of the program's file only what was loaded is kept", -EFAULT);
    if (MIN(call->old, call->bytes) > area->end - call->at) return -EFAULT;
    struct area more =
        area_part(area, USER_END, USER_END + call->bytes - MIN(call->old, call->bytes));
    if (call->flags & MREMAP_DONTUNMAP) more.end = more.start + call->bytes;
    if (!space_within_limits(space, &more)) return -ENOMEM;
    return 0;
}

// With MREMAP_FIXED or MREMAP_DONTUNMAP, or to a place that is chosen.
static s64 remap_to(struct thread *thread) {
    struct space *space = thread->process->space;
    struct move *call = &thread->record.move;
    const struct area *area = space_area(space, call->at);
    s64 error = remap_check(space, call, area);
    if (error) return error;
    if (!(call->flags & MREMAP_FIXED))
        call->to = mapping_place(space, call->to, call->bytes, PAGE_SIZE, USER_END);
    if (!call->to) return -ENOMEM;
    return move_begin(thread, area);
}

// Several areas, and the holes between them, move as they are; at the new place what is in such a
// hole stays. The next one, from an address on.
static s64 remap_next(struct thread *thread, u64 from) {
    struct space *space = thread->process->space;
    struct move *call = &thread->record.move;
    const struct area *area = areas_find(&space->areas, from);
    if (!area || area->start >= call->end) return (s64)call->result;
    u64 at = MAX(from, area->start);
    call->to += at - call->at;
    call->at = at;
    call->bytes = call->old = MIN(call->end, area->end) - at;
    return remap_to(thread);
}

static s64 remap_grow(struct thread *thread) {
    struct space *space = thread->process->space;
    struct move *call = &thread->record.move;
    const struct area *area = space_area(space, call->at);
    s64 error = remap_check(space, call, area);
    if (error) return error;
    u64 end = call->at + call->old;
    u64 new_end = call->at + call->bytes;
    const struct area *next = areas_find(&space->areas, area->end);
    bool is_free = new_end <= USER_END && (!next || next->start >= new_end);
    if (end == area->end && is_free) {
        if (!move_grow(space, call, area, end, new_end)) return -ENOMEM;
        return (s64)call->at;
    }
    call->to = 0;
    if (!(call->flags & MREMAP_MAYMOVE)) return -ENOMEM;
    return remap_to(thread);
}

// The call's first execution.
static s64 remap_begin(struct thread *thread) {
    struct space *space = thread->process->space;
    struct move *call = &thread->record.move;
    const struct area *area = space_area(space, call->at);
    if (!area) return -EFAULT;
    bool is_beyond = call->old > USER_END - call->at;
    if (is_beyond && call->bytes < call->old) return -EINVAL;
    if (is_beyond) return -EFAULT;
    bool is_several = call->old > area->end - call->at && call->old == call->bytes;
    if (call->flags & MREMAP_FIXED && call->to < USER_START)
        return -EPERM; // nothing is ever mapped there
    if (is_several && (call->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) == MREMAP_FIXED) {
        call->end = call->at + call->old;
        call->result = call->to;
        return remap_next(thread, call->at);
    }
    if (call->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) return remap_to(thread);
    if (call->bytes > call->old) return remap_grow(thread);
    call->to = call->at;
    if (call->bytes == call->old) return (s64)call->at;
    return move_begin(thread, NULL);
}

static s64 remap_go_on(struct thread *thread) {
    struct move *call = &thread->record.move;
    s64 result = move_piece(thread);
    if (result < 0 || !call->end) return result;
    result = remap_next(thread, call->at + call->bytes);
    if (result) return result;
    return call_again(thread);
}

s64 remap(struct thread *thread, bool is_first) {
    struct space *space = thread->process->space;
    struct move *call = &thread->record.move;
    space_take(space);
    promises_drop(call->held);
    s64 result = 0;
    if (is_first) result = remap_begin(thread);
    if (!result) result = remap_go_on(thread);
    if (result != CALL_WAITS || !promises_make(call->held)) call->held = 0;
    result = mapping_unlocked(space, result);
    if (result < 0 || !call->fill_end) return result;
    return populate_begin(thread, call->fill, call->fill_end, 0, result);
}
