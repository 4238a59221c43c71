// Pages and frames by physical address; see pages.h. A group is 512 neighbouring pages of linear
// memory that are given out one by one:
//
//   linear   |frame|frame|split|frame|frame| tail | tail | ta
//   groups   |     |     | map |     |     | map  | map  | map
//
// What the allocator knows of them lies in one table, 112 KiB for each GiB of memory, and nothing
// in the frames themselves: all 512 pages of a split one can be given out, and it is whole again
// when all are free. Only what is split, or the tail's, was ever written in the table.
//
// Only groups with a free page are in a list. All groups are under one lock, whose holder takes no
// other and never waits for another CPU but for a few instructions; frames need none. The frame
// that the low kernel stopped in is split from the beginning; what it took above that among the
// frames is never given back.
#include "kernel/memory/pages.h"

#include "kernel/cpu/lock.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/groups.h"
#include "kernel/memory/slots.h"
#include "kernel/memory/window.h"

#ifndef LINEAR_POINTER // a test has no linear memory
#define LINEAR_POINTER(linear) ((void *)(linear))
#endif
#define FRAMES_1G 512ll

LIST_HEAD(group_list, group);

static struct pages pages;
static struct pages *low; // what the low kernel hands on; NULL in the high kernel
static size_t low_run;    // the extent that it takes pages from

static struct frames frames;
static struct group *groups; // of all frames by their numbers, then the tail's
static u8 *frame_shares;     // of each frame as a whole (shares.c)
static u64 tail_count;
static struct lock lock = {.rank = LOCK_PAGES};     // of the groups
static struct group_list tail_groups, split_groups; // those with a free page
static s64 left;                                    // what pages_free() says

// ---- the low kernel ----

void pages_begin(struct pages *given) {
    pages = *given;
    low = given;
    low_run = pages.map.count - 1;
}

static paddr pages_low_alloc(void) {
    while (low->top > LINEAR) {
        const struct extent *run = &low->map.extents[low_run];
        u64 end = MIN(run->physical.at + (low->top - run->linear), IDENTITY_END);
        if (end > run->physical.at) {
            low->top = run->linear + (end - PAGE_SIZE - run->physical.at);
            return (paddr){end - PAGE_SIZE};
        }
        low->top = run->linear;
        low_run--;
    }
    return (paddr){0};
}

// ---- groups ----

static bool pages_is_tail(const struct group *group) { return group >= groups + frames.count; }

struct group_place group_number(u64 number) {
    struct group_place place = {.group = groups + number};
    if (number < frames.count) place.frame = frame_shares + number;
    return place;
}

struct group_place group_of(paddr physical) {
    u64 linear = physical_to_linear(&pages.map, physical).at;
    struct group_place place = group_number((linear - LINEAR) / FRAME_BYTES);
    place.page = linear % FRAME_BYTES / PAGE_SIZE;
    return place;
}

u64 groups_count(void) { return frames.count + tail_count; }

// Of a frame that was never split the group says nothing, not even where it is.
paddr group_start(u64 number) {
    return linear_to_physical(&pages.map, (laddr){LINEAR + number * FRAME_BYTES});
}

paddr group_page(const struct group *group, u64 page) {
    u64 number = (u64)(group - groups);
    if (!pages_is_tail(group)) return paddr_add(group->physical, page * PAGE_SIZE);
    return linear_to_physical(&pages.map,
                              (laddr){LINEAR + number * FRAME_BYTES + page * PAGE_SIZE});
}

// Pages from to end - 1 become free.
static void pages_group_give(struct group *group, u64 from, u64 end) {
    if (from >= end) return;
    if (!group->free)
        LIST_INSERT_HEAD(pages_is_tail(group) ? &tail_groups : &split_groups, group, link);
    group->free += end - from;
    for (u64 next; from < end; from = next) {
        next = MIN(ROUND_DOWN(from, 64) + 64, end);
        u64 mask = ~0ull >> (64 - (next - from)) << from % 64;
        ASSERT(!(group->map[from / 64] & mask)); // else it was free already
        group->map[from / 64] |= mask;
    }
}

static paddr pages_group_take(struct group *group) {
    u64 word = 0;
    while (!group->map[word]) word++;
    u64 page = word * 64 + (unsigned)__builtin_ctzll(group->map[word]);
    group->map[word] &= group->map[word] - 1;
    if (--group->free == 0) LIST_REMOVE(group, link);
    return group_page(group, page);
}

