// Threads on all CPUs read the clocks, as often as the argument says, by turns by the system call
// and as the C library does it: none sees an earlier time than another one has seen before. The
// CPUs' numbers are the same in both ways.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4

static struct {
    clockid_t clock;
    const char *name;
    long long seen;
} clocks[] = {{CLOCK_MONOTONIC, "monotonic", 0}, {CLOCK_REALTIME, "wall", 0}};
static int wrong, reads = 20000;

// False when it is wrong; a thread that is moved meanwhile tries again.
static int cpu_is_right(void) {
    unsigned before, after;
    int number;
    do {
        syscall(SYS_getcpu, &before, NULL, NULL);
        number = sched_getcpu();
        syscall(SYS_getcpu, &after, NULL, NULL);
    } while (before != after);
    return number == (int)before;
}

static void *work(void *unused) {
    (void)unused;
    for (int i = 0; i < reads; i++) {
        int which = i % 8 > 5;
        long long *seen = &clocks[which].seen, before = __atomic_load_n(seen, __ATOMIC_SEQ_CST),
                  now;
        struct timespec t;
        if (i % 2 ? clock_gettime(clocks[which].clock, &t)
                  : syscall(SYS_clock_gettime, clocks[which].clock, &t))
            __atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST);
        now = t.tv_sec * 1000000000ll + t.tv_nsec;
        if (now < before && !__atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST))
            printf("the %s clock went back by %lld ns in round %d\n", clocks[which].name,
                   before - now, i);
        while (now > before && !__atomic_compare_exchange_n(seen, &before, now, 0, __ATOMIC_SEQ_CST,
                                                            __ATOMIC_SEQ_CST)) {}
        if (i % 100 == 0 && !cpu_is_right() && !__atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST))
            printf("the CPU's number is wrong in round %d\n", i);
        if (i % 1000 == 0)
            nanosleep(&(struct timespec){0, 100000}, NULL); // perhaps it wakes on another CPU
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    if (argc > 1) reads = atoi(argv[1]);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, NULL)) return puts("no thread"), 1;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    if (wrong) return printf("%d times\n", wrong), 1;
    puts("clock_threads ok");
    return 0;
}
