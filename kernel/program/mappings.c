// The system calls that change the program's address space; space.c has the pages, and one lock for
// all of it.
#include <linux/mman.h>
#include <asm/resource.h>
#include "kernel/call/call.h"
#include "kernel/device/devices.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/tables.h"
#include "kernel/program/promises.h"
#include "kernel/program/ranges.h"

#define LOW_END (1ull << 31) // of what MAP_32BIT is placed in

// The result of a call under the lock, which ends here. Such a call copies nothing from or to the
// program, which could fault and want the lock, too.
static s64 mapping_unlocked(s64 result) {
    screen_yield(space.areas.device);
    lock_give(&space.lock);
    return result;
}

void mapping_cut(u64 start, u64 end) {
    space_areas_cut(start, end);
    space_drop(start, end);
}

bool mapping_unmap(u64 start, u64 end) {
    if (!space_nodes_ready() || !space_borders(start, end)) return false;
    mapping_cut(start, end);
    return true;
}

s64 mapping_unmap_piece(struct thread *thread, u64 start, u64 end) {
    u64 from = range_from(thread, start), reach = space_reach(from, end);
    if (!space_border(end) || !mapping_unmap(from, reach)) return -ENOMEM;
    return range_to(thread, start, reach, end);
}

static bool mmap_range_free(u64 start, u64 bytes) {
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
        u64 at = areas_hole(&space.areas, bytes + size - PAGE_SIZE, SPACE_LOWEST,
                            MIN(end, SPACE_PLACE_END));
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
    most = limit_get(RLIMIT_DATA) ? limit_get(RLIMIT_DATA)
                                  : limit_hard(RLIMIT_DATA); // as Linux does for Valgrind
    most /= PAGE_SIZE;
    if (!area_is_data(like) || (pages <= most && areas->data <= most - pages)) return true;
    u64 replaced = areas_pages(&space.areas, like->start, like->end, true);
    return pages <= most + replaced && areas->data <= most + replaced - pages;
}

// The level of the pages that MAP_HUGETLB asks for, -1 for none that there is. Without it 0.
static int mmap_huge_level(u64 flags) {
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
    if (flags & MAP_FIXED_NOREPLACE && !mmap_range_free(at, bytes)) return -EEXIST;
    return (s64)at;
}

static u32 mmap_flags(u64 flags) {
    u32 wanted = 0;
    if (flags & (MAP_NORESERVE | MAP_STACK))
        wanted |= AREA_NORESERVE; // of a stack only what is touched counts
    if (flags & MAP_STACK) wanted |= AREA_STACK;
    if (flags & MAP_GROWSDOWN) wanted |= AREA_GROWS;
    if (flags & MAP_LOCKED || space.lock_future) wanted |= AREA_LOCKED;
    if ((flags & MAP_TYPE) == MAP_SHARED) wanted |= AREA_SHARED;
    return wanted;
}

// What mmap() is asked for.
struct mmap {
    u64 bytes, flags, device; // device: the physical address, or 0
    int huge;                 // level of the pages that have to be large; 0: none has to
    s64 error;                // of the file
    struct area like;
};

