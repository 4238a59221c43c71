// Who waits for something to happen to an object. The object has a queue for each thing that can
// happen to it; a thread is in a queue from when its call looked in vain until the call is executed
// anew. So no event is lost that comes after the thread looked, was queued, and looked again.
//
// A wake-up is for all who came before it. The waker wakes the first ones only, since threads are
// as many as the program likes; each of those wakes another one when it leaves.
#pragma once

#include "kernel/cpu/lock.h"
#include "kernel/lib/sorted.h"

struct file;
struct thread;

struct wait_queue { // begins as WAIT_QUEUE
    struct lock lock;
    struct sorted waiting; // by arrival
    struct sorted woken;   // these leave by themselves
    u64 arrivals;
    u64 until; // who came until then is to be woken
};

#define WAIT_QUEUE                                                                                 \
    {                                                                                              \
        .lock = {.rank = LOCK_WAITING }                                                            \
    }

struct waiter {
    struct sorted_node node; // in a queue's waiting or woken
    struct wait_queue *queue;
    struct thread *thread;
    struct file *file; // which has the queue, counted; NULL: the thread's record has it
};

// A call looked in vain: its thread is in the queue from here on, and it looks once more before it
// waits. Returns CALL_WAITS, which the call returns.
s64 wait_for(struct thread *thread, struct wait_queue *queue);
// For a call that waits for several things, and looks after it has joined their queues. file: has
// the queue, and is held by the caller; the thread releases it when it leaves; NULL: none. False:
// no memory, and nothing has changed.
bool wait_join(struct thread *thread, struct wait_queue *queue, struct file *file) MUST_USE;
// The thread leaves so many queues at most; whether it is in none now.
bool wait_leave(struct thread *thread, u32 most);
// Something happened. Whoever calls it keeps the queue from going.
void wait_wake(struct wait_queue *queue);
