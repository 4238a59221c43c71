// See queue.h.
#include "kernel/thread/queue.h"

#define SLICE_MAX 2500000  // ns: with what a switch and a tick cost it stays below 3 ms
#define SLICE_MIN 750000   // what a switch costs, caches included, is a thousandth of that
#define ROUND     12000000 // in which each of a few has its turn

u64 queue_slice(u32 waiting) {
    u64 part = ROUND / ((u64)waiting + 1);
    if (part > SLICE_MAX) return SLICE_MAX;
    return MAX(part, SLICE_MIN);
}

u64 queue_now(struct queue *queue, u64 current) {
    const struct sorted_node *first = sorted_first(&queue->ready);
    u64 least = first ? MIN(first->key, current) : current;
    queue->time = MAX(queue->time, least);
    return queue->time;
}

static u64 queue_add_node(struct queue *queue, struct sorted_node *node, u64 time) {
    sorted_add(&queue->ready, node, time, queue->arrivals++);
    __atomic_store_n(&queue->length, queue->length + 1, __ATOMIC_SEQ_CST);
    return time;
}

u64 queue_add(struct queue *queue, struct sorted_node *node, u64 time, u64 credit) {
    u64 least = queue->time > credit ? queue->time - credit : 0;
    return queue_add_node(queue, node, MAX(time, least));
}

u64 queue_add_last(struct queue *queue, struct sorted_node *node, u64 time, u64 most) {
    const struct sorted_node *last = sorted_last(&queue->ready);
    if (last && last->key > time) time = MIN(last->key, time + most);
    return queue_add_node(queue, node, time);
}

struct sorted_node *queue_take(struct queue *queue) {
    struct sorted_node *first = sorted_first(&queue->ready);
    if (!first) return NULL;
    sorted_remove(&queue->ready, first);
    __atomic_store_n(&queue->length, queue->length - 1, __ATOMIC_SEQ_CST);
    return first;
}

u64 queue_move(u64 time, u64 from, u64 to) {
    u64 moved = time - from + to; // modulo 2^64, as times before the queue's own are
    bool is_before = time < from && from - time > to;
    return is_before ? 0 : moved;
}
