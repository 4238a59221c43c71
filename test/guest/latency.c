// How late a thread runs that was woken, while others keep the CPU busy; what share each of those
// gets; and that nobody gets more by sleeping now and then. For one CPU on which time counts
// instructions (QEMU's -icount shift=0).
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "waiter.h"

#define BUSY    16
#define MANY    20000
#define LATEST  3000000 // ns
#define KEPT    400000  // by one call: its pieces, and a switch
#define AREAS   60000
#define MUCH    (300ul << 20)
#define MS      1000000ll
#define WAIT    (FUTEX_WAIT | FUTEX_PRIVATE_FLAG)
#define WAKE    (FUTEX_WAKE | FUTEX_PRIVATE_FLAG)
#define REQUEUE (FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG)
#define CHECK(condition, value)                                                                    \
    do {                                                                                           \
        if (!(condition))                                                                          \
            printf("line %d: %s does not hold: %lld\n", __LINE__, #condition, (long long)(value)), \
                exit(1);                                                                           \
    } while (0)

static long long clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000 * MS + t.tv_nsec;
}
static long long now(void) { return clock_ns(CLOCK_MONOTONIC); }
static void sleep_ns(long long ns) {
    nanosleep(&(struct timespec){ns / (1000 * MS), ns % (1000 * MS)}, NULL);
}
static long futex(void *at, long operation, long value, long more, void *at2) {
    return syscall(SYS_futex, at, operation, value, more, at2, 0);
}

static volatile int stop;
static long long used[BUSY];
static volatile int begun;

static void *busy(void *arg) {
    long long *own = arg, before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    __atomic_fetch_add(&begun, 1, __ATOMIC_SEQ_CST);
    while (!stop) {}
    *own = clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
    return NULL;
}

static volatile long long rung, heard, latest;
static uint32_t bell;

static void *listen(void *arg) {
    for (uint32_t last = 0; !stop; last = bell) {
        futex(&bell, WAIT, last, 0, NULL);
        heard = now() - rung;
        if (heard > latest) latest = heard;
    }
    return arg;
}

// Woken by time, by a futex and by poll's timeout.
static void sleepers(void) {
    pthread_t threads[BUSY], listener;
    stop = begun = 0;
    pthread_create(&listener, NULL, listen, NULL);
    for (int i = 0; i < BUSY; i++) pthread_create(&threads[i], NULL, busy, &used[i]);
    while (begun < BUSY) sleep_ns(MS);
    for (int i = 0; i < 20; i++) {
        long long before = now();
        if (i % 2)
            sleep_ns(5 * MS);
        else
            poll(NULL, 0, 5);
        long long late = now() - before - 5 * MS;
        CHECK(late < LATEST, late);
        rung = now();
        bell++;
        futex(&bell, WAKE, 1, 0, NULL);
        sleep_ns(MS);
        CHECK(heard >= 0 && latest < LATEST, latest);
    }
    long long begin = now(), before[BUSY];
    for (int i = 0; i < BUSY; i++) {
        clockid_t clock;
        pthread_getcpuclockid(threads[i], &clock);
        before[i] = clock_ns(clock);
    }
    sleep_ns(1000 * MS);
    long long took = now() - begin;
    for (int i = 0; i < BUSY; i++) {
        clockid_t clock;
        pthread_getcpuclockid(threads[i], &clock);
        long long share = (clock_ns(clock) - before[i]) * BUSY * 100 / took;
        CHECK(share > 95 && share < 105, share);
    }
    stop = 1;
    bell++;
    futex(&bell, WAKE, 1, 0, NULL);
    for (int i = 0; i < BUSY; i++) pthread_join(threads[i], NULL);
    pthread_join(listener, NULL);
}

static void *greedy(void *arg) { // gives the CPU away just before it would be taken
    while (!stop) {
        for (long long begin = now(); now() - begin < 7 * MS / 10;) {}
        sleep_ns(20000);
    }
    return arg;
}

static void shared(void) {
    pthread_t threads[4], sleeper;
    stop = 0;
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, busy, &used[i]);
    pthread_create(&sleeper, NULL, greedy, NULL);
    long long begin = now();
    sleep_ns(400 * MS);
    long long took = now() - begin;
    stop = 1;
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    pthread_join(sleeper, NULL);
    for (int i = 0; i < 4; i++) CHECK(used[i] * 5 * 100 / took > 93, used[i] * 5 * 100 / took);
}

