// ring.c against a model that keeps the bytes in one piece, with random puts and takes. Every byte
// has its number in the stream, so that none is lost, doubled or at another place; pages have their
// exact size, so that whoever leaves one is seen.
#include <stdlib.h>
#include <string.h>
#include "kernel/file/ring.c"
#include "test/check.h"
#include "test/random.h"

#define TURNS 20000

static struct ring ring;
static u64 put, taken; // bytes so far
static int pages;

static u8 byte_at(u64 number) { return (u8)(number * 2654435761u >> 16); }

static void put_some(u64 most) {
    static u8 bytes[RING_BYTES];
    u64 count = MIN(most, ring_room(&ring));
    for (u64 i = 0; i < count; i++) bytes[i] = byte_at(put + i);
    for (u8 **missing; (missing = ring_missing(&ring, count)); pages++) {
        CHECK(!*missing);
        *missing = malloc(PAGE_SIZE);
    }
    ring_put(&ring, bytes, count);
    put += count;
}

static void take_some(u64 most) {
    static u8 bytes[RING_BYTES];
    u64 count = MIN(most, ring_used(&ring));
    u64 wrong = 0;
    ring_take(&ring, bytes, count);
    for (u64 i = 0; i < count; i++) wrong += bytes[i] != byte_at(taken + i);
    CHECK(!wrong);
    taken += count;
}

int main(void) {
    for (int turn = 0; turn < 1000; turn++) { // never much in it: one page is enough
        put_some(1 + random_below(1000));
        take_some(RING_BYTES);
    }
    CHECK(pages == 1 && taken == put && put);
    for (int turn = 0; turn < TURNS; turn++) {
        u64 most = 1 + random_below(random_below(4) ? 5000 : RING_BYTES + 100);
        bool fills = turn / 100 % 3 != 0;
        if (random_below(3) < (fills ? 2 : 1))
            put_some(most);
        else
            take_some(most);
        CHECK(ring_used(&ring) == put - taken && ring_used(&ring) <= RING_BYTES);
        CHECK(ring_room(&ring) + ring_used(&ring) == RING_BYTES);
    }
    put_some(RING_BYTES);
    CHECK(!ring_room(&ring) && !ring_missing(&ring, 0) && pages == RING_PAGES);
    take_some(RING_BYTES);
    CHECK(taken == put);
    for (int i = 0; i < RING_PAGES; i++) free(ring.pages[i]);
    return check_done("ring");
}
