// mlock(2), and what else asks about pages that are there or are not. Nothing is ever written out
// to a disk: memory that is locked is made at once, and MADV_DONTNEED does not take it.
#include <linux/mman.h>
#include "kernel/call/call.h"
#include "kernel/kernel.h"
#include "kernel/memory/tables.h"
#include "kernel/space/ranges.h"

#define CHUNK 64 // pages of mincore() at a time

// ---- locking ----

// First all areas get the flag (what: AREA_LOCKED, or 0 to take it away), then their pages are
// made.
static s64 mlock_area(struct walk *walk, const struct area *area, u64 end) {
    struct space *space = walk->space;
    u32 wanted = 0;
    if (!(area->flags & AREA_DEVICE)) wanted = (u32)walk->what;
    if (!space_nodes_ready(space)) return -EAGAIN;
    if ((area->flags & AREA_LOCKED) != wanted)
        areas_flag(&space->areas, walk->at, end, wanted, AREA_LOCKED & ~wanted);
    walk->at = end;
    return 0;
}

static s64 mlock_fill_area(struct walk *walk, const struct area *area, u64 end) {
    bool is_private = !(area->flags & AREA_SHARED);
    if (area->flags & AREA_DEVICE) {
        walk->at = end;
        return 0;
    }
    if (!area->rights || area->flags & AREA_GUARD) return -ENOMEM;
    s64 error = range_populate(walk, end, is_private && area->rights & AREA_WRITE);
    if (error == -ENOMEM) return -EAGAIN; // as POSIX has it
    if (error) return -ENOMEM;
    return 0;
}

// The same for all areas there are: what cannot be made is left out.
static s64 mlock_fill_any(struct walk *walk, const struct area *area, u64 end) {
    if (mlock_fill_area(walk, area, end)) walk->at = end;
    return 0;
}

// Two walks over a range in one call: the second begins when the first is done.
static s64 mlock_range(struct thread *thread, struct walk walk,
                       s64 (*fill)(struct walk *, const struct area *, u64)) {
    u64 *fills = &thread->record.few[0];
    if (!walk.is_again) *fills = false;
    if (*fills) return range_walk(thread, &walk, fill);
    s64 result = range_walk(thread, &walk, mlock_area);
    bool is_done = result == 0 || (result == -ENOMEM && !walk.ends_at_hole);
    if (!is_done || !fill) return result;
    *fills = true;
    thread->record.done = 0;
    return call_again(thread);
}

static s64 mlock_call(struct thread *thread, u64 start, u64 bytes, u32 flag, bool fills) {
    u64 from = ROUND_DOWN(start, PAGE_SIZE);
    u64 end = from + ROUND_UP(bytes + start % PAGE_SIZE, PAGE_SIZE);
    if (end < from) return -EINVAL;
    if (end == from) return 0;
    struct walk walk = range_begin(thread, from, end);
    walk.what = flag;
    walk.ends_at_hole = true;
    if (!fills) return mlock_range(thread, walk, NULL);
    return mlock_range(thread, walk, mlock_fill_area);
}

s64 call_mlock(struct thread *thread, const u64 *arg) {
    return mlock_call(thread, arg[0], arg[1], AREA_LOCKED, true);
}
s64 call_munlock(struct thread *thread, const u64 *arg) {
    return mlock_call(thread, arg[0], arg[1], 0, false);
}

s64 call_mlock2(struct thread *thread, const u64 *arg) {
    if ((u32)arg[2] & ~(u32)MLOCK_ONFAULT) return -EINVAL;
    return mlock_call(thread, arg[0], arg[1], AREA_LOCKED, !(arg[2] & MLOCK_ONFAULT));
}

static void mlock_future(struct space *space, u64 flags) {
    space_take(space);
    space->lock_future = 0;
    if (flags & MCL_FUTURE) space->lock_future = flags & (MCL_FUTURE | MCL_ONFAULT);
    lock_give(&space->lock);
}

