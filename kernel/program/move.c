// See move.h. Four steps, each in pieces, between which other threads get the lock and the CPU: large pages are split
// that would not be aligned at the new place; what is too long at the old one goes; the new one is made free, and kept
// from others by an area without rights; the pages and their area move. What these can need at worst is held in the
// account of promises from the beginning, so nothing fails half-way, unless another thread changes the same ranges
// meanwhile: then the call ends with an error, and what has moved has.
#include "kernel/program/move.h"

#include <linux/mman.h>
#include "kernel/memory/tables.h"
#include "kernel/program/promises.h"
#include "kernel/program/ranges.h"

// Pages that a move takes before it gives others back: tables at both ends of both ranges, one for each small region of
// a piece, and nodes.
#define HELD        24
#define REGIONS     4                 // of 2 MiB with small pages, of which one piece moves something
#define SHORT       (128 * PAGE_SIZE) // all steps together are one piece
#define EMPTY_LOOKS 2048              // two tables
#define SPLIT_COST  4000
#define MOVE_COST   400

static u64 move_behind(u64 at, u64 bytes) { return ROUND_DOWN(at, bytes) + bytes; }

s64 move_begin(struct thread *thread, const struct area *area) {
    struct move *call = &thread->record.move;
    u64 more = call->bytes > call->old ? call->bytes - call->old : 0;
    call->stays = call->flags & MREMAP_DONTUNMAP;
    call->in_place = !area;
    call->step = 0;
    call->held = area ? HELD : 0;
    if (call->stays) more = call->bytes;
    if (area && area->flags & AREA_COUNTED && more) call->held += PAGES(more) + areas_tables(0, more);
    return call->held && !promises_can(call->held) ? -ENOMEM : 0;
}

// Whether there is memory for one more area like this.
static bool move_has_room(const struct area *like) {
    u64 bytes = like->end - like->start, cost = PAGES(bytes) + areas_tables(like->start, like->end);
    return space_nodes_ready() && (!(like->flags & AREA_COUNTED) || promises_can(cost));
}

bool move_grow(struct move *call, const struct area *area, u64 start, u64 end) {
    const struct area more = area_part(area, start, end);
    if (!move_has_room(&more)) return false;
    space_areas_put(&more);
    if (!(more.flags & AREA_LOCKED) || !more.rights) return true;
    call->fill = start;
    call->fill_end = end;
    return true;
}

// No page is to cross the ends of the range, nor to lie at the new place where a page of its size cannot.
static s64 move_split(struct thread *thread) {
    struct move *call = &thread->record.move;
    u64 distance = call->to - call->at, end = call->at + call->old, at = range_from(thread, call->at), bytes;
    s64 left = CALL_INSTRUCTIONS;
    if (call->in_place) return 0;
    if (!space_borders(call->at, end)) return -ENOMEM;
    while (at < end && left > 0) {
        left -= PAGE_COST;
        while (tables_leaf(space.root, at, &bytes) && distance % bytes) {
            if (!space_border(at + bytes / 512)) return -ENOMEM;
            left -= SPLIT_COST;
        }
        if (bytes == PAGE_SIZE) {
            bytes = LEVEL_BYTES(LEVEL_2M); // there is a table, so the new place needs one, or two
            if (call->stays) call->held += 2;
        }
        at = move_behind(at, bytes);
    }
    if (call->stays && !promises_can(call->held)) return -ENOMEM;
    return range_to(thread, call->at, at, end);
}

static s64 move_shorten(struct thread *thread) {
    struct move *call = &thread->record.move;
    if (call->bytes >= call->old) return 0;
    s64 result = mapping_unmap_piece(thread, call->at + call->bytes, call->at + call->old);
    if (!result) call->old = call->bytes;
    return result;
}

static s64 move_room(struct thread *thread) {
    struct move *call = &thread->record.move;
    u64 end = call->to + call->bytes, from = range_from(thread, call->to), reach = space_reach(from, end);
    const struct area kept = {.start = from, .end = reach, .flags = AREA_NORESERVE};
    if (call->in_place) return 0;
    if (!space_border(end) || !mapping_unmap(from, reach)) return -ENOMEM;
    if (call->bytes > SHORT && !space_put(&kept)) return -ENOMEM;
    return range_to(thread, call->to, reach, end);
}

// Takes tables away that are empty, where a large page is to be. False: there are pages.
static bool move_empty(u64 start, u64 end) {
    u64 at = start, bytes;
    for (int looks = 0; at < end; at = move_behind(at, bytes), looks++)
        if (tables_leaf(space.root, at, &bytes) || looks > EMPTY_LOOKS) return false;
    space_drop(start, end);
    return true;
}

