// getrandom(2): random numbers for the program.
#include <linux/random.h>
#include "kernel/call/call.h"

#define GRND_FLAGS (GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)
#define RANDOM_MAX 0x7ffff000ull // bytes of one call, as on Linux
// bytes of one execution of the call: a fault may clear a large page, too
#define PIECE 512

// Up to a piece, page by page; how many bytes of it came before the program's memory ended, or a
// page had to be made.
static u64 random_put(const struct thread *thread, u64 to, u64 bytes) {
    struct random stream;
    u32 block[CHACHA20_BLOCK_WORDS];
    u64 done = 0;
    random_begin(&stream);
    while (done < bytes && !call_faulted(thread)) {
        u64 part = MIN(bytes - done, PAGE_SIZE - (to + done) % PAGE_SIZE);
        part = MIN(part, sizeof block);
        random_block(&stream, block);
        if (!copy_to_user(user(to + done), block, part)) break;
        done += part;
    }
    return done;
}

// getrandom(to, bytes, unsigned flags): never waits, since the generator was seeded before the
// program began. What was written before a fault counts.
s64 call_getrandom(struct thread *thread, const u64 *arg) {
    u64 count = MIN(arg[1], RANDOM_MAX);
    u32 flags = (u32)arg[2];
    bool both = flags & GRND_INSECURE && flags & GRND_RANDOM;
    if (flags & ~GRND_FLAGS || both) return -EINVAL;
    u64 bytes = MIN(count - thread->record.done, PIECE);
    u64 put = random_put(thread, arg[0] + thread->record.done, bytes);
    thread->record.done += put;
    if (put && thread->record.done < count) return call_again(thread);
    if (thread->record.done || !count) return (s64)thread->record.done;
    return -EFAULT;
}
