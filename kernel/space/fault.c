// Page faults: which page an address wants, and its making (space.h). A page is as large as fits
// its area. A fault on a page that is there means that this CPU's TLB is out of date, but for a
// page of a file that is to get a copy.
#include <asm/resource.h>
#include "kernel/cpu/cpus.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
#include "kernel/memory/promises.h"
#include "kernel/space/collector.h"
#include "kernel/space/space.h"

// A page of 2 MiB is copied as a whole while so much of memory is free: half of it.
#define FAULT_PLENTY 2

const char space_no_memory[] = "out of memory: no page is free for it";
const char space_past_end[] = "past the end of its file";

// Whether a page of that size can be made for an address where there is none.
static bool fault_fits(struct space *space, const struct area *area, u64 address, u64 bytes) {
    if (area->object || area->flags & AREA_GUARD) return false;
    u64 start = ROUND_DOWN(address, bytes), empty;
    return start >= area->start && start + bytes <= area->end &&
           !tables_leaf(space->tlb.root, address, &empty) && empty >= bytes;
}

// Clears a large page without the lock, and without holding up flushes. Another CPU may clear one
// for the same address meanwhile: both may do so, and for a while one page more than needed is
// taken. Therefore only where it takes nothing from what was promised.
// False, and nothing is left of it, when the address wants no such page any more.
static bool fault_clear_apart(struct space *space, paddr physical, u64 address, u64 bytes) {
    promises_clear_away((s64)PAGES(bytes));
    lock_give(&space->lock);
    bool used = tlb_leave();
    memset(window(physical), 0, bytes);
    space_take(space);
    if (used) tlb_enter(&space->tlb);
    promises_clear_away(-(s64)PAGES(bytes));
    const struct area *area = space_area(space, address);
    bool is_wanted = area && fault_fits(space, area, address, bytes);
    if (is_wanted && (area->flags & AREA_COUNTED || promises_can(0))) return true;
    space_page_give(physical, bytes);
    return false;
}

// Takes a page for an address and clears it. 0: there is none. is_gone: the address wants no such
// page any more.
static paddr fault_take(struct space *space, u64 address, int level, bool *is_gone) {
    bool is_cleared = false;
    u64 bytes = LEVEL_BYTES(level);
    paddr physical;
    if (level)
        physical = frame_alloc(&is_cleared);
    else
        physical = page_alloc();
    if (!physical.at || is_cleared) return physical;
    if (level && promises_can(0))
        *is_gone = !fault_clear_apart(space, physical, address, bytes);
    else
        memset(window(physical), 0, bytes);
    return physical;
}

// When the 1 GiB around an address is one area's, and its 512 pages are there and neighbours, they
// become one.
static void fault_join(struct space *space, const struct area *area, u64 address) {
    u64 bytes = LEVEL_BYTES(LEVEL_1G);
    u64 start = ROUND_DOWN(address, bytes);
    if (space->largest < LEVEL_1G || start < area->start || start + bytes > area->end) return;
    tables_join(&space->tlb, start, LEVEL_2M, space_table_give);
}

// Puts a page at its place; false when there is no memory for a table. The area and its tables are
// looked up anew: while the page was cleared they may have become others.
static bool fault_install(struct space *space, u64 address, paddr physical, int level) {
    u64 bytes = LEVEL_BYTES(level);
    const struct area *area = space_area(space, address);
    u64 *entry = NULL;
    if (area) entry = space_entry(space, area, ROUND_DOWN(address, bytes), level);
    if (!entry) {
        space_page_give(physical, bytes);
        return false;
    }
    space_page_put(entry, area, physical, bytes);
    if (level) fault_join(space, area, address);
    return true;
}

// Whether a page of that level may be made for an address: its tables are there then. They may have
// taken what was left for it, so that is looked at again behind them.
static bool fault_wants(struct space *space, u64 address, int level) {
    const struct area *area = space_area(space, address);
    u64 bytes = LEVEL_BYTES(level);
    ASSERT(area);
    if (!space_page_allowed(area, bytes) || !fault_fits(space, area, address, bytes)) return false;
    return space_entry(space, area, ROUND_DOWN(address, bytes), level) &&
           space_page_allowed(area, bytes);
}

