// The program's address space: its areas (areas.h), and the pages that exist of them. Pages come on first touch, as
// large as fits: a page lies within one area, and is split before only a part of it changes. Those of the program file
// are mapped from where the loader put it, and copied when they are written. There is one space; its page tables are
// the lower half of the root. A page that is the program's is in one entry there, with PTE_OURS, and nowhere else.
//
// Every CPU's faults and calls come by here, one at a time (space_lock). Others use the space meanwhile by what they
// remember of its page tables: a change of a present entry is flushed before the lock is given back, and a page or a
// table is freed after that (tables.h, cpus.h).
//
// What is committed (areas.counted) is always there when it is touched: a promise is made only when so many pages are
// free now, for all promises that are not kept yet and the reserve. Others take a page only when that leaves enough.
#include <linux/mman.h>
#include "boot/layout.h"
#include "kernel/cpu/lock.h"
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
#include "kernel/program/program.h"

#define LOWEST       (16 * PAGE_SIZE) // of what is placed by choice, as Linux's mmap_min_addr
#define PAGES(bytes) ((bytes) / PAGE_SIZE)

const char space_no_memory[] = "out of memory: no page is free for it";

static struct lock space_lock;

// Who waits for the lock uses nothing of the space, so that the flushes of those before need not wait for it: a virtual
// CPU that the host has put aside would hold up all of them.
static void space_take(void) {
    if (lock_try(&space_lock)) return;
    bool used = tlb_leave();
    lock_take(&space_lock);
    if (used) tlb_enter();
}

static struct areas areas;
static u64 root, brk_start, brk_now;
static u64 kept;           // pages with PTE_COUNTED
static u64 away;           // pages that are being cleared, for areas that count
static u64 reserve;        // pages for page tables, nodes, and the maps of frames that are split
static int largest;        // level
static struct area *spare; // free nodes, linked through left
static u64 spare_count;
static unsigned changed; // of what was present, and is not flushed: TABLES_HID_PAGES, TABLES_HID_TABLES

struct area *area_take(void) {
    struct area *area = spare;
    ASSERT(area);
    spare = RB_LEFT(area, link);
    spare_count--;
    return area;
}

void area_give(struct area *area) {
    RB_LEFT(area, link) = spare;
    spare = area;
    spare_count++;
}

// Enough nodes for an operation on areas; false when there is no page for them.
static bool nodes_ready(void) {
    if (spare_count >= AREAS_TAKEN) return true;
    u64 page = page_alloc();
    if (!page) return false;
    struct area *area = window(page);
    for (size_t i = 0; i < PAGE_SIZE / sizeof *area; i++) area_give(area + i);
    return true;
}

void space_init(u64 heap) {
    root = tables_root();
    reserve = pages_total() / 256 + 16; // the most there can be: 2 for each frame
    largest = cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_PDPE1GB ? LEVEL_1G : LEVEL_2M;
    brk_start = brk_now = heap;
}

static const struct area *area_at(u64 address) {
    const struct area *area = areas_find(&areas, address);
    return area && area->start <= address ? area : NULL;
}

bool space_has(u64 address) { return area_at(address); }

// Whether so many pages are free beside the reserve and what is promised elsewhere. What is kept already comes back, or
// is what it is kept for.
static bool is_spare(u64 pages, u64 promised) {
    u64 have = pages_free() + kept + away;
    return pages <= have && promised + reserve <= have - pages;
}

// Of what is promised, the first and the last page of a range can lie alone in a page table: that is made with the
// promise. For the others the reserve is enough. Large pages that cross the borders were split before.
static bool tables_ready(u64 start, u64 end) {
    const u64 pages[] = {start, end - PAGE_SIZE};
    for (int i = 0; i < 2; i++) {
        u64 first = ROUND_DOWN(pages[i], LEVEL_BYTES(LEVEL_2M)), bytes;
        bool is_whole = first >= start && first + LEVEL_BYTES(LEVEL_2M) <= end;
        if (!is_whole && !tables_leaf(root, pages[i], &bytes) && !tables_entry(root, pages[i], 0)) return false;
    }
    return true;
}

// Whether so many pages can be promised in [start, end), instead of those counted there now, and nodes are there.
static bool can_promise(u64 start, u64 end, u64 pages) {
    return nodes_ready() && is_spare(pages, areas.counted - areas_counted(&areas, start, end, false)) &&
           (!pages || tables_ready(start, end));
}

