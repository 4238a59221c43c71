// Moves a range of the program's memory with its pages (mremap). There are four steps, each in
// pieces, between which other threads get the lock and the CPU:
//   1. Large pages are split that would not be aligned at the new place.
//   2. What is too long at the old place goes.
//   3. The new place is made free. It gets what the range grows by, and for what moves an area
//      without rights, which keeps others out.
//   4. The pages and their area move.
// A place that the call has chosen is kept from the beginning. What all of this can need at worst
// is held in the account of promises, so nothing fails half-way, unless another thread changes the
// same ranges meanwhile. Then the call ends with an error: what has moved stays moved, and the rest
// of the new place is free.
#include "kernel/space/move.h"

#include <linux/mman.h>
#include "kernel/memory/shares.h"
#include "kernel/memory/tables.h"
#include "kernel/space/mappings.h"
#include "kernel/memory/promises.h"
#include "kernel/space/ranges.h"

// Pages that a move takes before it gives others back: tables at both ends of both ranges, one for
// each small region of a piece, and nodes.
#define HELD 24
// of 2 MiB with small pages, of which one piece moves something
#define REGIONS     4
#define SHORT       (128 * PAGE_SIZE) // all steps together are one piece
#define LITTLE      30000             // instructions for what a range has
#define EMPTY_LOOKS 2048              // two tables
#define SPLIT_COST  4000
#define MOVE_COST   400

static u64 move_behind(u64 at, u64 bytes) { return ROUND_DOWN(at, bytes) + bytes; }

static bool move_keep(struct space *space, u64 start, u64 end) {
    const struct area kept = {.start = start, .end = end, .flags = AREA_NORESERVE | AREA_KEPT};
    return space_put(space, &kept);
}

// Whether there are so many pages and tables that one piece would be too long. What is little moves
// in one piece, and nobody finds the new place without rights meanwhile.
static bool move_is_much(struct space *space, u64 start, u64 end) {
    return tables_reach(space->tlb.root, start, end, MOVE_COST, LITTLE) < end;
}

// Whether nobody else has put something to a place that is kept.
static bool move_is_kept(struct space *space, u64 start, u64 end) {
    const struct area *area = areas_find(&space->areas, start);
    if (!area || area->start >= end) return true;
    return !area->rights && area->flags & AREA_KEPT && area->start <= start && area->end >= end;
}

// Begins what the call's record says: from at, old bytes become bytes at to. area is there now, and
// checked; NULL: the range only becomes shorter. 0, and then move_piece() goes on, or a negative
// errno. The caller has the space's lock.
s64 move_begin(struct thread *thread, const struct area *area) {
    struct space *space = thread->process->space;
    struct move *call = &thread->record.move;
    u64 more = 0;
    if (call->bytes > call->old) more = call->bytes - call->old;
    call->stays = call->flags & MREMAP_DONTUNMAP;
    call->in_place = !area;
    call->step = 0;
    call->held = 0;
    if (area) call->held = HELD;
    if (call->stays) more = call->bytes;
    if (area && area->flags & AREA_COUNTED && more)
        call->held += PAGES(more) + areas_tables(0, more);
    call->error = 0;
    call->is_long = MAX(call->bytes, call->old) > SHORT || call->end;
    if (call->is_long && area)
        call->is_long = move_is_much(space, call->at, call->at + call->old) ||
                        move_is_much(space, call->to, call->to + call->bytes);
    if (call->held && !promises_can(call->held)) return -ENOMEM;
    bool is_chosen = area && !(call->flags & MREMAP_FIXED);
    if (is_chosen && call->bytes > SHORT && !move_keep(space, call->to, call->to + call->bytes))
        return -ENOMEM;
    return 0;
}

// Whether there is memory for one more area like this.
static bool move_has_room(struct space *space, const struct area *like) {
    u64 cost = PAGES(like->end - like->start) + areas_tables(like->start, like->end);
    if (!space_nodes_ready(space)) return false;
    return !(like->flags & AREA_COUNTED) || space_promise(space, cost);
}

// An area grows, or begins, with [start, end): like one that is there. What is locked into memory
// is filled later (call->fill). False: there is no memory for it.
bool move_grow(struct space *space, struct move *call, const struct area *area, u64 start,
               u64 end) {
    const struct area more = area_part(area, start, end);
    if (!move_has_room(space, &more)) return false;
    space_areas_put(space, &more);
    if (!(more.flags & AREA_LOCKED) || !more.rights) return true;
    if (!call->fill_end) call->fill = start;
    call->fill_end = end;
    return true;
}

