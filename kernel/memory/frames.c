// Gives out pages from the top of linear memory downwards: the span has no holes, so one address says what is taken.
// Page 0 of physical memory is never usable, so 0 can mean "none".
#include "kernel/memory/frames.h"

#include "kernel/lib/string.h"
#include "kernel/memory/window.h"

static struct frames frames;
void (*frames_reach)(u64 physical);

void frames_init(const struct frames *state) { frames = *state; }

const struct frames *frames_state(void) { return &frames; }

struct linear_map *frames_map(void) {
    return &frames.map;
}

u64 page_alloc(void) {
    if (frames.freed) {
        u64 physical = frames.freed;
        frames.freed = *(u64 *)window(physical);
        frames.freed_count--;
        return physical;
    }
    if (frames.top == LINEAR) return 0;
    frames.top -= PAGE_SIZE;
    u64 physical = linear_to_physical(&frames.map, frames.top);
    if (frames_reach) frames_reach(physical);
    return physical;
}

u64 page_alloc_cleared(void) {
    u64 physical = page_alloc();
    if (physical) memset(window(physical), 0, PAGE_SIZE);
    return physical;
}

void page_free(u64 physical) {
    *(u64 *)window(physical) = frames.freed;
    frames.freed = physical;
    frames.freed_count++;
}

u64 pages_free(void) { return (frames.top - LINEAR) / PAGE_SIZE + frames.freed_count; }

u64 pages_total(void) { return (frames.map.end - LINEAR) / PAGE_SIZE; }
