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

static void space_free(struct space *space) {
    lock_take(&lock);
    sorted_remove(&spaces, &space->node);
    if (sorted_in(&space->borrower)) sorted_remove(&borrowers, &space->borrower);
    lock_give(&lock);
    ASSERT(!space->promised);
    promises_give(OWNER_TABLES, space->tlb.root, false);
    spaces_give_nodes(space);
    spaces_give_page(space);
}

void space_end(struct space *space) { tlb_end(&space->tlb); }

// First the areas, then the pages, then what the areas showed.
static bool space_empty_some(struct space *space) {
    for (int i = 0; i < PIECE_AREAS; i++) {
        const struct area *area = areas_find(&space->areas, 0);
        if (!area) break;
        space_areas_cut(space, area->start, area->end);
    }
    space_tell_screen(space);
    if (areas_find(&space->areas, 0)) return false;
    if (!tables_take_apart(space->tlb.root, CALL_INSTRUCTIONS / 2, space_page_end,
                           space_table_give))
        return false;
    return objects_collect(&space->areas.left);
}

bool space_empty(struct space *space) {
    lock_take(&space->lock);
    bool is_empty = space_empty_some(space);
    lock_give(&space->lock);
    if (is_empty) space_free(space);
    return is_empty;
}

// A flush that nothing needs: others go on only when they have served it.
void space_barrier(struct space *space) {
    space_take(space);
    tlb_flush(&space->tlb, USER_START, USER_START + PAGE_SIZE, false);
    lock_give(&space->lock);
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
