// Futexes: who waits for a word of the program's memory (futex(2)), and, by an address of its own, for typed input.
// There is one address space and no page has two addresses, so private and shared are the same.
//
// A thread is in a bucket from the look at its word on, under the bucket's lock, until a waker takes it out, or it
// itself when its call is executed anew. So a wake-up counts exactly once, and none is lost.
#include <linux/futex.h>
#include "kernel/cpu/time.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/program/program.h"

static struct bucket {
    struct lock lock;
    struct thread *first, *last; // by arrival
} buckets[256];

// Fibonacci hashing: neighbouring words lie in different buckets.
static struct bucket *bucket_of(u64 word) { return &buckets[word * 0x9e3779b97f4a7c15 >> 56]; }

static void put(struct bucket *bucket, struct thread *thread, u64 word) {
    __atomic_store_n(&thread->word, word, __ATOMIC_RELAXED);
    thread->after = NULL;
    thread->before = bucket->last;
    *(bucket->last ? &bucket->last->after : &bucket->first) = thread;
    bucket->last = thread;
}

static void take(struct bucket *bucket, struct thread *thread) {
    *(thread->before ? &thread->before->after : &bucket->first) = thread->after;
    *(thread->after ? &thread->after->before : &bucket->last) = thread->before;
}

// 0 when the word has the value expected (NULL: any).
static s64 compare(u64 word, const u32 *expected) {
    u32 value;
    if (!expected) return 0;
    return !copy_from_user(&value, word, sizeof value) ? -EFAULT : value != *expected ? -EAGAIN : 0;
}

s64 futex_wait(struct thread *thread, u64 word, u32 bits, const u32 *expected) {
    struct bucket *bucket = bucket_of(word);
    lock_take(&bucket->lock);
    s64 error = compare(word, expected);
    thread->bits = bits;
    if (!error) put(bucket, thread, word);
    lock_give(&bucket->lock);
    return error;
}

// Between the two looks at the word it may be moved to another bucket.
bool futex_waits(struct thread *thread, bool leave) {
    for (u64 word; (word = __atomic_load_n(&thread->word, __ATOMIC_ACQUIRE));) {
        struct bucket *bucket = bucket_of(word);
        lock_take(&bucket->lock);
        bool is_in = __atomic_load_n(&thread->word, __ATOMIC_RELAXED) == word;
        if (is_in && leave) take(bucket, thread), thread->word = 0;
        lock_give(&bucket->lock);
        if (is_in) return true;
    }
    return false;
}

// Of those who wait at a word and have one of these bits, wakes the first ones and moves the next ones to another word,
// if it has the value expected (NULL: any). Returns how many those are.
static s64 wake(u64 word, u32 bits, u64 wakes, u64 moves, u64 to, const u32 *expected) {
    u64 count = 0;
    struct bucket *bucket = bucket_of(word), *other = bucket_of(to), *low = bucket < other ? bucket : other;
    lock_take(&low->lock);
    if (bucket != other) lock_take(&(low == bucket ? other : bucket)->lock);
    s64 error = compare(word, expected);
    struct thread *next = error ? NULL : bucket->first, *end = bucket->last;
    for (struct thread *thread; (thread = next) && count < wakes + moves;) {
        next = thread == end ? NULL : thread->after; // those who are moved may come behind
        if (thread->word != word || !(thread->bits & bits)) continue;
        take(bucket, thread);
        if (count++ >= wakes) {
            put(other, thread, to);
        } else { // until its word is 0 it gets no further than futex_waits(); then it may end, and be gone
            thread_wake(thread);
            __atomic_store_n(&thread->word, 0, __ATOMIC_RELEASE);
        }
    }
    if (bucket != other) lock_give(&other->lock);
    lock_give(&bucket->lock);
    return error ? error : (s64)count;
}

void futex_wake(u64 word, u64 count) { wake(word, ~0u, count, 0, word, NULL); }

// The timeout of WAIT counts from now; that of WAIT_BITSET is a time on a clock. The word is read twice, so that its
// page is there before the lock is taken.
static s64 wait(struct thread *thread, const u64 *arg, u32 bits) {
    u32 expected = (u32)arg[2];
    u64 ns = NEVER, now = 0;
    if (!thread->has_deadline) { // the first execution
        s64 error = arg[3] ? time_get(arg[3], &ns) : 0;
        if (!error) error = compare(arg[0], &expected);
        if (!error) error = futex_wait(thread, arg[0], bits, &expected);
        if (error) return error;
        if (ns != NEVER && (arg[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET)
            now = arg[1] & FUTEX_CLOCK_REALTIME ? time_wall_ns() : time_now_ns();
        if (ns == NEVER && threads_count() == 1) log("the program waits for another thread, and there is none");
    }
    bool over = thread_deadline(thread, ns > now ? ns - now : 0);
    return !futex_waits(thread, over) ? 0 : over ? -ETIMEDOUT : CALL_WAITS;
}

// futex(word, operation, value, timeout or count, word 2, bits or value)
CALL(futex) {
    u64 command = arg[1] & FUTEX_CMD_MASK, count = (int)arg[2] > 0 ? (u32)arg[2] : 1;
    u32 bits = command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET ? (u32)arg[5] : ~0u, value = (u32)arg[5];
    bool waits = command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
    bool moves = command == FUTEX_REQUEUE || command == FUTEX_CMP_REQUEUE;
    if (!waits && !moves && command != FUTEX_WAKE && command != FUTEX_WAKE_BITSET) return -ENOSYS;
    if (arg[1] & FUTEX_CLOCK_REALTIME && command != FUTEX_WAIT_BITSET) return -ENOSYS;
    if (arg[0] % sizeof bits || !bits || (moves && arg[4] % sizeof bits)) return -EINVAL;
    if (arg[0] >= USER_END || (moves && arg[4] >= USER_END)) return -EFAULT;
    if (waits) return wait(thread, arg, bits);
    if (!moves) return wake(arg[0], bits, count, 0, arg[0], NULL);
    if ((int)arg[2] < 0 || (int)arg[3] < 0) return -EINVAL;
    return wake(arg[0], bits, (u32)arg[2], (u32)arg[3], arg[4], command == FUTEX_CMP_REQUEUE ? &value : NULL);
}
