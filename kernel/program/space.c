// See space.h. One program per machine, so there is one space; its page tables are the lower half of the root.
#include "kernel/program/space.h"

#include <linux/mman.h>
#include "boot/layout.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
#include "kernel/program/calls.h"

#define FAULT_WRITE (1u << 1) // page-fault error code, SDM 3A 4.7
#define FAULT_FETCH (1u << 4)
#define AROUND      (16 * PAGE_SIZE) // pages of the file that are mapped by one fault, aligned

static struct areas areas;
static u64 root, promised_pages, brk_start, brk_now;
static struct area *spare; // free nodes, linked through left
static u64 spare_count;

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

// Enough nodes for two operations on areas; false when there is no page for them.
static bool nodes_ready(void) {
    if (spare_count >= 2 * AREAS_TAKEN) return true;
    u64 page = page_alloc();
    if (!page) return false;
    struct area *area = window(page);
    for (size_t i = 0; i < PAGE_SIZE / sizeof *area; i++) area_give(area + i);
    return true;
}

void space_init(void) {
    root = tables_root();
    promised_pages = pages_free() - pages_free() / 256; // the rest for page tables
}

void space_set_brk(u64 start) { brk_start = brk_now = start; }

const struct area *space_area(u64 address) {
    const struct area *area = areas_find(&areas, address);
    return area && area->start <= address ? area : NULL;
}

// Whether so many more pages, instead of those given up, can be promised.
static bool can_promise(u64 pages, u64 given_up) {
    return pages <= promised_pages && areas.counted - given_up <= promised_pages - pages;
}

bool space_put(const struct area *like) {
    u64 pages =
        like->rights & AREA_WRITE && !(like->flags & AREA_NORESERVE) ? (like->end - like->start) / PAGE_SIZE : 0;
    if (!can_promise(pages, areas_counted(&areas, like->start, like->end, false)) || !nodes_ready()) return false;
    areas_put(&areas, like);
    return true;
}

// ---- pages ----

static u64 page_bits(const struct area *area) {
    u64 bits = PTE_U | PTE_A | PTE_D | (area->rights ? PTE_P : 0);
    if (area->rights & AREA_WRITE) bits |= PTE_W;
    if (!(area->rights & AREA_EXEC)) bits |= PTE_NX;
    return bits & tables_allow;
}

static void page_drop(u64 *entry, u64 address) {
    if (*entry & PTE_OURS) page_free(*entry & PTE_ADDRESS);
    *entry = 0;
    tlb_flush_page(address);
}

// After a change of rights. A page of the file leaves when it could be written now: the next touch copies it. One
// without rights keeps its frame but is not present, so that the kernel cannot touch it for the program either.
static void page_refresh(u64 *entry, u64 address) {
    const struct area *area = areas_find(&areas, address);
    if (!(*entry & PTE_OURS)) {
        page_drop(entry, address);
        return;
    }
    *entry = (*entry & PTE_ADDRESS) | PTE_OURS | page_bits(area);
    tlb_flush_page(address);
}

// Drops the pages of a range and, when nothing is left there, the tables of the whole hole around it. The last flush is
// for the CPU's memory of tables, which INVLPG empties too (SDM 3A 4.10.4.1).
static void pages_drop(u64 start, u64 end, bool is_hole) {
    tables_each(root, start, end, page_drop);
    if (!is_hole) return;
    u64 hole_start, hole_end;
    areas_hole_at(&areas, start, USER_END, &hole_start, &hole_end);
    tables_free(root, hole_start, hole_end);
    tlb_flush_page(start);
}

// Maps the pages of the file around page that are whole and not mapped yet; they lie in one table, as AROUND divides
// it.
static void map_file(const struct area *area, u64 page, u64 *entry) {
    u64 from = ROUND_DOWN(page, AROUND), to = from + AROUND;
    u64 last = area->start + ROUND_DOWN(area->file_bytes, PAGE_SIZE);
    if (from < area->start) from = area->start;
    if (to > last) to = last;
    u64 *at = entry - (page - from) / PAGE_SIZE;
    for (u64 address = from; address < to; address += PAGE_SIZE, at++)
        if (!*at) *at = (area->file + (address - area->start)) | page_bits(area);
}