bool space_put(const struct area *like) {
    u64 pages = PAGES(like->end - like->start);
    if (like->flags & AREA_DEVICE) pages = pages / 512 + 6; // tables at most: the reserve is for those of memory alone
    else if (!(like->rights & AREA_WRITE) || like->flags & AREA_NORESERVE) pages = 0;
    if (!can_promise(like->start, like->end, pages)) return false;
    areas_put(&areas, like);
    return true;
}

static u64 page_bits(const struct area *area) {
    u64 rights = (area->rights & AREA_WRITE ? PTE_W : 0) | (area->rights & AREA_EXEC ? 0 : PTE_NX);
    u64 type = area->flags & AREA_DEVICE ? PTE_PWT : 0; // write-combining, as the console has it in the window
    return (PTE_U | PTE_A | PTE_D | (area->rights ? PTE_P : 0) | rights | type) & tables_allow;
}

// ---- pages that exist ----

// Fills the entry for an area's page of that size with one of the program's own.
static void page_put(u64 *entry, const struct area *area, u64 physical, u64 bytes) {
    bool counts = area->flags & AREA_COUNTED;
    if (counts) kept += PAGES(bytes);
    *entry = physical | PTE_OURS | page_bits(area) | (counts ? PTE_COUNTED : 0) | (bytes > PAGE_SIZE ? PTE_PS : 0);
}

static void page_give(u64 physical, u64 bytes) {
    if (bytes == PAGE_SIZE) page_free(physical);
    else frames_free_run(physical, bytes / LEVEL_BYTES(LEVEL_2M));
}

static void page_drop(u64 *entry, u64 address, u64 bytes) {
    (void)address;
    if (*entry & PTE_COUNTED) kept -= PAGES(bytes);
    if (*entry & PTE_OURS) page_give(*entry & PTE_ADDRESS, bytes);
    *entry = 0;
}

// After a change of rights, before a flush. A page of the file is never writable: a write copies it. One without rights
// keeps its frame but is not present, so that the kernel cannot touch it for the program either.
static void page_refresh(u64 *entry, u64 address, u64 bytes) {
    const struct area *area = areas_find(&areas, address);
    u64 before = *entry;
    if (before & PTE_COUNTED) kept -= PAGES(bytes);
    if (before & PTE_OURS) page_put(entry, area, before & PTE_ADDRESS, bytes);
    else *entry = (before & PTE_ADDRESS) | (page_bits(area) & ~(area->flags & AREA_DEVICE ? 0 : PTE_W));
    if (before & PTE_P && *entry != before) changed = TABLES_HID_PAGES;
}

static void flush(u64 start, u64 end) {
    if (changed) tlb_flush(start, end, changed & TABLES_HID_TABLES);
    changed = 0;
}

// Splits pages until none crosses address. A frame that is split keeps its map in its first page, whose contents move.
// False when there is no memory for that.
static bool border(u64 address) {
    u64 bytes, *entry;
    while ((entry = tables_leaf(root, address, &bytes)) && address % bytes) {
        u64 physical = *entry & PTE_ADDRESS, table = page_alloc(), first = physical;
        if (table && bytes == LEVEL_BYTES(LEVEL_2M) && !(first = page_alloc())) page_free(table);
        if (!table || !first) return false;
        tables_split(entry, ROUND_DOWN(address, bytes), bytes, table, first);
        if (first != physical) frame_split(physical);
    }
    return true;
}

static bool borders(u64 start, u64 end) { return border(start) && border(end); }

// Drops the pages of a range, at whose borders none crosses, and the tables that nobody needs any more.
static void pages_drop(u64 start, u64 end) {
    const struct area *left = areas_before(&areas, end), *right = areas_find(&areas, start);
    bool is_hole = (!left || left->end <= start) && (!right || right->start >= end);
    u64 low = !is_hole ? start : left ? left->end : 0, high = !is_hole ? end : right ? right->start : USER_END;
    changed |= tables_hide(root, start, end, low, high);
    flush(start, end);
    tables_each(root, start, end, page_drop);
    tables_free(root, start, end, low, high);
}

