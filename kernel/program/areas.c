// See areas.h. Neighbours that are alike are always one area: a heap that grows page by page stays one node.
#define __unused         __attribute__((unused)) // tree.h marks its functions with BSD's name for it
#define RB_AUGMENT(area) summarise(area)         // it says so of the nodes that a rotation moves

#include "kernel/program/areas.h"

#include "boot/layout.h"

// What a node says of its subtree, from its children alone.
static void summarise(struct area *area) {
    const struct area *left = RB_LEFT(area, link), *right = RB_RIGHT(area, link);
    area->low = left ? left->low : area->start;
    area->high = right ? right->high : area->end;
    area->hole = 0;
    if (left) area->hole = MAX(left->hole, area->start - left->high);
    if (right) area->hole = MAX(area->hole, MAX(right->hole, right->low - area->end));
}

static void summarise_up(struct area *area) {
    for (; area; area = RB_PARENT(area, link)) summarise(area);
}

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
    RB_LEFT(area, link) = RB_RIGHT(area, link) = NULL;
    summarise(area); // a rotation on the way may read it
    RB_INSERT(area_tree, &areas->tree, area);
    summarise_up(area);
}

// What a removal changes in the tree lies on the way to the root from a neighbour: from the one before, from the next
// one, which may take the removed node's place, or from the one whose place that had.
static void erase(struct areas *areas, struct area *area) {
    struct area *before = RB_PREV(area_tree, &areas->tree, area), *next = RB_NEXT(area_tree, &areas->tree, area);
    struct area *second = next ? RB_NEXT(area_tree, &areas->tree, next) : NULL;
    RB_REMOVE(area_tree, &areas->tree, area);
    summarise_up(second);
    summarise_up(next);
    summarise_up(before);
    area_give(area);
}

// Makes address a border when it lies inside an area.
static void split(struct areas *areas, u64 address) {
    struct area *area = areas_find(areas, address);
    if (!area || area->start >= address) return;
    u64 end = area->end;
    area->end = address;
    summarise_up(area);
    insert(areas, area, address, end);
}

static u64 pages_with(const struct area *area, u32 flag) {
    return area->flags & flag ? (area->end - area->start) / PAGE_SIZE : 0;
}

void areas_cut(struct areas *areas, u64 start, u64 end) {
    split(areas, start);
    split(areas, end);
    for (struct area *area; (area = areas_find(areas, start)) && area->start < end; erase(areas, area)) {
        areas->counted -= pages_with(area, AREA_COUNTED);
        areas->device -= pages_with(area, AREA_DEVICE);
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
    areas->counted += pages_with(&new, AREA_COUNTED);
    areas->device += pages_with(&new, AREA_DEVICE);
    insert(areas, &new, new.start, new.end);
}

bool areas_cover(struct areas *areas, u64 start, u64 end) {
    const struct area *area;
    while (start < end && (area = areas_find(areas, start)) && area->start <= start) start = area->end;
    return start >= end;
}

bool areas_have_device(struct areas *areas, u64 start, u64 end, u32 flags) {
    const struct area *area = areas->device ? areas_find(areas, start) : NULL;
    while (area && area->start < end && !(area->flags & flags)) area = areas_find(areas, area->end);
    return area && area->start < end;
}

void areas_protect(struct areas *areas, u64 start, u64 end, u32 rights) {
    for (const struct area *area; start < end && (area = areas_find(areas, start));) {
        struct area part = *area;
        part.start = start;
        start = part.end = MIN(end, part.end);
        part.rights = rights;
        areas_put(areas, &part);
    }
}

u64 areas_counted(struct areas *areas, u64 start, u64 end, bool if_writable) {
    u64 pages = 0;
    for (struct area *area; (area = areas_find(areas, start)) && area->start < end; start = area->end)
        if (area->flags & AREA_COUNTED || (if_writable && !(area->flags & AREA_NORESERVE)))
            pages += (MIN(area->end, end) - MAX(area->start, start)) / PAGE_SIZE;
    return pages;
}

// The highest fit in [low, high), where areas of no other subtree lie. A subtree without a large enough hole inside and
// at either edge is not entered: only the nodes along the two borders are entered in vain.
static u64 hole_in(const struct area *area, u64 bytes, u64 low, u64 high) {
    if (low >= high || high - low < bytes) return 0;
    if (!area) return high - bytes;
    u64 edge_low = MAX(low, area->high), edge_high = MIN(high, area->low);
    bool at_top = high > edge_low && high - edge_low >= bytes, at_bottom = edge_high > low && edge_high - low >= bytes;
    if (area->hole < bytes && !at_top && !at_bottom) return 0;
    u64 found = hole_in(RB_RIGHT(area, link), bytes, MAX(low, area->end), high);
    return found ? found : hole_in(RB_LEFT(area, link), bytes, low, MIN(high, area->start));
}

u64 areas_hole(const struct areas *areas, u64 bytes, u64 low, u64 high) {
    return hole_in(RB_ROOT(&areas->tree), bytes, low, high);
}
