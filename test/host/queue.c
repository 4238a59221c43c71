// queue.c and sorted.c: a CPU whose threads run, sleep, yield, end and make others, in simulated
// time. Nobody gets more than its share, whoever ran little runs soon, and each yield lets all
// others run.
#include <stdlib.h>
#include "kernel/thread/queue.c"
#include "kernel/lib/sorted.c"
#include "test/check.h"

#define MS      1000000ull
#define CREDIT  (3 * MS)
#define THREADS 64

void panic(const char *fmt, ...) {
    printf("panic: %s\n", fmt);
    abort();
}

static struct simulated {
    struct sorted_node node;
    u64 time, ran, runs, wakes_at, late; // runs: at a time, then it sleeps; 0: it never sleeps
    u64 sleeps;
    bool asleep;
} all[THREADS];
static struct queue queue;
static u64 now, current_time;

static struct simulated *simulated_of(struct sorted_node *node) {
    return (struct simulated *)((u8 *)node - offsetof(struct simulated, node));
}

static void wake_those_due(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (!all[i].asleep || all[i].wakes_at > now) continue;
        all[i].asleep = false;
        queue_now(&queue, current_time);
        all[i].time = queue_add(&queue, &all[i].node, all[i].time, CREDIT);
    }
}

// As the scheduler does it, in steps of 50 us, without the check at a wake-up: slices alone decide.
static void run(unsigned count, u64 ns) {
    for (u64 end = now + ns; now < end;) {
        wake_those_due(count);
        queue_now(&queue, current_time);
        struct sorted_node *node = queue_take(&queue);
        if (!node) {
            now += MS / 20;
            continue;
        }
        struct simulated *thread = simulated_of(node);
        if (thread->wakes_at) thread->late = MAX(thread->late, now - thread->wakes_at);
        u64 slice = queue_slice(queue.length),
            turn = thread->runs ? MIN(thread->runs, slice) : slice, begin = now;
        for (current_time = thread->time; now - begin < turn; now += MS / 20) {
            current_time = thread->time + now - begin;
            wake_those_due(count);
        }
        current_time = thread->time += now - begin;
        thread->ran += now - begin;
        thread->wakes_at = 0;
        queue_now(&queue, current_time);
        if (thread->runs) {
            thread->asleep = true;
            thread->wakes_at = now + thread->sleeps;
        } else {
            queue_add(&queue, &thread->node, thread->time, CREDIT);
        }
    }
}

static void begin(unsigned count) {
    queue = (struct queue){0};
    now = current_time = 0;
    for (unsigned i = 0; i < count; i++) {
        all[i] = (struct simulated){0};
        queue_add(&queue, &all[i].node, 0, 0);
    }
}

static void shares(void) {
    begin(16);
    run(16, 1000 * MS);
    for (int i = 0; i < 16; i++) CHECK(all[i].ran * 16 > 950 * MS && all[i].ran * 16 < 1050 * MS);
}

// It sleeps for a moment whenever it is about to lose the CPU: the others still get their shares.
static void greedy(void) {
    for (u64 runs = MS / 10; runs < 4 * MS; runs *= 2) {
        begin(5);
        all[4].runs = runs;
        all[4].sleeps = MS / 20;
        run(5, 2000 * MS);
        for (int i = 0; i < 4; i++) CHECK(all[i].ran * 5 > 1900 * MS);
    }
}

static void sleepers(void) {
    begin(32);
    for (int i = 16; i < 32; i++) all[i].runs = MS / 20, all[i].sleeps = (u64)(i - 10) * MS;
    run(32, 1000 * MS);
    for (int i = 16; i < 32; i++) CHECK(all[i].ran > 0 && all[i].late < 3 * MS);
}

// One that slept for long is not ahead for long.
static void credit(void) {
    begin(3);
    all[2].runs = MS / 20;
    all[2].sleeps = 5000 * MS;
    run(3, 6000 * MS);
    all[2].runs = 0;
    u64 before = all[2].ran, others = all[0].ran + all[1].ran;
    run(3, 300 * MS);
    CHECK(all[2].ran - before < 100 * MS + 2 * CREDIT &&
          all[0].ran + all[1].ran - others > 200 * MS - 2 * CREDIT);
}

static void yields(void) {
    begin(8);
    bool seen[8] = {0};
    for (int i = 0; i < 8; i++) {
        struct simulated *thread = simulated_of(queue_take(&queue));
        CHECK(!seen[thread - all]);
        seen[thread - all] = true;
        thread->time = queue_add_last(&queue, &thread->node, thread->time + 100, CREDIT);
    }
    struct simulated *thread = simulated_of(queue_take(&queue)); // pays a credit at most
    all[7].time = 0;
    CHECK(queue_add_last(&queue, &thread->node, 0, 50) == 50);
}

static void moves(void) {
    CHECK(queue_move(100, 80, 1000) == 1020 && queue_move(80, 100, 1000) == 980 &&
          queue_move(0, 100, 50) == 0);
    CHECK(queue_move(5, 5, 0) == 0);
    CHECK(queue_slice(1) == MS * 5 / 2 && queue_slice(3) == MS * 5 / 2 &&
          queue_slice(15) == MS * 3 / 4);
    CHECK(queue_slice(UINT32_MAX) == MS * 3 / 4);
}

// Against an array, and each node knows where it is.
static void sorted_model(void) {
    static struct sorted_node nodes[200];
    struct sorted lists[2] = {0};
    srand(1);
    for (int turn = 0; turn < 20000; turn++) {
        struct sorted_node *node = &nodes[rand() % 200];
        struct sorted *list = &lists[rand() % 2];
        if (sorted_in(node))
            sorted_remove(sorted_in(node), node);
        else
            sorted_add(list, node, (u64)rand() % 20, (u64)(node - nodes));
        u64 key = (u64)rand() % 22, then = (u64)rand() % 200, in = 0, walked = 0;
        struct sorted_node *wanted = NULL, *last = NULL;
        for (int i = 0; i < 200; i++) {
            struct sorted_node *one = &nodes[i];
            if (one->in != list) continue;
            in++;
            bool behind = one->key > key || (one->key == key && one->then >= then);
            if (behind && (!wanted || sorted_compare(one, wanted) < 0)) wanted = one;
        }
        CHECK(sorted_from(list, key, then) == wanted);
        for (struct sorted_node *at = sorted_first(list); at;
             last = at, at = sorted_next(at), walked++)
            CHECK(!last || sorted_compare(last, at) < 0);
        CHECK(walked == in && sorted_last(list) == last);
    }
}

int main(void) {
    shares();
    greedy();
    sleepers();
    credit();
    yields();
    moves();
    sorted_model();
    return check_done("queue");
}
