// A program's address space: its areas (areas.h), and the pages that exist of them. Pages come on
// first touch, as large as fits: a page lies within one area, and is split before only a part of it
// changes. Those of the program file are mapped from where the loader put it, and copied when they
// are written. Its page tables are the lower half of its root. A page that is
// the program's is in one entry there, with PTE_OURS, and nowhere else.
//
// Every CPU's faults and calls come by here, one at a time (struct space, lock). Others use the
// space meanwhile by what they remember of its page tables: a change of a present entry is flushed
// before the lock is given back, and a page or a table is freed after that (tables.h, cpus.h).
//
// PTE_COUNTED says of a page, and of a page table by the entry above it, that it was promised
// (promises.h). A table was when areas need it that count; one without the bit may be, and then the
// account is too careful by one page.
#include <asm/resource.h>
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/shares.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
#include "kernel/memory/promises.h"
#include "kernel/space/collector.h"
#include "kernel/space/space.h"

// Who waits for the lock uses nothing of the space, so that the flushes of those before need not
// wait for it: a virtual CPU that the host has put aside would hold up all of them.
void space_take(struct space *space) {
    lock_order(&space->lock);
    if (lock_try(&space->lock)) return;
    bool used = tlb_leave();
    lock_take(&space->lock);
    if (used) tlb_enter(&space->tlb);
}

// Enough nodes for an operation on areas; false when there is no page for them.
bool space_nodes_ready(struct space *space) {
    if (space->areas.spare_count >= AREAS_TAKEN) return true;
    paddr page = promises_page(OWNER_NODES, false);
    if (!page.at) return false;
    struct area *area = window(page);
    for (size_t i = 0; i < PAGE_SIZE / sizeof *area; i++) areas_give(&space->areas, area + i);
    return true;
}

void space_init(struct space *space, paddr root) {
    space->lock.rank = LOCK_SPACE;
    space->tlb.root = root;
    space->largest = LEVEL_2M;
    if (cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_PDPE1GB) space->largest = LEVEL_1G;
}

void space_begin(struct space *space, u64 heap) { space->brk_start = space->brk_now = heap; }

const struct area *space_area(struct space *space, u64 address) {
    const struct area *area = areas_find(&space->areas, address);
    if (area && area->start <= address) return area;
    return NULL;
}

// ---- areas, and what is promised to them ----

// The tables at an address whose last counted page is gone are no longer promised.
static void space_unmark(struct space *space, u64 address) {
    paddr table = space->tlb.root;
    for (int level = 3; level > 0; level--) {
        u64 *entry = tables_at(table, address, level);
        u64 bytes = LEVEL_BYTES(level);
        u64 start = ROUND_DOWN(address, bytes);
        if (!*entry || *entry & PTE_PS) return;
        table = pte_target(*entry);
        if (!(*entry & PTE_COUNTED) || areas_have_counted(&space->areas, start, start + bytes))
            continue;
        *entry &= ~PTE_COUNTED;
        promises_got(OWNER_TABLES, 1, true);
        promises_took(OWNER_TABLES, 1, false);
    }
}

// After a change of areas in [start, end).
static void space_areas_changed(struct space *space, u64 start, u64 end) {
    u64 promised = space->areas.counted + space->areas.tables;
    promises_drop(space->promised - promised); // or more of them: wraps
    space->promised = promised;
    if (space->areas.tables < space->tables) {
        space_unmark(space, start);
        space_unmark(space, end - 1);
    }
    space->tables = space->areas.tables;
}

void space_areas_put(struct space *space, const struct area *like) {
    areas_put(&space->areas, like);
    space_areas_changed(space, like->start, like->end);
}

void space_areas_cut(struct space *space, u64 start, u64 end) {
    areas_cut(&space->areas, start, end);
    space_areas_changed(space, start, end);
}

void space_areas_protect(struct space *space, u64 start, u64 end, u32 rights) {
    areas_protect(&space->areas, start, end, rights);
    space_areas_changed(space, start, end);
}

