// Who waits for the terminal: for input, or for room for output. A thread is in the queue from events_wait() on until a
// waker takes it out, or it leaves by itself when its call is executed anew. So no event is lost that comes after the
// thread looked in vain, was queued, and looked again.
#include "kernel/program/program.h"

static struct lock lock;                     // of the queue
static struct thread *first, **end = &first; // by arrival

static void take_out(struct thread *thread) {
    *thread->event_link = thread->event_next;
    if (thread->event_next) thread->event_next->event_link = thread->event_link;
    else end = thread->event_link;
}

void events_wait(struct thread *thread, u8 events) {
    lock_take(&lock);
    if (thread->events) take_out(thread);
    __atomic_store_n(&thread->events, events, __ATOMIC_RELAXED);
    thread->event_next = NULL;
    thread->event_link = end;
    *end = thread;
    end = &thread->event_next;
    lock_give(&lock);
}

void events_leave(struct thread *thread) {
    if (!__atomic_load_n(&thread->events, __ATOMIC_ACQUIRE)) return;
    lock_take(&lock);
    if (thread->events) take_out(thread);
    thread->events = 0;
    lock_give(&lock);
}

// Until its field is 0 a thread gets no further than events_leave(); then it may end, and be gone.
void events_happen(u8 events) {
    lock_take(&lock);
    for (struct thread *thread = first, *next; thread; thread = next) {
        next = thread->event_next;
        if (!(thread->events & events)) continue;
        take_out(thread);
        thread_wake(thread);
        __atomic_store_n(&thread->events, 0, __ATOMIC_RELEASE);
    }
    lock_give(&lock);
}
