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
    area->has_counted = area->flags & AREA_COUNTED || (left && left->has_counted) || (right && right->has_counted);
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

// ---- what counts ----

// The counted area with the highest address below a node, itself included, which has one.
static const struct area *last_counted(const struct area *at) {
    for (;;) {
        const struct area *right = RB_RIGHT(at, link);
        if (right && right->has_counted) at = right;
        else if (at->flags & AREA_COUNTED) return at;
        else at = RB_LEFT(at, link);
    }
}

static const struct area *first_counted(const struct area *at) {
    for (;;) {
        const struct area *left = RB_LEFT(at, link);
        if (left && left->has_counted) at = left;
        else if (at->flags & AREA_COUNTED) return at;
        else at = RB_RIGHT(at, link);
    }
}

// Where the highest counted area that starts below address ends; 0: there is none. On the way down to address, what
// lies to the left of a turn to the right is below it, and of several such turns the lowest is the nearest.
static u64 counted_below(const struct areas *areas, u64 address) {
    const struct area *best = NULL, *under = NULL;
    for (const struct area *at = RB_ROOT(&areas->tree); at && at->has_counted;) {
        const struct area *left = RB_LEFT(at, link);
        bool is_below = at->start < address;
        if (is_below && at->flags & AREA_COUNTED) best = at;
        else if (is_below && left && left->has_counted) best = NULL, under = left;
        at = is_below ? RB_RIGHT(at, link) : left;
    }
    if (best) return best->end;
    return under ? last_counted(under)->end : 0;
}

// Where the lowest counted area that ends above address starts; UINT64_MAX: there is none.
static u64 counted_above(const struct areas *areas, u64 address) {
    const struct area *best = NULL, *under = NULL;
    for (const struct area *at = RB_ROOT(&areas->tree); at && at->has_counted;) {
        const struct area *right = RB_RIGHT(at, link);
        bool is_above = at->end > address;
        if (is_above && at->flags & AREA_COUNTED) best = at;
        else if (is_above && right && right->has_counted) best = NULL, under = right;
        at = is_above ? RB_LEFT(at, link) : right;
    }
    if (best) return best->start;
    return under ? first_counted(under)->start : UINT64_MAX;
}

bool areas_have_counted(struct areas *areas, u64 start, u64 end) { return counted_above(areas, start) < end; }

// Tables of a level are those of the regions of one size. Of [start, end), where nothing is counted, some regions have
// counted pages below start or from end on: their tables are there.
static u64 tables_beside(u64 start, u64 end, u64 below, u64 above) {
    u64 tables = 0;
    for (int shift = 21; shift <= 39; shift += 9) {
        u64 first = start >> shift, last = (end - 1) >> shift;
        bool has_first = below && (below - 1) >> shift == first, has_last = above >> shift == last;
        tables += last - first + 1;
        if (has_first) tables--;
        if (has_last && !(has_first && first == last)) tables--;
    }
    return tables;
}

u64 areas_tables(u64 start, u64 end) { return tables_beside(start, end, 0, UINT64_MAX); }

// [start, end), which is not counted in the tree, begins to count, or has ended to.
static void count(struct areas *areas, u64 start, u64 end, bool counts) {
    u64 tables = tables_beside(start, end, counted_below(areas, start), counted_above(areas, end));
    u64 pages = (end - start) / PAGE_SIZE;
    areas->counted += counts ? pages : -pages;
    areas->tables += counts ? tables : -tables;
}

// ---- operations ----

// Takes [start, end) out of an area, of which it is a part.
static void take_out_of(struct areas *areas, struct area *area, u64 start, u64 end) {
    const struct area before = *area;
    if (start == before.start && end == before.end) {
        erase(areas, area);
    } else if (start == before.start) {
        area->start = end;
        summarise_up(area);
    } else {
        area->end = start;
        summarise_up(area);
        if (end < before.end) insert(areas, &before, end, before.end);
    }
    if (before.flags & AREA_COUNTED) count(areas, start, end, false);
    if (before.flags & AREA_DEVICE) areas->device -= (end - start) / PAGE_SIZE;
}

void areas_cut(struct areas *areas, u64 start, u64 end) {
    for (struct area *area; (area = areas_find(areas, start)) && area->start < end;)
        take_out_of(areas, area, MAX(start, area->start), MIN(end, area->end));
}

static bool alike(const struct area *a, const struct area *b) { return a->rights == b->rights && a->flags == b->flags; }

void areas_put(struct areas *areas, const struct area *like) {
    struct area new = *like;
    if (new.rights & AREA_WRITE && !(new.flags &AREA_NORESERVE)) new.flags |= AREA_COUNTED;
    areas_cut(areas, new.start, new.end);
    if (new.flags & AREA_COUNTED) count(areas, new.start, new.end, true);
    if (new.flags & AREA_DEVICE) areas->device += (new.end - new.start) / PAGE_SIZE;
    struct area *left = areas_before(areas, new.start), *right = areas_find(areas, new.end);
    bool joins_left = left && left->end == new.start &&alike(left, &new);
    bool joins_right = right && right->start == new.end &&alike(right, &new);
    if (joins_left && joins_right) {
        new.end = right->end;
        erase(areas, right);
    }
    if (joins_left) {
        left->end = new.end;
        summarise_up(left);
    } else if (joins_right) {
        right->start = new.start;
        summarise_up(right);
    } else {
        insert(areas, &new, new.start, new.end);
    }
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

u64 areas_counted(struct areas *areas, u64 start, u64 end) {
    u64 pages = 0;
    for (const struct area *area; (area = areas_find(areas, start)) && area->start < end; start = area->end)
        if (area->flags & AREA_COUNTED) pages += (MIN(area->end, end) - MAX(area->start, start)) / PAGE_SIZE;
    return pages;
}

u64 areas_cost(struct areas *areas, u64 start, u64 end) {
    u64 cost = 0;
    for (const struct area *area; (area = areas_find(areas, start)) && area->start < end; start = area->end) {
        u64 from = MAX(area->start, start), to = MIN(area->end, end);
        if (!(area->flags & (AREA_COUNTED | AREA_NORESERVE))) cost += (to - from) / PAGE_SIZE + areas_tables(from, to);
    }
    return cost;
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
