// The program's address space: its areas (areas.h), and the pages that exist of them. Pages come on first touch; those
// of the program file are mapped from where the loader put it, and copied when they are written. One program per
// machine, so there is one space; its page tables are the lower half of the root.
#include <linux/mman.h>
#include "boot/layout.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
#include "kernel/program/program.h"

const char space_no_memory[] = "out of memory: no page is free for it";

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
    promised_pages = pages_free() - pages_free() / 256; // the rest for page tables
    brk_start = brk_now = heap;
}

const struct area *space_area(u64 address) {
    const struct area *area = areas_find(&areas, address);
    return area && area->start <= address ? area : NULL;
}

// Whether so many pages can be promised in [start, end), instead of those counted there now, and nodes are there.
static bool can_promise(u64 start, u64 end, u64 pages) {
    u64 others = areas.counted - areas_counted(&areas, start, end, false);
    return pages <= promised_pages && others <= promised_pages - pages && nodes_ready();
}

bool space_put(const struct area *like) {
    bool counts = like->rights & AREA_WRITE && !(like->flags & AREA_NORESERVE);
    if (!can_promise(like->start, like->end, counts ? (like->end - like->start) / PAGE_SIZE : 0)) return false;
    areas_put(&areas, like);
    return true;
}

static u64 page_bits(const struct area *area) {
    u64 rights = (area->rights & AREA_WRITE ? PTE_W : 0) | (area->rights & AREA_EXEC ? 0 : PTE_NX);
    return (PTE_U | PTE_A | PTE_D | (area->rights ? PTE_P : 0) | rights) & tables_allow;
}

static void page_drop(u64 *entry, u64 address) {
    if (*entry & PTE_OURS) page_free(*entry & PTE_ADDRESS);
    *entry = 0;
    tlb_flush_page(address);
}

// After a change of rights. A page of the file is never writable: a write copies it. One without rights keeps its frame
// but is not present, so that the kernel cannot touch it for the program either.
static void page_refresh(u64 *entry, u64 address) {
    u64 bits = page_bits(areas_find(&areas, address));
    *entry = (*entry & (PTE_ADDRESS | PTE_OURS)) | (*entry & PTE_OURS ? bits : bits & ~PTE_W);
    tlb_flush_page(address);
}

// Drops the pages of a range and, when nothing is left there, the tables of the whole hole around it. The last flush is
// for the CPU's memory of tables, which INVLPG empties too (SDM 3A 4.10.4.1).
static void pages_drop(u64 start, u64 end, bool is_hole) {
    tables_each(root, start, end, page_drop);
    if (!is_hole) return;
    const struct area *left = areas_before(&areas, start), *right = areas_find(&areas, start);
    tables_free(root, left ? left->end : 0, right ? right->start : USER_END);
    tlb_flush_page(start);
}

bool space_put_file(const struct area *like, u64 file, u64 bytes) {
    if (!space_put(like)) return false;
    pages_drop(like->start, like->end, false); // the last segment may have ended in the same page
    u64 rest = bytes % PAGE_SIZE, whole = bytes - rest;
    if (!tables_map(root, like->start, file, whole, page_bits(like) & ~PTE_W, PAGE_SIZE)) return false;
    if (!rest) return true;
    u64 *entry = tables_entry(root, like->start + whole, true), frame = entry ? page_alloc_cleared() : 0;
    if (!frame) return false;
    memcpy(window(frame), window(file + whole), rest);
    *entry = frame | PTE_OURS | page_bits(like);
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

// A page that is touched first gets a cleared frame, one of the file that is to be writable a copy. An entry that is
// there already was only remembered otherwise by the CPU.
const char *space_fault(u64 address, u64 error) {
    const struct area *area = space_area(address);
    u32 needed = error & FAULT_FETCH ? AREA_EXEC : error & FAULT_WRITE ? AREA_WRITE : ~0u;
    if (!area || !(area->rights & needed)) return refusal(area, address, error);
    u64 *entry = tables_entry(root, address, true);
    if (!entry) return space_no_memory;
    if (!*entry || (area->rights & AREA_WRITE && !(*entry & PTE_OURS))) {
        u64 frame = *entry ? page_alloc() : page_alloc_cleared();
        if (!frame) return space_no_memory;
        if (*entry) memcpy(window(frame), window(*entry & PTE_ADDRESS), PAGE_SIZE);
        *entry = frame | PTE_OURS | page_bits(area);
    }
    tlb_flush_page(ROUND_DOWN(address, PAGE_SIZE));
    return NULL;
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
    if (!(flags & MAP_ANONYMOUS)) return file_at(arg[4]) ? -ENODEV : -EBADF;
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
    if (!range_ok(at, &bytes)) return -ENOMEM;
    u64 end = at + bytes, pages = areas_counted(&areas, at, end, rights & AREA_WRITE);
    if (!can_promise(at, end, pages) || !areas_protect(&areas, at, end, (u32)rights)) return -ENOMEM;
    tables_each(root, at, end, page_refresh);
    return 0;
}

// madvise: giving pages up is the one advice that changes what the program reads afterwards.
CALL(madvise) {
    u64 at = arg[0], bytes = arg[1];
    if (at % PAGE_SIZE) return -EINVAL;
    if (!bytes || arg[2] != MADV_DONTNEED) return 0;
    if (!range_ok(at, &bytes)) return -ENOMEM;
    if (at < brk_start && at + bytes > program.bias + program.elf.low) return -EINVAL; // would not be the file's again
    pages_drop(at, at + bytes, false);
    return 0;
}

// The exact break, as asked for, or the old one on failure: never an error number.
CALL(brk) {
    u64 to = arg[0], old_end = ROUND_UP(brk_now, PAGE_SIZE), end = ROUND_UP(to, PAGE_SIZE);
    if (to < brk_start || to > SPACE_PLACE_END) return (s64)brk_now;
    const struct area more = {.start = old_end, .end = end, .rights = AREA_READ | AREA_WRITE};
    bool grows = end > old_end && range_free(old_end, end - old_end) && space_put(&more);
    if (grows || end == old_end || (end < old_end && unmap(end, old_end))) brk_now = to;
    return (s64)brk_now;
}
