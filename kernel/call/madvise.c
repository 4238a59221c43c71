// madvise(2): what the program says of ranges of its memory.
#include <linux/mman.h>
#include "kernel/call/call.h"
#include "kernel/cpu/x86.h"
#include "kernel/memory/tables.h"
#include "kernel/space/ranges.h"
#include "kernel/space/space.h"

#ifndef MADV_GUARD_INSTALL // younger than the headers of Debian 12
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

static bool madvise_is_known(u64 advice) {
    if (advice == MADV_GUARD_INSTALL || advice == MADV_GUARD_REMOVE) return true;
    return advice <= MADV_DONTNEED || (advice >= MADV_FREE && advice <= MADV_COLLAPSE);
}

// Gives up pages from walk->at on as far as one piece goes, at most to end: what is read next is
// zeroes, or the file.
static s64 madvise_give_up(struct walk *walk, u64 end) {
    struct space *space = walk->space;
    u64 stop = walk->at, bytes;
    for (; stop < end && walk->left > 0; walk->left -= PAGE_COST) {
        tables_leaf(space->tlb.root, stop, &bytes);
        stop = MIN(end, ROUND_DOWN(stop, bytes) + bytes);
    }
    if (!space_borders(space, walk->at, stop)) return -ENOMEM;
    space_drop(space, walk->at, stop);
    walk->at = stop;
    return 0;
}

static s64 madvise_populate(struct walk *walk, const struct area *area, u64 end) {
    bool writes = walk->what == MADV_POPULATE_WRITE;
    u32 needed = AREA_READ | AREA_WRITE; // one of them
    if (writes) needed = AREA_WRITE;
    if (area->flags & AREA_DEVICE || !(area->rights & needed)) return -EINVAL;
    if (area->flags & AREA_GUARD) return -EFAULT;
    return range_populate(walk, end, writes);
}

// Zeroes come back in all areas that show it.
static s64 madvise_remove(struct walk *walk, const struct area *area, u64 end) {
    if (area->flags & (AREA_LOCKED | AREA_DEVICE)) return -EINVAL;
    bool is_shared = area->flags & AREA_SHARED;
    if (!is_shared && area->object) return -EACCES;
    if (!is_shared) return -EINVAL;
    if (!area->object) return madvise_give_up(walk, end);
    for (; walk->at < end && walk->left > 0; walk->at += PAGE_SIZE) {
        bool clears = object_clear(area->object, area->offset + (walk->at - area->start));
        walk->left -= PAGE_COST;
        if (clears) walk->left -= PAGE_SIZE / sizeof(u64);
    }
    return 0;
}

static s64 madvise_guard(struct walk *walk, const struct area *area, u64 end) {
    struct space *space = walk->space;
    bool installs = walk->what == MADV_GUARD_INSTALL;
    if (area->flags & AREA_DEVICE || (installs && area->flags & AREA_LOCKED)) return -EINVAL;
    u64 start = walk->at;
    u64 stop = end;
    s64 error = 0;
    if (installs) error = madvise_give_up(walk, end);
    if (error || !space_nodes_ready(space)) return -ENOMEM;
    if (installs) stop = walk->at;
    if (installs)
        areas_flag(&space->areas, start, stop, AREA_GUARD, 0);
    else
        areas_flag(&space->areas, start, stop, 0, AREA_GUARD);
    walk->at = stop;
    return 0;
}

// What a copy of the space is to have of it.
static s64 madvise_of_copies(struct walk *walk, u64 end) {
    u32 flag = AREA_WIPED;
    if (walk->what == MADV_DONTFORK || walk->what == MADV_DOFORK) flag = AREA_NOFORK;
    u32 set = 0;
    if (walk->what == MADV_DONTFORK || walk->what == MADV_WIPEONFORK) set = flag;
    if (!space_nodes_ready(walk->space)) return -ENOMEM;
    areas_flag(&walk->space->areas, walk->at, end, set, flag & ~set);
    walk->at = end;
    return 0;
}

// Which areas an advice is not for, as Linux has it; those that need nothing done are for all.
static s64 madvise_advise(struct walk *walk, const struct area *area, u64 end) {
    u32 flags = area->flags;
    u32 not_for = 0;
    switch (walk->what) {
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE: return madvise_populate(walk, area, end);
    case MADV_REMOVE: return madvise_remove(walk, area, end);
    case MADV_GUARD_INSTALL:
    case MADV_GUARD_REMOVE: return madvise_guard(walk, area, end);
    case MADV_COLLAPSE: return -EINVAL; // pages come as large as fits by themselves, or not at all
    case MADV_FREE: not_for = AREA_SHARED | AREA_LOCKED | AREA_DEVICE; break;
    case MADV_WIPEONFORK: not_for = AREA_SHARED | AREA_DEVICE; break;
    case MADV_DONTNEED:
    case MADV_COLD:
    case MADV_PAGEOUT: not_for = AREA_LOCKED | AREA_DEVICE; break;
    case MADV_DONTNEED_LOCKED:
    case MADV_DOFORK:
    case MADV_DODUMP: not_for = AREA_DEVICE; break;
    }
    bool is_for_zeroes = walk->what == MADV_FREE || walk->what == MADV_WIPEONFORK;
    if (flags & not_for || (is_for_zeroes && area->object)) return -EINVAL;
    bool is_of_copies = walk->what >= MADV_DONTFORK && walk->what <= MADV_DOFORK;
    if (is_of_copies || walk->what == MADV_WIPEONFORK || walk->what == MADV_KEEPONFORK)
        return madvise_of_copies(walk, end);
    bool gives_up = walk->what == MADV_DONTNEED || walk->what == MADV_FREE ||
                    walk->what == MADV_DONTNEED_LOCKED;
    if (gives_up && !(flags & AREA_SHARED))
        return madvise_give_up(walk, end); // what is shared stays in its object
    walk->at = end;
    return 0;
}

// madvise(start, length, advice): what is not mapped is left out, and said.
s64 call_madvise(struct thread *thread, const u64 *arg) {
    u64 start = arg[0];
    u64 bytes = ROUND_UP(arg[1], PAGE_SIZE);
    u64 advice = (u32)arg[2];
    if (!madvise_is_known(advice) || start % PAGE_SIZE) return -EINVAL;
    if ((arg[1] && !bytes) || start + bytes < start) return -EINVAL; // it wraps
    if (!bytes) return 0;
    struct walk walk = range_begin(thread, start, start + bytes);
    walk.what = advice;
    walk.ends_at_hole = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
    return range_walk(thread, &walk, madvise_advise);
}