// Splits a frame, of which pages 0 to end - 1 are free.
static struct group *pages_group_begin(u64 frame, u64 end) {
    struct group *group = &groups[frame];
    *group = (struct group){
        .physical = linear_to_physical(&pages.map, (laddr){LINEAR + frame * FRAME_BYTES})};
    pages_group_give(group, 0, end);
    return group;
}

// Pages of the tail from linear address from to end become free.
static void pages_tail_give(u64 from, u64 end) {
    __atomic_fetch_add(&left, (s64)(end - from) / PAGE_SIZE, __ATOMIC_RELAXED);
    for (u64 next; from < end; from = next) {
        u64 group = (from - LINEAR) / FRAME_BYTES;
        ASSERT(group >= frames.count && group < frames.count + tail_count);
        next = MIN(ROUND_DOWN(from, FRAME_BYTES) + FRAME_BYTES, end);
        u64 page = from % FRAME_BYTES / PAGE_SIZE;
        pages_group_give(&groups[group], page, page + (next - from) / PAGE_SIZE);
    }
}

// ---- set-up ----

// The part of an extent that is not free: from pages.top to the low kernel's top all of it, above
// that what is below 4 GiB. It begins in the middle of a frame at most once, at pages.top, and
// never ends there.
static struct range pages_used_part(const struct extent *run, u64 low_top) {
    u64 end = run->linear + run->bytes;
    u64 low_end = run->linear;
    if (run->physical.at < IDENTITY_END) low_end += IDENTITY_END - run->physical.at;
    u64 start = MAX(run->linear, pages.top);
    u64 used = MIN(MAX(low_end, low_top), end);
    return (struct range){start, MAX(start, used)};
}

void pages_init(const struct pages *handed, u64 later) {
    pages = *handed;
    low = NULL;
    u64 tail_start = linear_start(&pages.map, 2).at;
    u64 count = (tail_start - LINEAR) / FRAME_BYTES;
    tail_count = ROUND_UP(pages.map.end + later - tail_start, FRAME_BYTES) / FRAME_BYTES;
    u64 own = frames_bytes(count) + (count + tail_count) * sizeof(struct group) + count;
    own = ROUND_UP(own, PAGE_SIZE);
    if (own > pages.top - LINEAR)
        unfit("%lu KiB of usable memory are too little", pages_total() * (PAGE_SIZE / 1024));
    pages.top -= own;

    frames_init(&frames, LINEAR_POINTER(pages.top), count, count, &SLOT_NUMBER(0)->frames,
                (u64)SLOT_NUMBER(1) - (u64)SLOT_NUMBER(0));
    frames_join(&frames);
    left = 0;
    groups = LINEAR_POINTER(pages.top + frames_bytes(count));
    memset(groups + count, 0, tail_count * sizeof(struct group));
    frame_shares = (u8 *)(groups + count + tail_count);
    memset(frame_shares, 0, count);
    if (pages.top > tail_start) pages_tail_give(tail_start, pages.top);
    for (size_t i = 0; i < pages.map.count; i++) {
        const struct extent *run = &pages.map.extents[i];
        if (run->linear + run->bytes <= pages.top) continue;
        struct range used = pages_used_part(run, handed->top);
        if (run->page < FRAME_BYTES) pages_tail_give(used.end, run->linear + run->bytes);
        if (run->page < FRAME_BYTES || used.start == used.end) continue;
        u64 first = (used.start - LINEAR) / FRAME_BYTES;
        u64 end = ROUND_UP(used.end - LINEAR, FRAME_BYTES) / FRAME_BYTES;
        if (frames_take_run(frames.cpu, end - first, 1, first, end).number != first)
            panic("frames: a new one is in use");
    }
    left += (s64)(frames_free(&frames) * GROUP_PAGES);
    if (pages.top < tail_start && pages.top % FRAME_BYTES) {
        pages_group_begin((pages.top - LINEAR) / FRAME_BYTES, pages.top % FRAME_BYTES / PAGE_SIZE);
        left += (s64)(pages.top % FRAME_BYTES / PAGE_SIZE);
    }
}

void pages_join(void) { frames_join(&frames); }

void pages_grow(const struct linear_map *map) { pages.map = *map; }

// ---- pages ----

// Until pages_leave() a page fault of this CPU that grows its stack must not come in here.
static struct frames_cpu *pages_enter(void) {
    struct slot *slot = THIS_SLOT();
    slot->allocating = true;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return &slot->frames;
}

static void pages_leave(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    THIS_SLOT()->allocating = false;
}

static s64 pages_left_add(s64 count) { return __atomic_add_fetch(&left, count, __ATOMIC_RELAXED); }