// Puts the area with what it needs, with MAP_FIXED piece by piece in the place of what is there.
// Shared memory comes with the last piece; until then nobody else gets the place.
static s64 mmap_put(struct thread *thread, struct mmap *call, u64 at) {
    u64 end = at + call->bytes, from = range_from(thread, at),
        worth = pages_worth(LEVEL_BYTES(call->huge));
    u64 reach = call->flags & MAP_FIXED ? space_reach(from, end) : end;
    struct area part = call->like;
    bool has_object = part.flags & AREA_SHARED && !call->device && !call->huge;
    part.start = has_object && reach == end ? at : from;
    part.end = reach;
    if (has_object && reach < end) {
        part.rights = 0;
        part.flags = AREA_NORESERVE;
    }
    if (!space_within_limits(&part) || !space_border(end) || !space_borders(part.start, reach))
        return -ENOMEM;
    if (has_object && reach == end &&
        !(part.object = object_make(end - at, !(part.flags & AREA_NORESERVE))))
        return -ENOMEM;
    if (!space_can_put(&part, thread->record.taken.count * worth)) {
        if (part.object) object_give(part.object);
        return promises.away ? call_again(thread)
                             : -ENOMEM; // what others are clearing may come back
    }
    space_areas_put(&part);
    if (call->flags & MAP_FIXED) space_drop(part.start, reach);
    if (call->device && !space_put_device(&part, call->device + (from - at))) {
        mapping_unmap(from, reach);
        return -ENOMEM;
    }
    s64 error = range_to(thread, at, reach, end);
    return error ? error : (s64)at;
}

static s64 mmap_decode(const u64 *arg, struct mmap *call) {
    u64 flags = (u32)arg[3], type = flags & MAP_TYPE;
    *call = (struct mmap){.bytes = arg[1], .flags = flags, .huge = mmap_huge_level(flags)};
    if (arg[5] % PAGE_SIZE || call->huge < 0) return -EINVAL;
    if (!(flags & MAP_ANONYMOUS))
        call->error =
            file_map(arg[4], arg[5], call->bytes, arg[2] & 7, type == MAP_SHARED, &call->device);
    if (call->error == -EBADF) return -EBADF;
    if (!call->bytes || (call->huge && !(flags & MAP_ANONYMOUS))) return -EINVAL;
    if (call->bytes > USER_END) return -ENOMEM;
    call->bytes = ROUND_UP(call->bytes, LEVEL_BYTES(call->huge));
    bool is_type = type == MAP_PRIVATE || (type == MAP_SHARED && !(flags & MAP_GROWSDOWN));
    if (call->huge && !is_type) return -EINVAL;
    if (!call->error && !is_type) call->error = -EINVAL;
    return 0;
}

static s64 mmap_locked(struct thread *thread, const u64 *arg, struct mmap *call) {
    s64 at = mmap_place(arg, call->bytes, LEVEL_BYTES(call->huge));
    if (at < 0) return at;
    if (call->error < 0) return call->error;
    call->like.rights = arg[2] & 7;
    call->like.flags = mmap_flags(call->flags);
    if (call->device)
        call->like.flags = AREA_NORESERVE | AREA_DEVICE | AREA_SHARED | (u32)call->error;
    return mmap_put(thread, call, (u64)at);
}

// mmap(address, length, rights, flags, fd, offset): anonymous memory, or the framebuffer. Pages
// that MAP_HUGETLB asks for are all taken before anything changes, so that none is missing later.
s64 call_mmap(struct thread *thread, const u64 *arg) {
    struct mmap call;
    if (thread->record.taken.end) return populate(thread);
    s64 result = mmap_decode(arg, &call);
    if (!result && call.huge) result = populate_take(thread, call.bytes, call.huge);
    if (result) return result;
    space_take();
    result = mmap_locked(thread, arg, &call);
    bool populates = call.flags & (MAP_POPULATE | MAP_LOCKED) || space.lock_future == MCL_FUTURE;
    screen_yield(space.areas.device);
    lock_give(&space.lock);
    if (result == CALL_WAITS) return result;
    if (result < 0)
        return populate_begin(thread, 0, PAGE_SIZE, call.huge, result); // gives back what was taken
    if (!call.huge && (!populates || !call.like.rights)) return result;
    return populate_begin(thread, (u64)result, (u64)result + call.bytes, call.huge, result);
}

static s64 munmap_locked(struct thread *thread, const u64 *arg) {
    u64 at = arg[0], bytes = arg[1];
    if (at % PAGE_SIZE || at > USER_END || bytes > USER_END - at || !bytes) return -EINVAL;
    u64 end = ROUND_UP(at + bytes, PAGE_SIZE);
    at = MAX(at, USER_START);
    return at >= end ? 0 : mapping_unmap_piece(thread, at, end);
}