// A frame of its own for a page: bytes of the file as far as they go, zeroes behind them. 0: no memory.
static u64 page_make(const struct area *area, u64 page) {
    u64 offset = page - area->start;
    if (offset >= area->file_bytes) return page_alloc_cleared();
    u64 frame = page_alloc();
    if (!frame) return 0;
    u64 bytes = area->file_bytes - offset < PAGE_SIZE ? area->file_bytes - offset : PAGE_SIZE;
    memcpy(window(frame), window(area->file + offset), bytes);
    memset((u8 *)window(frame) + bytes, 0, PAGE_SIZE - bytes);
    return frame;
}

enum space_fault space_fault(u64 address, u64 error) {
    const struct area *area = space_area(address);
    u64 stack_start = USER_END - STACK_BYTES;
    if (!area) {
        bool below_stack = address < stack_start && address >= stack_start - STACK_GUARD;
        return below_stack ? SPACE_STACK_OVERFLOW : SPACE_NOTHING_THERE;
    }
    u32 needed = error & FAULT_FETCH ? AREA_EXEC : error & FAULT_WRITE ? AREA_WRITE : area->rights;
    if (!(area->rights & needed)) return SPACE_NO_RIGHT;
    u64 page = ROUND_DOWN(address, PAGE_SIZE);
    u64 *entry = tables_entry(root, page, true);
    if (!entry) return SPACE_NO_MEMORY;
    if (*entry) { // the CPU remembered an older entry
        tlb_flush_page(page);
        return SPACE_MAPPED;
    }
    if (!(area->rights & AREA_WRITE) && page - area->start + PAGE_SIZE <= area->file_bytes) {
        map_file(area, page, entry);
        return SPACE_MAPPED;
    }
    u64 frame = page_make(area, page);
    if (!frame) return SPACE_NO_MEMORY;
    *entry = frame | PTE_OURS | page_bits(area);
    return SPACE_MAPPED;
}

// ---- system calls ----

// A range from the program: not empty, page-aligned, within the program's half. Rounds its length up.
static bool range_ok(u64 start, u64 *bytes) {
    if (start % PAGE_SIZE || start < USER_START || start >= USER_END || *bytes > USER_END) return false;
    *bytes = ROUND_UP(*bytes, PAGE_SIZE);
    return *bytes && *bytes <= USER_END - start;
}

static bool range_free(u64 start, u64 bytes) {
    const struct area *next = areas_find(&areas, start);
    return !next || next->start >= start + bytes;
}

// Where a mapping goes that names no place it must have: at the hint when it is free, else as high as it fits.
static u64 place(u64 hint, u64 bytes, u64 flags) {
    hint = ROUND_DOWN(hint, PAGE_SIZE);
    if (hint >= USER_START && hint < SPACE_PLACE_END && bytes <= SPACE_PLACE_END - hint && range_free(hint, bytes))
        return hint;
    return areas_hole(&areas, bytes, 16 * PAGE_SIZE, flags & MAP_32BIT ? 1ull << 31 : SPACE_PLACE_END);
}

// mmap(address, length, rights, flags, fd, offset): anonymous memory; no file here can be mapped.
CALL(mmap) {
    u64 at = arg[0], bytes = arg[1], flags = arg[3], type = flags & MAP_TYPE;
    if (type != MAP_PRIVATE && type != MAP_SHARED) return -EINVAL;
    if (!(flags & MAP_ANONYMOUS)) return file_at((int)arg[4]) ? -ENODEV : -EBADF;
    if (!bytes || arg[5] % PAGE_SIZE) return -EINVAL;
    if (bytes > USER_END) return -ENOMEM;
    bytes = ROUND_UP(bytes, PAGE_SIZE);
    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (at % PAGE_SIZE) return -EINVAL;
        if (!range_ok(at, &bytes)) return -ENOMEM;
        if (flags & MAP_FIXED_NOREPLACE && !range_free(at, bytes)) return -EEXIST;
    } else {
        at = place(at, bytes, flags);
        if (!at) return -ENOMEM;
    }
    struct area like = {.start = at, .end = at + bytes, .rights = arg[2] & 7};
    if (flags & MAP_NORESERVE) like.flags = AREA_NORESERVE;
    if (!space_put(&like)) return -ENOMEM;
    if (flags & MAP_FIXED) pages_drop(at, at + bytes, false);
    return (s64)at;
}

static bool unmap(u64 start, u64 end) {
    if (!nodes_ready()) return false;
    areas_cut(&areas, start, end);
    pages_drop(start, end, true);
    return true;
}

CALL(munmap) {
    u64 at = arg[0], bytes = arg[1];
    if (!range_ok(at, &bytes)) return -EINVAL;
    return unmap(at, at + bytes) ? 0 : -ENOMEM;
}

