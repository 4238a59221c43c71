// Who waits for the terminal: for input, or for room for output. A thread is in the list from
// events_wait() on until a waker takes it out, or it leaves by itself when its call is executed
// anew. So no event is lost that comes after the thread looked in vain, was queued, and looked
// again.
#include "kernel/program/program.h"

// who is woken before the lock is given back; the rest has to wait for the next time
#define PIECE 256

static struct lock lock;
static struct sorted waiters; // by events and arrival
static u64 arrivals;
static u64 until[EVENT_ALL +
                 1]; // by events: of those who wait for them, who came until then is to be woken
static bool more;

void events_leave(struct thread *thread) {
    if (!sorted_in(&thread->event)) return;
    lock_take(&lock);
    if (sorted_in(&thread->event)) sorted_remove(&waiters, &thread->event);
    lock_give(&lock);
}

void events_wait(struct thread *thread, u8 events) {
    events_leave(thread);
    lock_take(&lock);
    sorted_add(&waiters, &thread->event, events, ++arrivals);
    lock_give(&lock);
}

// Until it is taken out a thread gets no further than events_leave(); then it may end, and be gone.
static void events_wake_some(u8 events) {
    int woken = 0;
    bool left = false;
    lock_take(&lock);
    for (unsigned kind = 1; kind <= EVENT_ALL; kind++)
        if (kind & events) until[kind] = arrivals;
    for (unsigned kind = 1; kind <= EVENT_ALL && !left; kind++) {
        struct sorted_node *node;
        while ((node = sorted_from(&waiters, kind, 0)) && node->key == kind &&
               node->then <= until[kind]) {
            left = woken++ == PIECE;
            if (left) break;
            thread_wake(THREAD_OF(node, event));
            sorted_remove(&waiters, node);
        }
    }
    __atomic_store_n(&more, left, __ATOMIC_RELAXED);
    lock_give(&lock);
}

void events_happen(u8 events) { events_wake_some(events); }

// Called by each CPU that looks for a thread to run, so that those who were woken wake the rest.
void events_rest(void) {
    if (__atomic_load_n(&more, __ATOMIC_RELAXED)) events_wake_some(0);
}
