// See areas.h. Neighbours that are alike are always one area, so that a heap that grows page by page stays one node,
// and so does a row of allocations.
#define __unused __attribute__((unused)) // tree.h marks its functions with BSD's name for it

#include "kernel/program/areas.h"

#include "boot/layout.h"

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

static int compare(const struct area *a, const struct area *b) {
    return a->start < b->start ? -1 : a->start > b->start;
}
RB_GENERATE_STATIC(area_tree, area, link, compare)

struct area *areas_find(struct areas *areas, u64 address) {
    struct area *best = NULL;
    for (struct area *at = RB_ROOT(&areas->tree); at;) {
        if (at->end > address) best = at;
        at = at->end > address ? RB_LEFT(at, link) : RB_RIGHT(at, link);
    }
    return best;
}

struct area *areas_before(struct areas *areas, u64 address) {
    struct area *after = areas_find(areas, address);
    if (after && after->start < address) return after;
    return after ? RB_PREV(area_tree, &areas->tree, after) : RB_MAX(area_tree, &areas->tree);
}

// An area like this one at [start, end).
static void insert(struct areas *areas, const struct area *like, u64 start, u64 end) {
    struct area *area = area_take();
    *area = *like;
    area->start = start;
    area->end = end;
    RB_INSERT(area_tree, &areas->tree, area);
}

// Makes address a border when it lies inside an area.
static void split(struct areas *areas, u64 address) {
    struct area *area = areas_find(areas, address);
    if (!area || area->start >= address) return;
    insert(areas, area, address, area->end);
    area->end = address;
}

static u64 counted_pages(const struct area *area) {
    return area->flags & AREA_COUNTED ? (area->end - area->start) / PAGE_SIZE : 0;
}

void areas_cut(struct areas *areas, u64 start, u64 end) {
    split(areas, start);
    split(areas, end);
    for (struct area *area; (area = areas_find(areas, start)) && area->start < end; area_give(area)) {
        areas->counted -= counted_pages(area);
        RB_REMOVE(area_tree, &areas->tree, area);
    }
}

static bool alike(const struct area *a, const struct area *b) { return a->rights == b->rights && a->flags == b->flags; }

void areas_put(struct areas *areas, const struct area *like) {
    struct area new = *like;
    if (new.rights & AREA_WRITE && !(new.flags &AREA_NORESERVE)) new.flags |= AREA_COUNTED;
    const struct area *left = areas_before(areas, new.start), *right = areas_find(areas, new.end);
    if (left && left->end >= new.start &&alike(left, &new)) new.start = left->start;
    if (right && right->start <= new.end &&alike(right, &new)) new.end = right->end;
    areas_cut(areas, new.start, new.end);
    areas->counted += counted_pages(&new);
    insert(areas, &new, new.start, new.end);
}

bool areas_protect(struct areas *areas, u64 start, u64 end, u32 rights) {
    u64 reached = start;
    for (struct area *area; reached < end; reached = area->end) {
        area = areas_find(areas, reached);
        if (!area || area->start > reached) return false;
    }
    while (start < end) {
        struct area part = *areas_find(areas, start);
        part.start = start;
        start = part.end = MIN(end, part.end);
        part.rights = rights;
        areas_put(areas, &part);
    }
    return true;
}

u64 areas_counted(struct areas *areas, u64 start, u64 end, bool if_writable) {
    u64 pages = 0;
    for (struct area *area; (area = areas_find(areas, start)) && area->start < end; start = area->end)
        if (area->flags & AREA_COUNTED || (if_writable && !(area->flags & AREA_NORESERVE)))
            pages += (MIN(area->end, end) - MAX(area->start, start)) / PAGE_SIZE;
    return pages;
}

u64 areas_hole(struct areas *areas, u64 bytes, u64 low, u64 high) {
    for (struct area *area; high > low; high = area->start) {
        area = areas_before(areas, high);
        u64 bottom = area ? MAX(area->end, low) : low;
        if (high > bottom && high - bottom >= bytes) return high - bytes;
        if (!area) return 0;
    }
    return 0;
}