bool space_promise(struct space *space, u64 pages) {
    if (!promises_make(pages)) return false;
    space->promised += pages;
    return true;
}

bool space_can_put(struct space *space, const struct area *like, u64 taken) {
    u64 cost = areas_tables(like->start, like->end);
    u64 there = taken;
    bool counts = like->rights & AREA_WRITE && !(like->flags & AREA_NORESERVE);
    if (!space_nodes_ready(space)) return false;
    if (counts) {
        cost += PAGES(like->end - like->start);
        there += areas_counted_private(&space->areas, like->start, like->end);
    } else if (!taken && !(like->flags & AREA_DEVICE)) {
        return true;
    }
    return cost <= there || space_promise(space, cost - there);
}

bool space_put(struct space *space, const struct area *like) {
    if (!space_can_put(space, like, 0)) return false;
    space_areas_put(space, like);
    return true;
}

static u64 space_page_bits(const struct area *area) {
    u64 bits = PTE_U | PTE_A | PTE_D;
    if (area->rights) bits |= PTE_P;
    if (area->rights & AREA_WRITE) bits |= PTE_W;
    if (!(area->rights & AREA_EXEC)) bits |= PTE_NX;
    if (area->flags & AREA_DEVICE)
        bits |= PTE_PWT; // write-combining, as the console has it in the window
    return bits & tables_allow;
}

// ---- pages that exist ----

// Whether the frame of an entry is its own alone.
static bool space_is_owned(u64 entry) { return entry & PTE_OURS && !(entry & PTE_SHARED); }

static enum owner space_owner_of(u64 entry) {
    if (entry & PTE_STACK) return OWNER_STACK;
    return OWNER_DATA;
}

// The entry for an address of an area in the table of that level; missing tables are made, as
// promised if the area counts or another one does that needs them too. NULL when there is no memory
// for one.
u64 *space_entry(struct space *space, const struct area *area, u64 address, int level) {
    paddr table = space->tlb.root;
    for (int at = 3; at > level; at--) {
        u64 *entry = tables_at(table, address, at);
        u64 bytes = LEVEL_BYTES(at);
        u64 start = ROUND_DOWN(address, bytes);
        bool counts = area->flags & AREA_COUNTED;
        ASSERT(!(*entry & PTE_PS));
        if (!*entry) {
            counts = counts || areas_have_counted(&space->areas, start, start + bytes);
            paddr page = promises_page(OWNER_TABLES, counts);
            if (!page.at) return NULL;
            memset(window(page), 0, PAGE_SIZE);
            *entry = page.at | PTE_P | PTE_W | PTE_U;
            if (counts) *entry |= PTE_COUNTED;
        } else if (counts && !(*entry & PTE_COUNTED)) {
            *entry |= PTE_COUNTED;
            promises_got(OWNER_TABLES, 1, false);
            promises_took(OWNER_TABLES, 1, true);
        }
        table = pte_target(*entry);
    }
    return tables_at(table, address, level);
}

void space_table_give(u64 entry) {
    promises_give(OWNER_TABLES, pte_target(entry), entry & PTE_COUNTED);
}

// Fills the entry for an area's page of that size with one of the program's own.
void space_page_put(u64 *entry, const struct area *area, paddr physical, u64 bytes) {
    u64 bits = PTE_OURS | space_page_bits(area);
    if (area->flags & AREA_COUNTED) bits |= PTE_COUNTED;
    if (area->flags & AREA_STACK) bits |= PTE_STACK;
    if (bytes > PAGE_SIZE) bits |= PTE_PS;
    *entry = physical.at | bits;
    promises_took(space_owner_of(*entry), bytes / PAGE_SIZE, *entry & PTE_COUNTED);
}

// The same with a page that others may have, too: it is nobody's in the account, but for what was
// promised here, and a write copies it.
void space_page_share(u64 *entry, const struct area *area, paddr physical, u64 bytes) {
    u64 bits = PTE_OURS | PTE_SHARED | (space_page_bits(area) & ~PTE_W);
    if (area->flags & AREA_COUNTED) bits |= PTE_COUNTED;
    if (bytes > PAGE_SIZE) bits |= PTE_PS;
    if (bits & PTE_COUNTED) promises_keep((s64)PAGES(bytes));
    *entry = physical.at | bits;
}

