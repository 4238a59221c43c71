// The account of memory that was promised to the program, without a lock. promises.h says what a
// promise is worth.
#include "kernel/memory/promises.h"

#include "kernel/memory/pages.h"

// Left to the kernel itself, which takes pages while the program runs: for stacks that grow, for
// tables of the window.
#define RESERVE 32

struct promises promises;

// What is asked for is counted first, and then whether all of it is there: of two that ask at once
// the later one sees the other. For the same reason what comes back is no longer kept before it is
// free.
static void promises_add(u64 *count, u64 pages) {
    __atomic_fetch_add(count, pages, __ATOMIC_SEQ_CST);
}

// Whether so many pages could be taken, or promised, beside what was promised already.
bool promises_can(u64 pages) {
    u64 promised = __atomic_load_n(&promises.promised, __ATOMIC_SEQ_CST);
    u64 kept = __atomic_load_n(&promises.kept, __ATOMIC_SEQ_CST);
    return pages_free() + kept >= promised + pages + RESERVE;
}

// Promises so many pages. False: they are not there. Near the end of memory two CPUs that ask at
// once may both be told so, since each counts what the other one asks for.
bool promises_make(u64 pages) {
    promises_add(&promises.promised, pages);
    if (promises_can(0)) return true;
    promises_drop(pages);
    return false;
}

// Nobody wants so many promised pages any more.
void promises_drop(u64 pages) { promises_add(&promises.promised, -pages); }

// So many more promised pages, or fewer, were taken: those of shared memory, which its object took.
void promises_keep(s64 pages) { promises_add(&promises.kept, (u64)pages); }

// So many more pages, or fewer, are being cleared without the lock.
void promises_clear_away(s64 pages) { promises_add(&promises.away, (u64)pages); }

// So many pages were taken for an owner, out of what was promised to it or of what nobody was
// promised.
void promises_took(enum owner owner, u64 pages, bool promised) {
    promises_add(&promises.taken[owner], pages);
    if (promised) promises_add(&promises.kept, pages);
    u64 resident = promises.taken[OWNER_DATA] + promises.taken[OWNER_STACK];
    if (resident > promises.most) promises.most = resident;
}

// So many pages of an owner came back.
void promises_got(enum owner owner, u64 pages, bool promised) {
    promises_took(owner, -pages, promised);
}

// Takes a page for an owner, contents undefined. 0: none is left, or none that nobody was promised.
paddr promises_page(enum owner owner, bool promised) {
    paddr page = page_alloc();
    if (page.at && !promised && !promises_can(0)) {
        page_free(page);
        page.at = 0;
    }
    if (page.at) promises_took(owner, 1, promised);
    return page;
}

// Gives such a page back.
void promises_give(enum owner owner, paddr page, bool promised) {
    promises_got(owner, 1, promised);
    page_free(page);
}