bool space_put_file(const struct area *like, u64 file, u64 bytes) {
    if (!space_put(like)) return false;
    pages_drop(like->start, like->end); // the last segment may have ended in the same page
    u64 rest = bytes % PAGE_SIZE, whole = bytes - rest;
    if (!tables_map(root, like->start, file, whole, page_bits(like) & ~PTE_W, PAGE_SIZE)) return false;
    if (!rest) return true;
    u64 *entry = tables_entry(root, like->start + whole, 0), page = entry ? page_alloc_cleared() : 0;
    if (!page) return false;
    memcpy(window(page), window(file + whole), rest);
    page_put(entry, like, page, PAGE_SIZE);
    return true;
}

// Fills a new area of a device: false when there is no memory for page tables. In pages of 4 KiB, which nobody splits.
static bool device_put(const struct area *area, u64 physical) {
    for (u64 at = area->start, *entry; at < area->end; at += PAGE_SIZE) {
        if (!(entry = tables_entry(root, at, 0))) return false;
        *entry = (at - area->start + physical) | page_bits(area);
    }
    return true;
}

// Whether a page of that many pages may be made: what was promised comes first, but for the stack. An area that was
// never counted is likely to be touched here and there only, so it gets large pages while there is plenty.
static bool may_take(const struct area *area, u64 pages) {
    if (area->flags & AREA_COUNTED || (pages == 1 && area->end == USER_END)) return true;
    u64 plenty = pages > 1 ? pages_total() / 2 : 0;
    return pages_free() >= areas.counted - kept + reserve + pages + plenty;
}

// Whether a page of that size can be made for an address where there is none.
static bool fits(const struct area *area, u64 address, u64 bytes) {
    u64 start = ROUND_DOWN(address, bytes), empty;
    return start >= area->start && start + bytes <= area->end && !tables_leaf(root, address, &empty) && empty >= bytes;
}

// Clears a large page without the lock, and without holding up flushes. Only where it takes nothing from what was
// promised, since another CPU may be at the same page and one of the two is too many. False, and nothing is left of it,
// when the address wants no such page any more.
static bool clear_apart(u64 physical, u64 address, u64 bytes) {
    u64 counts = area_at(address)->flags & AREA_COUNTED ? PAGES(bytes) : 0;
    away += counts;
    lock_give(&space_lock);
    bool used = tlb_leave();
    memset(window(physical), 0, bytes);
    space_take();
    if (used) tlb_enter();
    away -= counts;
    const struct area *area = area_at(address);
    if (area && fits(area, address, bytes)) return true;
    page_give(physical, bytes);
    return false;
}

// Makes the page for an address where there is none, of at most that level: the largest that lies within the area and
// that there is memory for. False when there is no memory. Gives the lock up for a while when it clears a large page;
// then there may be no page, and the area may be another one, afterwards.
static bool page_make(u64 address, int level) {
    for (; level >= 0; level--) {
        const struct area *area = area_at(address);
        u64 bytes = LEVEL_BYTES(level), start = ROUND_DOWN(address, bytes);
        if (!may_take(area, PAGES(bytes)) || !fits(area, address, bytes) || !tables_entry(root, start, level)) continue;
        bool cleared = false;
        u64 physical = level == LEVEL_1G ? frames_alloc_1g() : level ? frame_alloc(&cleared) : page_alloc();
        if (!physical) continue;
        bool apart = !cleared && level && pages_free() >= areas.counted - kept + reserve;
        if (apart && !clear_apart(physical, address, bytes)) return true;
        if (!cleared && !apart) memset(window(physical), 0, bytes);
        u64 *entry = tables_entry(root, start, level); // the table may be another one by now
        if (!entry) return page_give(physical, bytes), false;
        page_put(entry, area_at(address), physical, bytes);
        if (level != LEVEL_2M || largest < LEVEL_1G) return true;
        area = area_at(address);
        start = ROUND_DOWN(address, LEVEL_BYTES(LEVEL_1G));
        if (start >= area->start && start + LEVEL_BYTES(LEVEL_1G) <= area->end) tables_join(root, start, LEVEL_2M);
        return true;
    }
    return false;
}

// Makes what is missing in a range. False when memory or, with exactly, pages of that level ran out. Where another
// thread changes the range meanwhile, what it made stays.
static bool populate(u64 start, u64 end, int level, bool exactly) {
    for (u64 bytes; start < end;) {
        if (tables_leaf(root, start, &bytes)) {
            if (exactly && bytes < LEVEL_BYTES(level)) return false;
            start = ROUND_DOWN(start, bytes) + bytes;
        } else if (!area_at(start)) start += PAGE_SIZE;
        else if (!page_make(start, level)) return false;
    }
    return true;
}

