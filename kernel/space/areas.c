// See areas.h. Neighbours that are alike are always one area: a heap that grows page by page stays
// one node. tree.h marks its functions with BSD's name for it
#define __unused         __attribute__((unused))
#define RB_AUGMENT(area) areas_summarise(area) // it says so of the nodes that a rotation moves

#include "kernel/space/areas.h"

#include "boot/layout.h"
#include "kernel/kernel.h"

// Where what is free below an area ends.
static u64 areas_floor_of(const struct area *area) {
    u64 gap = area->flags & AREA_GROWS ? AREA_GAP : 0;
    return area->start > gap ? area->start - gap : 0;
}

static u64 areas_between(u64 low, u64 high) { return high > low ? high - low : 0; }

// What a node says of its subtree, from its children alone.
static void areas_summarise(struct area *area) {
    const struct area *left = RB_LEFT(area, link), *right = RB_RIGHT(area, link);
    area->low = left ? left->low : areas_floor_of(area);
    area->high = right ? right->high : area->end;
    area->hole = 0;
    area->has_counted =
        area->flags & AREA_COUNTED || (left && left->has_counted) || (right && right->has_counted);
    if (left) area->hole = MAX(left->hole, areas_between(left->high, areas_floor_of(area)));
    if (right) area->hole = MAX(area->hole, MAX(right->hole, areas_between(area->end, right->low)));
}

static void areas_summarise_up(struct area *area) {
    for (; area; area = RB_PARENT(area, link)) areas_summarise(area);
}

static int areas_compare(const struct area *a, const struct area *b) {
    return a->start < b->start ? -1 : a->start > b->start;
}
RB_GENERATE_STATIC(area_tree, area, link, areas_compare)

struct area *areas_find(struct areas *areas, u64 address) {
    struct area *best = NULL;
    for (struct area *at = RB_ROOT(&areas->tree); at;) {
        if (at->end > address) best = at;
        at = at->end > address ? RB_LEFT(at, link) : RB_RIGHT(at, link);
    }
    return best;
}

struct area *areas_next(struct area *area) {
    struct area *next = RB_NEXT(area_tree, NULL, area);
    return next;
}

struct area *areas_before(struct areas *areas, u64 address) {
    struct area *after = areas_find(areas, address);
    if (after && after->start < address) return after;
    return after ? RB_PREV(area_tree, &areas->tree, after) : RB_MAX(area_tree, &areas->tree);
}

struct area area_moved(struct area area, u64 start) {
    area.end += start - area.start;
    area.start = start;
    return area;
}

struct area area_part(const struct area *area, u64 start, u64 end) {
    struct area part = *area;
    part.start = start;
    part.end = end;
    if (part.object) part.offset += start - area->start;
    return part;
}

static struct area *areas_take(struct areas *areas) {
    struct area *node = areas->spare;
    ASSERT(node);
    areas->spare = RB_LEFT(node, link);
    areas->spare_count--;
    return node;
}

void areas_give(struct areas *areas, struct area *node) {
    RB_LEFT(node, link) = areas->spare;
    areas->spare = node;
    areas->spare_count++;
}

// That part of an area, or what joins to it on both sides.
static void areas_insert(struct areas *areas, const struct area *like, u64 start, u64 end) {
    struct area *area = areas_take(areas);
    *area = area_part(like, start, end);
    if (area->object) area->object->areas++;
    RB_LEFT(area, link) = RB_RIGHT(area, link) = NULL;
    areas_summarise(area); // a rotation on the way may read it
    RB_INSERT(area_tree, &areas->tree, area);
    areas_summarise_up(area);
}

// What a removal changes in the tree lies on the way to the root from a neighbour: from the one
// before, from the next one, which may take the removed node's place, or from the one whose place
// that had.
static void areas_erase(struct areas *areas, struct area *area) {
    struct area *before = RB_PREV(area_tree, &areas->tree, area),
                *next = RB_NEXT(area_tree, &areas->tree, area);
    struct area *second = next ? RB_NEXT(area_tree, &areas->tree, next) : NULL;
    RB_REMOVE(area_tree, &areas->tree, area);
    areas_summarise_up(second);
    areas_summarise_up(next);
    areas_summarise_up(before);
    struct object *object = area->object;
    if (object && !--object->areas && !object->is_left) {
        object->is_left = true;
        object->next = areas->left;
        areas->left = object;
    }
    areas_give(areas, area);
}

// ---- what counts ----