// Splits the page at an address until it can be at that distance, too. False when there is no
// memory for that.
static bool move_align(struct space *space, u64 at, u64 distance, s64 *left) {
    u64 bytes;
    for (; tables_leaf(space->tlb.root, at, &bytes) && distance % bytes; *left -= SPLIT_COST)
        if (!space_border(space, at + bytes / 512)) return false;
    return true;
}

// No page is to cross the ends of the range, nor to lie at the new place where a page of its size
// cannot.
static s64 move_split(struct thread *thread) {
    struct space *space = thread->process->space;
    struct move *call = &thread->record.move;
    u64 distance = call->to - call->at;
    u64 end = call->at + call->old;
    u64 at = range_from(thread, call->at);
    u64 bytes;
    s64 left = CALL_INSTRUCTIONS;
    if (call->in_place) return 0;
    if (!space_borders(space, call->at, end)) return -ENOMEM;
    while (at < end && left > 0) {
        left -= PAGE_COST;
        if (!move_align(space, at, distance, &left)) return -ENOMEM;
        tables_leaf(space->tlb.root, at, &bytes);
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

// What the range grows by, or for old size 0 the second area over the same memory, in a part of the
// new place.
static s64 move_more(struct space *space, struct move *call, u64 start, u64 end) {
    u64 last = call->at;
    if (call->old) last = call->at + call->old - PAGE_SIZE;
    const struct area *area = space_area(space, last);
    bool can_grow = area && !(area->flags & AREA_DEVICE) && area->object != &objects_file;
    // It may be gone, since it was where the second one is to be.
    if (!can_grow || (!call->old && !area->object)) return -EFAULT;
    const struct area more = area_part(area, call->at, call->at + call->bytes);
    const struct area like = area_moved(more, call->to);
    if (!move_grow(space, call, &like, start, end)) return -ENOMEM;
    if (like.flags & AREA_COUNTED) call->held -= MIN(call->held, PAGES(end - start));
    return 0;
}

static s64 move_room(struct thread *thread) {
    struct space *space = thread->process->space;
    struct move *call = &thread->record.move;
    u64 moves_to = call->to + call->old;
    u64 end = call->to + call->bytes;
    u64 from = range_from(thread, call->to);
    u64 reach = space_reach(space, from, end);
    if (call->in_place) return 0;
    if (!space_border(space, end) || !mapping_unmap(space, from, reach)) return -ENOMEM;
    bool keeps = call->bytes > SHORT || from > call->to || reach < end;
    if (keeps && from < moves_to && !move_keep(space, from, MIN(reach, moves_to))) return -ENOMEM;
    s64 error = 0;
    if (reach > moves_to) error = move_more(space, call, MAX(from, moves_to), reach);
    if (error) return error;
    return range_to(thread, call->to, reach, end);
}

// Takes tables away that are empty, where a large page is to be. False: there are pages.
static bool move_empty(struct space *space, u64 start, u64 end) {
    u64 at = start, bytes;
    for (int looks = 0; at < end; at = move_behind(at, bytes), looks++)
        if (tables_leaf(space->tlb.root, at, &bytes) || looks > EMPTY_LOOKS) return false;
    space_drop(space, start, end);
    return true;
}

// How far a piece goes from an address, at most to end: over pages that can move as they are to
// where none is.
static u64 move_reach(struct space *space, u64 from, u64 end, u64 distance, s64 *left) {
    u64 at = from;
    u64 bytes;
    u64 empty;
    u64 region = 0;
    u64 regions = 0;
    for (; *left > 0 && at < end; *left -= MOVE_COST) {
        bool is_there = tables_leaf(space->tlb.root, at, &bytes);
        if (tables_leaf(space->tlb.root, at + distance, &empty)) break;
        if (is_there && (distance % bytes || bytes > end - at)) break;
        if (is_there && empty < bytes) {
            if (at > from) break;
            if (!move_empty(space, at + distance, at + distance + bytes)) break;
        }
        if (is_there && bytes == PAGE_SIZE && at / LEVEL_BYTES(LEVEL_2M) != region) {
            region = at / LEVEL_BYTES(LEVEL_2M);
            if (++regions > REGIONS) break;
        }
        u64 next = move_behind(at + distance, empty) - distance;
        if (is_there)
            at += bytes;
        else
            at = MIN(move_behind(at, bytes), next);
    }
    return MIN(at, end);
}

// Makes the tables that pages need when they move; with really, moves them, which after the first
// time cannot fail.
static bool move_pages(struct space *space, const struct area *to, u64 from, u64 end, bool really) {
    for (u64 at = from, bytes; at < end; at = move_behind(at, bytes)) {
        u64 *entry = tables_leaf(space->tlb.root, at, &bytes);
        if (!entry) continue;
        u64 *target = space_entry(space, to, at - from + to->start,
                                  (__builtin_ctzll(bytes) - LEVEL_SHIFT(0)) / 9);
        if (!target) return false;
        if (!really) continue;
        if (*entry & PTE_P) space->changed = TABLES_HID_PAGES;
        if (*entry & PTE_SHARED) shares_moved(pte_target(*entry), bytes);
        *target = *entry;
        *entry = 0;
    }
    return true;
}

// One piece within one area. False: memory ran out, or others have changed something.
static bool move_part(struct thread *thread, s64 *left) {
    struct space *space = thread->process->space;
    struct move *call = &thread->record.move;
    u64 end = call->at + call->old;
    u64 from = range_from(thread, call->at);
    u64 distance = call->to - call->at;
    const struct area *area = areas_find(&space->areas, from);
    if (!area || area->start >= end) {
        thread->record.done = call->old;
        return true;
    }
    from = MAX(from, area->start);
    end = MIN(end, area->end);
    // What was touched meanwhile may have made a large page.
    if (!space_borders(space, from, end) || !move_align(space, from, distance, left)) return false;
    end = move_reach(space, from, end, distance, left);
    if (!move_is_kept(space, from + distance, end + distance)) return false;
    if (end == from || area->flags & AREA_DEVICE || !space_nodes_ready(space)) return false;
    struct area like = area_part(area, from, end);
    like = area_moved(like, from + distance);
    if (call->stays && !move_has_room(space, &like)) return false;
    space_areas_put(space, &like);
    bool is_ready = move_pages(space, &like, from, end, false);
    if (is_ready) move_pages(space, &like, from, end, true);
    if (!is_ready)
        mapping_cut(space, like.start, like.end);
    else if (!call->stays)
        mapping_cut(space, from, end);
    else if (space_nodes_ready(space))
        areas_flag(&space->areas, from, end, 0, AREA_LOCKED);
    space_flush(space, from, end);
    thread->record.done = end - call->at;
    return is_ready;
}

static s64 move_parts(struct thread *thread) {
    struct move *call = &thread->record.move;
    if (call->in_place) return 0;
    for (s64 left = CALL_INSTRUCTIONS; thread->record.done < call->old; left -= AREA_COST) {
        if (left <= 0) return call_again(thread);
        if (!move_part(thread, &left)) return -ENOMEM;
    }
    return 0;
}

// After an error: what is left at the new place goes.
static s64 move_undo(struct thread *thread) {
    struct move *call = &thread->record.move;
    s64 result = mapping_unmap_piece(thread, call->undo, call->to + call->bytes);
    if (result == CALL_WAITS) return result;
    return call->error;
}

// The next piece, with what the call held given back to the account. Returns the new address, a
// negative errno, or what call_again() returns.
s64 move_piece(struct thread *thread) {
    enum { ROOM = 2, PARTS };
    static s64 (*const steps[])(struct thread *) = {
        move_split, move_shorten, [ROOM] = move_room, [PARTS] = move_parts};
    struct move *call = &thread->record.move;
    if (call->error) return move_undo(thread);
    while (call->step < ARRAY_SIZE(steps)) {
        s64 result = steps[call->step](thread);
        if (result == CALL_WAITS) return result;
        if (result) {
            bool has_place =
                !call->in_place && (call->step >= ROOM || !(call->flags & MREMAP_FIXED));
            call->undo = call->to;
            if (call->step == PARTS) call->undo += thread->record.done; // which stays there
            thread->record.done = 0;
            call->error = result;
            if (has_place) return move_undo(thread);
            return result;
        }
        thread->record.done = 0;
        call->step++;
        if (call->is_long && call->step < ARRAY_SIZE(steps)) return call_again(thread);
    }
    return (s64)call->to;
}
