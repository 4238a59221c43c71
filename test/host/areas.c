// areas.c against a model that keeps one entry per page, with random operations and every invariant
// after each.
#include <stdlib.h>
#include <string.h>
#define AREA_GAP (3 * unit)
// What the model calls a page is so large: borders of tables of every level lie within.
static unsigned long unit = 4096;
#define log kernel_log // the C library has one of its own
#include "kernel/space/areas.c"
#include "kernel/space/counted.c"
#include "test/check.h"
#include "test/random.h"

#define PAGES    96
#define AT(page) (unit * (u64)(page))
#define FLAGS    (AREA_SHARED | AREA_GROWS | AREA_LOCKED | AREA_DEVICE)

static u64 nodes_made;

// So many free nodes, no more and no less: with AREAS_TAKEN an operation that takes more stops the
// test, as it would the kernel.
static void give_nodes(struct areas *areas, u64 wanted) {
    while (areas->spare_count < wanted) {
        areas_give(areas, malloc(sizeof(struct area)));
        nodes_made++;
    }
    while (areas->spare_count > wanted) {
        free(areas_take(areas));
        nodes_made--;
    }
}

void panic(const char *fmt, ...) {
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}

static struct model_page {
    bool used, counted, noreserve;
    u32 rights, flags; // those of FLAGS
    struct object *object;
    u64 offset;
} model[PAGES];
static struct object objects[3];

// Page tables below which something is counted, by a walk over all areas.
static u64 count_tables(struct areas *areas) {
    u64 tables = 0;
    for (int shift = 21; shift <= 39; shift += 9) {
        u64 last = UINT64_MAX;
        struct area *area;
        RB_FOREACH(area, area_tree, &areas->tree) {
            if (!(area->flags & AREA_COUNTED)) continue;
            u64 from = area->start >> shift, to = (area->end - 1) >> shift;
            tables += to - from + (from != last);
            last = to;
        }
    }
    return tables;
}

static void check_against_model(struct areas *areas) {
    u64 counted = 0, pages = 0, data = 0, last_end = 0, nodes = 0, areas_of[3] = {0};
    struct area *area;
    RB_FOREACH(area, area_tree, &areas->tree) {
        CHECK(area->start < area->end && area->start >= last_end);
        last_end = area->end;
        nodes++;
        if (area->object) areas_of[area->object - objects]++;
        for (u64 at = area->start; at < area->end; at += unit) {
            struct model_page *page = &model[at / unit];
            CHECK(page->used && page->rights == area->rights &&
                  page->counted == !!(area->flags & AREA_COUNTED));
            CHECK(page->flags == (area->flags & FLAGS) && page->object == area->object);
            if (page->object) CHECK(page->offset == area->offset + (at - area->start));
            data += page->rights & AREA_WRITE &&
                    !(page->flags & (AREA_SHARED | AREA_GROWS | AREA_DEVICE));
            pages++;
        }
        struct area *next = RB_NEXT(area_tree, &areas->tree, area), told = *area;
        areas_summarise(area);
        CHECK(told.low == area->low && told.high == area->high && told.hole == area->hole);
        CHECK(told.has_counted == area->has_counted);
        if (next) CHECK(area->end != next->start || !areas_alike(area, next));
    }
    u64 used = 0;
    for (int i = 0; i < PAGES; i++) {
        used += model[i].used;
        counted += model[i].used && model[i].counted;
    }
    CHECK(counted * (unit / PAGE_SIZE) == areas->counted && areas->tables == count_tables(areas));
    u64 size = unit / PAGE_SIZE;
    CHECK(pages == used && pages * size == areas->pages && data * size == areas->data);
    CHECK(areas_pages(areas, 0, AT(PAGES), false) == pages * size &&
          areas_pages(areas, 0, AT(PAGES), true) == data * size);
    for (int i = 0; i < 3; i++) {
        bool is_listed = false;
        for (struct object *left = areas->left; left; left = left->next)
            is_listed |= left == &objects[i];
        CHECK(objects[i].areas == areas_of[i] && objects[i].is_left == is_listed);
    }
    CHECK(nodes == nodes_made - areas->spare_count);
}

static u64 model_hole(unsigned pages, unsigned low, unsigned high) {
    for (int at = (int)high - (int)pages; at >= (int)low; at--) {
        bool free = true;
        for (unsigned i = 0; i < pages; i++) free &= !model[at + i].used;
        for (unsigned i = 0; i < AREA_GAP / unit && at + pages + i < PAGES;
             i++) { // what grows needs a gap
            const struct model_page *page = &model[at + pages + i];
            if (page->used && page->flags & AREA_GROWS) free = false;
            if (page->used) break;
        }
        if (free) return AT(at);
    }
    return 0;
}

