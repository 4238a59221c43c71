// The system calls that change the program's address space; space.c has the pages, and one lock for all of it.
#include <linux/mman.h>
#include "kernel/device/devices.h"
#include "kernel/memory/tables.h"
#include "kernel/program/promises.h"
#include "kernel/program/space.h"

#define LOWEST (16 * PAGE_SIZE) // of what is placed by choice, as Linux's mmap_min_addr

// A call under the lock: it copies nothing from or to the program, which could fault and want the lock, too.
#define LOCKED_CALL(name)                                                                                              \
    static s64 name##_locked(const u64 *arg);                                                                          \
    CALL(name) {                                                                                                       \
        space_take();                                                                                                  \
        s64 result = name##_locked(arg);                                                                               \
        screen_yield(space.areas.device);                                                                              \
        lock_give(&space.lock);                                                                                        \
        return result;                                                                                                 \
    }                                                                                                                  \
    static s64 name##_locked(const u64 *arg)

// A range from the program: not empty, page-aligned, within the program's half. Rounds its length up.
static bool range_ok(u64 start, u64 *bytes) {
    if (start % PAGE_SIZE || start < USER_START || start >= USER_END || *bytes > USER_END) return false;
    *bytes = ROUND_UP(*bytes, PAGE_SIZE);
    return *bytes && *bytes <= USER_END - start;
}

// With nodes ready, and no page across the borders.
static void cut(u64 start, u64 end) {
    space_areas_cut(start, end);
    space_drop(start, end);
}

static bool unmap(u64 start, u64 end) {
    if (!space_nodes_ready() || !space_borders(start, end)) return false;
    cut(start, end);
    return true;
}

static bool range_free(u64 start, u64 bytes) {
    const struct area *next = areas_find(&space.areas, start);
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
        u64 at = areas_hole(&space.areas, bytes + size - PAGE_SIZE, LOWEST, end);
        if (at) return ROUND_UP(at, size);
    }
    return 0;
}

// The level of the pages that MAP_HUGETLB asks for, -1 for none that there is. Without it 0.
static int huge_level(u64 flags) {
    u64 shift = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
    if (!(flags & MAP_HUGETLB)) return 0;
    if (!shift || shift == LEVEL_SHIFT(LEVEL_2M)) return LEVEL_2M;
    return shift == LEVEL_SHIFT(LEVEL_1G) && space.largest == LEVEL_1G ? LEVEL_1G : -1;
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
    if (flags & MAP_STACK) like.flags |= AREA_STACK;
    if (device) like.flags = AREA_NORESERVE | AREA_DEVICE | (u32)error;
    if (!space_borders(at, at + bytes) || !space_put(&like)) return -ENOMEM;
    if (flags & MAP_FIXED) space_drop(at, at + bytes);
    if (device && !space_put_device(&like, device)) return unmap(at, at + bytes), -ENOMEM;
    if (huge && !space_populate(at, at + bytes, huge, true)) return unmap(at, at + bytes), -ENOMEM;
    if (flags & (MAP_POPULATE | MAP_LOCKED) && like.rights) space_populate(at, at + bytes, space.largest, false);
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
    u64 end = at + bytes, cost = 0;
    u32 not_for = (rights & AREA_EXEC ? AREA_DEVICE : 0) | (rights & AREA_WRITE ? AREA_SEALED : 0);
    if (areas_have_device(&space.areas, at, end, not_for)) return -EACCES;
    if (rights & AREA_WRITE) cost = areas_cost(&space.areas, at, end);
    if (!areas_cover(&space.areas, at, end) || !space_nodes_ready()) return -ENOMEM;
    if ((cost && !promises_can(cost)) || !space_borders(at, end)) return -ENOMEM;
    space_areas_protect(at, end, (u32)rights);
    tables_each(space.root, at, end, space_refresh);
    space_flush(at, end);
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
        bool has_file =
            at < space.brk_start && at + bytes > program.low; // which it would not be again
        if (has_file || areas_have_device(&space.areas, at, at + bytes, AREA_DEVICE)) return -EINVAL;
        if (!space_borders(at, at + bytes)) return -ENOMEM;
        space_drop(at, at + bytes);
    }
    return areas_cover(&space.areas, at, at + bytes) ? 0 : -ENOMEM;
}

// Of mremap: makes the tables that pages need when they move, and splits those that would not be aligned any more; with
// really, moves them, which after the first time cannot fail.
static bool move_pages(const struct area *to, u64 from, u64 bytes, bool really) {
    for (u64 at = from, page; at < from + bytes; at = ROUND_DOWN(at, page) + page) {
        u64 *entry;
        while ((entry = tables_leaf(space.root, at, &page)) && (to->start - from) % page)
            if (!space_border(at + page / 512)) return false;
        if (!entry) continue;
        u64 *target = space_entry(to, at - from + to->start, (__builtin_ctzll(page) - LEVEL_SHIFT(0)) / 9);
        if (!target) return false;
        if (!really) continue;
        if (*entry & PTE_P) space.changed = TABLES_HID_PAGES;
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
    if (!range_ok(at, &old) || !space_area(at)) return -EFAULT;
    if (bytes > USER_END) return -ENOMEM;
    bytes = ROUND_UP(bytes, PAGE_SIZE);
    if (fixed && (!range_ok(to, &bytes) || (to < at + old && at < to + bytes))) return -EINVAL;
    if (fixed && !unmap(to, to + bytes)) return -ENOMEM;
    if (bytes < old) {
        if (!unmap(at + bytes, at + old)) return -ENOMEM;
        old = bytes;
    }
    if (bytes == old && !fixed) return (s64)at;
    const struct area *area = space_area(at);
    if (!area || area->end < at + old) return -EFAULT;
    struct area like = *area;
    if (like.flags & AREA_DEVICE) return -EFAULT; // it stays where it is
    bool in_place = !fixed && at + bytes <= SPACE_PLACE_END && range_free(at + old, bytes - old);
    if (!fixed && !in_place) to = flags & MREMAP_MAYMOVE ? place(0, bytes, PAGE_SIZE, 0) : 0;
    like.start = in_place ? at + old : to;
    like.end = in_place ? at + bytes : to + bytes;
    if (!like.start || !space_nodes_ready()) return -ENOMEM;
    u64 cost = like.flags & AREA_COUNTED ? PAGES(bytes - old) + areas_tables(like.start, like.end) : 0;
    if (cost && !promises_can(cost)) return -ENOMEM;
    if (!in_place && !space_borders(at, at + old)) return -ENOMEM;
    space_areas_put(&like);
    if (in_place) return (s64)at;
    if (!move_pages(&like, at, old, false)) {
        cut(to, to + bytes); // the tables
        return -ENOMEM;
    }
    move_pages(&like, at, old, true);
    cut(at, at + old);
    return (s64)to;
}

// The exact break, as asked for, or the old one on failure: never an error number.
LOCKED_CALL(brk) {
    u64 to = arg[0], old_end = ROUND_UP(space.brk_now, PAGE_SIZE), end = ROUND_UP(to, PAGE_SIZE);
    if (to < space.brk_start || to > SPACE_PLACE_END) return (s64)space.brk_now;
    const struct area more = {.start = old_end, .end = end, .rights = AREA_READ | AREA_WRITE};
    bool grows = end > old_end && range_free(old_end, end - old_end) && space_put(&more);
    if (grows || end == old_end || (end < old_end && unmap(end, old_end))) space.brk_now = to;
    return (s64)space.brk_now;
}
