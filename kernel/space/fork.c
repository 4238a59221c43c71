// The copy of a space for a new process. Areas are copied, and what exists of their pages is shared
// until one of the two writes (fault.c), large pages as they are. A large space is copied in
// pieces; what other threads of the older process do in between is in the copy or is not, as on a
// machine where they run at the same time.
#include "kernel/kernel.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/promises.h"
#include "kernel/memory/shares.h"
#include "kernel/memory/tables.h"
#include "kernel/space/space.h"

#define ENTRY_COST 300 // instructions for one that is copied
#define EMPTY_COST 6   // for one that is empty
#define HOLE_COST  60  // and for a look at a table that is not there
#define FORK_AREA  2000

// What a child never has: locks in memory, and what an unfinished move keeps.
#define NOT_INHERITED AREA_LOCKED

// An entry that is the older space's alone may be shared from here on, and is write-protected.
static void fork_share(struct space *space, u64 *entry, const struct area *area, u64 bytes) {
    u64 before = *entry;
    paddr physical = pte_target(before);
    shares_copy(physical, bytes);
    if (before & PTE_SHARED) return;
    space_page_forget(before, bytes);
    promises_took(OWNER_DATA, PAGES(bytes), false); // whoever has it in the end
    space_page_share(entry, area, physical, bytes);
    if (before & PTE_P && before & PTE_W) space->changed |= TABLES_HID_PAGES;
}

// The entry of a page, for the copy.
static void fork_entry(struct space *from, const struct area *area, const struct area *copy,
                       u64 *entry, u64 *target, u64 bytes) {
    if (*entry & PTE_OURS) {
        fork_share(from, entry, area, bytes);
        *target = *entry & ~PTE_COUNTED;
    } else if (area->flags & AREA_SHARED && !(area->flags & AREA_DEVICE)) {
        space_page_show(target, copy, pte_target(*entry));
    } else {
        *target = *entry & ~PTE_COUNTED;
    }
}

// Pages of one table, from the one at an address on. Returns how far it came, or 0: no memory.
static u64 fork_table(struct space *from, struct space *to, const struct area *area,
                      const struct area *copy, u64 at, u64 bytes, u64 *entry, s64 *left) {
    int level = (__builtin_ctzll(bytes) - LEVEL_SHIFT(0)) / 9;
    u64 end = MIN(area->end, ROUND_DOWN(at, 512 * bytes) + 512 * bytes);
    u64 *target = space_entry(to, copy, at, level);
    if (!target) return 0;
    for (; at<end && * left> 0; at += bytes, entry++, target++) {
        bool is_table = level && *entry && !(*entry & PTE_PS);
        if (is_table) return at;
        *left -= EMPTY_COST;
        if (!*entry) continue;
        *left -= ENTRY_COST;
        fork_entry(from, area, copy, entry, target, bytes);
    }
    return at;
}

// The pages of an area from an address on; returns how far it came, or 0: no memory.
static u64 fork_pages(struct space *from, struct space *to, const struct area *area,
                      const struct area *copy, u64 at, s64 *left) {
    u64 bytes;
    while (at && at<area->end && * left> 0) {
        u64 *entry = tables_leaf(from->tlb.root, at, &bytes);
        *left -= HOLE_COST;
        if (entry)
            at = fork_table(from, to, area, copy, at, bytes, entry, left);
        else
            at = ROUND_DOWN(at, bytes) + bytes;
    }
    return MIN(at, area->end);
}

// A piece of an area. It is promised to the copy only when everything is.
static u64 fork_area(struct space *from, struct space *to, struct area *area, u64 at, s64 *left,
                     bool *borrows) {
    struct area copy = area_part(area, at, area->end);
    copy.flags &= ~(u32)NOT_INHERITED;
    if (options.overcommit != 2 && copy.flags & AREA_COUNTED) {
        copy.flags = (copy.flags & ~AREA_COUNTED) | AREA_NORESERVE;
        *borrows = true;
    }
    *left -= FORK_AREA;
    if (area->flags & (AREA_KEPT | AREA_NOFORK)) return area->end;
    if (!space_put(to, &copy)) return 0;
    if (area->flags & AREA_WIPED) return area->end;
    return fork_pages(from, to, area, &copy, at, left);
}

// Both locks; of two of one rank the lower one in memory first.
static void fork_take(struct space *from, struct space *to) {
    if (from < to) {
        space_take(from);
        lock_take_second(&to->lock, &from->lock);
    } else {
        lock_take(&to->lock);
        lock_take_second(&from->lock, &to->lock);
    }
}

s64 space_copy(struct thread *thread, struct space *from, struct space *to) {
    u64 at = thread->record.done;
    s64 left = CALL_INSTRUCTIONS;
    struct area *area = NULL;
    bool is_well = true;
    bool borrows = false;
    fork_take(from, to);
    u64 start = at;
    while (is_well && left > 0 && (area = areas_find(&from->areas, at))) {
        u64 reached = fork_area(from, to, area, MAX(at, area->start), &left, &borrows);
        is_well = reached;
        at = MAX(at, reached);
    }
    to->brk_start = from->brk_start;
    to->brk_now = from->brk_now;
    space_flush(from, start, at);
    space_tell_screen(to);
    lock_give(&to->lock);
    lock_give(&from->lock);
    thread->record.done = at;
    if (borrows) space_borrows(to);
    if (!is_well) return -ENOMEM;
    if (area) return call_again(thread);
    return 0;
}