// Why nothing is mapped at an address, or (area given) why its rights do not allow an access.
static const char *refusal(const struct area *area, u64 address, u64 error) {
    if (!area && address < PAGE_SIZE) return "null pointer";
    if (!area)
        return address < STACK_START && address >= SPACE_PLACE_END ? "stack overflow" : "nothing is mapped there";
    if (!area->rights) return "no access is allowed there";
    if (error & FAULT_FETCH) return "data, not executable";
    return area->rights & AREA_EXEC ? "read-only code" : "read-only data";
}

// A page of the file that is to be writable gets a copy. An entry that is there already was only remembered otherwise
// by the CPU.
static const char *fault(u64 address, u64 error) {
    const struct area *area = area_at(address);
    u32 needed = error & FAULT_FETCH ? AREA_EXEC : error & FAULT_WRITE ? AREA_WRITE : ~0u;
    if (!area || !(area->rights & needed)) return refusal(area, address, error);
    u64 bytes, *entry = tables_leaf(root, address, &bytes);
    if (area->flags & AREA_DEVICE) return entry ? tlb_forget(address), NULL : space_no_memory;
    if (!entry) return page_make(address, LEVEL_2M) ? NULL : space_no_memory;
    address = ROUND_DOWN(address, PAGE_SIZE);
    if (!(area->rights & AREA_WRITE) || *entry & PTE_OURS) return tlb_forget(address), NULL;
    u64 page = may_take(area, 1) ? page_alloc() : 0;
    if (!page) return space_no_memory;
    memcpy(window(page), window(*entry & PTE_ADDRESS), PAGE_SIZE);
    page_put(entry, area, page, PAGE_SIZE);
    tlb_flush(address, address + PAGE_SIZE, false);
    return NULL;
}

const char *space_fault(u64 address, u64 error) {
    space_take();
    const char *why = fault(address, error);
    lock_give(&space_lock);
    return why;
}

u64 space_page(void) {
    space_take();
    u64 page = is_spare(1, areas.counted) ? page_alloc() : 0;
    lock_give(&space_lock);
    return page;
}

// ---- system calls ----

// A call under the lock: it copies nothing from or to the program, which could fault and want the lock, too.
#define LOCKED_CALL(name)                                                                                              \
    static s64 name##_locked(const u64 *arg);                                                                          \
    CALL(name) {                                                                                                       \
        space_take();                                                                                                  \
        s64 result = name##_locked(arg);                                                                               \
        screen_yield(areas.device);                                                                                    \
        lock_give(&space_lock);                                                                                        \
        return result;                                                                                                 \
    }                                                                                                                  \
    static s64 name##_locked(const u64 *arg)

// A range from the program: not empty, page-aligned, within the program's half. Rounds its length up.
static bool range_ok(u64 start, u64 *bytes) {
    if (start % PAGE_SIZE || start < USER_START || start >= USER_END || *bytes > USER_END) return false;
    *bytes = ROUND_UP(*bytes, PAGE_SIZE);
    return *bytes && *bytes <= USER_END - start;
}

static bool unmap(u64 start, u64 end) {
    if (!nodes_ready() || !borders(start, end)) return false;
    areas_cut(&areas, start, end);
    pages_drop(start, end);
    return true;
}

static bool range_free(u64 start, u64 bytes) {
    const struct area *next = areas_find(&areas, start);
    return !next || next->start >= start + bytes;
}

// Where a mapping goes that names no place it must have: at the hint when it is free, else as high as it fits, and from
// 2 MiB or 1 GiB on aligned for pages of that size.
static u64 place(u64 hint, u64 bytes, u64 align, u64 flags) {
    hint = ROUND_DOWN(hint, PAGE_SIZE);
    if (hint >= USER_START && hint < SPACE_PLACE_END && bytes <= SPACE_PLACE_END - hint && range_free(hint, bytes) &&
        hint % align == 0)
        return hint;
    u64 end = flags & MAP_32BIT ? 1ull << 31 : SPACE_PLACE_END;
    for (int level = bytes >= LEVEL_BYTES(LEVEL_1G) ? LEVEL_1G : LEVEL_2M; level >= 0; level--) {
        u64 size = LEVEL_BYTES(level);
        if (size < align || size > bytes) continue;
        u64 at = areas_hole(&areas, bytes + size - PAGE_SIZE, LOWEST, end);
        if (at) return ROUND_UP(at, size);
    }
    return 0;
}

