// The bytes that wait in a pipe. Pure: the caller has the lock and the memory. A page is there from
// its first use on; a ring that was emptied begins with its first page again, so that one that
// never has much in it needs one page.
#pragma once

#include "boot/layout.h"
#include "kernel/lib/types.h"

#define RING_PAGES 16
#define RING_BYTES (RING_PAGES * PAGE_SIZE)

struct ring {              // begins as zeroes
    u64 read, write;       // free-running: bytes from read to write are there
    u8 *pages[RING_PAGES]; // NULL: not there yet
};

static inline u64 ring_used(const struct ring *ring) { return ring->write - ring->read; }
static inline u64 ring_room(const struct ring *ring) { return RING_BYTES - ring_used(ring); }
// The first page that is missing for so many bytes, for which there is room; NULL: none is.
u8 **ring_missing(struct ring *ring, u64 bytes);
// So many bytes, for which there are room and pages.
void ring_put(struct ring *ring, const u8 *from, u64 bytes);
// So many bytes, which are there.
void ring_take(struct ring *ring, u8 *to, u64 bytes);
