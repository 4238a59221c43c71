// Which frames may be shared, and which of those the collector has marked (shares.h). A frame has a
// state as a whole, or each of its pages has one: from when one of them is shared alone, or a space
// has split it. The states lie with the groups of pages.c.
#include "kernel/memory/shares.h"

#include "kernel/cpu/lock.h"
#include "kernel/kernel.h"
#include "kernel/memory/groups.h"
#include "kernel/memory/pages.h"

// Of a frame or a page. Shared ones are UNMARKED while the collector does not mark.
enum state { NOT_SHARED, UNMARKED, ONCE, OFTEN, STATES };
#define IS_SPLIT 4u // in the frame's byte: its pages have the states

#define PAGES_OF_WORD (64 / SHARE_BITS)
#define UNMARKED_ALL  0x5555555555555555ull // in a word of states

static struct lock lock = {.rank = LOCK_SHARES}; // of all states
static bool is_marking;

static enum state shares_page_state(const struct group *group, u64 page) {
    return group->shares[page / PAGES_OF_WORD] >> page % PAGES_OF_WORD * SHARE_BITS & (STATES - 1);
}

static void shares_set_page(struct group *group, u64 page, enum state state) {
    u64 *word = &group->shares[page / PAGES_OF_WORD];
    u64 shift = page % PAGES_OF_WORD * SHARE_BITS;
    *word = (*word & ~((u64)(STATES - 1) << shift)) | (u64)state << shift;
}

static bool shares_is_split(const struct group_place *place) {
    return !place->frame || *place->frame & IS_SPLIT;
}

static enum state shares_state(const struct group_place *place) {
    if (shares_is_split(place)) return shares_page_state(place->group, place->page);
    return *place->frame;
}

static void shares_set(const struct group_place *place, enum state state) {
    if (shares_is_split(place))
        shares_set_page(place->group, place->page, state);
    else
        *place->frame = (u8)state;
}

static enum state shares_marked(enum state state) {
    if (state == NOT_SHARED || state == UNMARKED) return ONCE;
    return OFTEN;
}

// What happens to each part of a page: to frames as a whole, and to the pages of those that are
// split. False: something was not as it is expected, and nothing more was done.
static bool shares_each(paddr physical, u64 bytes,
                        bool (*change)(const struct group_place *place)) {
    for (u64 end = physical.at + bytes; physical.at < end;) {
        struct group_place place = group_of(physical);
        bool is_page = bytes == PAGE_SIZE;
        if (is_page && place.frame) *place.frame |= IS_SPLIT;
        if (!change(&place)) return false;
        u64 step = PAGE_SIZE;
        if (!shares_is_split(&place)) step = FRAME_BYTES;
        physical.at += step;
    }
    return true;
}

static bool shares_add_one(const struct group_place *place) {
    if (is_marking)
        shares_set(place, OFTEN);
    else if (shares_state(place) == NOT_SHARED)
        shares_set(place, UNMARKED);
    return true;
}

static bool shares_mark_one(const struct group_place *place) {
    shares_set(place, shares_marked(shares_state(place)));
    return true;
}

static bool shares_is_once(const struct group_place *place) { return shares_state(place) == ONCE; }

static bool shares_forget_one(const struct group_place *place) {
    shares_set(place, NOT_SHARED);
    return true;
}

void shares_copy(paddr physical, u64 bytes) {
    lock_take(&lock);
    (void)shares_each(physical, bytes, shares_add_one);
    lock_give(&lock);
}

void shares_moved(paddr physical, u64 bytes) {
    if (__atomic_load_n(&is_marking, __ATOMIC_SEQ_CST)) shares_copy(physical, bytes);
}

void shares_split(paddr physical) {
    struct group_place place = group_of(physical);
    lock_take(&lock);
    if (!shares_is_split(&place)) {
        enum state state = *place.frame;
        frame_split(physical);
        *place.frame = IS_SPLIT;
        for (u64 page = 0; page < GROUP_PAGES; page++) shares_set_page(place.group, page, state);
    }
    lock_give(&lock);
}

void shares_begin(void) {
    lock_take(&lock);
    is_marking = true;
    lock_give(&lock);
}

void shares_end(void) {
    lock_take(&lock);
    is_marking = false;
    lock_give(&lock);
}

void shares_mark(paddr physical, u64 bytes) {
    lock_take(&lock);
    (void)shares_each(physical, bytes, shares_mark_one);
    lock_give(&lock);
}

bool shares_alone(paddr physical, u64 bytes) {
    lock_take(&lock);
    bool is_alone = shares_each(physical, bytes, shares_is_once);
    if (is_alone) (void)shares_each(physical, bytes, shares_forget_one);
    // Its entry has it as a whole, so that is how it is given back.
    if (is_alone && bytes > PAGE_SIZE)
        for (u64 at = 0; at < bytes; at += FRAME_BYTES)
            *group_of(paddr_add(physical, at)).frame = 0;
    lock_give(&lock);
    return is_alone;
}

// ---- giving back ----

// What is free of a word of states becomes 0, what was marked becomes unmarked. One bit of two for
// each page that is free.
static u64 shares_sweep_word(u64 *word) {
    u64 marked = *word >> 1 & UNMARKED_ALL;
    u64 free = *word & ~(*word >> 1) & UNMARKED_ALL;
    *word = marked;
    return free;
}

// Of a split frame, or of the tail.
static u64 shares_sweep_pages(const struct group_place *place) {
    u64 free[SHARE_WORDS];
    u64 left = 0;
    u64 count = 0;
    lock_take(&lock);
    for (u64 i = 0; i < SHARE_WORDS; i++) {
        free[i] = shares_sweep_word(&place->group->shares[i]);
        left |= place->group->shares[i];
    }
    // Before its last page is given back: then the frame may be anybody's.
    if (!left && place->frame) *place->frame = 0;
    lock_give(&lock);
    for (u64 i = 0; i < SHARE_WORDS; i++) {
        for (; free[i]; free[i] &= free[i] - 1, count++) {
            u64 page = i * PAGES_OF_WORD + (u64)__builtin_ctzll(free[i]) / SHARE_BITS;
            page_free(group_page(place->group, page));
        }
    }
    return count;
}

static u64 shares_sweep_frame(const struct group_place *place, u64 number) {
    lock_take(&lock);
    bool is_free = *place->frame == UNMARKED;
    *place->frame = is_free ? NOT_SHARED : UNMARKED;
    lock_give(&lock);
    if (!is_free) return 0;
    frames_free_run(group_start(number), 1);
    return GROUP_PAGES;
}

u64 shares_sweep(u64 from, u64 work, u64 *freed) {
    const u64 each = 16;  // a frame that is not shared
    const u64 many = 400; // one with 512 states; and each page that comes back
    for (u64 done = 0; from < groups_count(); from++, done += each) {
        if (done >= work) return from;
        const struct group_place place = group_number(from);
        u64 count = 0;
        if (shares_is_split(&place))
            count = shares_sweep_pages(&place);
        else if (*place.frame != NOT_SHARED)
            count = shares_sweep_frame(&place, from);
        if (shares_is_split(&place)) done += many;
        if (count < GROUP_PAGES) done += count * many;
        *freed += count;
    }
    return 0;
}