static s64 mlock_all(struct thread *thread, u32 flag,
                     s64 (*fill)(struct walk *, const struct area *, u64)) {
    struct walk walk = range_begin(thread, USER_START, USER_END);
    walk.what = flag;
    s64 result = mlock_range(thread, walk, fill);
    if (result == -ENOMEM) return 0; // there are holes
    return result;
}

s64 call_mlockall(struct thread *thread, const u64 *arg) {
    struct space *space = thread->process->space;
    u64 flags = (u32)arg[0];
    if (!flags || flags == MCL_ONFAULT || flags & ~(u64)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
        return -EINVAL;
    if (!thread->record.begun) mlock_future(space, flags);
    if (!(flags & MCL_CURRENT)) return 0;
    if (flags & MCL_ONFAULT) return mlock_all(thread, AREA_LOCKED, NULL);
    return mlock_all(thread, AREA_LOCKED, mlock_fill_any);
}

s64 call_munlockall(struct thread *thread, const u64 *arg) {
    struct space *space = thread->process->space;
    if (!thread->record.begun) mlock_future(space, 0);
    return mlock_all(thread, 0, NULL);
}

// ---- looking ----

// Nothing has to be written anywhere.
static s64 msync_area(struct walk *walk, const struct area *area, u64 end) {
    if (walk->what & MS_INVALIDATE && area->flags & AREA_LOCKED) return -EBUSY;
    walk->at = end;
    return 0;
}

s64 call_msync(struct thread *thread, const u64 *arg) {
    u64 start = arg[0];
    u64 end = start + ROUND_UP(arg[1], PAGE_SIZE);
    u64 flags = (u32)arg[2];
    if (flags & ~(u64)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || start % PAGE_SIZE) return -EINVAL;
    if (flags & MS_ASYNC && flags & MS_SYNC) return -EINVAL;
    if (end < start) return -ENOMEM;
    if (end == start) return 0;
    struct walk walk = range_begin(thread, start, end);
    walk.what = flags;
    return range_walk(thread, &walk, msync_area);
}

static bool mincore_is_there(struct space *space, const struct area *area, u64 address) {
    u64 bytes;
    if (area->object) return object_has(area->object, area->offset + (address - area->start));
    return tables_leaf(space->tlb.root, address, &bytes);
}

// How many of these pages lie in areas, and of each whether it is there.
static u64 mincore_look(struct space *space, u64 address, u64 pages, u8 *there) {
    u64 count = 0;
    space_take(space);
    for (; count < pages; count++) {
        const struct area *area = space_area(space, address);
        if (!area) break;
        there[count] = mincore_is_there(space, area, address);
        address += PAGE_SIZE;
    }
    lock_give(&space->lock);
    return count;
}

s64 call_mincore(struct thread *thread, const u64 *arg) {
    struct space *space = thread->process->space;
    u64 start = arg[0];
    u64 pages = ROUND_UP(arg[1], PAGE_SIZE) / PAGE_SIZE;
    u64 left = CALL_INSTRUCTIONS / 3 / PAGE_COST / CHUNK;
    struct record *record = &thread->record;
    if (start % PAGE_SIZE) return -EINVAL;
    if (start > USER_END || arg[1] > USER_END - start) return -ENOMEM;
    if (arg[2] > USER_END || pages > USER_END - arg[2]) return -EFAULT;
    if (!record->begun) record->done = 0;
    for (record->begun = true; record->done < pages; left--) {
        u8 there[CHUNK];
        if (!left || call_faulted(thread)) return call_again(thread);
        u64 count = mincore_look(space, start + record->done * PAGE_SIZE,
                                 MIN(pages - record->done, CHUNK), there);
        if (!count) return -ENOMEM;
        if (!copy_to_user(user(arg[2] + record->done), there, count)) return -EFAULT;
        record->done += count;
    }
    return 0;
}
