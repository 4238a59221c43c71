// Futexes: who waits for a word of a program's memory (futex(2)). Its space and its address say
// which word it is; but shared memory can be shown at several places, and there the memory's own
// place does.
//
// A thread is in a bucket from the look at its word on, under the bucket's lock, until a waker
// takes it out, or it itself when its call is executed anew. So a wake-up counts exactly once, and
// none is lost.
#include <linux/futex.h>
#include "kernel/cpu/time.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/process/futex.h"

// waiters that are looked at before locks are given back and others have their turn
#define PIECE 192

static struct bucket {
    struct lock lock;
    u32 count;             // of the waiters; changed under the lock
    struct sorted waiters; // by address and arrival
} buckets[256];

static u64 arrivals; // of all waiters, ever

void futex_init(void) {
    for (size_t i = 0; i < ARRAY_SIZE(buckets); i++) buckets[i].lock.rank = LOCK_FUTEX;
}

// Fibonacci hashing: neighbouring words lie in different buckets.
static struct bucket *futex_bucket_of(struct futex_key key) {
    return &buckets[key.place * 0x9e3779b97f4a7c15 >> 56];
}

// Under the lock.
static void futex_count(struct bucket *bucket, int more) {
    __atomic_store_n(&bucket->count, bucket->count + (u32)more, __ATOMIC_RELAXED);
}

// Without the lock, which a wake of nobody therefore need not take. Whoever is about to wait has
// the lock from before it reads the word until it is counted; the waker changed the word before it
// came here. So the waker, whose change the fence makes visible first, finds the lock taken or the
// waiter counted, or the waiter finds the word changed.
static bool futex_is_empty(struct bucket *bucket) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return !__atomic_load_n(&bucket->lock.taken, __ATOMIC_ACQUIRE) &&
           !__atomic_load_n(&bucket->count, __ATOMIC_RELAXED);
}

bool futex_has_nobody(const struct space *space, u64 address) {
    return futex_is_empty(futex_bucket_of((struct futex_key){space_own_place(space, address)}));
}

static void futex_put(struct bucket *bucket, struct thread *thread, struct futex_key key) {
    u64 arrival = __atomic_add_fetch(&arrivals, 1, __ATOMIC_RELAXED);
    futex_count(bucket, 1);
    sorted_add(&bucket->waiters, &thread->wait, key.place, arrival);
}

// Until it is taken out a thread gets no further than futex_waits(); then it may end, and be gone.
static void futex_wake_up_to(struct bucket *bucket, struct thread *thread) {
    thread_wake(thread);
    futex_count(bucket, -1);
    sorted_remove(&bucket->waiters, &thread->wait);
}

// Between the two looks it may be moved to another bucket.
bool futex_waits(struct thread *thread, bool leave) {
    for (struct sorted *list; (list = sorted_in(&thread->wait));) {
        struct bucket *bucket = (struct bucket *)((u8 *)list - offsetof(struct bucket, waiters));
        lock_take(&bucket->lock);
        bool is_in = sorted_in(&thread->wait) == list;
        if (is_in && leave) {
            futex_count(bucket, -1);
            sorted_remove(list, &thread->wait);
        }
        lock_give(&bucket->lock);
        if (is_in) return true;
    }
    return false;
}

struct futex_key futex_key(struct space *space, u64 address, u32 operation) {
    u64 place = space_own_place(space, address);
    if (!(operation & FUTEX_PRIVATE_FLAG)) place = space_place(space, address);
    return (struct futex_key){place};
}

// 0 when the word has the value expected (NULL: any).
static s64 futex_compare(u64 address, const u32 *expected) {
    u32 value;
    if (!expected) return 0;
    if (!copy_from_user(&value, user(address), sizeof value)) return -EFAULT;
    if (value != *expected) return -EAGAIN;
    return 0;
}

struct wake {
    u64 address; // of the word
    struct futex_key from, to;
    u32 bits;
    u64 wakes, moves;
};