// The level of the pages that MAP_HUGETLB asks for, -1 for none that there is. Without it 0.
static int huge_level(u64 flags) {
    u64 shift = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
    if (!(flags & MAP_HUGETLB)) return 0;
    if (!shift || shift == LEVEL_SHIFT(LEVEL_2M)) return LEVEL_2M;
    return shift == LEVEL_SHIFT(LEVEL_1G) && largest == LEVEL_1G ? LEVEL_1G : -1;
}

// mmap(address, length, rights, flags, fd, offset): anonymous memory, or the framebuffer. Pages that MAP_HUGETLB asks
// for are all made at once, so that none is missing later.
LOCKED_CALL(mmap) {
    u64 at = arg[0], bytes = arg[1], flags = arg[3], type = flags & MAP_TYPE;
    int huge = huge_level(flags);
    if ((type != MAP_PRIVATE && type != MAP_SHARED) || huge < 0) return -EINVAL;
    if (!bytes || arg[5] % PAGE_SIZE) return -EINVAL;
    if (bytes > USER_END) return -ENOMEM;
    bytes = ROUND_UP(bytes, LEVEL_BYTES(huge));
    u64 device = 0;
    s64 error = flags & MAP_ANONYMOUS ? 0 : file_map(arg[4], arg[5], bytes, arg[2] & 7, type == MAP_SHARED, &device);
    if (error < 0 || (device && huge)) return error < 0 ? error : -EINVAL;
    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (at % LEVEL_BYTES(huge)) return -EINVAL;
        if (!range_ok(at, &bytes)) return -ENOMEM;
        if (flags & MAP_FIXED_NOREPLACE && !range_free(at, bytes)) return -EEXIST;
    } else {
        at = place(at, bytes, LEVEL_BYTES(huge), flags);
        if (!at) return -ENOMEM;
    }
    struct area like = {.start = at, .end = at + bytes, .rights = arg[2] & 7};
    if (flags & (MAP_NORESERVE | MAP_STACK)) like.flags = AREA_NORESERVE; // of a stack only what is touched counts
    if (device) like.flags = AREA_NORESERVE | AREA_DEVICE | (u32)error;
    if (!borders(at, at + bytes) || !space_put(&like)) return -ENOMEM;
    if (flags & MAP_FIXED) pages_drop(at, at + bytes);
    if (device && !device_put(&like, device)) return unmap(at, at + bytes), -ENOMEM;
    if (huge && !populate(at, at + bytes, huge, true)) return unmap(at, at + bytes), -ENOMEM;
    if (flags & (MAP_POPULATE | MAP_LOCKED) && like.rights) populate(at, at + bytes, largest, false);
    return (s64)at;
}

LOCKED_CALL(munmap) {
    u64 at = arg[0], bytes = arg[1];
    if (!range_ok(at, &bytes)) return -EINVAL;
    return unmap(at, at + bytes) ? 0 : -ENOMEM;
}

LOCKED_CALL(mprotect) {
    u64 at = arg[0], bytes = arg[1], rights = arg[2];
    if (at % PAGE_SIZE || rights & ~7ull) return -EINVAL;
    if (!bytes) return 0;
    if (!range_ok(at, &bytes)) return -ENOMEM;
    u64 end = at + bytes, pages = areas_counted(&areas, at, end, rights & AREA_WRITE);
    u32 not_for = (rights & AREA_EXEC ? AREA_DEVICE : 0) | (rights & AREA_WRITE ? AREA_SEALED : 0);
    if (areas_have_device(&areas, at, end, not_for)) return -EACCES;
    if (!areas_cover(&areas, at, end) || !borders(at, end) || !can_promise(at, end, pages)) return -ENOMEM;
    areas_protect(&areas, at, end, (u32)rights);
    tables_each(root, at, end, page_refresh);
    flush(at, end);
    return 0;
}