// The counted area with the highest address below a node, itself included, which has one.
static const struct area *areas_last_counted(const struct area *at) {
    for (;;) {
        const struct area *right = RB_RIGHT(at, link);
        if (right && right->has_counted)
            at = right;
        else if (at->flags & AREA_COUNTED)
            return at;
        else
            at = RB_LEFT(at, link);
    }
}

static const struct area *areas_first_counted(const struct area *at) {
    for (;;) {
        const struct area *left = RB_LEFT(at, link);
        if (left && left->has_counted)
            at = left;
        else if (at->flags & AREA_COUNTED)
            return at;
        else
            at = RB_RIGHT(at, link);
    }
}

// Where the highest counted area that starts below address ends; 0: there is none. On the way down
// to address, what lies to the left of a turn to the right is below it, and of several such turns
// the lowest is the nearest.
static u64 areas_counted_below(const struct areas *areas, u64 address) {
    const struct area *best = NULL, *under = NULL;
    for (const struct area *at = RB_ROOT(&areas->tree); at && at->has_counted;) {
        const struct area *left = RB_LEFT(at, link);
        bool is_below = at->start < address;
        if (is_below && at->flags & AREA_COUNTED)
            best = at;
        else if (is_below && left && left->has_counted)
            best = NULL, under = left;
        at = is_below ? RB_RIGHT(at, link) : left;
    }
    if (best) return best->end;
    return under ? areas_last_counted(under)->end : 0;
}

// Where the lowest counted area that ends above address starts; UINT64_MAX: there is none.
static u64 areas_counted_above(const struct areas *areas, u64 address) {
    const struct area *best = NULL, *under = NULL;
    for (const struct area *at = RB_ROOT(&areas->tree); at && at->has_counted;) {
        const struct area *right = RB_RIGHT(at, link);
        bool is_above = at->end > address;
        if (is_above && at->flags & AREA_COUNTED)
            best = at;
        else if (is_above && right && right->has_counted)
            best = NULL, under = right;
        at = is_above ? RB_LEFT(at, link) : right;
    }
    if (best) return best->start;
    return under ? areas_first_counted(under)->start : UINT64_MAX;
}

bool areas_have_counted(struct areas *areas, u64 start, u64 end) {
    return areas_counted_above(areas, start) < end;
}