paddr page_alloc(void) {
    if (low) return pages_low_alloc();
    struct frames_cpu *cpu = pages_enter();
    lock_take(&lock);
    struct group *group = LIST_FIRST(&tail_groups);
    if (!group) group = LIST_FIRST(&split_groups);
    u64 frame = FRAME_NONE;
    if (!group) frame = frames_take(cpu).number;
    if (frame != FRAME_NONE) group = pages_group_begin(frame, GROUP_PAGES);
    paddr physical = {0};
    if (group) physical = pages_group_take(group);
    if (physical.at) pages_left_add(-1);
    lock_give(&lock);
    pages_leave();
    return physical;
}

paddr page_alloc_cleared(void) {
    paddr physical = page_alloc();
    if (physical.at) memset(window(physical), 0, PAGE_SIZE);
    return physical;
}

void page_free(paddr physical) {
    u64 linear = physical_to_linear(&pages.map, physical).at;
    u64 frame = (linear - LINEAR) / FRAME_BYTES;
    bool is_frame = frame < frames.count;
    bool is_low_stages = is_frame && linear >= pages.top && physical.at < IDENTITY_END;
    ASSERT(!low && linear < pages.map.end && !is_low_stages);
    struct group *group = &groups[frame];
    u64 page = linear % FRAME_BYTES / PAGE_SIZE;
    struct frames_cpu *cpu = pages_enter();
    lock_take(&lock);
    pages_group_give(group, page, page + 1);
    if (is_frame && group->free == GROUP_PAGES) {
        LIST_REMOVE(group, link);
        frame_shares[frame] = 0;
        frames_give(cpu, (frameno){frame});
    }
    pages_left_add(1);
    lock_give(&lock);
    pages_leave();
}

void pages_give(paddr physical, u64 bytes) {
    u64 linear = physical_to_linear(&pages.map, physical).at;
    ASSERT(bytes && physical_to_linear(&pages.map, paddr_add(physical, bytes - PAGE_SIZE)).at ==
                        linear + bytes - PAGE_SIZE);
    pages_enter();
    lock_take(&lock);
    pages_tail_give(linear, linear + bytes);
    lock_give(&lock);
    pages_leave();
}

u64 pages_free(void) {
    s64 free = pages_left_add(0);
    return (u64)MAX(free, 0);
}

u64 pages_total(void) { return (pages.map.end - LINEAR) / PAGE_SIZE; }

// ---- frames ----

static paddr frame_physical(u64 frame) {
    if (frame == FRAME_NONE) return (paddr){0};
    return linear_to_physical(&pages.map, (laddr){LINEAR + frame * FRAME_BYTES});
}

static u64 frame_number(paddr physical) {
    u64 linear = physical_to_linear(&pages.map, physical).at;
    ASSERT(linear % FRAME_BYTES == 0 && linear < LINEAR + frames.count * FRAME_BYTES);
    return (linear - LINEAR) / FRAME_BYTES;
}

static void pages_clear(u64 frame) { memset(window(frame_physical(frame)), 0, FRAME_BYTES); }

paddr frame_alloc(bool *cleared) {
    struct frames_cpu *cpu = pages_enter();
    u64 frame = frames_take_cleared(cpu).number;
    *cleared = frame != FRAME_NONE;
    if (!*cleared) frame = frames_take(cpu).number;
    if (frame != FRAME_NONE) pages_left_add(-(s64)GROUP_PAGES);
    pages_leave();
    return frame_physical(frame);
}

void frame_split(paddr physical) {
    pages_enter();
    lock_take(&lock);
    pages_group_begin(frame_number(physical), 0);
    lock_give(&lock);
    pages_leave();
}

bool frames_idle(void) {
    bool more = frames_fill(pages_enter(), pages_clear);
    pages_leave();
    return more;
}

// Linear memory begins with all 1 GiB pages.
paddr frames_alloc_1g(void) {
    u64 end = (linear_start(&pages.map, 1).at - LINEAR) / FRAME_BYTES;
    u64 frame = frames_take_run(pages_enter(), FRAMES_1G, FRAMES_1G, 0, end).number;
    if (frame != FRAME_NONE) pages_left_add(-FRAMES_1G * (s64)GROUP_PAGES);
    pages_leave();
    return frame_physical(frame);
}

void frames_free_run(paddr physical, u64 count) {
    u64 frame = frame_number(physical);
    struct frames_cpu *cpu = pages_enter();
    if (count == 1)
        frames_give(cpu, (frameno){frame});
    else
        frames_give_run(cpu, (frameno){frame}, count);
    pages_left_add((s64)(count * GROUP_PAGES));
    pages_leave();
}
