// The queues of those who wait (waiting.h). Lock order: a queue's lock, then a CPU's queue, which
// thread_wake() takes.
#include "kernel/thread/waiting.h"

#include "kernel/memory/window.h"
#include "kernel/thread/thread.h"
#include "kernel/memory/promises.h"

// who is woken before the lock is given back
#define PIECE 32

#define WAITERS_IN_PAGE ((PAGE_SIZE - 2 * sizeof(u64)) / sizeof(struct waiter))

// A thread that is in several queues has its other waiters in pages, each of which names the next.
struct waiter_page {
    paddr next;
    u64 count;
    struct waiter waiters[WAITERS_IN_PAGE];
};

static struct waiter_page *wait_page(paddr page) { return window(page); }

static struct waiter *wait_free_one(struct thread *thread) {
    paddr *first = &thread->waiter_page;
    if (!sorted_in(&thread->waiter.node)) return &thread->waiter;
    if (!first->at || wait_page(*first)->count == WAITERS_IN_PAGE) {
        paddr page = promises_page(OWNER_THREADS, false);
        if (!page.at) return NULL;
        wait_page(page)->next = *first;
        wait_page(page)->count = 0;
        *first = page;
    }
    return &wait_page(*first)->waiters[wait_page(*first)->count++];
}

bool wait_join(struct thread *thread, struct wait_queue *queue, struct file *file) {
    struct waiter *waiter = wait_free_one(thread);
    if (!waiter) return false;
    *waiter = (struct waiter){.queue = queue, .thread = thread, .file = file};
    lock_take(&queue->lock);
    sorted_add(&queue->waiting, &waiter->node, ++queue->arrivals, 0);
    lock_give(&queue->lock);
    return true;
}

s64 wait_for(struct thread *thread, struct wait_queue *queue) {
    // A signal ends it with the bytes that it has moved; without any it may be made anew.
    thread->on_signal = CALL_RESTARTS;
    if (thread->record.done) thread->on_signal = (s64)thread->record.done;
    if (sorted_in(&thread->waiter.node)) return CALL_WAITS; // this was the second look
    thread->looks_again = wait_join(thread, queue, NULL);   // the first place needs no memory
    return CALL_WAITS;
}

// Until it leaves, a thread whose waiter is woken does not end.
static void wait_wake_some(struct wait_queue *queue, int most) {
    struct sorted_node *node;
    while (most-- && (node = sorted_first(&queue->waiting)) && node->key <= queue->until) {
        sorted_move(&queue->waiting, &queue->woken, node, node->key, 0);
        thread_wake(((struct waiter *)node)->thread);
    }
}

void wait_wake(struct wait_queue *queue) {
    lock_take(&queue->lock);
    queue->until = queue->arrivals;
    wait_wake_some(queue, PIECE);
    lock_give(&queue->lock);
}

static void wait_leave_one(struct waiter *waiter) {
    struct wait_queue *queue = waiter->queue;
    lock_take(&queue->lock);
    sorted_remove(sorted_in(&waiter->node), &waiter->node);
    wait_wake_some(queue, 1);
    lock_give(&queue->lock);
    if (waiter->file) thread_hooks->release(waiter->file);
}

bool wait_leave(struct thread *thread, u32 most) {
    while (thread->waiter_page.at && most) {
        paddr page = thread->waiter_page;
        struct waiter_page *many = wait_page(page);
        for (; many->count && most; most--) wait_leave_one(&many->waiters[--many->count]);
        if (many->count) return false;
        thread->waiter_page = many->next;
        promises_give(OWNER_THREADS, page, false);
    }
    if (thread->waiter_page.at) return false;
    if (sorted_in(&thread->waiter.node)) wait_leave_one(&thread->waiter);
    return true;
}