void space_page_forget(u64 entry, u64 bytes) {
    if (space_is_owned(entry))
        promises_got(space_owner_of(entry), bytes / PAGE_SIZE, entry & PTE_COUNTED);
    else if (entry & PTE_COUNTED)
        promises_keep(-(s64)PAGES(bytes));
}

// Fills the entry for an area's page of 4 KiB with its object's. Shared memory is there for the
// area that was promised it; a page of the file is never writable: a write copies it.
void space_page_show(u64 *entry, const struct area *area, paddr physical) {
    bool shared = area->flags & AREA_SHARED;
    bool counts = shared && area->flags & AREA_COUNTED;
    u64 bits = space_page_bits(area);
    if (!shared) bits &= ~PTE_W;
    if (counts) {
        bits |= PTE_COUNTED;
        promises_keep(1);
    }
    *entry = physical.at | bits;
}

void space_page_give(paddr physical, u64 bytes) {
    if (bytes == PAGE_SIZE)
        page_free(physical);
    else
        frames_free_run(physical, bytes / LEVEL_BYTES(LEVEL_2M));
}

void space_page_end(u64 entry, u64 bytes) {
    space_page_forget(entry, bytes);
    if (space_is_owned(entry))
        space_page_give(pte_target(entry), bytes);
    else if (entry & PTE_SHARED)
        collector_dropped(PAGES(bytes));
}

static void space_page_drop(void *context, u64 *entry, u64 address, u64 bytes) {
    (void)context;
    (void)address;
    space_page_end(*entry, bytes);
    *entry = 0;
}

// After a change of rights, before a flush. One without rights keeps its frame but is not present,
// so that the kernel cannot touch it for the program either.
void space_refresh(void *context, u64 *entry, u64 address, u64 bytes) {
    struct space *space = context;
    const struct area *area = areas_find(&space->areas, address);
    u64 before = *entry;
    space_page_forget(before, bytes);
    if (before & PTE_SHARED)
        space_page_share(entry, area, pte_target(before), bytes);
    else if (before & PTE_OURS)
        space_page_put(entry, area, pte_target(before), bytes);
    else if (area->flags & AREA_DEVICE)
        *entry = (before & PTE_ADDRESS) | space_page_bits(area);
    else
        space_page_show(entry, area, pte_target(before));
    if (before & PTE_P && *entry != before) space->changed = TABLES_HID_PAGES;
}

void space_flush(struct space *space, u64 start, u64 end) {
    if (space->changed) tlb_flush(&space->tlb, start, end, space->changed & TABLES_HID_TABLES);
    space->changed = 0;
}

// Splits pages until none crosses address. False when there is no memory for a table.
bool space_border(struct space *space, u64 address) {
    u64 bytes, *entry;
    while ((entry = tables_leaf(space->tlb.root, address, &bytes)) && address % bytes) {
        paddr physical = pte_target(*entry);
        bool is_shared = *entry & PTE_SHARED;
        u64 promised = *entry & PTE_COUNTED;
        paddr table = promises_page(OWNER_TABLES, promised);
        if (!table.at) return false;
        tables_split(&space->tlb, entry, ROUND_DOWN(address, bytes), bytes, table.at | promised);
        bool is_frame = bytes == LEVEL_BYTES(LEVEL_2M);
        if (is_frame && is_shared)
            shares_split(physical);
        else if (is_frame)
            frame_split(physical);
    }
    return true;
}

// What a piece of long work may come upon: an area costs up to 6,000 instructions when there are
// 120,000 of them, a page up to 300 with the look that is taken here.
#define PIECE_BYTES (128 * PAGE_SIZE) // less is no long work, whatever pages are there
#define REACH_COST  300

