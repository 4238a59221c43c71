// The queues of signals, and the pool of their items: pages that are taken when a signal finds no
// free item, and kept for the next ones.
#include "kernel/thread/sigqueue.h"

#include "kernel/memory/promises.h"
#include "kernel/memory/window.h"

#define ITEMS_MOST 8192 // in all queues together: each keeps memory that the program does not see

struct signal_item {
    struct signal_item *next;
    struct signal_info info;
};

static struct signal_item *spare;
static u32 made;

static bool sigqueue_grow(void) {
    const u32 items = PAGE_SIZE / sizeof(struct signal_item);
    if (made + items > ITEMS_MOST) return false;
    paddr page = promises_page(OWNER_THREADS, false);
    if (!page.at) return false;
    struct signal_item *item = window(page);
    for (u32 i = 0; i < items; i++, item++) {
        item->next = spare;
        spare = item;
    }
    made += items;
    return true;
}

static void sigqueue_give(struct signal_item *item) {
    item->next = spare;
    spare = item;
}

bool sigqueue_add(struct signal_queue *queue, const struct signal_info *info) {
    if (!spare && !sigqueue_grow()) return false;
    struct signal_item *item = spare;
    spare = item->next;
    item->next = NULL;
    item->info = *info;
    if (queue->last)
        queue->last->next = item;
    else
        queue->first = item;
    queue->last = item;
    return true;
}

// Takes an item out that stands behind another one, or (NULL) is the first. Returns the next one.
static struct signal_item *sigqueue_remove(struct signal_queue *queue, struct signal_item *before,
                                           struct signal_item *item) {
    struct signal_item *next = item->next;
    if (before)
        before->next = next;
    else
        queue->first = next;
    if (!next) queue->last = before;
    sigqueue_give(item);
    return next;
}

bool sigqueue_take(struct signal_queue *queue, int signal, struct signal_info *info, bool *more) {
    bool found = false;
    struct signal_item *before = NULL;
    struct signal_item *item = queue->first;
    *info = (struct signal_info){.signal = signal}; // SI_USER, of process 0
    *more = false;
    while (item && !*more) {
        bool is_one = item->info.signal == signal;
        if (is_one && found) *more = true;
        if (is_one && !found) {
            *info = item->info;
            found = true;
            item = sigqueue_remove(queue, before, item);
        } else {
            before = item;
            item = item->next;
        }
    }
    return found;
}

void sigqueue_forget(struct signal_queue *queue, int signal) {
    struct signal_item *before = NULL;
    for (struct signal_item *item = queue->first; item;) {
        if (!signal || item->info.signal == signal) {
            item = sigqueue_remove(queue, before, item);
        } else {
            before = item;
            item = item->next;
        }
    }
}
