// What changes the areas of the program's address space; space.c has the pages, and one lock for
// all of it.
#include <linux/mman.h>
#include <asm/resource.h>
#include "kernel/device/devices.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/tables.h"
#include "kernel/space/mappings.h"
#include "kernel/memory/promises.h"
#include "kernel/space/ranges.h"

void space_tell_screen(struct space *space) {
    static u64 shown;                              // by all spaces together
    u64 more = space->areas.device - space->shown; // or less: wraps
    space->shown = space->areas.device;
    screen_yield(__atomic_add_fetch(&shown, more, __ATOMIC_SEQ_CST));
}

s64 mapping_unlocked(struct space *space, s64 result) {
    space_tell_screen(space);
    lock_give(&space->lock);
    return result;
}

void mapping_cut(struct space *space, u64 start, u64 end) {
    space_areas_cut(space, start, end);
    space_drop(space, start, end);
}

bool mapping_unmap(struct space *space, u64 start, u64 end) {
    if (!space_nodes_ready(space) || !space_borders(space, start, end)) return false;
    mapping_cut(space, start, end);
    return true;
}

s64 mapping_unmap_piece(struct thread *thread, u64 start, u64 end) {
    struct space *space = thread->process->space;
    u64 from = range_from(thread, start);
    u64 reach = space_reach(space, from, end);
    if (!space_border(space, end) || !mapping_unmap(space, from, reach)) return -ENOMEM;
    return range_to(thread, start, reach, end);
}

static bool mapping_has_none(struct space *space, u64 start, u64 bytes) {
    const struct area *next = areas_find(&space->areas, start);
    return !next || next->start >= start + bytes;
}

bool mapping_is_free(struct space *space, u64 start, u64 bytes) {
    const struct area *next = areas_find(&space->areas, start);
    u64 gap = 0;
    if (next && next->flags & AREA_GROWS) gap = AREA_GAP;
    return !next || (next->start >= gap && next->start - gap >= start + bytes);
}

u64 mapping_place(struct space *space, u64 hint, u64 bytes, u64 align, u64 limit) {
    hint = ROUND_DOWN(hint, PAGE_SIZE);
    if (hint) hint = MAX(hint, SPACE_LOWEST);
    u64 end = MIN(limit, USER_END);
    bool fits = hint && hint < end && bytes <= end - hint && hint % align == 0;
    if (fits && mapping_is_free(space, hint, bytes)) return hint;
    for (int level = LEVEL_1G; level >= 0; level--) {
        u64 size = LEVEL_BYTES(level);
        if (size < align || size > bytes) continue;
        u64 at = areas_hole(&space->areas, bytes + size - PAGE_SIZE, SPACE_LOWEST,
                            MIN(end, SPACE_PLACE_END));
        if (at) return ROUND_UP(at, size);
    }
    return 0;
}

bool space_within_limits(struct space *space, const struct area *like) {
    const struct areas *areas = &space->areas;
    u64 pages = PAGES(like->end - like->start);
    u64 most = limit_get(space_limits(), RLIMIT_AS) / PAGE_SIZE;
    if (pages > most || areas->pages > most - pages) {
        u64 replaced = areas_pages(&space->areas, like->start, like->end, false);
        if (pages > most + replaced || areas->pages > most + replaced - pages) return false;
    }
    if (!area_is_data(like)) return true;
    most = limit_get(space_limits(), RLIMIT_DATA);
    if (!most) most = limit_hard(space_limits(), RLIMIT_DATA); // as Linux does for Valgrind
    most /= PAGE_SIZE;
    if (pages <= most && areas->data <= most - pages) return true;
    u64 replaced = areas_pages(&space->areas, like->start, like->end, true);
    return pages <= most + replaced && areas->data <= most + replaced - pages;
}

