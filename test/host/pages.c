// flags: -O1 -fsanitize=address,undefined -fno-builtin-log
// Pages of 4 KiB and whole frames over memory that is laid out as in the kernel: a file stands for
// physical memory, mapped as the window and, run by run, as linear memory. Every page that is given
// out is filled, and must be as it was when it is given back, so that nobody's map lies in it; all
// pages of a frame are given out. The model is a byte for each page.
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test/check.h"
#include "boot/layout.h"
#undef IDENTITY_END
#define IDENTITY_END (26ull << 20) // so that memory on both sides of it is small

static char *linear_view;
#define LINEAR_POINTER(linear) ((void *)(linear_view + (linear - LINEAR)))

// What is of a CPU lies in a slot, a page each; which CPU it is changes from call to call.
static char slots[3][8192] __attribute__((aligned(64)));
static unsigned cpu_now;
#define SLOT_NUMBER(number) ((struct slot *)slots[number])
#define THIS_SLOT()         SLOT_NUMBER(cpu_now)
#include "kernel/memory/slots.h"

#include "kernel/memory/frames.c"
#include "kernel/memory/frames_runs.c"
#include "kernel/memory/linear.c"
#include "kernel/memory/pages.c"

#define MIB      (1ull << 20)
#define PHYSICAL (4096 * MIB)
#define MODEL    (40 * MIB) // what the tests below use but the one of 1 GiB frames

u64 window_base;
static struct extent extents[64];
static struct linear_map map = {.extents = extents, .room = 64};
static u8 given[MODEL / PAGE_SIZE]; // 1: a page; 2: part of a whole frame; 3: the low kernel's
static int memory;

void panic(const char *fmt, ...) {
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}

void lock_take(struct lock *lock) {
    CHECK(!lock->taken && THIS_SLOT()->allocating);
    lock->taken = true;
}

void unfit(const char *fmt, ...) { panic("%s", fmt); }

static void map_extents(size_t from) {
    for (size_t i = from; i < map.count; i++)
        if (mmap(linear_view + (extents[i].linear - LINEAR), extents[i].bytes,
                 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory,
                 (off_t)extents[i].physical.at) == MAP_FAILED)
            abort();
}

static u64 *content(u64 physical) { return window((paddr){physical}); }

static void fill(u64 physical, u64 bytes, u8 kind) {
    CHECK(physical && physical % PAGE_SIZE == 0);
    for (u64 page = physical; page < physical + bytes; page += PAGE_SIZE) {
        CHECK(!given[page / PAGE_SIZE] && physical_to_linear(&map, (paddr){page}).at != UINT64_MAX);
        given[page / PAGE_SIZE] = kind;
        content(page)[0] = content(page)[5] = content(page)[9] = content(page)[511] = page ^ 0x5555;
    }
}

static void unfill(u64 physical, u64 bytes, u8 kind) {
    for (u64 page = physical; page < physical + bytes; page += PAGE_SIZE) {
        CHECK(given[page / PAGE_SIZE] == kind);
        u64 value = page ^ 0x5555, *at = content(page);
        CHECK(at[0] == value && at[5] == value && at[9] == value && at[511] == value);
        given[page / PAGE_SIZE] = 0;
    }
}

static u64 ranges_total(const struct range *ranges, size_t count) {
    u64 pages = 0;
    for (size_t i = 0; i < count; i++) pages += (ranges[i].end - ranges[i].start) / PAGE_SIZE;
    return pages;
}

// Memory as these ranges say, of which the low kernel took so many pages.
static void start(const struct range *ranges, size_t count, u64 low_pages, u64 later) {
    memset(given, 0, sizeof given);
    memset(&frames, 0, sizeof frames);
    LIST_INIT(&tail_groups);
    LIST_INIT(&split_groups);
    cpu_now = 0;
    linear_lay_out(&map, ranges, count, true);
    map_extents(0);
    struct pages handed = {map, map.end};
    pages_begin(&handed);
    u64 all = pages_total();
    CHECK(all == ranges_total(ranges, count));
    for (u64 i = 0; i < low_pages; i++) {
        u64 page = page_alloc().at;
        CHECK(page < IDENTITY_END);
        fill(page, PAGE_SIZE, 3);
    }
    pages_init(&handed, later);
    pages_join();
    pages_join();
    CHECK(pages_total() == all && pages_free() <= all - low_pages);
    u64 bytes = frames_bytes(frames.count) + (frames.count + tail_count) * sizeof(struct group);
    CHECK(pages_free() + low_pages + ROUND_UP(bytes, PAGE_SIZE) / PAGE_SIZE == all);
}