CALL(mprotect) {
    u64 at = arg[0], bytes = arg[1], rights = arg[2];
    if (at % PAGE_SIZE || rights & ~7ull) return -EINVAL;
    if (!bytes) return 0;
    if (!range_ok(at, &bytes) || !nodes_ready()) return -ENOMEM;
    u64 counted = areas_counted(&areas, at, at + bytes, false);
    u64 then = rights & AREA_WRITE ? areas_counted(&areas, at, at + bytes, true) : counted;
    if (!can_promise(then, counted)) return -ENOMEM;
    if (!areas_protect(&areas, at, at + bytes, (u32)rights)) return -ENOMEM;
    tables_each(root, at, at + bytes, page_refresh);
    return 0;
}

// madvise: giving pages up is the one advice that changes what the program reads afterwards.
CALL(madvise) {
    u64 at = arg[0], bytes = arg[1];
    if (at % PAGE_SIZE) return -EINVAL;
    if (!bytes || arg[2] != MADV_DONTNEED) return 0;
    if (!range_ok(at, &bytes)) return -ENOMEM;
    pages_drop(at, at + bytes, false);
    return 0;
}

// The exact break, as asked for, or the old one on failure: never an error number.
CALL(brk) {
    u64 to = arg[0], old_end = ROUND_UP(brk_now, PAGE_SIZE), end = ROUND_UP(to, PAGE_SIZE);
    if (to < brk_start || to > SPACE_PLACE_END) return (s64)brk_now;
    if (end > old_end) {
        struct area more = {.start = old_end, .end = end, .rights = AREA_READ | AREA_WRITE};
        if (!range_free(old_end, end - old_end) || !space_put(&more)) return (s64)brk_now;
    } else if (end < old_end && !unmap(end, old_end)) {
        return (s64)brk_now;
    }
    brk_now = to;
    return (s64)to;
}

// Moves the pages of [from, from + bytes) to another place; with only_tables it makes the tables for that and may fail.
static bool pages_move(u64 from, u64 to, u64 bytes, bool only_tables) {
    for (u64 offset = 0; offset < bytes; offset += PAGE_SIZE) {
        u64 *old = tables_entry(root, from + offset, false);
        if (!old) offset = ROUND_UP(from + offset + 1, 512 * PAGE_SIZE) - from - PAGE_SIZE;
        if (!old || !*old) continue;
        u64 *new = tables_entry(root, to + offset, only_tables);
        if (!new) return false;
        if (only_tables) continue;
        *new = *old;
        *old = 0;
        tlb_flush_page(from + offset);
    }
    return true;
}

static s64 remap_elsewhere(struct area area, u64 at, u64 old_bytes, u64 bytes) {
    u64 to = place(0, bytes, 0), old_counted = areas_counted(&areas, at, at + old_bytes, false);
    if (!to || !can_promise(old_counted ? bytes / PAGE_SIZE : 0, old_counted)) return -ENOMEM;
    if (!nodes_ready() || !pages_move(at, to, old_bytes, true)) {
        pages_drop(to, to + bytes, true); // the tables made in vain
        return -ENOMEM;
    }
    areas_cut(&areas, at, at + old_bytes);
    area.start = to;
    area.end = to + bytes;
    areas_put(&areas, &area);
    pages_move(at, to, old_bytes, false);
    pages_drop(at, at + old_bytes, true);
    return (s64)to;
}

// mremap(address, old length, new length, flags): anonymous areas; shrinks, grows in place, else moves when it may.
CALL(mremap) {
    u64 at = arg[0], old_bytes = arg[1], bytes = arg[2];
    if (!range_ok(at, &old_bytes) || !bytes || bytes > USER_END || arg[3] & ~(u64)MREMAP_MAYMOVE) return -EINVAL;
    bytes = ROUND_UP(bytes, PAGE_SIZE);
    const struct area *area = space_area(at);
    if (!area || area->end < at + old_bytes || area->file_bytes) return -EFAULT;
    if (bytes <= old_bytes) return bytes == old_bytes || unmap(at + bytes, at + old_bytes) ? (s64)at : -ENOMEM;
    struct area more = {.start = at + old_bytes, .end = at + bytes, .rights = area->rights};
    more.flags = area->flags & AREA_NORESERVE;
    if (at + bytes <= SPACE_PLACE_END && range_free(more.start, bytes - old_bytes))
        return space_put(&more) ? (s64)at : -ENOMEM;
    return arg[3] & MREMAP_MAYMOVE ? remap_elsewhere(*area, at, old_bytes, bytes) : -ENOMEM;
}
