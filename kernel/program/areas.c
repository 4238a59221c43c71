// See areas.h. Neighbours that are alike and not of the file are always one area, so that a heap that grows page by
// page stays one node.
#define __unused         __attribute__((unused)) // tree.h marks its functions with BSD's name for it
#define RB_AUGMENT(area) summarise(area)

#include "kernel/program/areas.h"

#include "boot/layout.h"

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

static void summarise(struct area *area);
static int compare(const struct area *a, const struct area *b) {
    return a->start < b->start ? -1 : a->start > b->start;
}

RB_GENERATE_STATIC(area_tree, area, link, compare)

// What a subtree's root says about its subtree, from its children alone.
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

static void insert(struct areas *areas, struct area *area) {
    RB_LEFT(area, link) = RB_RIGHT(area, link) = NULL;
    summarise(area); // rotations during the insertion read it
    RB_INSERT(area_tree, &areas->tree, area);
    summarise_up(area);
}

// The place that a removal empties lies on the way from one of the next two areas, or from the one before, to the root.
static void erase(struct areas *areas, struct area *area) {
    struct area *before = RB_PREV(area_tree, &areas->tree, area), *next = RB_NEXT(area_tree, &areas->tree, area);
    struct area *second = next ? RB_NEXT(area_tree, &areas->tree, next) : NULL;
    RB_REMOVE(area_tree, &areas->tree, area);
    summarise_up(second);
    summarise_up(next);
    summarise_up(before);
    area_give(area);
}

struct area *areas_find(const struct areas *areas, u64 address) {
    struct area *best = NULL;
    for (struct area *at = RB_ROOT(&areas->tree); at;) {
        if (at->end > address) best = at;
        at = at->end > address ? RB_LEFT(at, link) : RB_RIGHT(at, link);
    }
    return best;
}

// Makes address a border when it lies inside an area.
static void split(struct areas *areas, u64 address) {
    struct area *area = areas_find(areas, address);
    if (!area || area->start >= address) return;
    struct area *right = area_take();
    u64 bytes = address - area->start;
    *right = *area;
    right->start = address;
    right->file = area->file_bytes > bytes ? area->file + bytes : 0;
    right->file_bytes = area->file_bytes > bytes ? area->file_bytes - bytes : 0;
    area->end = address;
    area->file_bytes = MIN(area->file_bytes, bytes);
    summarise_up(area);
    insert(areas, right);
}

static bool alike(const struct area *a, const struct area *b) {
    return a->end == b->start && a->rights == b->rights && a->flags == b->flags && !a->file_bytes && !b->file_bytes;
}

static void absorb(struct areas *areas, struct area *area, struct area *next) {
    u64 end = next->end;
    erase(areas, next);
    area->end = end;
    summarise_up(area);
}

// Joins like neighbours from the area before start to the one at end.
static void join(struct areas *areas, u64 start, u64 end) {
    struct area *area = areas_find(areas, start ? start - 1 : 0);
    while (area && area->start < end) {
        struct area *next = RB_NEXT(area_tree, &areas->tree, area);
        if (next && alike(area, next)) absorb(areas, area, next);
        else area = next;
    }
}

static u64 counted_pages(const struct area *area) {
    return area->flags & AREA_COUNTED ? (area->end - area->start) / PAGE_SIZE : 0;
}

void areas_cut(struct areas *areas, u64 start, u64 end) {
    split(areas, start);
    split(areas, end);
    for (struct area *area = areas_find(areas, start); area && area->start < end; area = areas_find(areas, start)) {
        areas->counted -= counted_pages(area);
        erase(areas, area);
    }
}

// Rights that include writing make an area count from then on, unless it was reserved without counting.
static void set_rights(struct areas *areas, struct area *area, u32 rights) {
    areas->counted -= counted_pages(area);
    area->rights = rights;
    if (rights & AREA_WRITE && !(area->flags & AREA_NORESERVE)) area->flags |= AREA_COUNTED;
    areas->counted += counted_pages(area);
}

void areas_put(struct areas *areas, const struct area *like) {
    areas_cut(areas, like->start, like->end);
    struct area *area = area_take();
    *area = *like;
    area->flags &= ~AREA_COUNTED;
    insert(areas, area);
    set_rights(areas, area, like->rights);
    join(areas, like->start, like->end);
}

bool areas_protect(struct areas *areas, u64 start, u64 end, u32 rights) {
    u64 reached = start;
    for (struct area *area = areas_find(areas, start); reached < end; area = RB_NEXT(area_tree, &areas->tree, area)) {
        if (!area || area->start > reached) return false;
        reached = area->end;
    }
    split(areas, start);
    split(areas, end);
    for (struct area *area = areas_find(areas, start); area && area->start < end;
         area = RB_NEXT(area_tree, &areas->tree, area))
        set_rights(areas, area, rights);
    join(areas, start, end);
    return true;
}

u64 areas_counted(const struct areas *areas, u64 start, u64 end, bool if_writable) {
    u64 pages = 0;
    for (struct area *area = areas_find(areas, start); area && area->start < end;
         area = RB_NEXT(area_tree, (struct area_tree *)&areas->tree, area))
        if (area->flags & AREA_COUNTED || (if_writable && !(area->flags & AREA_NORESERVE)))
            pages += (MIN(area->end, end) - MAX(area->start, start)) / PAGE_SIZE;
    return pages;
}

// The highest fit in [low, high), where areas of no other subtree lie. A subtree without a large enough hole inside,
// and without one at either edge, is not entered: only the few nodes along the two borders are entered in vain.
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

void areas_hole_at(const struct areas *areas, u64 address, u64 limit, u64 *start, u64 *end) {
    struct area *next = areas_find(areas, address);
    struct area *before = next ? RB_PREV(area_tree, (struct area_tree *)&areas->tree, next)
                               : RB_MAX(area_tree, (struct area_tree *)&areas->tree);
    *start = before ? before->end : 0;
    *end = next ? next->start : limit;
}