u64 space_reach(struct space *space, u64 start, u64 end) {
    if (end - start <= PIECE_AREAS * PAGE_SIZE) return end;
    u64 reach = end;
    if (end - start > PIECE_BYTES)
        reach = tables_reach(space->tlb.root, start, end, REACH_COST, CALL_INSTRUCTIONS);
    struct area *area = areas_find(&space->areas, start);
    for (int i = 0; area && area->start < reach; i++, area = areas_next(area))
        if (i == PIECE_AREAS) return area->start;
    return reach;
}

bool space_borders(struct space *space, u64 start, u64 end) {
    return space_border(space, start) && space_border(space, end);
}

// Where the last table of the lower half ends: one page behind the last that there can be.
#define TABLES_END (1ull << 47)

// Drops the pages of a range, at whose borders none crosses, and the tables that nobody needs any
// more.
void space_drop(struct space *space, u64 start, u64 end) {
    const struct area *left = areas_before(&space->areas, end);
    const struct area *right = areas_find(&space->areas, start);
    bool is_hole = (!left || left->end <= start) && (!right || right->start >= end);
    u64 low = start;
    u64 high = end; // of the tables that go
    if (is_hole) {
        low = 0;
        if (left) low = left->end;
        high = TABLES_END;
        if (right) high = right->start;
    }
    space->changed |= tables_hide(space->tlb.root, start, end, low, high);
    space_flush(space, start, end);
    tables_each(space->tlb.root, start, end, space_page_drop, NULL);
    tables_free(space->tlb.root, start, end, low, high, space_table_give);
    objects_collect(&space->areas.left);
}

// Whether a page of that size may be made: what was promised comes first. An area that was never
// counted is likely to be touched here and there only, so it gets large pages while there is
// plenty.
bool space_page_allowed(const struct area *area, u64 bytes) {
    u64 plenty = 0;
    if (bytes > PAGE_SIZE) plenty = pages_total() / 2;
    return area->flags & AREA_COUNTED || promises_can(bytes / PAGE_SIZE + plenty);
}

// Fills a part of an area with pages of 4 KiB that are not the program's: a file's, or a device's,
// which nobody splits. False when there is no memory for page tables.
static bool space_fill(struct space *space, const struct area *area, u64 bytes, paddr physical,
                       u64 bits) {
    for (u64 at = area->start, end = at + bytes; at < end;) {
        u64 *entry = space_entry(space, area, at, 0);
        if (!entry) return false;
        for (bool more = true; more; more = at < end && at % LEVEL_BYTES(LEVEL_2M)) {
            *entry++ = physical.at | bits;
            physical.at += PAGE_SIZE;
            at += PAGE_SIZE;
        }
    }
    return true;
}

bool space_put_device(struct space *space, const struct area *area, paddr physical) {
    return space_fill(space, area, area->end - area->start, physical, space_page_bits(area));
}

bool space_put_file(struct space *space, const struct area *like, u64 kept) {
    if (!space_put(space, like)) return false;
    space_drop(space, like->start, like->end); // the last segment may have ended in the same page
    const struct area *found = space_area(space, like->start);
    ASSERT(found);
    const struct area area =
        area_part(found, like->start, like->end); // its flags are its neighbour's, too
    u64 rest = kept % PAGE_SIZE;
    u64 whole = kept - rest;
    paddr file = {0};
    if (kept) file = paddr_add(like->object->start, like->offset);
    if (!space_fill(space, &area, whole, file, space_page_bits(&area) & ~PTE_W)) return false;
    if (!rest) return true;
    u64 *entry = space_entry(space, &area, area.start + whole, 0);
    paddr page = {0};
    if (entry && space_page_allowed(&area, PAGE_SIZE)) page = page_alloc();
    if (!page.at) return false;
    memset(window(page), 0, PAGE_SIZE);
    memcpy(window(page), window(paddr_add(file, whole)), rest);
    space_page_put(entry, &area, page, PAGE_SIZE);
    return true;
}

bool space_collect(struct space *space) {
    space_take(space);
    bool done = objects_collect(&space->areas.left);
    lock_give(&space->lock);
    return done;
}