// Tables of a level are those of the regions of one size. Of [start, end), where nothing is
// counted, some regions have counted pages below start or from end on: their tables are there.
static u64 areas_tables_beside(u64 start, u64 end, u64 below, u64 above) {
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

u64 areas_tables(u64 start, u64 end) { return areas_tables_beside(start, end, 0, UINT64_MAX); }

// [start, end), which is not counted in the tree, begins to count, or has ended to.
static void areas_count(struct areas *areas, u64 start, u64 end, bool counts) {
    u64 tables = areas_tables_beside(start, end, areas_counted_below(areas, start),
                                     areas_counted_above(areas, end));
    u64 pages = (end - start) / PAGE_SIZE;
    areas->counted += counts ? pages : -pages;
    areas->tables += counts ? tables : -tables;
}

bool area_is_data(const struct area *area) {
    return area->rights & AREA_WRITE && !(area->flags & (AREA_SHARED | AREA_GROWS | AREA_DEVICE));
}

// [start, end) has come to what is an area like this one, which may count, or has left it.
static void areas_account(struct areas *areas, const struct area *like, u64 start, u64 end,
                          bool comes) {
    u64 pages = (end - start) / PAGE_SIZE, change = comes ? pages : -pages;
    areas->pages += change;
    if (like->flags & AREA_COUNTED) areas_count(areas, start, end, comes);
    if (like->flags & AREA_DEVICE) areas->device += change;
    if (area_is_data(like)) areas->data += change;
}

// ---- operations ----

static void areas_begin_at(struct area *area, u64 start) {
    if (area->object) area->offset += start - area->start;
    area->start = start;
    areas_summarise_up(area);
}

// Takes [start, end) out of an area, of which it is a part.
static void areas_take_out_of(struct areas *areas, struct area *area, u64 start, u64 end) {
    const struct area before = *area;
    if (start == before.start && end == before.end) {
        areas_erase(areas, area);
    } else if (start == before.start) {
        areas_begin_at(area, end);
    } else {
        area->end = start;
        areas_summarise_up(area);
        if (end < before.end) areas_insert(areas, &before, end, before.end);
    }
    areas_account(areas, &before, start, end, false);
}

void areas_cut(struct areas *areas, u64 start, u64 end) {
    for (struct area *area; (area = areas_find(areas, start)) && area->start < end;)
        areas_take_out_of(areas, area, MAX(start, area->start), MIN(end, area->end));
}

// Whether two areas can be one when they touch: those with an object must show its bytes in their
// order.
static bool areas_alike(const struct area *a, const struct area *b) {
    if (a->rights != b->rights || a->flags != b->flags || a->object != b->object) return false;
    return !a->object || a->offset - a->start == b->offset - b->start;
}

void areas_put(struct areas *areas, const struct area *like) {
    struct area added = *like;
    if (added.rights & AREA_WRITE && !(added.flags & AREA_NORESERVE)) added.flags |= AREA_COUNTED;
    areas_cut(areas, added.start, added.end);
    areas_account(areas, &added, added.start, added.end, true);
    struct area *left = areas_before(areas, added.start), *right = areas_find(areas, added.end);
    bool joins_left = left && left->end == added.start && areas_alike(left, &added);
    bool joins_right = right && right->start == added.end && areas_alike(right, &added);
    if (joins_left && joins_right) {
        added.end = right->end;
        areas_erase(areas, right);
    }
    if (joins_left) {
        left->end = added.end;
        areas_summarise_up(left);
    } else if (joins_right) {
        areas_begin_at(right, added.start);
    } else {
        areas_insert(areas, &added, added.start, added.end);
    }
}

void areas_protect(struct areas *areas, u64 start, u64 end, u32 rights) {
    for (const struct area *area; start < end && (area = areas_find(areas, start));) {
        struct area part = area_part(area, start, MIN(end, area->end));
        start = part.end;
        part.rights = rights;
        areas_put(areas, &part);
    }
}

void areas_flag(struct areas *areas, u64 start, u64 end, u32 set, u32 clear) {
    for (const struct area *area;
         start < end && (area = areas_find(areas, start)) && area->start < end;) {
        struct area part = area_part(area, MAX(start, area->start), MIN(end, area->end));
        start = part.end;
        part.flags = (part.flags | set) & ~clear;
        areas_put(areas, &part);
    }
}

u64 areas_pages(struct areas *areas, u64 start, u64 end, bool data) {
    u64 pages = 0;
    for (const struct area *area; (area = areas_find(areas, start)) && area->start < end;
         start = area->end)
        if (!data || area_is_data(area))
            pages += (MIN(area->end, end) - MAX(area->start, start)) / PAGE_SIZE;
    return pages;
}

u64 areas_counted_private(struct areas *areas, u64 start, u64 end) {
    u64 pages = 0;
    for (const struct area *area; (area = areas_find(areas, start)) && area->start < end;
         start = area->end)
        if ((area->flags & (AREA_COUNTED | AREA_SHARED)) == AREA_COUNTED)
            pages += (MIN(area->end, end) - MAX(area->start, start)) / PAGE_SIZE;
    return pages;
}

u64 areas_cost(struct areas *areas, u64 start, u64 end) {
    u64 cost = 0;
    for (const struct area *area; (area = areas_find(areas, start)) && area->start < end;
         start = area->end) {
        u64 from = MAX(area->start, start), to = MIN(area->end, end);
        if (!(area->flags & (AREA_COUNTED | AREA_NORESERVE)))
            cost += (to - from) / PAGE_SIZE + areas_tables(from, to);
    }
    return cost;
}

// The highest fit in [low, high), where areas of no other subtree lie. A subtree without a large
// enough hole inside and at either edge is not entered: only the nodes along the two borders are
// entered in vain.
static u64 areas_hole_in(const struct area *area, u64 bytes, u64 low, u64 high) {
    if (low >= high || high - low < bytes) return 0;
    if (!area) return high - bytes;
    u64 edge_low = MAX(low, area->high), edge_high = MIN(high, area->low);
    bool at_top = high > edge_low && high - edge_low >= bytes,
         at_bottom = edge_high > low && edge_high - low >= bytes;
    if (area->hole < bytes && !at_top && !at_bottom) return 0;
    u64 found = areas_hole_in(RB_RIGHT(area, link), bytes, MAX(low, area->end), high);
    if (found) return found;
    const struct area *left = RB_LEFT(area, link);
    u64 below = left ? MAX(left->high, areas_floor_of(area))
                     : areas_floor_of(area); // the gap may reach over others
    return areas_hole_in(left, bytes, low, MIN(high, below));
}

u64 areas_hole(const struct areas *areas, u64 bytes, u64 low, u64 high) {
    return areas_hole_in(RB_ROOT(&areas->tree), bytes, low, high);
}