// Makes the page for an address of an area, where there is none, of at most that level. False when
// there is no memory. Gives the lock up for a while when it clears a large page; then there may be
// no page, and another area, or none.
static bool fault_page(struct space *space, u64 address, int level) {
    for (; level >= 0; level--) {
        if (!fault_wants(space, address, level)) continue;
        bool is_gone = false;
        paddr physical = fault_take(space, address, level, &is_gone);
        if (is_gone) return true;
        if (physical.at) return fault_install(space, address, physical, level);
    }
    return false;
}

// A private copy of a page of the file, or of one that others may have, too.
static bool fault_copy(u64 *entry, const struct area *area, paddr physical) {
    if (!space_page_allowed(area, PAGE_SIZE)) return false;
    paddr page = page_alloc();
    if (!page.at) return false;
    memcpy(window(page), window(physical), PAGE_SIZE);
    space_page_put(entry, area, page, PAGE_SIZE);
    return true;
}

// The same with a whole page of 2 MiB, while there is plenty: it takes one fault instead of 512.
static bool fault_copy_large(u64 *entry, const struct area *area, paddr physical) {
    bool is_cleared;
    if (pages_free() < pages_total() / FAULT_PLENTY) return false;
    if (!space_page_allowed(area, LEVEL_BYTES(LEVEL_2M))) return false;
    paddr frame = frame_alloc(&is_cleared);
    if (!frame.at) return false;
    memcpy(window(frame), window(physical), LEVEL_BYTES(LEVEL_2M));
    space_page_put(entry, area, frame, LEVEL_BYTES(LEVEL_2M));
    return true;
}

// A write to a page of the file, or to one that others may have, too. As much as is copied becomes
// the program's own.
static const char *fault_write(struct space *space, const struct area *area, u64 address,
                               u64 error) {
    u64 bytes, *entry;
    bool is_copied = false;
    while ((entry = tables_leaf(space->tlb.root, address, &bytes)) && !is_copied) {
        u64 before = *entry;
        u64 start = ROUND_DOWN(address, bytes);
        if (bytes == PAGE_SIZE) {
            if (!fault_copy(entry, area, pte_target(before))) return space_no_memory;
            is_copied = true;
        } else if (bytes == LEVEL_BYTES(LEVEL_2M) && !(error & FAULT_SMALL)) {
            is_copied = fault_copy_large(entry, area, pte_target(before));
        }
        if (is_copied) {
            space_page_forget(before, bytes);
            if (before & PTE_SHARED) collector_dropped(PAGES(bytes));
            tlb_flush(&space->tlb, start, start + PAGE_SIZE, false);
        } else if (!space_border(space, start + bytes / 512)) {
            return space_no_memory;
        }
    }
    return NULL;
}

// Fills the entry for an address, where there is none, of an area with an object: with its page, or
// (writes) a copy if others must not see what is written. NULL, or why not.
static const char *fault_of_object(struct space *space, const struct area *area, u64 address,
                                   bool writes) {
    const char *why;
    address = ROUND_DOWN(address, PAGE_SIZE);
    u64 *entry = space_entry(space, area, address, 0);
    if (!entry) return space_no_memory;
    u64 offset = area->offset + (address - area->start);
    paddr physical = object_page(area->object, offset, area->flags & AREA_COUNTED, &why);
    if (!physical.at) return why;
    if (area->flags & AREA_SHARED || !writes) {
        space_page_show(entry, area, physical);
        return NULL;
    }
    if (!fault_copy(entry, area, physical)) return space_no_memory;
    return NULL;
}

bool space_put_taken(struct space *space, u64 address, paddr physical, int level) {
    u64 bytes = LEVEL_BYTES(level);
    const struct area *area = space_area(space, address);
    if (!area || !area->rights || !fault_fits(space, area, address, bytes)) return false;
    u64 *entry = space_entry(space, area, address, level);
    if (!entry) return false;
    promises_got(OWNER_DATA, bytes / PAGE_SIZE, false); // from here on it is the area's
    space_page_put(entry, area, physical, bytes);
    return true;
}

// Why nothing is mapped at an address, or (area given) why its rights do not allow an access.
static const char *fault_refusal(struct space *space, const struct area *area, u64 address,
                                 u64 error) {
    if (!area && address < PAGE_SIZE) return "null pointer";
    if (!area) {
        const struct area *next = areas_find(&space->areas, address);
        bool is_stack =
            next && next->flags & AREA_GROWS && next->end - address <= STACK_ROOM + AREA_GAP;
        if (is_stack) return "stack overflow";
        return "nothing is mapped there";
    }
    if (area->flags & AREA_GUARD) return "a guard page";
    if (!area->rights) return "no access is allowed there";
    if (error & FAULT_FETCH) return "data, not executable";
    if (area->rights & AREA_EXEC) return "read-only code";
    return "read-only data";
}

