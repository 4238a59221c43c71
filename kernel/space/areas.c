// The areas of an address space in a red-black tree, each node with what its subtree has (areas.h).
// Neighbours that are alike are always one area: a heap that grows page by page stays one node.

// tree.h marks its functions with BSD's name for it.
#define __unused         __attribute__((unused))
#define RB_AUGMENT(area) areas_summarise(area) // it says so of the nodes that a rotation moves

#include "kernel/space/areas.h"

#include "boot/layout.h"
#include "kernel/kernel.h"

// Where what is free below an area ends.
static u64 areas_floor_of(const struct area *area) {
    u64 gap = 0;
    if (area->flags & AREA_GROWS) gap = AREA_GAP;
    if (area->start <= gap) return 0;
    return area->start - gap;
}

static u64 areas_between(u64 low, u64 high) {
    if (high <= low) return 0;
    return high - low;
}

// What a node says of its subtree, from its children alone.
static void areas_summarise(struct area *area) {
    const struct area *left = RB_LEFT(area, link);
    const struct area *right = RB_RIGHT(area, link);
    u64 low = areas_floor_of(area);
    u64 high = area->end;
    u64 hole = 0;
    bool has_counted = area->flags & AREA_COUNTED;
    if (left) {
        hole = MAX(left->hole, areas_between(left->high, low));
        low = left->low;
        has_counted |= left->has_counted;
    }
    if (right) {
        hole = MAX(hole, MAX(right->hole, areas_between(high, right->low)));
        high = right->high;
        has_counted |= right->has_counted;
    }
    area->low = low;
    area->high = high;
    area->hole = hole;
    area->has_counted = has_counted;
}

static void areas_summarise_up(struct area *area) {
    for (; area; area = RB_PARENT(area, link)) areas_summarise(area);
}

static int areas_compare(const struct area *a, const struct area *b) {
    if (a->start < b->start) return -1;
    return a->start > b->start;
}
RB_GENERATE_STATIC(area_tree, area, link, areas_compare)

// The lowest area that ends above address: the one that contains it, or the next one; NULL when
// there is none.
struct area *areas_find(struct areas *areas, u64 address) {
    struct area *best = NULL;
    for (struct area *at = RB_ROOT(&areas->tree); at;) {
        if (at->end > address) {
            best = at;
            at = RB_LEFT(at, link);
        } else {
            at = RB_RIGHT(at, link);
        }
    }
    return best;
}

// The area behind another one; NULL: there is none.
struct area *areas_next(struct area *area) {
    struct area *next = RB_NEXT(area_tree, NULL, area);
    return next;
}

// The highest area that starts below address; NULL: there is none.
struct area *areas_before(struct areas *areas, u64 address) {
    struct area *after = areas_find(areas, address);
    if (after && after->start < address) return after;
    if (after) return RB_PREV(area_tree, &areas->tree, after);
    return RB_MAX(area_tree, &areas->tree);
}

// The same bytes of the object at another place.
struct area area_moved(struct area area, u64 start) {
    area.end += start - area.start;
    area.start = start;
    return area;
}

// That part of an area; it is not in the tree.
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

// One more free node, which may be any memory of that size; areas keep it.
void areas_give(struct areas *areas, struct area *node) {
    RB_LEFT(node, link) = areas->spare;
    areas->spare = node;
    areas->spare_count++;
}

// That part of an area, or what joins to it on both sides.
static void areas_insert(struct areas *areas, const struct area *like, u64 start, u64 end) {
    struct area *area = areas_take(areas);
    *area = area_part(like, start, end);
    if (area->object) __atomic_fetch_add(&area->object->areas, 1, __ATOMIC_SEQ_CST);
    RB_LEFT(area, link) = RB_RIGHT(area, link) = NULL;
    areas_summarise(area); // a rotation on the way may read it
    RB_INSERT(area_tree, &areas->tree, area);
    areas_summarise_up(area);
}

// What a removal changes in the tree lies on the way to the root from a neighbour: from the one
// before, from the next one, which may take the removed node's place, or from the one whose place
// that had.
static void areas_erase(struct areas *areas, struct area *area) {
    struct area *before = RB_PREV(area_tree, &areas->tree, area);
    struct area *next = RB_NEXT(area_tree, &areas->tree, area);
    struct area *second = NULL;
    if (next) second = RB_NEXT(area_tree, &areas->tree, next);
    RB_REMOVE(area_tree, &areas->tree, area);
    areas_summarise_up(second);
    areas_summarise_up(next);
    areas_summarise_up(before);
    struct object *object = area->object;
    bool is_last = object && !__atomic_sub_fetch(&object->areas, 1, __ATOMIC_SEQ_CST);
    if (is_last && !object->is_left) {
        object->is_left = true;
        object->next = areas->left;
        areas->left = object;
    }
    areas_give(areas, area);
}

// Whether RLIMIT_DATA is about an area: private and writable, and no stack.
bool area_is_data(const struct area *area) {
    return area->rights & AREA_WRITE && !(area->flags & (AREA_SHARED | AREA_GROWS | AREA_DEVICE));
}