// Of those who wait at a word and have one of the bits, wakes the first ones and moves the next
// ones to the other word; looks at no more than a piece of them, those who came before the call
// began. True: there are more.
static bool futex_wake_some(const struct wake *what, struct thread *caller) {
    struct bucket *bucket = futex_bucket_of(what->from);
    struct bucket *other = futex_bucket_of(what->to);
    u64 word = what->from.place;
    u64 most = what->wakes + what->moves;
    struct sorted_node *node = sorted_from(&bucket->waiters, word, caller->wake_at);
    for (int looks = 0; node && caller->record.done < most; looks++) {
        if (node->key != word || node->then > caller->wake_end) return false;
        if (looks == PIECE) return true;
        caller->wake_at = node->then + 1;
        struct thread *thread = THREAD_OF(node, wait);
        node = sorted_next(node);
        if (!(thread->bits & what->bits)) continue;
        if (caller->record.done++ < what->wakes) {
            futex_wake_up_to(bucket, thread);
        } else {
            u64 arrival = __atomic_add_fetch(&arrivals, 1, __ATOMIC_RELAXED);
            sorted_move(&bucket->waiters, &other->waiters, &thread->wait, what->to.place, arrival);
            // Not below what it is in between, or a wake without the lock would find nobody.
            if (bucket != other) {
                futex_count(bucket, -1);
                futex_count(other, 1);
            }
        }
    }
    return false;
}

// In pieces. begins: this is the first one, in which the word's value (NULL: any) counts, and
// behind which who comes is not woken. Returns how many were woken and moved.
static s64 futex_wake_all(const struct wake *what, const u32 *expected, struct thread *caller,
                          bool begins) {
    struct bucket *bucket = futex_bucket_of(what->from);
    struct bucket *other = futex_bucket_of(what->to);
    struct bucket *low = MIN(bucket, other);
    struct bucket *high = MAX(bucket, other);
    lock_take(&low->lock);
    if (low != high) lock_take_second(&high->lock, &low->lock);
    s64 error = 0;
    if (begins) {
        error = futex_compare(what->address, expected);
        caller->record.begun = true;
        caller->record.done = 0;
        caller->wake_at = 0;
        caller->wake_end = __atomic_load_n(&arrivals, __ATOMIC_RELAXED);
    }
    bool more = !error && futex_wake_some(what, caller);
    if (low != high) lock_give(&high->lock);
    lock_give(&low->lock);
    if (error) return error;
    if (more) return call_again(caller);
    return (s64)caller->record.done;
}

void futex_wake_one(struct futex_key key) {
    struct bucket *bucket = futex_bucket_of(key);
    lock_take(&bucket->lock);
    struct sorted_node *node = sorted_from(&bucket->waiters, key.place, 0);
    if (node && node->key == key.place) futex_wake_up_to(bucket, THREAD_OF(node, wait));
    lock_give(&bucket->lock);
}

// If the word has the value expected, thread waits from here on. 0, -EFAULT or -EAGAIN.
static s64 futex_wait_begin(struct thread *thread, const struct futex_wait *wait) {
    struct space *space = thread->process->space;
    struct futex_key key = futex_key(space, wait->word, wait->operation);
    struct bucket *bucket = futex_bucket_of(key);
    lock_take(&bucket->lock);
    s64 error = futex_compare(wait->word, &wait->expected);
    thread->bits = wait->bits;
    if (!error) futex_put(bucket, thread, key);
    lock_give(&bucket->lock);
    return error;
}

// Whether a word can be one: of a shared futex, Linux looks at its page. One of the program's own
// that cannot be written to is none, since it never changes.
static s64 futex_check_word(struct space *space, u64 address, u32 operation) {
    u32 value;
    if (address % sizeof value) return -EINVAL;
    if (address > USER_END) return -EFAULT;
    if (operation & FUTEX_PRIVATE_FLAG) return 0;
    if (!copy_from_user(&value, user(address), sizeof value)) return -EFAULT;
    if (user_exchange(user(address), &value, value) || space_shows_other(space, address)) return 0;
    return -EFAULT;
}

