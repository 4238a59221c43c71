// mremap(2): its arguments become a struct move in the call's record.
#include <linux/mman.h>
#include "kernel/call/call.h"
#include "kernel/space/move.h"

static bool remap_is_valid(const struct move *call) {
    const u64 known = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    if (call->flags & ~known || call->at % PAGE_SIZE) return false;
    if (!call->bytes || call->bytes > USER_END) return false;
    if (!(call->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) return true;
    if (call->to > USER_END - call->bytes || call->to % PAGE_SIZE ||
        !(call->flags & MREMAP_MAYMOVE))
        return false;
    if (call->flags & MREMAP_DONTUNMAP && call->old != call->bytes) return false;
    return call->at + call->old <= call->to || call->to + call->bytes <= call->at;
}

// mremap(address, length, new length, flags, new address)
s64 call_mremap(struct thread *thread, const u64 *arg) {
    struct record *record = &thread->record;
    struct move *call = &record->move;
    bool is_first = !record->begun;
    if (record->taken.end) return populate(thread);
    if (is_first) {
        *call = (struct move){.at = arg[0], .flags = arg[3], .to = arg[4]};
        call->old = ROUND_UP(arg[1], PAGE_SIZE);
        call->bytes = ROUND_UP(arg[2], PAGE_SIZE);
        if (!remap_is_valid(call)) return -EINVAL;
        record->begun = true;
    }
    return remap(thread, is_first);
}
