// The system calls that change the program's address space; space.c has the pages, and one lock for all of it.
#include <linux/mman.h>
#include <asm/resource.h>
#include "kernel/device/devices.h"
#include "kernel/memory/tables.h"
#include "kernel/program/promises.h"
#include "kernel/program/space.h"

#define LOW_END (1ull << 31) // of what MAP_32BIT is placed in

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

void mapping_cut(u64 start, u64 end) {
    space_areas_cut(start, end);
    space_drop(start, end);
}

bool mapping_unmap(u64 start, u64 end) {
    if (!space_nodes_ready() || !space_borders(start, end)) return false;
    mapping_cut(start, end);
    return true;
}

static bool range_free(u64 start, u64 bytes) {
    const struct area *next = areas_find(&space.areas, start);
    return !next || next->start >= start + bytes;
}

bool mapping_is_free(u64 start, u64 bytes) {
    const struct area *next = areas_find(&space.areas, start);
    u64 gap = next && next->flags & AREA_GROWS ? AREA_GAP : 0;
    return !next || (next->start >= gap && next->start - gap >= start + bytes);
}

u64 mapping_place(u64 hint, u64 bytes, u64 align, u64 limit) {
    hint = ROUND_DOWN(hint, PAGE_SIZE);
    if (hint) hint = MAX(hint, SPACE_LOWEST);
    u64 end = limit < USER_END ? limit : USER_END;
    bool fits = hint && hint < end && bytes <= end - hint && hint % align == 0;
    if (fits && mapping_is_free(hint, bytes)) return hint;
    for (int level = bytes >= LEVEL_BYTES(LEVEL_1G) ? LEVEL_1G : LEVEL_2M; level >= 0; level--) {
        u64 size = LEVEL_BYTES(level);
        if (size < align || size > bytes) continue;
        u64 at = areas_hole(&space.areas, bytes + size - PAGE_SIZE, SPACE_LOWEST, MIN(end, SPACE_PLACE_END));
        if (at) return ROUND_UP(at, size);
    }
    return 0;
}

bool space_within_limits(const struct area *like) {
    const struct areas *areas = &space.areas;
    u64 pages = PAGES(like->end - like->start), most = limit_get(RLIMIT_AS) / PAGE_SIZE;
    if (pages > most || areas->pages > most - pages) {
        u64 replaced = areas_pages(&space.areas, like->start, like->end, false);
        if (pages > most + replaced || areas->pages > most + replaced - pages) return false;
    }
    most = limit_get(RLIMIT_DATA) ? limit_get(RLIMIT_DATA) : limit_hard(RLIMIT_DATA); // as Linux does for Valgrind
    most /= PAGE_SIZE;
    if (!area_is_data(like) || (pages <= most && areas->data <= most - pages)) return true;
    u64 replaced = areas_pages(&space.areas, like->start, like->end, true);
    return pages <= most + replaced && areas->data <= most + replaced - pages;
}

// The level of the pages that MAP_HUGETLB asks for, -1 for none that there is. Without it 0.
static int huge_level(u64 flags) {
    u64 shift = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;
    if (!(flags & MAP_HUGETLB)) return 0;
    if (!shift || shift == LEVEL_SHIFT(LEVEL_2M)) return LEVEL_2M;
    return shift == LEVEL_SHIFT(LEVEL_1G) && space.largest == LEVEL_1G ? LEVEL_1G : -1;
}

// Where mmap() wants its area, or a negative errno.
static s64 mmap_place(const u64 *arg, u64 bytes, u64 align) {
    u64 at = arg[0], flags = arg[3];
    if (bytes > USER_END) return -ENOMEM;
    if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
        at = mapping_place(at, bytes, align, flags & MAP_32BIT ? LOW_END : USER_END);
        return at ? (s64)at : -ENOMEM;
    }
    if (at > USER_END - bytes) return -ENOMEM;
    if (at % align) return -EINVAL;
    if (at < USER_START) return -EPERM; // nothing is ever mapped there
    if (flags & MAP_FIXED_NOREPLACE && !range_free(at, bytes)) return -EEXIST;
    return (s64)at;
}

static u32 mmap_flags(u64 flags) {
    u32 wanted = 0;
    if (flags & (MAP_NORESERVE | MAP_STACK)) wanted |= AREA_NORESERVE; // of a stack only what is touched counts
    if (flags & MAP_STACK) wanted |= AREA_STACK;
    if (flags & MAP_GROWSDOWN) wanted |= AREA_GROWS;
    if (flags & MAP_LOCKED || space.lock_future) wanted |= AREA_LOCKED;
    if ((flags & MAP_TYPE) == MAP_SHARED) wanted |= AREA_SHARED;
    return wanted;
}

// Puts an area of mmap() with what it needs: 0, or -ENOMEM and no more than a hole is left at its place.
static s64 mmap_put(struct area *like, u64 device, int huge, bool replaces) {
    u64 at = like->start, end = like->end;
    if (!space_within_limits(like) || !space_borders(at, end)) return -ENOMEM;
    bool has_object = like->flags & AREA_SHARED && !(like->flags & AREA_DEVICE) && !huge;
    if (has_object && !(like->object = object_make(end - at, !(like->flags & AREA_NORESERVE)))) return -ENOMEM;
    if (!space_put(like)) {
        if (like->object) object_give(like->object);
        return -ENOMEM;
    }
    if (replaces) space_drop(at, end);
    bool ok = !device || space_put_device(like, device);
    if (ok && huge) ok = space_populate(at, end, huge, true);
    if (!ok) mapping_unmap(at, end);
    return ok ? 0 : -ENOMEM;
}

