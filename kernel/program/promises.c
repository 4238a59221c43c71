// See promises.h.
#include "kernel/program/promises.h"

#include "kernel/memory/pages.h"

// Left to the kernel itself, which takes pages while the program runs: for stacks that grow, for
// tables of the window.
#define RESERVE 32

struct promises promises;

bool promises_can(u64 pages) {
    return pages_free() + promises.kept >= promises.promised + pages + RESERVE;
}

void promises_took(enum owner owner, u64 pages, bool promised) {
    __atomic_fetch_add(&promises.taken[owner], pages, __ATOMIC_RELAXED);
    if (promised) promises.kept += pages;
    u64 resident = promises.taken[OWNER_DATA] + promises.taken[OWNER_STACK];
    if (resident > promises.most) promises.most = resident;
}

void promises_got(enum owner owner, u64 pages, bool promised) {
    promises_took(owner, -pages, promised);
}

u64 promises_page(enum owner owner, bool promised) {
    u64 page = promised || promises_can(1) ? page_alloc() : 0;
    if (page) promises_took(owner, 1, promised);
    return page;
}

void promises_give(enum owner owner, u64 page, bool promised) {
    page_free(page);
    promises_got(owner, 1, promised);
}
