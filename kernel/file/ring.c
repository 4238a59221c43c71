// The ring of bytes in a pipe (ring.h).
#include "kernel/file/ring.h"

#include "kernel/lib/string.h"

static u64 ring_page(u64 at) { return at / PAGE_SIZE % RING_PAGES; }

u8 **ring_missing(struct ring *ring, u64 bytes) {
    for (u64 at = ring->write; at < ring->write + bytes; at += PAGE_SIZE - at % PAGE_SIZE)
        if (!ring->pages[ring_page(at)]) return &ring->pages[ring_page(at)];
    return NULL;
}

// Where a place is, and how many bytes lie in one piece from there on.
static u8 *ring_at(const struct ring *ring, u64 at, u64 *bytes) {
    *bytes = MIN(*bytes, PAGE_SIZE - at % PAGE_SIZE);
    return ring->pages[ring_page(at)] + at % PAGE_SIZE;
}

void ring_put(struct ring *ring, const u8 *from, u64 bytes) {
    for (u64 end = ring->write + bytes, part; ring->write < end; ring->write += part) {
        part = end - ring->write;
        u8 *to = ring_at(ring, ring->write, &part);
        memcpy(to, from, part);
        from += part;
    }
}

void ring_take(struct ring *ring, u8 *to, u64 bytes) {
    for (u64 end = ring->read + bytes, part; ring->read < end; ring->read += part) {
        part = end - ring->read;
        const u8 *from = ring_at(ring, ring->read, &part);
        memcpy(to, from, part);
        to += part;
    }
    if (ring->read == ring->write) ring->read = ring->write = 0;
}