static void random_step(struct areas *areas) {
    unsigned start = random_below(PAGES),
             length = 1 + random_below(random_below(4) ? 8 : PAGES - start);
    unsigned end = MIN(start + length, PAGES), rights = random_below(8), kind = random_below(11);
    give_nodes(areas, AREAS_TAKEN);
    if (kind < 4) {
        struct area like = {.start = AT(start), .end = AT(end), .rights = rights};
        if (random_below(4) == 0) like.flags = AREA_NORESERVE;
        if (random_below(3) == 0) like.flags |= 1u << random_below(8) & FLAGS;
        if (random_below(3) == 0) { // often what joins to a neighbour
            like.object = &objects[random_below(3)];
            like.offset = AT(start + PAGES * random_below(2));
        }
        areas_put(areas, &like);
        for (unsigned i = start; i < end; i++) {
            model[i] = (struct model_page){
                .used = true, .rights = rights, .noreserve = like.flags & AREA_NORESERVE};
            model[i].flags = like.flags & FLAGS;
            model[i].object = like.object;
            model[i].offset = like.offset + AT(i - start);
            model[i].counted = rights & AREA_WRITE && !model[i].noreserve;
        }
    } else if (kind < 7) {
        areas_cut(areas, AT(start), AT(end));
        memset(model + start, 0, (end - start) * sizeof model[0]);
    } else if (kind < 9) {
        bool whole = true;
        for (unsigned i = start; i < end; i++) whole &= model[i].used;
        if (whole) areas_protect(areas, AT(start), AT(end), rights);
        for (unsigned i = start; whole && i < end; i++) {
            model[i].rights = rights;
            if (rights & AREA_WRITE && !model[i].noreserve) model[i].counted = true;
        }
    } else if (kind == 9) {
        bool locks = random_below(2);
        areas_flag(areas, AT(start), AT(end), locks ? AREA_LOCKED : 0, locks ? 0 : AREA_LOCKED);
        for (unsigned i = start; i < end; i++)
            if (model[i].used)
                model[i].flags =
                    locks ? model[i].flags | AREA_LOCKED : model[i].flags & ~AREA_LOCKED;
    } else {
        u64 counted = 0, private = 0, could = 0, cost = 0;
        for (unsigned i = start; i < end; i++) {
            counted += model[i].used && model[i].counted;
            private += model[i].used && model[i].counted && !(model[i].flags & AREA_SHARED);
            could += model[i].used && !model[i].noreserve && !model[i].counted;
        }
        CHECK(areas_counted_private(areas, AT(start), AT(end)) == private * (unit / PAGE_SIZE));
        CHECK(areas_have_counted(areas, AT(start), AT(end)) == !!counted);
        cost = areas_cost(areas, AT(start), AT(end));
        CHECK(cost >= could * (unit / PAGE_SIZE) && !cost == !could);
    }
    for (unsigned pages = 1; pages < 20; pages += 3) {
        unsigned low = 1 + random_below(PAGES / 2), high = low + random_below(PAGES - low);
        CHECK(areas_hole(areas, AT(pages), AT(low), AT(high)) == model_hole(pages, low, high));
    }
    unsigned at = random_below(PAGES);
    if (!model[at].used) {
        u64 model_from = at, model_to = at;
        while (model_from > 0 && !model[model_from - 1].used) model_from--;
        while (model_to < PAGES && !model[model_to].used) model_to++;
        const struct area *left = areas_before(areas, AT(at)), *right = areas_find(areas, AT(at));
        CHECK((left ? left->end : 0) == AT(model_from) &&
              (right ? right->start : AT(PAGES)) == AT(model_to));
    }
}

static void large(void) {
    struct areas areas = {0};
    give_nodes(&areas, 60010);
    struct area reservation = {.start = 1ull << 40, .end = 3ull << 40};
    areas_put(&areas, &reservation);
    CHECK(areas.counted == 0);
    areas_protect(&areas, (1ull << 40) + AT(5), (1ull << 40) + AT(7), AREA_READ | AREA_WRITE);
    CHECK(areas.counted == 2 && areas.tables == 3 &&
          areas_find(&areas, (1ull << 40) + AT(6))->rights == 3);
    for (unsigned i = 0; i < 60000; i++) { // alternating rights, so that nothing joins: a search
                                           // stays short wherever the hole is
        struct area page = {.start = AT(2 * i + 1), .end = AT(2 * i + 2), .rights = i % 8};
        areas_put(&areas, &page);
    }
    for (unsigned i = 0; i < 60000; i++) {
        CHECK(areas_hole(&areas, AT(1), PAGE_SIZE, AT(119999)) == AT(119998));
        unsigned wide = 2 * random_below(50000) + 1; // only this hole has two pages
        struct area page = *areas_find(&areas, AT(wide));
        areas_cut(&areas, AT(wide), AT(wide + 1));
        if (i % 1000 == 0) CHECK(areas.tables == count_tables(&areas));
        CHECK(areas_hole(&areas, AT(2), AT(1), AT(119999)) == AT(wide));
        areas_put(&areas, &page);
    }
    areas_cut(&areas, 0, 1ull << 47);
    CHECK(RB_EMPTY(&areas.tree) && areas.counted == 0 && areas.tables == 0);
    give_nodes(&areas, 0);
    CHECK(nodes_made == 0);
}

static void random_steps(u64 page) {
    memset(objects, 0, sizeof objects);
    struct areas areas = {0};
    unit = page;
    memset(model, 0, sizeof model);
    for (int i = 0; i < 20000 && !checks_failed; i++) {
        random_step(&areas);
        check_against_model(&areas);
    }
    areas_cut(&areas, 0, AT(PAGES));
    CHECK(areas.counted == 0 && areas.tables == 0);
    give_nodes(&areas, 0);
    CHECK(nodes_made == 0);
}

int main(void) {
    random_steps(1ull << 38);
    random_steps(3ull << 27);
    random_steps(1ull << 20);
    random_steps(PAGE_SIZE);
    large();
    return check_done("areas");
}
