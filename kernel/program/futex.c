// Futexes: who waits for a word of the program's memory (futex(2)), and, by an address of its own, for typed input. A
// bucket is a tree by word and order of arrival, so that neither many words nor many who wait for one cost more than
// O(log n). There is one address space and no page has two addresses, so private and shared are the same.
//
// A thread is in a bucket from before the look at its word, under the bucket's lock, until a waker or, when its call is
// executed anew, it itself takes it out. So a wake-up counts exactly once, and none is lost.
#define __unused __attribute__((unused)) // tree.h marks its functions with BSD's name for it

#include <linux/futex.h>
#include <linux/time.h>
#include "kernel/cpu/time.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/program/program.h"

#define BUCKETS 256 // a power of two

RB_HEAD(waiters, thread);

static struct bucket {
    struct lock lock;
    struct waiters waiters;
    u64 arrivals;
} buckets[BUCKETS];

static int compare(const struct thread *a, const struct thread *b) {
    if (a->word != b->word) return a->word < b->word ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}
RB_GENERATE_STATIC(waiters, thread, by_word, compare)

// Fibonacci hashing: neighbouring words lie in different buckets.
static struct bucket *bucket_of(u64 word) { return &buckets[(word * 0x9e3779b97f4a7c15) >> 56 & (BUCKETS - 1)]; }

static struct thread *first_at(struct bucket *bucket, u64 word) {
    struct thread *thread = RB_NFIND(waiters, &bucket->waiters, &(struct thread){.word = word});
    return thread && thread->word == word ? thread : NULL;
}

static struct thread *next_at(struct thread *thread) {
    struct thread *next = RB_NEXT(waiters, NULL, thread);
    return next && next->word == thread->word ? next : NULL;
}

static void enter(struct bucket *bucket, struct thread *thread, u64 word) {
    thread->order = bucket->arrivals++;
    __atomic_store_n(&thread->word, word, __ATOMIC_RELAXED);
    RB_INSERT(waiters, &bucket->waiters, thread);
}

// The bucket a thread is in, locked; NULL when it is in none. It can be moved to another one while nobody looks.
static struct bucket *lock_of(const struct thread *thread) {
    for (u64 word; (word = __atomic_load_n(&thread->word, __ATOMIC_ACQUIRE));) {
        struct bucket *bucket = bucket_of(word);
        lock_take(&bucket->lock);
        if (__atomic_load_n(&thread->word, __ATOMIC_RELAXED) == word) return bucket;
        lock_give(&bucket->lock);
    }
    return NULL;
}

static void leave(struct bucket *bucket, struct thread *thread) {
    RB_REMOVE(waiters, &bucket->waiters, thread);
    thread->word = 0;
    lock_give(&bucket->lock);
}

// Until its word is 0 the thread gets no further than lock_of(); then it may end, and be gone.
static void wake(struct bucket *bucket, struct thread *thread) {
    RB_REMOVE(waiters, &bucket->waiters, thread);
    thread_wake(thread);
    __atomic_store_n(&thread->word, 0, __ATOMIC_RELEASE);
}

static u64 wake_some(struct bucket *bucket, u64 word, u32 bits, u64 count) {
    u64 woken = 0;
    for (struct thread *thread = first_at(bucket, word), *next; thread && woken < count; thread = next) {
        next = next_at(thread);
        if (!(thread->bits & bits)) continue;
        wake(bucket, thread);
        woken++;
    }
    return woken;
}

u64 futex_wake(u64 word, u32 bits, u64 count) {
    struct bucket *bucket = bucket_of(word);
    lock_take(&bucket->lock);
    u64 woken = wake_some(bucket, word, bits, count);
    lock_give(&bucket->lock);
    return woken;
}

void futex_wait(struct thread *thread, u64 word) {
    struct bucket *bucket = bucket_of(word);
    futex_leave(thread);
    lock_take(&bucket->lock);
    thread->bits = ~0u;
    enter(bucket, thread, word);
    lock_give(&bucket->lock);
}

void futex_leave(struct thread *thread) {
    struct bucket *bucket = lock_of(thread);
    if (bucket) leave(bucket, thread);
}