// The timeout of WAIT counts from now; that of WAIT_BITSET is a time on a clock. The word is read
// twice, so that its page is there before the lock is taken.
s64 futex_wait(struct thread *thread, const struct futex_wait *wait) {
    struct space *space = thread->process->space;
    u64 now = 0;
    if (!thread->has_deadline) { // the first execution
        s64 error = futex_check_word(space, wait->word, wait->operation);
        if (!error) error = futex_compare(wait->word, &wait->expected);
        if (!error) error = futex_wait_begin(thread, wait);
        if (error) return error;
        if (wait->ns == NEVER) thread->on_signal = CALL_RESTARTS;
        bool is_time = wait->ns != NEVER && (wait->operation & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
        bool is_wall_time = is_time && wait->operation & FUTEX_CLOCK_REALTIME;
        if (is_wall_time)
            now = time_wall_ns();
        else if (is_time)
            now = time_now_ns();
        if (wait->ns == NEVER && threads_count() == 1)
            log("the program waits for another thread, and there is none");
    }
    u64 left = wait->ns - MIN(now, wait->ns);
    bool over = thread_deadline(thread, left);
    if (!futex_waits(thread, over)) return 0;
    if (over) return -ETIMEDOUT;
    return CALL_WAITS;
}

s64 futex_requeue(struct thread *thread, const struct futex_requeue *how) {
    struct space *space = thread->process->space;
    s64 error = 0;
    if (!thread->record.begun) error = futex_check_word(space, how->word, how->operation);
    if (!error && !thread->record.begun) error = futex_check_word(space, how->to, how->operation);
    if (error) return error;
    struct futex_key from = futex_key(space, how->word, how->operation);
    struct futex_key to = futex_key(space, how->to, how->operation);
    struct wake what = {how->word, from, to, ~0u, how->wakes, how->moves};
    const u32 *expected = NULL;
    if (how->compares) expected = &how->expected;
    return futex_wake_all(&what, expected, thread, !thread->record.begun);
}

s64 futex_wake(struct thread *thread, u64 word, u32 operation, u32 count, u32 bits) {
    struct space *space = thread->process->space;
    s64 error = 0;
    if (!thread->record.begun) error = futex_check_word(space, word, operation);
    if (error) return error;
    struct futex_key key = futex_key(space, word, operation);
    if (!thread->record.begun && futex_is_empty(futex_bucket_of(key))) return 0;
    struct wake what = {word, key, key, bits, count, 0};
    return futex_wake_all(&what, NULL, thread, !thread->record.begun);
}

// The record has in which of the two wakes the call is, whether there is the second one, and what
// the first one did.
s64 futex_wake_op(struct thread *thread, const struct futex_wake_op *how) {
    enum { STAGE, HAS_SECOND, WOKEN };
    struct space *space = thread->process->space;
    u64 *kept = thread->record.few;
    bool begins = !thread->record.begun;
    if (begins) {
        s64 error = futex_check_word(space, how->word, how->operation);
        if (!error) error = futex_check_word(space, how->other, how->operation);
        if (error) return error;
        s64 second = futex_word_change(thread, how->other, how->change);
        if (second < 0) return second;
        kept[STAGE] = 1;
        kept[HAS_SECOND] = (u64)second;
    }
    struct futex_key key = futex_key(space, how->word, how->operation);
    if (kept[STAGE] == 1) {
        struct wake first = {how->word, key, key, ~0u, how->wakes, 0};
        s64 woken = futex_wake_all(&first, NULL, thread, begins);
        if (woken < 0 || !kept[HAS_SECOND]) return woken;
        kept[STAGE] = 2;
        kept[WOKEN] = (u64)woken;
        begins = true;
    }
    key = futex_key(space, how->other, how->operation);
    struct wake second = {how->other, key, key, ~0u, how->other_wakes, 0};
    s64 woken = futex_wake_all(&second, NULL, thread, begins);
    if (woken < 0) return woken;
    return woken + (s64)kept[WOKEN];
}