static u64 take_frame(void) {
    bool cleared;
    return frame_alloc(&cleared).at;
}

static u64 some_given(u8 kind) {
    u64 page = (u64)rand() % ARRAY_SIZE(given);
    for (u64 i = 0; i < ARRAY_SIZE(given); i++, page = (page + 1) % ARRAY_SIZE(given))
        if (given[page] == kind) return page * PAGE_SIZE;
    return 0;
}

static bool take_page(void) {
    u64 before = pages_free(), page = page_alloc().at;
    CHECK((page != 0) == (before > 0));
    if (!page) return false;
    fill(page, PAGE_SIZE, 1);
    CHECK(pages_free() == before - 1);
    return true;
}

static void give_page(u64 page) {
    u64 before = pages_free();
    unfill(page, PAGE_SIZE, 1);
    page_free((paddr){page});
    CHECK(pages_free() == before + 1);
}

static void random_step(bool more) {
    u64 frame;
    cpu_now = (unsigned)rand() % 3;
    switch (rand() % 11) {
    case 0:
        frame = take_frame();
        if (frame) fill(frame, FRAME_BYTES, 2);
        break;
    case 1:
        if (!(frame = some_given(2))) break;
        frame = ROUND_DOWN(frame, FRAME_BYTES);
        unfill(frame, FRAME_BYTES, 2);
        frames_free_run((paddr){frame}, 1);
        break;
    case 2: frames_idle(); break;
    default:
        for (int n = rand() % 300; n > 0; n--) {
            u64 page = more ? 0 : some_given(1);
            if (more)
                take_page();
            else if (page)
                give_page(page);
        }
    }
}

static void give_everything(void) {
    for (u64 page = 0; page < ARRAY_SIZE(given); page++) {
        if (given[page] == 1) give_page(page * PAGE_SIZE);
        if (given[page] != 2) continue;
        unfill(page * PAGE_SIZE, FRAME_BYTES, 2);
        frames_free_run((paddr){page * PAGE_SIZE}, 1);
    }
}

// As much comes back as there was, in whole frames, whatever happened in between.
static void exercise(const struct range *ranges, size_t count, u64 low_pages) {
    start(ranges, count, low_pages, 0);
    u64 pages_before = pages_free(), frames_before = frames_free(&frames);
    for (int step = 0; step < 80; step++) random_step(step / 20 % 2 == 0);
    while (take_page()) {}
    CHECK(page_alloc().at == 0 && page_alloc_cleared().at == 0 && take_frame() == 0);
    give_everything();
    CHECK(pages_free() == pages_before && frames_free(&frames) == frames_before);
    u64 in_use = 0; // all but what the low kernel has, and the allocator's own
    while (take_page()) in_use++;
    CHECK(in_use == pages_before);
    give_everything();
    CHECK(frames_free(&frames) == frames_before);
}

static void cleared(void) {
    start((struct range[]){{MIB, 32 * MIB}}, 1, 3, 0);
    CHECK(!frames_idle()); // nobody wants one yet
    u64 dirty[8], before = pages_free();
    for (size_t i = 0; i < ARRAY_SIZE(dirty); i++)
        memset(content(dirty[i] = take_frame()), 0xa5, FRAME_BYTES);
    for (size_t i = 0; i < ARRAY_SIZE(dirty); i++) frames_free_run((paddr){dirty[i]}, 1);
    bool no, yes, too;
    CHECK(pages_free() == before && frames_idle() && frames_idle());
    u64 first = frame_alloc(&yes).at, second = frame_alloc(&too).at;
    CHECK(yes && too && first && second && second != first && pages_free() == before - 2 * 512);
    CHECK(frame_alloc(&no).at && !no);
    for (u64 i = 0; i < FRAME_BYTES / 8; i++) CHECK(!content(first)[i] && !content(second)[i]);
    while (frames_idle()) {}
    u64 page = page_alloc_cleared().at;
    for (u64 i = 0; i < 512; i++) CHECK(!content(page)[i]);
}

// A frame that a large page had, split while it is in use: each of its pages is the owner's, as it
// was, the first one, too. It is whole again after all came back, in any order, or at once.
static void split(void) {
    start((struct range[]){{MIB, 32 * MIB}}, 1, 3, 0);
    u64 before = pages_free(), whole = frames_free(&frames);
    for (u64 step = 1; step < 512; step += 74) { // odd: comes by all pages
        u64 frame = take_frame();
        fill(frame, FRAME_BYTES, 1);
        frame_split((paddr){frame});
        CHECK(pages_free() == before - 512);
        for (u64 i = 0, page = step; i < 512; i++, page = (page + step) % 512) {
            CHECK(frames_free(&frames) == whole - 1);
            give_page(frame + page * PAGE_SIZE);
        }
        CHECK(frames_free(&frames) == whole && pages_free() == before);
        frame = take_frame();
        fill(frame, FRAME_BYTES, 2);
        frame_split((paddr){frame});
        unfill(frame, FRAME_BYTES, 2);
        frames_free_run((paddr){frame}, 1);
        CHECK(frames_free(&frames) == whole && pages_free() == before);
    }
    while (take_page()) {}
    give_everything();
    CHECK(frames_free(&frames) == whole);
}