s64 call_munmap(struct thread *thread, const u64 *arg) {
    space_take();
    return mapping_unlocked(munmap_locked(thread, arg));
}

// Of mprotect, in one area.
static s64 mprotect_part(const struct area *area, u64 start, u64 end, u32 rights) {
    struct area like = area_part(area, start, end);
    bool is_fixed = (rights & AREA_EXEC && area->flags & AREA_DEVICE) ||
                    (rights & AREA_WRITE && area->flags & AREA_SEALED);
    if (is_fixed) return -EACCES;
    like.rights = rights;
    if (!area_is_data(area) && area_is_data(&like) && !space_within_limits(&like)) return -ENOMEM;
    u64 cost = rights & AREA_WRITE ? areas_cost(&space.areas, start, end) : 0;
    if (!space_nodes_ready() || (cost && !promises_can(cost)) || !space_borders(start, end))
        return -ENOMEM;
    space_areas_protect(start, end, rights);
    tables_each(space.root, start, end, space_refresh);
    space_flush(start, end);
    return 0;
}

// What comes before a hole, or before an area that cannot have these rights, gets them.
static s64 mprotect_locked(struct thread *thread, const u64 *arg) {
    const u64 grows = PROT_GROWSDOWN | PROT_GROWSUP;
    u64 at = arg[0], bytes = ROUND_UP(arg[1], PAGE_SIZE), rights = arg[2] & ~grows,
        end = at + bytes;
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
    const u64 start = at;
    at = range_from(thread, start);
    u64 reach = space_reach(at, end);
    for (; at < reach; at = MIN(reach, area->end)) {
        if (!(area = space_area(at))) return -ENOMEM;
        s64 error = mprotect_part(area, at, MIN(reach, area->end), rights & 7);
        if (error) return error;
        area = space_area(at); // it may be joined with the one before
    }
    return range_to(thread, start, reach, end);
}

s64 call_mprotect(struct thread *thread, const u64 *arg) {
    space_take();
    return mapping_unlocked(mprotect_locked(thread, arg));
}

static s64 brk_locked(struct thread *thread, u64 to) {
    u64 old_end = ROUND_UP(space.brk_now, PAGE_SIZE), end = ROUND_UP(to, PAGE_SIZE);
    if (to < space.brk_start || to > SPACE_PLACE_END) return (s64)space.brk_now;
    if (to - space.brk_start > limit_get(RLIMIT_DATA)) return (s64)space.brk_now;
    if (end < old_end) {
        s64 error = mapping_unmap_piece(thread, end, old_end);
        if (error == CALL_WAITS) return error;
        if (!error) space.brk_now = to;
        return (s64)space.brk_now;
    }
    struct area more = {.start = old_end, .end = end, .rights = AREA_READ | AREA_WRITE};
    if (space.lock_future) more.flags = AREA_LOCKED;
    bool grows =
        end > old_end && mapping_is_free(old_end, end - old_end) && space_within_limits(&more);
    grows = grows && space_put(&more);
    if (grows || end == old_end) space.brk_now = to;
    return (s64)space.brk_now;
}

// The exact break, as asked for, or the old one on failure: never an error number.
s64 call_brk(struct thread *thread, const u64 *arg) {
    if (thread->record.taken.end) return populate(thread);
    space_take();
    u64 before = ROUND_UP(space.brk_now, PAGE_SIZE);
    s64 result = brk_locked(thread, arg[0]);
    bool populates = space.lock_future == MCL_FUTURE && result > (s64)before;
    screen_yield(space.areas.device);
    lock_give(&space.lock);
    return populates ? populate_begin(thread, before, ROUND_UP((u64)result, PAGE_SIZE), 0, result)
                     : result;
}
