// The collector of shared frames: it marks what the entries of all spaces have, makes those that
// are alone the owners of their frames, and gives back what nobody has (document 000: "Tracing
// versus reference counting"). Whoever returns to the program does a piece of it when it is due.
//
// An entry is in one place, and each space is traced once. What is copied or moved while that goes
// on is marked as if it were found twice, so it stays until the next time; what goes meanwhile
// stays as long, too.
#include "kernel/space/collector.h"

#include "kernel/kernel.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/promises.h"
#include "kernel/memory/shares.h"
#include "kernel/memory/tables.h"
#include "kernel/space/space.h"

#define DUE_PART   8   // garbage is looked for when it may be that part of memory
#define ENTRY_COST 250 // instructions, with a mark

enum phase { IDLE, MARK, ALONE, SWEEP };

// Under its lock.
static struct {
    struct lock lock;
    enum phase phase;
    u64 number, address; // of the space that is traced, and where in it
    u64 group;           // that is swept next
    u64 known;           // of what was dropped, when it began
} collector = {.lock = {.rank = LOCK_COLLECTOR}};

static u64 dropped; // pages that may be garbage
static bool is_running;

void collector_dropped(u64 pages) { __atomic_fetch_add(&dropped, pages, __ATOMIC_RELAXED); }

// When little is free it is worth less.
bool collector_is_due(bool is_short) {
    u64 pages = __atomic_load_n(&dropped, __ATOMIC_RELAXED);
    if (!pages) return false;
    if (is_short || __atomic_load_n(&is_running, __ATOMIC_RELAXED)) return true;
    return pages > pages_total() / DUE_PART || pages > pages_free() / 2;
}

static void collector_mark(void *context, u64 *entry, u64 address, u64 bytes) {
    (void)context;
    (void)address;
    if (*entry & PTE_SHARED) shares_mark(pte_target(*entry), bytes);
}

// The entry stays write-protected until somebody writes.
static void collector_own(void *context, u64 *entry, u64 address, u64 bytes) {
    (void)context;
    (void)address;
    if (*entry & PTE_SHARED && shares_alone(pte_target(*entry), bytes)) *entry &= ~PTE_SHARED;
}

// A piece of the tracing. True: all spaces were traced.
static bool collector_trace(void (*each)(void *, u64 *, u64, u64)) {
    struct space *space = spaces_take_from(collector.number);
    if (!space) {
        spaces_give();
        collector.number = collector.address = 0;
        return true;
    }
    if (space_number(space) != collector.number) {
        collector.number = space_number(space);
        collector.address = 0;
    }
    u64 end =
        tables_reach(space->tlb.root, collector.address, USER_END, ENTRY_COST, CALL_INSTRUCTIONS);
    tables_each(space->tlb.root, collector.address, end, each, NULL);
    lock_give(&space->lock);
    spaces_give();
    collector.address = end;
    if (end < USER_END) return false;
    collector.number++;
    collector.address = 0;
    return false;
}

static void collector_begin(void) {
    collector.known = __atomic_load_n(&dropped, __ATOMIC_RELAXED);
    collector.number = collector.address = collector.group = 0;
    collector.phase = MARK;
    shares_begin();
    __atomic_store_n(&is_running, true, __ATOMIC_RELAXED);
}

static void collector_end(void) {
    shares_end();
    __atomic_fetch_sub(&dropped, collector.known, __ATOMIC_RELAXED);
    collector.phase = IDLE;
    __atomic_store_n(&is_running, false, __ATOMIC_RELAXED);
}

static void collector_sweep(void) {
    u64 freed = 0;
    collector.group = shares_sweep(collector.group, CALL_INSTRUCTIONS, &freed);
    promises_got(OWNER_DATA, freed, false);
    if (!collector.group) collector_end();
}

bool collector_step(void) {
    if (!lock_try(&collector.lock)) return false;
    switch (collector.phase) {
    case IDLE: collector_begin(); break;
    case MARK:
        if (collector_trace(collector_mark)) collector.phase = ALONE;
        break;
    case ALONE:
        if (collector_trace(collector_own)) collector.phase = SWEEP;
        break;
    case SWEEP: collector_sweep(); break;
    }
    lock_give(&collector.lock);
    return true;
}
