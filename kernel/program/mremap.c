// mremap(2): areas change their size and place with the pages that exist of them.
#include <linux/mman.h>
#include "kernel/device/devices.h"
#include "kernel/memory/tables.h"
#include "kernel/program/promises.h"
#include "kernel/program/space.h"

struct mremap {
    u64 at, old, bytes, to; // multiples of PAGE_SIZE; old is 0 for a second area over the same shared memory
    u64 flags;
};

// Makes the tables that pages need when they move, and splits those that would not be aligned any more; with really,
// moves them, which after the first time cannot fail.
static bool move_pages(const struct area *to, u64 from, u64 bytes, bool really) {
    for (u64 at = from, page; at < from + bytes; at = ROUND_DOWN(at, page) + page) {
        u64 *entry;
        while ((entry = tables_leaf(space.root, at, &page)) && (to->start - from) % page)
            if (!space_border(at + page / 512)) return false;
        if (!entry) continue;
        u64 *target = space_entry(to, at - from + to->start, (__builtin_ctzll(page) - LEVEL_SHIFT(0)) / 9);
        if (!target) return false;
        if (!really) continue;
        if (*entry & PTE_P) space.changed = TABLES_HID_PAGES;
        *target = *entry;
        *entry = 0;
    }
    return true;
}

// Puts what [at, at + old) shows at to, where nothing is, with so many bytes.
static s64 move(const struct mremap *call, u64 to) {
    const struct area *area = space_area(call->at);
    u64 end = call->at + call->old;
    bool stays = call->flags & MREMAP_DONTUNMAP || !call->old;
    struct area like = area_part(area, call->at, call->at + call->bytes);
    like = area_moved(like, to);
    u64 more = PAGES(call->bytes) - (stays ? 0 : PAGES(call->old));
    u64 cost = like.flags & AREA_COUNTED ? more + areas_tables(like.start, like.end) : 0;
    if (!space_nodes_ready() || (cost && !promises_can(cost)) || !space_borders(call->at, end)) return -ENOMEM;
    space_areas_put(&like);
    if (!move_pages(&like, call->at, call->old, false)) {
        mapping_cut(to, to + call->bytes); // the tables
        return -ENOMEM;
    }
    move_pages(&like, call->at, call->old, true);
    if (!stays) mapping_cut(call->at, end);
    else if (call->old) {
        areas_flag(&space.areas, call->at, end, 0, AREA_LOCKED);
        space_flush(call->at, end);
    }
    bool populates = like.flags & AREA_LOCKED && like.rights && call->bytes > call->old;
    if (populates) space_populate(to + call->old, to + call->bytes, space.largest, false);
    return (s64)to;
}

// Whether an area may become so large, or be shown again, as the call wants; 0 or a negative errno.
static s64 check_area(const struct mremap *call, const struct area *area) {
    bool is_device = area->flags & AREA_DEVICE;
    if (!call->old && !(area->flags & AREA_SHARED && area->object)) return -EINVAL;
    if (is_device && call->flags & MREMAP_DONTUNMAP) return -EINVAL;
    if (is_device) return -EFAULT; // it stays where it is
    if (MIN(call->old, call->bytes) > area->end - call->at) return -EFAULT;
    struct area more = area_part(area, USER_END, USER_END + call->bytes - MIN(call->old, call->bytes));
    if (call->flags & MREMAP_DONTUNMAP) more.end = more.start + call->bytes;
    return space_within_limits(&more) ? 0 : -ENOMEM;
}