// mmap(address, length, rights, flags, fd, offset): anonymous memory, or the framebuffer. Pages that MAP_HUGETLB asks
// for are all made at once, so that none is missing later.
LOCKED_CALL(mmap) {
    u64 bytes = arg[1], flags = (u32)arg[3], type = flags & MAP_TYPE, device = 0;
    s64 error = 0;
    int huge = huge_level(flags);
    if (arg[5] % PAGE_SIZE || huge < 0) return -EINVAL;
    if (!(flags & MAP_ANONYMOUS)) error = file_map(arg[4], arg[5], bytes, arg[2] & 7, type == MAP_SHARED, &device);
    if (error == -EBADF) return error;
    if (!bytes || (huge && !(flags & MAP_ANONYMOUS))) return -EINVAL;
    if (bytes > USER_END) return -ENOMEM;
    bytes = ROUND_UP(bytes, LEVEL_BYTES(huge));
    s64 at = mmap_place(arg, bytes, LEVEL_BYTES(huge));
    if (at < 0) return at;
    if (error < 0) return error;
    if (type != MAP_PRIVATE && (type != MAP_SHARED || flags & MAP_GROWSDOWN)) return -EINVAL;
    struct area like = {.start = (u64)at, .end = (u64)at + bytes, .rights = arg[2] & 7, .flags = mmap_flags(flags)};
    if (device) like.flags = AREA_NORESERVE | AREA_DEVICE | AREA_SHARED | (u32)error;
    error = mmap_put(&like, device, huge, flags & MAP_FIXED);
    if (error) return error;
    bool populates = flags & (MAP_POPULATE | MAP_LOCKED) || space.lock_future == MCL_FUTURE;
    if (populates && like.rights) space_populate(like.start, like.end, space.largest, false);
    return at;
}

LOCKED_CALL(munmap) {
    u64 at = arg[0], bytes = arg[1];
    if (at % PAGE_SIZE || at > USER_END || bytes > USER_END - at || !bytes) return -EINVAL;
    u64 end = ROUND_UP(at + bytes, PAGE_SIZE);
    at = MAX(at, USER_START);
    return at >= end || mapping_unmap(at, end) ? 0 : -ENOMEM;
}

// Of mprotect, in one area.
static s64 protect_part(const struct area *area, u64 start, u64 end, u32 rights) {
    struct area like = area_part(area, start, end);
    bool is_fixed =
        (rights & AREA_EXEC && area->flags & AREA_DEVICE) || (rights & AREA_WRITE && area->flags & AREA_SEALED);
    if (is_fixed) return -EACCES;
    like.rights = rights;
    if (!area_is_data(area) && area_is_data(&like) && !space_within_limits(&like)) return -ENOMEM;
    u64 cost = rights & AREA_WRITE ? areas_cost(&space.areas, start, end) : 0;
    if (!space_nodes_ready() || (cost && !promises_can(cost)) || !space_borders(start, end)) return -ENOMEM;
    space_areas_protect(start, end, rights);
    tables_each(space.root, start, end, space_refresh);
    space_flush(start, end);
    return 0;
}

// What comes before a hole, or before an area that cannot have these rights, gets them.
LOCKED_CALL(mprotect) {
    const u64 grows = PROT_GROWSDOWN | PROT_GROWSUP;
    u64 at = arg[0], bytes = ROUND_UP(arg[1], PAGE_SIZE), rights = arg[2] & ~grows, end = at + bytes;
    if ((arg[2] & grows) == grows || at % PAGE_SIZE) return -EINVAL;
    if (!arg[1]) return 0;
    if (end <= at) return -ENOMEM;
    if (rights & ~(u64)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) return -EINVAL;
    const struct area *area = areas_find(&space.areas, at);
    if (arg[2] & PROT_GROWSUP) return area ? -EINVAL : -ENOMEM; // none grows so
    if (arg[2] & PROT_GROWSDOWN) {
        if (!area || area->start >= end) return -ENOMEM;
        if (!(area->flags & AREA_GROWS)) return -EINVAL;
        at = area->start;
    }
    for (; at < end; at = MIN(end, area->end)) {
        if (!(area = space_area(at))) return -ENOMEM;
        s64 error = protect_part(area, at, MIN(end, area->end), rights & 7);
        if (error) return error;
        area = space_area(at); // it may be joined with the one before
    }
    return 0;
}

// The exact break, as asked for, or the old one on failure: never an error number.
LOCKED_CALL(brk) {
    u64 to = arg[0], old_end = ROUND_UP(space.brk_now, PAGE_SIZE), end = ROUND_UP(to, PAGE_SIZE);
    if (to < space.brk_start || to > SPACE_PLACE_END) return (s64)space.brk_now;
    if (to - space.brk_start > limit_get(RLIMIT_DATA)) return (s64)space.brk_now;
    struct area more = {.start = old_end, .end = end, .rights = AREA_READ | AREA_WRITE};
    if (space.lock_future) more.flags = AREA_LOCKED;
    bool grows = end > old_end && mapping_is_free(old_end, end - old_end) && space_within_limits(&more);
    grows = grows && space_put(&more);
    if (grows && space.lock_future == MCL_FUTURE) space_populate(old_end, end, space.largest, false);
    if (grows || end == old_end || (end < old_end && mapping_unmap(end, old_end))) space.brk_now = to;
    return (s64)space.brk_now;
}
