// Which thread runs next: the one that had least of the CPU so far. queue.h says what virtual times
// are. Pure: the caller has the lock and the clock.
#include "kernel/thread/queue.h"

#define SLICE_MAX 2500000  // ns: with what a switch and a tick cost it stays below 3 ms
#define SLICE_MIN 750000   // what a switch costs, caches included, is a thousandth of that
#define ROUND     12000000 // in which each of a few has its turn

// For how long, in ns, a thread runs while so many others wait.
u64 queue_slice(u32 waiting) {
    u64 part = ROUND / ((u64)waiting + 1);
    if (part > SLICE_MAX) return SLICE_MAX;
    return MAX(part, SLICE_MIN);
}

// Brings the queue's time up to what the current thread has now, and returns it. When there is no
// current thread, that is what the last one had.
u64 queue_now(struct queue *queue, u64 current) {
    const struct sorted_node *first = sorted_first(&queue->ready);
    u64 least = current;
    if (first) least = MIN(first->key, current);
    queue->time = MAX(queue->time, least);
    return queue->time;
}

static u64 queue_add_node(struct queue *queue, struct sorted_node *node, u64 time) {
    sorted_add(&queue->ready, node, time, queue->arrivals++);
    __atomic_store_n(&queue->length, queue->length + 1, __ATOMIC_SEQ_CST);
    return time;
}

// A thread comes with that time of its own, but at most a credit before all others. Returns the
// time that it is queued with.
u64 queue_add(struct queue *queue, struct sorted_node *node, u64 time, u64 credit) {
    u64 least = 0;
    if (queue->time > credit) least = queue->time - credit;
    return queue_add_node(queue, node, MAX(time, least));
}

// A thread that yields: behind all who are ready, but no further than most. Returns the time that
// it is queued with.
u64 queue_add_last(struct queue *queue, struct sorted_node *node, u64 time, u64 most) {
    const struct sorted_node *last = sorted_last(&queue->ready);
    if (last && last->key > time) time = MIN(last->key, time + most);
    return queue_add_node(queue, node, time);
}

// Takes the next thread out; NULL: there is none.
struct sorted_node *queue_take(struct queue *queue) {
    struct sorted_node *first = sorted_first(&queue->ready);
    if (!first) return NULL;
    sorted_remove(&queue->ready, first);
    __atomic_store_n(&queue->length, queue->length - 1, __ATOMIC_SEQ_CST);
    return first;
}

// What a thread's time becomes when it moves from a queue with one time to a queue with another.
u64 queue_move(u64 time, u64 from, u64 to) {
    u64 moved = time - from + to; // modulo 2^64, as times before the queue's own are
    bool is_before = time < from && from - time > to;
    if (is_before) return 0;
    return moved;
}