// ---- very many waiters at one word, each a thread that the C library knows nothing of ----

static uint32_t gate, other, left;

static void *tick(void *arg) {
    long long *most = arg;
    while (!stop) {
        long long before = now();
        sleep_ns(200000);
        long long late = now() - before - 200000;
        if (late > *most) *most = late;
    }
    return NULL;
}

static void many(void) {
    static char stack[64] __attribute__((aligned(64)));
    pthread_t ticker;
    long long most = 0;
    for (left = 0; left < MANY; left++)
        CHECK(waiter_make(stack + sizeof stack, &gate, &left) > 0, left);
    while (futex(&gate, REQUEUE, 0, INT_MAX, &gate) != MANY) sleep_ns(10 * MS);
    stop = 0;
    pthread_create(&ticker, NULL, tick, &most);
    for (long long begin = now(); now() - begin < 10 * MS;) {
    } // so that it had more of the CPU than the ticker
    most = 0;
    CHECK(futex(&gate, REQUEUE, 0, INT_MAX, &other) == MANY, 0);
    CHECK(syscall(SYS_futex, &other, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL,
                  0) == -1,
          0);
    stop = 1;
    pthread_join(ticker, NULL);
    CHECK(most < KEPT, most);
    CHECK(futex(&other, WAKE, INT_MAX, 0, NULL) == MANY, 0);
    while (__atomic_load_n(&left, __ATOMIC_SEQ_CST)) sleep_ns(MS);
}

// ---- calls that change much memory ----

static long long most_late;

static void said(const char *what) {
    sleep_ns(MS);
    if (most_late >= LATEST) printf("%s: ", what);
    CHECK(most_late < LATEST, most_late);
    most_late = 0;
}

static void memory(void) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    pthread_t ticker;
    stop = 0;
    pthread_create(&ticker, NULL, tick, &most_late);
    char *areas = mmap(NULL, 2ul * AREAS * 4096, PROT_NONE, flags | MAP_NORESERVE, -1, 0);
    for (unsigned long i = 0; i < AREAS; i++)
        CHECK(!mprotect(areas + i * 8192, 4096, PROT_READ), i);
    said("making areas");
    CHECK(!mprotect(areas, 2ul * AREAS * 4096, PROT_READ), 0);
    said("mprotect of them");
    for (unsigned long i = 0; i < AREAS; i++)
        CHECK(!mprotect(areas + i * 8192, 4096, PROT_NONE), i);
    CHECK(!munmap(areas, 2ul * AREAS * 4096), 0);
    said("munmap of as many");
    char *much = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, -1, 0);
    CHECK(much != MAP_FAILED, 0);
    said("mmap with MAP_POPULATE");
    CHECK(!mprotect(much, MUCH, PROT_READ), 0);
    said("mprotect of it");
    CHECK(!madvise(much, MUCH, MADV_DONTNEED), 0);
    said("madvise of it");
    much = mmap(much, MUCH, PROT_READ | PROT_WRITE, flags | MAP_POPULATE | MAP_FIXED, -1, 0);
    CHECK(much != MAP_FAILED, 0);
    said("mmap in its place");
    CHECK(!munmap(much, MUCH), 0);
    said("munmap of it");
    stop = 1;
    pthread_join(ticker, NULL);
}

// A CPU with nothing to do clears frames that were given back, and looks for who is to be woken
// between two of them.
static void idle(void) {
    for (int i = 0; i < 5; i++) {
        char *much = mmap(NULL, MUCH, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        CHECK(much != MAP_FAILED && !munmap(much, MUCH), i);
        long long before = now();
        sleep_ns(MS / 10);
        long long late = now() - before - MS / 10;
        CHECK(late < KEPT, late);
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "memory")) {
        memory();
    } else if (argc > 1 && !strcmp(argv[1], "idle")) {
        idle();
    } else if (argc > 1) {
        many();
    } else {
        sleepers();
        shared();
    }
    puts("latency ok");
    return 0;
}