// Where a mapping goes, or a negative errno.
static s64 mapping_find(struct space *space, const struct mapping *wanted) {
    u64 at = wanted->at;
    u64 align = LEVEL_BYTES(wanted->level);
    if (!wanted->is_fixed) {
        at = mapping_place(space, at, wanted->bytes, align, wanted->limit);
        if (!at) return -ENOMEM;
        return (s64)at;
    }
    if (at > USER_END - wanted->bytes) return -ENOMEM;
    if (at % align) return -EINVAL;
    if (at < USER_START) return -EPERM; // nothing is ever mapped there
    if (!wanted->replaces && !mapping_has_none(space, at, wanted->bytes)) return -EEXIST;
    return (s64)at;
}

// Puts the area with what it needs, piece by piece in the place of what is there if it replaces
// that. Shared memory comes with the last piece; until then nobody else gets the place.
static s64 mapping_put(struct thread *thread, const struct mapping *wanted, u64 at) {
    struct space *space = thread->process->space;
    u64 end = at + wanted->bytes;
    u64 from = range_from(thread, at);
    u64 worth = LEVEL_BYTES(wanted->level) / PAGE_SIZE;
    u64 reach = end;
    if (wanted->replaces) reach = space_reach(space, from, end);
    struct area part = wanted->like;
    if (space->lock_future && !wanted->device.at) part.flags |= AREA_LOCKED;
    bool has_object = part.flags & AREA_SHARED && !wanted->device.at && !wanted->level;
    part.start = from;
    if (has_object && reach == end) part.start = at;
    part.end = reach;
    if (has_object && reach < end) {
        part.rights = 0;
        part.flags = AREA_NORESERVE;
    }
    if (!space_within_limits(space, &part) || !space_border(space, end) ||
        !space_borders(space, part.start, reach))
        return -ENOMEM;
    if (has_object && reach == end) {
        part.object = object_make(end - at, !(part.flags & AREA_NORESERVE));
        if (!part.object) return -ENOMEM;
    }
    if (!space_can_put(space, &part, thread->record.taken.count * worth)) {
        if (part.object) object_give(part.object);
        if (!promises.away) return -ENOMEM;
        return call_again(thread); // what others are clearing may come back
    }
    space_areas_put(space, &part);
    if (wanted->replaces) space_drop(space, part.start, reach);
    if (wanted->device.at &&
        !space_put_device(space, &part, paddr_add(wanted->device, from - at))) {
        mapping_unmap(space, from, reach);
        return -ENOMEM;
    }
    s64 error = range_to(thread, at, reach, end);
    if (error) return error;
    return (s64)at;
}

static s64 mapping_make_locked(struct thread *thread, const struct mapping *wanted) {
    struct space *space = thread->process->space;
    s64 at = mapping_find(space, wanted);
    if (at < 0) return at;
    if (wanted->error) return wanted->error;
    return mapping_put(thread, wanted, (u64)at);
}

s64 mapping_make(struct thread *thread, const struct mapping *wanted) {
    struct space *space = thread->process->space;
    s64 result = 0;
    if (wanted->level) result = populate_take(thread, wanted->bytes, wanted->level);
    if (result) return result;
    space_take(space);
    result = mapping_make_locked(thread, wanted);
    bool populates = wanted->populates || space->lock_future == MCL_FUTURE;
    result = mapping_unlocked(space, result);
    if (result == CALL_WAITS) return result;
    if (result < 0) // what was taken is given back
        return populate_begin(thread, 0, PAGE_SIZE, wanted->level, result);
    if (!wanted->level && (!populates || !wanted->like.rights)) return result;
    return populate_begin(thread, (u64)result, (u64)result + wanted->bytes, wanted->level, result);
}

s64 mapping_remove(struct thread *thread, u64 start, u64 end) {
    struct space *space = thread->process->space;
    space_take(space);
    return mapping_unlocked(space, mapping_unmap_piece(thread, start, end));
}

