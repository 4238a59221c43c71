// All address spaces: how one is made, known by its number, and how it goes. Each but the first is
// in a page of its own, with the first nodes of its areas behind it.
#include "kernel/space/space.h"

#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/promises.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"

#define NODES_FIRST ((sizeof(struct space) + sizeof(struct area) - 1) / sizeof(struct area))

static struct lock lock = {.rank = LOCK_SPACES};
static struct sorted spaces;    // by their numbers
static struct sorted borrowers; // by when they began
static u64 latest, loans;
static struct space first_space; // needs no page

const struct limits *space_limits(void) {
    const struct thread *thread = (struct thread *)this_cpu()->current;
    return &thread->process->limits;
}

static struct space *spaces_from(u64 number) {
    struct sorted_node *node = sorted_from(&spaces, number, 0);
    if (!node) return NULL;
    return (struct space *)((u8 *)node - offsetof(struct space, node));
}

static bool spaces_has(u64 number) {
    const struct space *space = spaces_from(number);
    return space && space_number(space) == number;
}

static void spaces_give_page(struct space *space) {
    if (space != &first_space) promises_give(OWNER_NODES, window_physical(space), false);
}

struct space *space_new(void) {
    struct space *space = &first_space;
    if (latest) {
        paddr page = promises_page(OWNER_NODES, false);
        if (!page.at) return NULL;
        space = window(page);
    }
    paddr root = promises_page(OWNER_TABLES, false);
    if (!root.at) {
        spaces_give_page(space);
        return NULL;
    }
    tables_begin_root(root);
    *space = (struct space){.users = 1};
    space_init(space, root);
    struct area *nodes = (struct area *)space;
    for (size_t i = NODES_FIRST; space != &first_space && i < PAGE_SIZE / sizeof *nodes; i++)
        areas_give(&space->areas, nodes + i);
    lock_take(&lock);
    do latest = latest % (SPACE_NUMBERS - 1) + 1;
    while (spaces_has(latest));
    sorted_add(&spaces, &space->node, latest, 0);
    lock_give(&lock);
    return space;
}

void space_hold(struct space *space) { __atomic_fetch_add(&space->users, 1, __ATOMIC_RELAXED); }

bool space_leave(struct space *space) {
    return __atomic_sub_fetch(&space->users, 1, __ATOMIC_SEQ_CST) == 0;
}

bool space_empty(struct space *space) {
    space_take(space);
    struct area *area = areas_find(&space->areas, 0);
    u64 start = 0;
    if (area) start = area->start;
    u64 end = space_reach(space, start, USER_END);
    space->lock_future = 0;
    space_areas_cut(space, start, end);
    space_drop(space, start, end);
    bool is_empty = !areas_find(&space->areas, 0) && !space->areas.left;
    lock_give(&space->lock);
    return is_empty;
}

// The nodes of areas lie in pages, and those at the start of a page stand for it. All are free.
static void spaces_give_nodes(struct space *space) {
    struct area *pages = NULL;
    while (space->areas.spare) {
        struct area *node = space->areas.spare;
        space->areas.spare = RB_LEFT(node, link);
        if ((u64)node % PAGE_SIZE) continue;
        RB_LEFT(node, link) = pages;
        pages = node;
    }
    while (pages) {
        struct area *node = pages;
        pages = RB_LEFT(node, link);
        promises_give(OWNER_NODES, window_physical(node), false);
    }
}

void space_free(struct space *space) {
    lock_take(&lock);
    sorted_remove(&spaces, &space->node);
    if (sorted_in(&space->borrower)) sorted_remove(&borrowers, &space->borrower);
    lock_give(&lock);
    tlb_end(&space->tlb);
    ASSERT(!space->promised);
    promises_give(OWNER_TABLES, space->tlb.root, false);
    spaces_give_nodes(space);
    spaces_give_page(space);
}

struct space *spaces_take_from(u64 number) {
    lock_take(&lock);
    struct space *space = spaces_from(number);
    if (space) lock_take(&space->lock);
    return space;
}

void spaces_give(void) { lock_give(&lock); }

void space_borrows(struct space *space) {
    lock_take(&lock);
    if (!sorted_in(&space->borrower)) sorted_add(&borrowers, &space->borrower, ++loans, 0);
    lock_give(&lock);
}

u32 space_youngest_owner(void) {
    u32 owner = 0;
    lock_take(&lock);
    struct sorted_node *node = sorted_last(&borrowers);
    if (node) owner = ((struct space *)((u8 *)node - offsetof(struct space, borrower)))->owner;
    lock_give(&lock);
    return owner;
}