// madvise: giving pages up is the one advice that changes what the program reads afterwards.
LOCKED_CALL(madvise) {
    const u64 known = 0x3ffd1f; // MADV_NORMAL to MADV_PAGEOUT without MADV_REMOVE and what poisons pages
    u64 at = arg[0], bytes = arg[1], advice = arg[2];
    if (at % PAGE_SIZE || advice > MADV_PAGEOUT || !(known >> advice & 1)) return -EINVAL;
    if (!bytes) return 0;
    if (!range_ok(at, &bytes)) return -ENOMEM;
    if (advice == MADV_DONTNEED || advice == MADV_FREE) {
        bool has_file = at < brk_start && at + bytes > program.bias + program.elf.low; // which it would not be again
        if (has_file || areas_have_device(&areas, at, at + bytes, AREA_DEVICE)) return -EINVAL;
        if (!borders(at, at + bytes)) return -ENOMEM;
        pages_drop(at, at + bytes);
    }
    return areas_cover(&areas, at, at + bytes) ? 0 : -ENOMEM;
}

// Of mremap: makes the tables that pages need when they move, and splits those that would not be aligned any more; with
// really, moves them, which after the first time cannot fail.
static bool move_pages(u64 from, u64 to, u64 bytes, bool really) {
    for (u64 at = from, page; at < from + bytes; at = ROUND_DOWN(at, page) + page) {
        u64 *entry;
        while ((entry = tables_leaf(root, at, &page)) && (to - from) % page)
            if (!border(at + page / 512)) return false;
        if (!entry) continue;
        u64 *target = tables_entry(root, at - from + to, (__builtin_ctzll(page) - LEVEL_SHIFT(0)) / 9);
        if (!target) return false;
        if (!really) continue;
        if (*entry & PTE_P) changed = TABLES_HID_PAGES;
        *target = *entry;
        *entry = 0;
    }
    return true;
}

// mremap(address, length, new length, flags, new address)
LOCKED_CALL(mremap) {
    u64 at = arg[0], old = arg[1], bytes = arg[2], flags = arg[3], to = arg[4], fixed = flags & MREMAP_FIXED;
    if (flags & ~(u64)(MREMAP_MAYMOVE | MREMAP_FIXED) || (fixed && !(flags & MREMAP_MAYMOVE))) return -EINVAL;
    if (at % PAGE_SIZE || !old || !bytes) return -EINVAL;
    if (!range_ok(at, &old) || !area_at(at)) return -EFAULT;
    if (bytes > USER_END) return -ENOMEM;
    bytes = ROUND_UP(bytes, PAGE_SIZE);
    if (fixed && (!range_ok(to, &bytes) || (to < at + old && at < to + bytes))) return -EINVAL;
    if (fixed && !unmap(to, to + bytes)) return -ENOMEM;
    if (bytes < old) {
        if (!unmap(at + bytes, at + old)) return -ENOMEM;
        old = bytes;
    }
    if (bytes == old && !fixed) return (s64)at;
    const struct area *area = area_at(at);
    if (!area || area->end < at + old) return -EFAULT;
    struct area like = *area;
    if (like.flags & AREA_DEVICE) return -EFAULT; // it stays where it is
    bool in_place = !fixed && at + bytes <= SPACE_PLACE_END && range_free(at + old, bytes - old);
    if (!fixed && !in_place) to = flags & MREMAP_MAYMOVE ? place(0, bytes, PAGE_SIZE, 0) : 0;
    like.start = in_place ? at + old : to;
    like.end = in_place ? at + bytes : to + bytes;
    u64 pages = like.flags & AREA_COUNTED ? PAGES(bytes - old) : 0;
    if (!like.start || !can_promise(like.start, like.end, pages)) return -ENOMEM;
    if (!in_place && (!borders(at, at + old) || !move_pages(at, to, old, false))) {
        pages_drop(like.start, like.end); // the tables
        return -ENOMEM;
    }
    if (!in_place) move_pages(at, to, old, true);
    areas_put(&areas, &like);
    if (in_place) return (s64)at;
    areas_cut(&areas, at, at + old);
    pages_drop(at, at + old);
    return (s64)to;
}

// The exact break, as asked for, or the old one on failure: never an error number.
LOCKED_CALL(brk) {
    u64 to = arg[0], old_end = ROUND_UP(brk_now, PAGE_SIZE), end = ROUND_UP(to, PAGE_SIZE);
    if (to < brk_start || to > SPACE_PLACE_END) return (s64)brk_now;
    const struct area more = {.start = old_end, .end = end, .rights = AREA_READ | AREA_WRITE};
    bool grows = end > old_end && range_free(old_end, end - old_end) && space_put(&more);
    if (grows || end == old_end || (end < old_end && unmap(end, old_end))) brk_now = to;
    return (s64)brk_now;
}