// Seconds and nanoseconds of the program in ns; a time on a clock becomes one from now.
static s64 timeout(u64 from, bool absolute, bool is_wall, u64 *ns) {
    *ns = NEVER;
    s64 error = from ? time_get(from, ns) : 0;
    if (error || !from || !absolute || *ns == NEVER) return error;
    u64 now = is_wall ? time_wall_ns() : time_now_ns();
    *ns = *ns > now ? *ns - now : 0;
    return 0;
}

// The first execution. The word is read before, so that its page is there and the lock is held for few instructions.
static s64 wait(struct thread *thread, u64 word, u32 expected, u32 bits) {
    u32 value;
    struct bucket *bucket = bucket_of(word);
    if (!copy_from_user(&value, word, sizeof value)) return -EFAULT;
    if (value != expected) return -EAGAIN;
    lock_take(&bucket->lock);
    s64 result = !copy_from_user(&value, word, sizeof value) ? -EFAULT : value != expected ? -EAGAIN : CALL_WAITS;
    if (result == CALL_WAITS) {
        thread->bits = bits;
        enter(bucket, thread, word);
    }
    lock_give(&bucket->lock);
    return result;
}

// The later ones.
static s64 wait_on(struct thread *thread) {
    struct bucket *bucket = lock_of(thread);
    if (!bucket) return 0;
    if (thread_deadline(thread, NEVER)) return leave(bucket, thread), -ETIMEDOUT;
    lock_give(&bucket->lock);
    return CALL_WAITS;
}

// Wakes the first ones and moves others to another word.
static s64 requeue(const u64 *arg, bool compares) {
    u32 value;
    u64 from = arg[0], to = arg[4], moved = 0;
    struct bucket *bucket = bucket_of(from), *target = bucket_of(to);
    struct bucket *one = bucket < target ? bucket : target, *other = bucket < target ? target : bucket;
    if ((int)arg[2] < 0 || (int)arg[3] < 0) return -EINVAL;
    lock_take(&one->lock);
    if (one != other) lock_take(&other->lock);
    s64 result = 0;
    if (compares) result = !copy_from_user(&value, from, sizeof value) ? -EFAULT : value != (u32)arg[5] ? -EAGAIN : 0;
    if (!result) result = (s64)wake_some(bucket, from, ~0u, arg[2]);
    for (struct thread *thread; result >= 0 && moved < arg[3] && from != to && (thread = first_at(bucket, from));) {
        RB_REMOVE(waiters, &bucket->waiters, thread);
        enter(target, thread, to);
        moved++;
    }
    if (one != other) lock_give(&other->lock);
    lock_give(&one->lock);
    return result < 0 ? result : result + (s64)moved;
}

// futex(word, operation, value, timeout or count, word 2, bits). The timeout of WAIT counts from now; that of
// WAIT_BITSET is a time on a clock.
CALL(futex) {
    u64 command = arg[1] & FUTEX_CMD_MASK, ns;
    bool is_wall = arg[1] & FUTEX_CLOCK_REALTIME, is_wait = command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
    bool with_bits = command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET;
    bool moves = command == FUTEX_REQUEUE || command == FUTEX_CMP_REQUEUE;
    u32 bits = with_bits ? (u32)arg[5] : ~0u;
    if (is_wait && thread->has_deadline) return wait_on(thread);
    if ((!is_wait && !moves && command != FUTEX_WAKE && command != FUTEX_WAKE_BITSET) ||
        (is_wall && command != FUTEX_WAIT_BITSET))
        return -ENOSYS;
    s64 error = is_wait ? timeout(arg[3], with_bits, is_wall, &ns) : 0;
    if (error) return error;
    if (arg[0] % sizeof(u32) || !bits || (moves && arg[4] % sizeof(u32))) return -EINVAL;
    if (arg[0] >= USER_END || (moves && arg[4] >= USER_END)) return -EFAULT;
    if (moves) return requeue(arg, command == FUTEX_CMP_REQUEUE);
    if (!is_wait) return (s64)futex_wake(arg[0], bits, (int)arg[2] > 1 ? arg[2] : 1);
    s64 result = wait(thread, arg[0], (u32)arg[2], bits);
    if (result != CALL_WAITS) return result;
    if (ns == NEVER && threads_count() == 1) log("the program waits for another thread, and there is none");
    return thread_deadline(thread, ns) ? wait_on(thread) : CALL_WAITS;
}