// Pages appended at the end, in the group that the tail ends in and in further ones.
static void growing(void) {
    start((struct range[]){{MIB, 8 * MIB + 0x5000}}, 1, 3, 5 * MIB);
    u64 before = pages_free();
    while (take_page()) {}
    CHECK(linear_append(&map, 34 * MIB + 0x3000, 37 * MIB + 0x3000));
    map_extents(map.count - 1);
    pages_grow(&map);
    CHECK(pages_free() == 0);
    page_free((paddr){34 * MIB + 0x3000});
    pages_give((paddr){34 * MIB + 0x4000}, 3 * MIB - 0x1000);
    CHECK(pages_free() == 768 && pages_total() == (10 * MIB + 0x5000) / PAGE_SIZE);
    while (take_page()) {}
    give_everything();
    CHECK(pages_free() == before + 768);
}

// 1 GiB pages are frames like all others, until somebody wants a whole one.
static void gigabytes(void) {
    start((struct range[]){{MIB, 8 * MIB}, {1020 * MIB, 3074 * MIB}}, 2, 3, 0);
    u64 free_before = pages_free(), frame = take_frame(), page = 0;
    CHECK(frame == 1024 * MIB); // linear memory begins with it
    CHECK(frames_alloc_1g().at == 2048 * MIB && frames_alloc_1g().at == 0);
    frames_free_run((paddr){frame}, 1);
    CHECK(frames_alloc_1g().at == 1024 * MIB && frames_alloc_1g().at == 0);
    while ((frame = page_alloc().at)) page = frame; // what is left: the tail and one frame
    CHECK(page && take_frame() == 0);
    frames_free_run((paddr){1024 * MIB}, 1024); // neighbours, as it happens
    CHECK(pages_free() == 1024 * 512 && pages_free() < free_before);
}

int main(void) {
    memory = memfd_create("physical", 0);
    if (memory < 0 || ftruncate(memory, (off_t)PHYSICAL)) abort();
    void *all = mmap(NULL, PHYSICAL, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    linear_view =
        mmap(NULL, PHYSICAL, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED || linear_view == MAP_FAILED) abort();
    window_base = (u64)all;
    srand(1);
    for (u64 low = 0; low < 3; low++) {
        exercise((struct range[]){{0x1000, 0x9f000}, {MIB + 0x3000, 24 * MIB - 0x7000}}, 2,
                 1 + low * 30);
        exercise((struct range[]){{2 * MIB, 20 * MIB}}, 1, low * 512); // no tail at all
        exercise((struct range[]){{0x1000, 0x9f000}, {MIB, 2 * MIB - 0x1000}}, 2,
                 low); // no frame at all
        exercise((struct range[]){{3 * MIB, 5 * MIB}, {6 * MIB, 7 * MIB}}, 2, 10 * low); // nor here
        exercise((struct range[]){{2 * MIB, 6 * MIB}, {9 * MIB, 31 * MIB}}, 2,
                 low * 900); // deep into the frames
    }
    for (u64 low = 1; low < 2000; low = low * 5 + 3) { // on both sides of IDENTITY_END
        exercise((struct range[]){{MIB, 2 * MIB + 0x3000},
                                  {10 * MIB, 20 * MIB},
                                  {26 * MIB, 37 * MIB + 0x5000}},
                 3, low);
        exercise((struct range[]){{2 * MIB, 20 * MIB}, {28 * MIB, 38 * MIB}}, 2, low);
        exercise((struct range[]){{2 * MIB, 12 * MIB}, {22 * MIB, 38 * MIB}}, 2,
                 low); // a run over the line
        exercise((struct range[]){{2 * MIB, 12 * MIB}, {25 * MIB + 0x7000, 27 * MIB - 0x3000}}, 2,
                 low);
        exercise((struct range[]){{2 * MIB, 12 * MIB},
                                  {27 * MIB, 27 * MIB + 0x1000},
                                  {29 * MIB, 29 * MIB + 0x1000}},
                 3, low);
    }
    cleared();
    split();
    growing();
    gigabytes();
    return check_done("pages");
}