// The area that grows down to an address where none is; NULL: there is none, or something keeps it
// from that. A gap of AREA_GAP stays above what is below it, so that an overflow faults.
static const struct area *fault_grow(struct space *space, u64 address) {
    const struct area *next = areas_find(&space->areas, address);
    if (!next || !(next->flags & AREA_GROWS)) return NULL;
    struct area more = area_part(next, ROUND_DOWN(address, PAGE_SIZE), next->start);
    const struct area *below = areas_before(&space->areas, next->start);
    bool is_near = below && below->rights && !(below->flags & AREA_GROWS) &&
                   more.start - below->end < AREA_GAP;
    if (more.start < SPACE_LOWEST || is_near ||
        next->end - more.start > limit_get(space_limits(), RLIMIT_STACK))
        return NULL;
    if (!space_within_limits(space, &more) || !space_put(space, &more)) return NULL;
    return space_area(space, address);
}

// Where an entry is there already this CPU's TLB is out of date, but for a page of the file that is
// to be writable, which gets a copy.
const char *space_make(struct space *space, u64 address, u64 error) {
    const struct area *area = space_area(space, address);
    if (!area) area = fault_grow(space, address);
    u32 needed = ~0u;
    if (error & FAULT_WRITE) needed = AREA_WRITE;
    if (error & FAULT_FETCH) needed = AREA_EXEC;
    bool is_kept = area && area->flags & AREA_KEPT && !area->rights;
    if (is_kept && error & FAULT_USER) return NULL; // it is tried again until the move is done
    if (!area || !(area->rights & needed) || area->flags & AREA_GUARD)
        return fault_refusal(space, area, address, error);
    u64 bytes, *entry = tables_leaf(space->tlb.root, address, &bytes);
    if (!entry && area->flags & AREA_DEVICE) return space_no_memory;
    if (!entry && area->object) return fault_of_object(space, area, address, error & FAULT_WRITE);
    if (!entry) {
        int level = LEVEL_2M;
        if (error & FAULT_SMALL) level = 0;
        if (!fault_page(space, address, level)) return space_no_memory;
        return NULL;
    }
    bool is_ours = *entry & PTE_OURS && !(*entry & PTE_SHARED);
    bool is_never_copied = area->flags & (AREA_SHARED | AREA_DEVICE);
    bool is_read = *entry & PTE_SHARED && !(error & FAULT_WRITE);
    if (is_ours && area->rights & AREA_WRITE) *entry |= PTE_W; // it was shared until a while ago
    if (is_ours || is_never_copied || is_read || !(area->rights & AREA_WRITE)) {
        tlb_forget(address);
        return NULL;
    }
    return fault_write(space, area, address, error);
}

const char *space_fault(struct space *space, u64 address, u64 error) {
    space_take(space);
    const char *why = space_make(space, address, error);
    while (why == space_no_memory && promises.away) { // what another CPU is clearing may come back
        lock_give(&space->lock);
        cpu_serve();
        __asm__ volatile("pause");
        space_take(space);
        why = space_make(space, address, error);
    }
    lock_give(&space->lock);
    return why;
}

bool space_shows_other(struct space *space, u64 address) {
    u64 bytes;
    space_take(space);
    const u64 *entry = tables_leaf(space->tlb.root, address, &bytes);
    bool shows = entry && !(*entry & PTE_OURS);
    lock_give(&space->lock);
    return shows;
}

u64 space_place(struct space *space, u64 address) {
    space_take(space);
    const struct area *area = space_area(space, address);
    bool is_shared = area && area->flags & AREA_SHARED && area->object;
    u64 number = 0; // the program file has it, too
    if (is_shared) number = area->object->number;
    u64 place = space_own_place(space, address);
    if (number)
        place = PLACE_SHARED | number << PLACE_BITS |
                (area->offset + (address - area->start)) / sizeof(u32);
    lock_give(&space->lock);
    return place;
}

bool space_denies(struct space *space, u64 address) {
    space_take(space);
    const struct area *area = space_area(space, address);
    bool denies = area && !(area->flags & AREA_GUARD);
    lock_give(&space->lock);
    return denies;
}
