// What counts among areas (AREA_COUNTED), and how many page tables that needs at worst. Looks at
// the tree of areas.c and changes nothing in it.
#include "kernel/space/areas.h"

#include "boot/layout.h"

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
    const struct area *best = NULL;
    const struct area *under = NULL;
    for (const struct area *at = RB_ROOT(&areas->tree); at && at->has_counted;) {
        const struct area *left = RB_LEFT(at, link);
        if (at->start >= address) {
            at = left;
            continue;
        }
        if (at->flags & AREA_COUNTED) {
            best = at;
        } else if (left && left->has_counted) {
            best = NULL;
            under = left;
        }
        at = RB_RIGHT(at, link);
    }
    if (best) return best->end;
    if (!under) return 0;
    return areas_last_counted(under)->end;
}

// Where the lowest counted area that ends above address starts; UINT64_MAX: there is none.
static u64 areas_counted_above(const struct areas *areas, u64 address) {
    const struct area *best = NULL;
    const struct area *under = NULL;
    for (const struct area *at = RB_ROOT(&areas->tree); at && at->has_counted;) {
        const struct area *right = RB_RIGHT(at, link);
        if (at->end <= address) {
            at = right;
            continue;
        }
        if (at->flags & AREA_COUNTED) {
            best = at;
        } else if (right && right->has_counted) {
            best = NULL;
            under = right;
        }
        at = RB_LEFT(at, link);
    }
    if (best) return best->start;
    if (!under) return UINT64_MAX;
    return areas_first_counted(under)->start;
}

// Whether any page in [start, end) is counted.
bool areas_have_counted(struct areas *areas, u64 start, u64 end) {
    return areas_counted_above(areas, start) < end;
}

// Tables of a level are those of the regions of one size. Of [start, end), where nothing is
// counted, some regions have counted pages below start or from end on: their tables are there.
static u64 areas_tables_beside(u64 start, u64 end, u64 below, u64 above) {
    u64 tables = 0;
    for (int shift = 21; shift <= 39; shift += 9) {
        u64 first = start >> shift;
        u64 last = (end - 1) >> shift;
        bool has_first = below && (below - 1) >> shift == first;
        bool has_last = above >> shift == last;
        tables += last - first + 1;
        if (has_first) tables--;
        if (has_last && !(has_first && first == last)) tables--;
    }
    return tables;
}

// Page tables for pages in [start, end), at worst.
u64 areas_tables(u64 start, u64 end) { return areas_tables_beside(start, end, 0, UINT64_MAX); }

// [start, end), which is not counted in the tree, begins to count, or has ended to.
void areas_count(struct areas *areas, u64 start, u64 end, bool counts) {
    u64 tables = areas_tables_beside(start, end, areas_counted_below(areas, start),
                                     areas_counted_above(areas, end));
    u64 pages = (end - start) / PAGE_SIZE;
    if (!counts) {
        tables = -tables;
        pages = -pages;
    }
    areas->counted += pages;
    areas->tables += tables;
}
