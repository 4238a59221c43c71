// The account of memory that was promised to the program: one for the machine, in pages as
// pages_free() counts them.
//
// Areas that count (areas.h) are promised their pages, and the page tables that these need at
// worst. A promise is made only when so many pages are free beside all others that are not kept
// yet, so what was promised is there when it is touched. Everybody else (areas that do not count
// with their tables, nodes of areas, threads) takes pages only from what nobody was promised.
// Whatever is taken has an owner here.
#pragma once

#include "kernel/lib/address.h"

enum owner {
    OWNER_DATA,
    OWNER_STACK,
    OWNER_TABLES,
    OWNER_NODES,
    OWNER_THREADS,
    OWNER_FILES,
    OWNERS
};

struct promises {
    u64 promised; // to areas
    u64 kept;     // of these, what was taken and did not come back
    u64 away;     // pages that are being cleared for an area, without the lock; not in kept yet
    u64 most;     // of data and stack at any one time
    u64 taken[OWNERS]; // by owner, promised or not
};
extern struct promises promises; // without a lock

// Promises.
bool promises_can(u64 pages);
bool promises_make(u64 pages) MUST_USE;
void promises_drop(u64 pages);
void promises_keep(s64 pages);
void promises_clear_away(s64 pages);

// Pages that somebody took, or gave back.
void promises_took(enum owner owner, u64 pages, bool promised);
void promises_got(enum owner owner, u64 pages, bool promised);
paddr promises_page(enum owner owner, bool promised);
void promises_give(enum owner owner, paddr page, bool promised);
