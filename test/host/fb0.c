// kernel/file/fb0.c: a framebuffer that begins and ends within a page, with the bytes before, in
// and behind its pages.
#include <stdlib.h>
#include <string.h>

#include "kernel/file/fb0.c"
#include "test/check.h"

enum {
    SKEW = 0x340,
    PITCH = 100,
    HEIGHT = 90,
    PAGES = 3,
    GUARD = 0xa5
}; // it ends at 0x340 + 9000 in the third page

u64 window_base;
static u8 *memory; // page 0 is somebody else's, and so is the last one
static struct boot_framebuffer frame = {.pitch = PITCH, .height = HEIGHT, .width = 25, .bits = 32};
const struct boot_framebuffer *screen_framebuffer(void) { return &frame; }
bool copy_from_user(void *to, uaddr from, u64 bytes) {
    return from.at && memcpy(to, (void *)from.at, bytes);
}
bool copy_to_user(uaddr to, const void *from, u64 bytes) {
    return to.at && memcpy((void *)to.at, from, bytes);
}

static u8 theirs[8 * PAGE_SIZE];
#define PAGES_AT(page) (frame.address - SKEW + PAGE_SIZE * (page))
#define ALL            (PAGES * PAGE_SIZE - SKEW)

static void test_pages(void) {
    CHECK(fb0_pages(0, PAGES * PAGE_SIZE).at == PAGES_AT(0) &&
          fb0_pages(2 * PAGE_SIZE, PAGE_SIZE).at == PAGES_AT(2));
    CHECK(!fb0_pages(0, (PAGES + 1) * PAGE_SIZE).at && !fb0_pages(PAGE_SIZE, PAGES * PAGE_SIZE).at);
    CHECK(!fb0_pages(PAGES * PAGE_SIZE, PAGE_SIZE).at &&
          !fb0_pages((PAGES + 1) * PAGE_SIZE, PAGE_SIZE).at);
    CHECK(!fb0_pages(-(u64)PAGE_SIZE, PAGE_SIZE).at &&
          !fb0_pages(-(u64)PAGE_SIZE, 2 * PAGE_SIZE).at);
    CHECK(!fb0_pages(PAGE_SIZE, -(u64)PAGE_SIZE).at && !fb0_pages(0, -(u64)PAGE_SIZE).at);
}

// Of what is written and read nothing is outside, whatever the offset.
static void test_copy(void) {
    for (int i = 0; i < 20000; i++) {
        u64 at = (u64)rand() % (ALL + 2000), bytes = (u64)rand() % (i % 3 ? 300 : sizeof theirs);
        if (i % 50 == 0) at = ~0ull >> 1;
        u64 wanted = at < ALL ? MIN(bytes, ALL - at) : 0;
        memset(theirs, i, sizeof theirs);
        bool write = rand() % 2;
        s64 result = fb0_copy(user((u64)theirs), bytes, at, write);
        if (write && bytes && !wanted)
            CHECK(result == (at > ALL ? -EFBIG : -ENOSPC));
        else
            CHECK(result == (s64)wanted);
        if (result > 0) CHECK(memcmp((void *)(frame.address + at), theirs, wanted) == 0);
        if (!write) CHECK(theirs[wanted] == (u8)i);
        CHECK(memory[PAGE_SIZE + SKEW - 1] == GUARD && memory[(1 + PAGES) * PAGE_SIZE] == GUARD);
    }
    CHECK(fb0_copy(user(0), 10, 5, true) == -EFAULT && fb0_copy(user(0), 10, 5, false) == -EFAULT);
}

static void test_ioctl(void) {
    struct fb_fix_screeninfo fix;
    CHECK(fb0_ioctl(FBIOGET_FSCREENINFO, (u64)&fix) == 0 && fix.smem_start == frame.address &&
          fix.smem_len == ALL);
    CHECK(fb0_ioctl(0x4700, (u64)&fix) == -ENOTTY);
}

int main(void) {
    memory = aligned_alloc(PAGE_SIZE, (PAGES + 2) * PAGE_SIZE);
    memset(memory, GUARD, (PAGES + 2) * PAGE_SIZE);
    frame.address = (u64)memory + PAGE_SIZE + SKEW;
    test_pages();
    test_copy();
    test_ioctl();
    free(memory);
    return check_done("fb0");
}