// With MREMAP_FIXED or MREMAP_DONTUNMAP: what is at the new place goes first, then the end of the old one.
static s64 move_to(struct mremap call) {
    s64 error = check_area(&call, space_area(call.at));
    if (error) return error;
    bool is_fixed = call.flags & MREMAP_FIXED;
    if (is_fixed && !mapping_unmap(call.to, call.to + call.bytes)) return -ENOMEM;
    if (!space_area(call.at)) return -EFAULT; // a second area was to be where the first one is
    if (call.bytes < call.old) {
        if (!mapping_unmap(call.at + call.bytes, call.at + call.old)) return -ENOMEM;
        call.old = call.bytes;
    }
    u64 to = is_fixed ? call.to : mapping_place(call.to, call.bytes, PAGE_SIZE, USER_END);
    return to ? move(&call, to) : -ENOMEM;
}

// Several areas, and the holes between them, move as they are; at the new place what is in such a hole stays.
static s64 move_several(struct mremap call) {
    const u64 start = call.at, end = call.at + call.old, to = call.to;
    u64 at = start;
    for (const struct area *area; at < end && (area = areas_find(&space.areas, at)) && area->start < end;) {
        call.at = MAX(at, area->start);
        call.bytes = call.old = MIN(end, area->end) - call.at;
        call.to = to + (call.at - start);
        at = call.at + call.old;
        s64 result = move_to(call);
        if (result < 0) return result;
    }
    return (s64)to;
}

static s64 grow_or_move(const struct mremap *call) {
    const struct area *area = space_area(call->at);
    s64 error = check_area(call, area);
    if (error) return error;
    u64 end = call->at + call->old, new_end = call->at + call->bytes;
    const struct area *next = areas_find(&space.areas, area->end);
    if (end == area->end && new_end <= USER_END && (!next || next->start >= new_end)) {
        const struct area more = area_part(area, end, new_end);
        u64 cost = more.flags & AREA_COUNTED ? PAGES(new_end - end) + areas_tables(end, new_end) : 0;
        if (!space_nodes_ready() || (cost && !promises_can(cost))) return -ENOMEM;
        space_areas_put(&more);
        if (more.flags & AREA_LOCKED && more.rights) space_populate(end, new_end, space.largest, false);
        return (s64)call->at;
    }
    u64 to = call->flags & MREMAP_MAYMOVE ? mapping_place(0, call->bytes, PAGE_SIZE, USER_END) : 0;
    return to ? move(call, to) : -ENOMEM;
}

static bool is_valid(const struct mremap *call) {
    const u64 known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    if (call->flags & ~known || call->at % PAGE_SIZE || !call->bytes || call->bytes > USER_END) return false;
    if (!(call->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) return true;
    if (call->to > USER_END - call->bytes || call->to % PAGE_SIZE || !(call->flags & MREMAP_MAYMOVE)) return false;
    if (call->flags & MREMAP_DONTUNMAP && call->old != call->bytes) return false;
    return call->at + call->old <= call->to || call->to + call->bytes <= call->at;
}

static s64 remap(const struct mremap *call) {
    const struct area *area = space_area(call->at);
    if (!area) return -EFAULT;
    if (call->old > USER_END - call->at) return call->bytes < call->old ? -EINVAL : -EFAULT;
    bool is_several = call->old > area->end - call->at && call->old == call->bytes;
    if (call->flags & MREMAP_FIXED && call->to < USER_START) return -EPERM; // nothing is ever mapped there
    if (is_several && (call->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) == MREMAP_FIXED) return move_several(*call);
    if (call->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) return move_to(*call);
    if (call->bytes > call->old) return grow_or_move(call);
    if (call->bytes == call->old) return (s64)call->at;
    return mapping_unmap(call->at + call->bytes, call->at + call->old) ? (s64)call->at : -ENOMEM;
}

// mremap(address, length, new length, flags, new address)
CALL(mremap) {
    struct mremap call = {.at = arg[0], .flags = arg[3], .to = arg[4]};
    call.old = ROUND_UP(arg[1], PAGE_SIZE);
    call.bytes = ROUND_UP(arg[2], PAGE_SIZE);
    if (!is_valid(&call)) return -EINVAL;
    space_take();
    s64 result = remap(&call);
    screen_yield(space.areas.device);
    lock_give(&space.lock);
    return result;
}