// [start, end) has come to what is an area like this one, which may count, or has left it.
static void areas_account(struct areas *areas, const struct area *like, u64 start, u64 end,
                          bool comes) {
    u64 change = (end - start) / PAGE_SIZE;
    if (!comes) change = -change;
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

// The lowest area of which some lies in [start, end); NULL: there is none.
static struct area *areas_first_in(struct areas *areas, u64 start, u64 end) {
    if (start >= end) return NULL;
    struct area *area = areas_find(areas, start);
    if (!area || area->start >= end) return NULL;
    return area;
}

// Removes what is in [start, end), splitting areas at its borders.
void areas_cut(struct areas *areas, u64 start, u64 end) {
    struct area *area = areas_first_in(areas, start, end);
    while (area) {
        areas_take_out_of(areas, area, MAX(start, area->start), MIN(end, area->end));
        area = areas_first_in(areas, start, end);
    }
}

// Whether two areas can be one when they touch: those with an object must show its bytes in their
// order.
static bool areas_alike(const struct area *a, const struct area *b) {
    if (a->rights != b->rights || a->flags != b->flags || a->object != b->object) return false;
    return !a->object || a->offset - a->start == b->offset - b->start;
}

// Puts an area like this one at its place, instead of whatever is there, and joins it with
// neighbours that are alike. What is writable counts from then on, unless it is AREA_NORESERVE.
void areas_put(struct areas *areas, const struct area *like) {
    struct area added = *like;
    if (added.rights & AREA_WRITE && !(added.flags & AREA_NORESERVE)) added.flags |= AREA_COUNTED;
    areas_cut(areas, added.start, added.end);
    areas_account(areas, &added, added.start, added.end, true);
    struct area *left = areas_before(areas, added.start);
    struct area *right = areas_find(areas, added.end);
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

// Sets rights in [start, end), all of which lies in areas.
void areas_protect(struct areas *areas, u64 start, u64 end, u32 rights) {
    const struct area *area = areas_first_in(areas, start, end);
    while (area) {
        struct area part = area_part(area, start, MIN(end, area->end));
        start = part.end;
        part.rights = rights;
        areas_put(areas, &part);
        area = areas_first_in(areas, start, end);
    }
}

// Sets and clears flags, none that counts, in the areas of [start, end).
void areas_flag(struct areas *areas, u64 start, u64 end, u32 set, u32 clear) {
    const struct area *area = areas_first_in(areas, start, end);
    while (area) {
        struct area part = area_part(area, MAX(start, area->start), MIN(end, area->end));
        start = part.end;
        part.flags = (part.flags | set) & ~clear;
        areas_put(areas, &part);
        area = areas_first_in(areas, start, end);
    }
}

// Pages of an area in [start, end).
static u64 areas_pages_of(const struct area *area, u64 start, u64 end) {
    return (MIN(area->end, end) - MAX(area->start, start)) / PAGE_SIZE;
}

// How many pages of [start, end) are in areas; with data, in those that are data.
u64 areas_pages(struct areas *areas, u64 start, u64 end, bool data) {
    u64 pages = 0;
    const struct area *area = areas_first_in(areas, start, end);
    for (; area; area = areas_first_in(areas, area->end, end))
        if (!data || area_is_data(area)) pages += areas_pages_of(area, start, end);
    return pages;
}

// How many pages in [start, end) are counted and come back when these areas go: a shared one may
// stay in its object.
u64 areas_counted_private(struct areas *areas, u64 start, u64 end) {
    u64 pages = 0;
    const struct area *area = areas_first_in(areas, start, end);
    for (; area; area = areas_first_in(areas, area->end, end)) {
        bool comes_back = area->flags & AREA_COUNTED && !(area->flags & AREA_SHARED);
        if (comes_back) pages += areas_pages_of(area, start, end);
    }
    return pages;
}

// What it costs at worst, in pages and page tables, if [start, end) becomes writable, beside what
// is counted already.
u64 areas_cost(struct areas *areas, u64 start, u64 end) {
    u64 cost = 0;
    const struct area *area = areas_first_in(areas, start, end);
    for (; area; area = areas_first_in(areas, area->end, end)) {
        u64 from = MAX(area->start, start);
        u64 to = MIN(area->end, end);
        if (area->flags & (AREA_COUNTED | AREA_NORESERVE)) continue;
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
    u64 edge_low = MAX(low, area->high);
    u64 edge_high = MIN(high, area->low);
    bool at_top = high > edge_low && high - edge_low >= bytes;
    bool at_bottom = edge_high > low && edge_high - low >= bytes;
    if (area->hole < bytes && !at_top && !at_bottom) return 0;
    u64 found = areas_hole_in(RB_RIGHT(area, link), bytes, MAX(low, area->end), high);
    if (found) return found;
    const struct area *left = RB_LEFT(area, link);
    u64 below = areas_floor_of(area); // the gap may reach over others
    if (left) below = MAX(left->high, below);
    return areas_hole_in(left, bytes, low, MIN(high, below));
}

// The highest address in [low, high) with that many free bytes behind it, none of which a stack may
// need; 0 when there is none.
u64 areas_hole(const struct areas *areas, u64 bytes, u64 low, u64 high) {
    return areas_hole_in(RB_ROOT(&areas->tree), bytes, low, high);
}
