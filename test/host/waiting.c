// waiting.c with random queues, waiters and wake-ups: whoever waited when something happened is
// woken once those before it have left, whoever came later is not, and files and pages go back.
#include <stdlib.h>
#include "kernel/thread/waiting.c"
#include "kernel/file/files.h"
#undef __unused
#include "kernel/lib/sorted.c"
#include "test/check.h"
#include "test/random.h"

#define QUEUES  4
#define THREADS 700 // more than one wake-up wakes
#define TURNS   300

u64 window_base;
static struct thread threads[THREADS];
static struct wait_queue queues[QUEUES];
static struct file files[QUEUES]; // each with the queue of that number
static struct {
    bool woken, due; // due: something happened that it waited for
} is[THREADS];
static int pages;

// ---- the rest of the kernel ----

void panic(const char *fmt, ...) {
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}
void lock_take(struct lock *lock) {
    CHECK(!lock->taken);
    lock->taken = true;
}
paddr promises_page(enum owner owner, bool promised) {
    CHECK(owner == OWNER_THREADS && !promised);
    pages++;
    return (paddr){(u64)aligned_alloc(PAGE_SIZE, PAGE_SIZE)};
}
void promises_give(enum owner owner, paddr page, bool promised) {
    CHECK(owner == OWNER_THREADS && !promised);
    pages--;
    free((void *)page.at);
}
void thread_wake(struct thread *thread) { is[thread - threads].woken = true; }
static void release(struct file *file) { file->count--; }
const struct thread_hooks *thread_hooks = &(const struct thread_hooks){.release = release};

// ---- the test ----

static void join_some(int number) {
    struct thread *thread = &threads[number];
    unsigned count = random_below(20) ? 1 + random_below(3) : 150;
    is[number].woken = is[number].due = false;
    if (!random_below(3)) {
        thread->looks_again = false;
        CHECK(wait_for(thread, &queues[random_below(QUEUES)]) == CALL_WAITS && thread->looks_again);
        thread->looks_again = false;
        CHECK(wait_for(thread, &queues[0]) == CALL_WAITS && !thread->looks_again);
        return;
    }
    while (count--) {
        unsigned queue = random_below(QUEUES);
        files[queue].count++;
        CHECK(wait_join(thread, &queues[queue], &files[queue]));
    }
}

static void mark_due(const struct sorted *list) {
    for (struct sorted_node *node = sorted_first(list); node; node = sorted_next(node))
        is[((struct waiter *)node)->thread - threads].due = true;
}

static void happen(struct wait_queue *queue) {
    mark_due(&queue->waiting);
    wait_wake(queue);
}

// As the scheduler executes the calls of those who are woken.
static void run_all(void) {
    for (bool again = true; again;) {
        again = false;
        for (int number = 0; number < THREADS; number++) {
            if (!is[number].woken) continue;
            again = true;
            CHECK(is[number].due);
            (void)wait_leave(&threads[number], ~0u);
            is[number].woken = is[number].due = false;
        }
    }
    for (int number = 0; number < THREADS; number++) CHECK(!is[number].due);
}

int main(void) {
    for (int turn = 0; turn < TURNS; turn++) {
        unsigned most = random_below(THREADS);
        for (unsigned i = 0; i < most; i++) {
            int number = (int)random_below(THREADS);
            if (!sorted_in(&threads[number].waiter.node)) join_some(number);
        }
        for (unsigned i = random_below(3); i < 3; i++) happen(&queues[random_below(QUEUES)]);
        // One that comes between a wake-up and the end of it waits for the next one.
        int late = (int)random_below(THREADS);
        if (!sorted_in(&threads[late].waiter.node)) join_some(late);
        run_all();
    }
    for (int number = 0; number < THREADS; number++) (void)wait_leave(&threads[number], ~0u);
    for (int queue = 0; queue < QUEUES; queue++)
        CHECK(!sorted_first(&queues[queue].waiting) && !sorted_first(&queues[queue].woken) &&
              !files[queue].count);
    CHECK(!pages);
    return check_done("waiting");
}
