// Which of the threads that are ready on a CPU runs next: the one that had least of it. Each has a
// virtual time, TSC ticks that it ran or was not there for; they are queued by it, so that all get
// the same share, whatever they do in between. It is what Linux's CFS does, without weights. Pure:
// the caller has the lock and the clock.
//
// A thread that slept comes back with its own time, but at most a credit before all others: one
// that ran little runs at once, and one that sleeps and runs a lot gets no more than its share for
// long. Virtual times of two CPUs have nothing to do with each other: who moves keeps its distance
// from the queue's own time.
#pragma once

#include "kernel/lib/types.h"
#include "kernel/lib/sorted.h"

struct queue {
    struct sorted ready; // by virtual time, then by arrival
    u32 length;
    u64 arrivals;
    // Of the queue: what the last one of all had, as far as it was looked at. It never goes back.
    u64 time;
};

u64 queue_now(struct queue *queue, u64 current);
u64 queue_add(struct queue *queue, struct sorted_node *node, u64 time, u64 credit);
u64 queue_add_last(struct queue *queue, struct sorted_node *node, u64 time, u64 most);
struct sorted_node *queue_take(struct queue *queue);
u64 queue_move(u64 time, u64 from, u64 to);
u64 queue_slice(u32 waiting);