// How far a piece goes from an address, at most to end: over pages that can move as they are to where none is.
static u64 move_reach(u64 from, u64 end, u64 distance, s64 *left) {
    u64 at = from, bytes, empty, region = 0, regions = 0;
    for (; at<end && * left> 0; *left -= MOVE_COST) {
        bool is_there = tables_leaf(space.root, at, &bytes);
        if (tables_leaf(space.root, at + distance, &empty)) break;
        if (is_there && (distance % bytes || bytes > end - at)) break;
        if (is_there && empty < bytes && (at > from || !move_empty(at + distance, at + distance + bytes))) break;
        if (is_there && bytes == PAGE_SIZE && at / LEVEL_BYTES(LEVEL_2M) != region) {
            region = at / LEVEL_BYTES(LEVEL_2M);
            if (++regions > REGIONS) break;
        }
        u64 next = move_behind(at + distance, empty) - distance;
        at = is_there ? at + bytes : MIN(move_behind(at, bytes), next);
    }
    return MIN(at, end);
}

// Makes the tables that pages need when they move; with really, moves them, which after the first time cannot fail.
static bool move_pages(const struct area *to, u64 from, u64 end, bool really) {
    for (u64 at = from, bytes; at < end; at = move_behind(at, bytes)) {
        u64 *entry = tables_leaf(space.root, at, &bytes);
        if (!entry) continue;
        u64 *target = space_entry(to, at - from + to->start, (__builtin_ctzll(bytes) - LEVEL_SHIFT(0)) / 9);
        if (!target) return false;
        if (!really) continue;
        if (*entry & PTE_P) space.changed = TABLES_HID_PAGES;
        *target = *entry;
        *entry = 0;
    }
    return true;
}

// One piece within one area. False: memory ran out, or others have changed something.
static bool move_part(struct thread *thread, s64 *left) {
    struct move *call = &thread->record.move;
    u64 end = call->at + call->old, from = range_from(thread, call->at), distance = call->to - call->at;
    const struct area *area = areas_find(&space.areas, from);
    thread->record.done = call->old;
    if (!area || area->start >= end) return true;
    from = MAX(from, area->start);
    end = MIN(end, area->end);
    if (!space_borders(from, end)) return false; // what was touched behind the end may have made a large page
    end = move_reach(from, end, distance, left);
    if (end == from || area->flags & AREA_DEVICE || !space_nodes_ready()) return false;
    struct area like = area_part(area, from, end);
    like = area_moved(like, from + distance);
    if (call->stays && !move_has_room(&like)) return false;
    space_areas_put(&like);
    bool is_ready = move_pages(&like, from, end, false);
    if (is_ready) move_pages(&like, from, end, true);
    if (!is_ready) mapping_cut(like.start, like.end);
    else if (!call->stays) mapping_cut(from, end);
    else if (space_nodes_ready()) areas_flag(&space.areas, from, end, 0, AREA_LOCKED);
    space_flush(from, end);
    thread->record.done = end - call->at;
    return is_ready;
}

static s64 move_parts(struct thread *thread) {
    struct move *call = &thread->record.move;
    u64 to = call->to + call->old, end = call->to + call->bytes;
    if (call->in_place) return 0;
    for (s64 left = CALL_INSTRUCTIONS; thread->record.done < call->old; left -= AREA_COST) {
        if (left <= 0) return call_again(thread);
        if (!move_part(thread, &left)) return -ENOMEM;
    }
    if (to == end) return 0;
    const struct area *area = space_area(call->old ? to - PAGE_SIZE : call->at);
    bool is_there = area && !(area->flags & AREA_DEVICE) && (call->old || (area->object && area->flags & AREA_SHARED));
    if (!is_there) {
        mapping_unmap(to, end);
        return -EFAULT; // a second area was to be where the first one is
    }
    const struct area like = call->old ? *area : area_moved(area_part(area, call->at, call->at + call->bytes), to);
    return move_grow(call, &like, to, end) ? 0 : -ENOMEM;
}

s64 move_piece(struct thread *thread) {
    static s64 (*const steps[])(struct thread *) = {move_split, move_shorten, move_room, move_parts};
    struct move *call = &thread->record.move;
    while (call->step < ARRAY_SIZE(steps)) {
        s64 result = steps[call->step](thread);
        if (result) return result;
        thread->record.done = 0;
        call->step++;
        bool is_long = MAX(call->bytes, call->old) > SHORT || call->end;
        if (is_long && call->step < ARRAY_SIZE(steps)) return call_again(thread);
    }
    return (s64)call->to;
}
