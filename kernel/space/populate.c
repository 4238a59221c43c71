// Pages that mmap makes before they are touched: with MAP_HUGETLB large ones, all taken before the
// area is there, with MAP_POPULATE what is missing once it is. Clearing them takes long, so it goes
// in pieces of at most one page of 2 MiB, between which the call returns; what it took meanwhile is
// its record's.
//
// The lock is given up between pieces: then other threads may have changed the range, all of it or
// what is left. So every piece looks at the areas anew, goes over holes in one step, unmaps
// nothing, and gives back what has no place.
#include "kernel/cpu/cpus.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
#include "kernel/memory/promises.h"
#include "kernel/space/space.h"

#define CLEAR_BYTES LEVEL_BYTES(LEVEL_2M) // at once: 262,144 rounds
#define PIECE_PAGES 100                   // large ones put or given back
// of 4 KiB: the next one may be a large one, which has to be cleared, too
#define PIECE_MADE  10
#define PIECE_STEPS 100

// So many pages of that level are still wanted.
static paddr populate_page_take(int level, u64 wanted, bool *cleared) {
    u64 worth = LEVEL_BYTES(level) / PAGE_SIZE;
    paddr physical = {0};
    *cleared = false;
    if (wanted > pages_free() || !promises_can(wanted * worth)) return physical;
    if (level == LEVEL_1G)
        physical = frames_alloc_1g();
    else
        physical = frame_alloc(cleared);
    if (physical.at) promises_took(OWNER_DATA, worth, false);
    return physical;
}

static void populate_give_back(paddr physical, int level) {
    promises_got(OWNER_DATA, LEVEL_BYTES(level) / PAGE_SIZE, false);
    frames_free_run(physical, LEVEL_BYTES(level) / LEVEL_BYTES(LEVEL_2M));
}

// Takes a page of that level. False: there is none.
static bool populate_take_page(struct space *space, struct taken *taken, int level, u64 wanted) {
    bool cleared;
    space_take(space);
    taken->page = populate_page_take(level, wanted, &cleared);
    lock_give(&space->lock);
    taken->bytes = 0;
    if (cleared) taken->bytes = LEVEL_BYTES(level);
    return taken->page.at;
}

static void populate_clear_more(struct space *space, struct taken *taken) {
    bool used = tlb_leave(); // flushes need not wait for this
    memset(window(paddr_add(taken->page, taken->bytes)), 0, CLEAR_BYTES);
    if (used) tlb_enter(&space->tlb);
    taken->bytes += CLEAR_BYTES;
}

static void populate_push(struct taken *taken) {
    *(paddr *)window(taken->page) = taken->list;
    taken->list = taken->page;
    taken->page.at = 0;
    taken->count++;
}

static paddr populate_pop(struct taken *taken) {
    paddr page = taken->list;
    paddr *link = window(page);
    taken->list = *link;
    link->at = 0;
    taken->count--;
    return page;
}

s64 populate_take(struct thread *thread, u64 bytes, int level) {
    struct space *space = thread->process->space;
    struct taken *taken = &thread->record.taken;
    u64 size = LEVEL_BYTES(level);
    u64 wanted = bytes / size - taken->count;
    if (!wanted) return 0;
    if (taken->page.at)
        populate_clear_more(space, taken);
    else if (!populate_take_page(space, taken, level, wanted))
        return populate_begin(thread, 0, PAGE_SIZE, level, -ENOMEM);
    if (taken->bytes == size) populate_push(taken);
    return call_again(thread);
}

s64 populate_begin(struct thread *thread, u64 start, u64 end, int level, s64 result) {
    struct taken *taken = &thread->record.taken;
    taken->at = start;
    taken->end = end;
    taken->level = (u32)level;
    taken->result = result;
    return populate(thread);
}

// Puts large pages that were taken at their places, the last ones first; what has none any more is
// given back.
static s64 populate_put_taken(struct thread *thread) {
    struct space *space = thread->process->space;
    struct taken *taken = &thread->record.taken;
    int level = (int)taken->level;
    space_take(space);
    for (int i = 0; taken->count && i < PIECE_PAGES; i++) {
        paddr page = populate_pop(taken);
        u64 at = taken->at + taken->count * LEVEL_BYTES(level);
        if (at >= taken->end || !space_put_taken(space, at, page, level))
            populate_give_back(page, level);
    }
    lock_give(&space->lock);
    if (taken->count) return call_again(thread);
    return taken->result;
}

// Whether a page of 1 GiB goes to the next address, where nothing is.
static bool populate_wants_1g(struct space *space, const struct taken *taken,
                              const struct area *area) {
    if (area->object) return false;
    u64 bytes = LEVEL_BYTES(LEVEL_1G);
    u64 empty;
    u64 end = MIN(area->end, taken->end);
    if (space->largest < LEVEL_1G || taken->at < taken->small) return false;
    if (taken->at % bytes || end - taken->at < bytes) return false;
    return !tables_leaf(space->tlb.root, taken->at, &empty) && empty >= bytes;
}

// One step under the lock; false at the end, or when memory ran out. Says in pages of 4 KiB what it
// made.
static bool populate_step(struct space *space, struct taken *taken, u64 *made, bool *large) {
    const struct area *area = areas_find(&space->areas, taken->at);
    if (!area || area->start >= taken->end) return false;
    taken->at = MAX(taken->at, area->start);
    u64 bytes;
    if (!area->rights || area->flags & (AREA_DEVICE | AREA_GUARD)) {
        taken->at = area->end;
    } else if (tables_leaf(space->tlb.root, taken->at, &bytes)) {
        taken->at = ROUND_DOWN(taken->at, bytes) + bytes;
    } else {
        *large = populate_wants_1g(space, taken, area);
        if (*large) return true;
        u64 access = 0;
        if (area->rights & AREA_WRITE) access = FAULT_WRITE;
        if (space_make(space, taken->at, access)) return false;
        bool is_small = tables_leaf(space->tlb.root, taken->at, &bytes) && bytes == PAGE_SIZE;
        u64 pages = PIECE_MADE;
        if (is_small) pages = 1;
        *made += pages;
    }
    return taken->at < taken->end;
}

s64 populate(struct thread *thread) {
    struct space *space = thread->process->space;
    struct taken *taken = &thread->record.taken;
    if (taken->level) return populate_put_taken(thread);
    if (taken->page.at && taken->bytes < LEVEL_BYTES(LEVEL_1G)) {
        populate_clear_more(space, taken);
        return call_again(thread);
    }
    u64 made = 0;
    bool more = true;
    bool large = false;
    space_take(space);
    if (taken->page.at && !space_put_taken(space, taken->at, taken->page, LEVEL_1G))
        populate_give_back(taken->page, LEVEL_1G);
    taken->page.at = 0;
    for (int i = 0; more && !large && i < PIECE_STEPS && made < PIECE_MADE; i++)
        more = populate_step(space, taken, &made, &large);
    lock_give(&space->lock);
    if (large && !populate_take_page(space, taken, LEVEL_1G, 1))
        taken->small = taken->at + LEVEL_BYTES(LEVEL_1G);
    if (more) return call_again(thread);
    return taken->result;
}