// Of mprotect, in one area.
static s64 mapping_protect_part(struct space *space, const struct area *area, u64 start, u64 end,
                                u32 rights) {
    struct area like = area_part(area, start, end);
    if (rights & AREA_EXEC && area->flags & AREA_DEVICE) return -EACCES;
    if (rights & AREA_WRITE && area->flags & AREA_SEALED) return -EACCES;
    like.rights = rights;
    if (!area_is_data(area) && area_is_data(&like) && !space_within_limits(space, &like))
        return -ENOMEM;
    u64 cost = 0;
    if (rights & AREA_WRITE) cost = areas_cost(&space->areas, start, end);
    if (!space_nodes_ready(space)) return -ENOMEM;
    if (cost && !space_promise(space, cost)) return -ENOMEM;
    if (!space_borders(space, start, end)) return -ENOMEM;
    space_areas_protect(space, start, end, rights);
    tables_each(space->tlb.root, start, end, space_refresh, space);
    space_flush(space, start, end);
    return 0;
}

// What comes before a hole, or before an area that cannot have these rights, gets them.
static s64 mapping_protect_locked(struct thread *thread, const struct protection *wanted) {
    struct space *space = thread->process->space;
    u64 end = wanted->end;
    u64 start = wanted->start;
    const struct area *area = areas_find(&space->areas, start);
    if (wanted->grows_up && !area) return -ENOMEM;
    if (wanted->grows_up) return -EINVAL; // none grows so
    if (wanted->grows_down) {
        if (!area || area->start >= end) return -ENOMEM;
        if (!(area->flags & AREA_GROWS)) return -EINVAL;
        start = area->start;
    }
    u64 at = range_from(thread, start);
    u64 reach = space_reach(space, at, end);
    for (; at < reach; at = MIN(reach, area->end)) {
        area = space_area(space, at);
        if (!area) return -ENOMEM;
        s64 error = mapping_protect_part(space, area, at, MIN(reach, area->end), wanted->rights);
        if (error) return error;
        area = space_area(space, at); // it may be joined with the one before
    }
    return range_to(thread, start, reach, end);
}

s64 mapping_protect(struct thread *thread, const struct protection *wanted) {
    struct space *space = thread->process->space;
    space_take(space);
    return mapping_unlocked(space, mapping_protect_locked(thread, wanted));
}

static s64 mapping_break_locked(struct thread *thread, u64 to) {
    struct space *space = thread->process->space;
    u64 old_end = ROUND_UP(space->brk_now, PAGE_SIZE);
    u64 end = ROUND_UP(to, PAGE_SIZE);
    if (to < space->brk_start || to > SPACE_PLACE_END) return (s64)space->brk_now;
    if (to - space->brk_start > limit_get(space_limits(), RLIMIT_DATA)) return (s64)space->brk_now;
    if (end < old_end) {
        s64 error = mapping_unmap_piece(thread, end, old_end);
        if (error == CALL_WAITS) return error;
        if (!error) space->brk_now = to;
        return (s64)space->brk_now;
    }
    struct area more = {.start = old_end, .end = end, .rights = AREA_READ | AREA_WRITE};
    if (space->lock_future) more.flags = AREA_LOCKED;
    bool grows = end > old_end && mapping_is_free(space, old_end, end - old_end) &&
                 space_within_limits(space, &more);
    grows = grows && space_put(space, &more);
    if (grows || end == old_end) space->brk_now = to;
    return (s64)space->brk_now;
}

s64 mapping_break(struct thread *thread, u64 to) {
    struct space *space = thread->process->space;
    space_take(space);
    u64 before = ROUND_UP(space->brk_now, PAGE_SIZE);
    s64 result = mapping_break_locked(thread, to);
    bool populates = space->lock_future == MCL_FUTURE && result > (s64)before;
    result = mapping_unlocked(space, result);
    if (populates)
        return populate_begin(thread, before, ROUND_UP((u64)result, PAGE_SIZE), 0, result);
    return result;
}
