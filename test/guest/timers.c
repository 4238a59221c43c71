// Time with many threads: no clock runs backwards for anybody, no sleep and no timeout ends early,
// and what wakes whom is counted on both sides.
#include "threads.h"

#define LATE (20 * SECOND) // a limit for hangs: an emulator on a busy machine is late by seconds

static int futex(_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *time,
                 uint32_t bits) {
    return syscall(SYS_futex, word, operation, value, time, NULL, bits) < 0 ? -errno : 0;
}

// What one thread has read, no other may read less of later.
static void *monotonic(void *me) {
    static _Atomic int64_t latest[2];
    static const clockid_t clocks[2] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    for (int n = rounds(2000), i = 0; i < n; i++) {
        int64_t seen = latest[i % 2], now = clock_ns(clocks[i % 2]);
        if (now < seen) FAIL("clock %d ran back by %ld ns", i % 2, (long)(seen - now));
        while (seen < now && !atomic_compare_exchange_weak(&latest[i % 2], &seen, now)) {}
        if (i % 512 == 0) sched_yield();
    }
    return me;
}

static void lasted(const char *what, int64_t since, int64_t asked) {
    int64_t took = now_ns() - since;
    if (took < asked || took > asked + LATE)
        FAIL("%s of %ld ns took %ld", what, (long)asked, (long)took);
}

static void *sleeps(void *me) {
    uint64_t random = seed((intptr_t)me);
    for (int n = rounds(40), i = 0; i < n; i++) {
        int64_t ns = (int64_t)below(&random, i % 8 ? 3000000 : 30000000), since = now_ns();
        struct timespec time = timespec_of(ns), until = timespec_of(since + ns);
        struct timespec day = timespec_of(clock_ns(CLOCK_REALTIME) + ns);
        switch (i % 4) {
        case 0: WANT(nanosleep(&time, NULL) == 0); break;
        case 1: WANT(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0); break;
        case 2: WANT(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL) == 0); break;
        default:
            WANT(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &day, NULL) == 0);
            WANT(clock_ns(CLOCK_REALTIME) >= day.tv_sec * SECOND + day.tv_nsec);
            ns -= 1000000; // the clocks are two
        }
        lasted("a sleep", since, ns);
    }
    return me;
}

static void *timeouts(void *me) {
    uint64_t random = seed((intptr_t)me);
    _Atomic uint32_t word = 3;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never = PTHREAD_COND_INITIALIZER;
    sem_t empty;
    sem_init(&empty, 0, 0);
    for (int n = rounds(24), i = 0; i < n; i++) {
        int64_t ns = 1 + (int64_t)below(&random, 5000000), since = now_ns(),
                wall = clock_ns(CLOCK_REALTIME);
        struct timespec time = timespec_of(ns), until = timespec_of(since + ns),
                        day = timespec_of(wall + ns);
        switch (i % 6) {
        case 0: WANT(futex(&word, 128, 3, &time, 0) == -ETIMEDOUT); break;        // WAIT
        case 1: WANT(futex(&word, 128 + 9, 3, &until, -1u) == -ETIMEDOUT); break; // WAIT_BITSET
        case 2:
            WANT(futex(&word, 128 + 9 + 256, 3, &day, -1u) == -ETIMEDOUT);
            break; // and CLOCK_REALTIME
        case 3: WANT(futex(&word, 128, 4, &time, 0) == -EAGAIN); continue;
        case 4: WANT(sem_timedwait(&empty, &day) == -1 && errno == ETIMEDOUT); break;
        default:
            pthread_mutex_lock(&mutex);
            WANT(pthread_cond_timedwait(&never, &mutex, &day) == ETIMEDOUT);
            pthread_mutex_unlock(&mutex);
        }
        lasted("a timeout", since, ns - (i % 6 == 2 || i % 6 > 3 ? 1000000 : 0));
    }
    return me;
}

// Even threads wait on words with short timeouts, odd ones wake: as many waits end woken as wakes
// say they woke.
static _Atomic uint32_t words[4];
static _Atomic long woken, wakes, sleepers;

static void *races(void *me) {
    uint64_t random = seed((intptr_t)me);
    if ((intptr_t)me % 2 == 0) {
        sleepers++;
        for (int n = rounds(150); n; n--) {
            _Atomic uint32_t *word = &words[below(&random, 4)];
            int64_t ns = (int64_t)below(&random, 1000000), since = now_ns();
            struct timespec time = timespec_of(ns);
            int result = futex(word, 128, 0, &time, 0);
            if (result == 0)
                woken++;
            else if (result != -ETIMEDOUT)
                FAIL("futex: %d", result);
            else
                lasted("a timeout", since, ns);
        }
        sleepers--;
    } else {
        do {
            long result = syscall(SYS_futex, &words[below(&random, 4)], 128 + 1,
                                  1 + below(&random, 3), NULL, NULL, 0);
            if (result < 0 || result > 3) FAIL("wake: %ld", result);
            wakes += result;
            if (below(&random, 4) == 0)
                nanosleep(&(struct timespec){0, (long)below(&random, 500000)}, NULL);
        } while (sleepers);
    }
    meet();
    if (woken != wakes) FAIL("%ld waits ended woken, %ld were woken", woken, wakes);
    return me;
}

// A herd with one timeout for all: nobody is forgotten.
static void *herd(void *me) {
    static _Atomic int64_t until;
    static _Atomic uint32_t word;
    for (int n = rounds(5); n; n--) {
        if (!me) until = now_ns() + 20000000;
        meet();
        struct timespec time = timespec_of(until);
        WANT(futex(&word, 128 + 9, 0, &time, -1u) == -ETIMEDOUT);
        lasted("the herd's timeout", until, 0);
        meet();
    }
    return me;
}

int main(int argc, char **argv) {
    arguments(argc, argv);
    part("monotonic", monotonic);
    part("sleeps", sleeps);
    part("timeouts", timeouts);
    part("races", races);
    part("herd", herd);
    puts("timers ok");
    return 0;
}
