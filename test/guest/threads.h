// What programs with threads share: starting them, giving up with a reason, time, random numbers.
// The first argument is how many threads (0 or none: one per CPU, at least 2), the second how much
// of each part's rounds, in per cent.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE    4096ul
#define LARGE   (2ul << 20)
#define RW      (PROT_READ | PROT_WRITE)
#define ANON    (MAP_PRIVATE | MAP_ANONYMOUS)
#define THREADS 256
#define SECOND  1000000000ll
#define FAIL(...)                                                                                  \
    do { fail(__LINE__, __VA_ARGS__); } while (0)
#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) fail(__LINE__, "%s does not hold, errno %d", #condition, errno);         \
    } while (0)

static int threads = 0, percent = 100;
static pthread_barrier_t meeting;

__attribute__((noreturn, format(printf, 2, 3))) static void fail(int line, const char *format,
                                                                 ...) {
    char text[400];
    va_list list;
    va_start(list, format);
    int length = snprintf(text, sizeof text, "line %d: ", line);
    length += vsnprintf(text + length, sizeof text - (size_t)length - 1, format, list);
    text[length++] = '\n';
    if (write(1, text, (size_t)length)) _exit(1);
    _exit(1);
}

static inline int cpus(void) {
    cpu_set_t set[4] = {0}; // 4096 CPUs
    WANT(sched_getaffinity(0, sizeof set, set) == 0);
    return CPU_COUNT_S(sizeof set, set);
}

static inline void arguments(int count, char **words) {
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (count > 1) threads = atoi(words[1]);
    if (count > 2) percent = atoi(words[2]);
    if (threads <= 0) threads = cpus() > 1 ? cpus() : 2;
    if (threads > THREADS) FAIL("at most %d threads", THREADS);
    WANT(pthread_barrier_init(&meeting, NULL, (unsigned)threads) == 0);
}

// A count of rounds, as the second argument has it.
static inline int rounds(int full) { return full * percent / 100 > 0 ? full * percent / 100 : 1; }

static inline void meet(void) {
    int result = pthread_barrier_wait(&meeting);
    if (result && result != PTHREAD_BARRIER_SERIAL_THREAD) FAIL("barrier: %d", result);
}

static inline pthread_t start(void *(*body)(void *), void *argument) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, body, argument);
    if (error) FAIL("no thread: error %d", error);
    return thread;
}

// body(0) to body(count - 1), each in a thread of its own, to their ends; each returns its
// argument.
static inline void all_of(int count, void *(*body)(void *)) {
    pthread_t thread[THREADS * 4];
    for (intptr_t i = 0; i < count; i++) thread[i] = start(body, (void *)i);
    for (intptr_t i = 0; i < count; i++) {
        void *result = NULL;
        WANT(pthread_join(thread[i], &result) == 0);
        if (result != (void *)i) FAIL("thread %d of %d returned %p", (int)i, count, result);
    }
}

static inline void part(const char *name, void *(*body)(void *)) {
    all_of(threads, body);
    printf("%s ok\n", name);
}

// By the system call: never by the vDSO that other systems have.
static inline int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    if (syscall(SYS_clock_gettime, clock, &t)) FAIL("clock %d", (int)clock);
    return t.tv_sec * SECOND + t.tv_nsec;
}
static inline int64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

// What only holds where nobody else runs is left out elsewhere: there the first process has a
// parent.
static inline int is_vmos(void) { return getpid() == 1 && getppid() == 0; }

static inline struct timespec timespec_of(int64_t ns) {
    return (struct timespec){ns / SECOND, ns % SECOND};
}

static inline uint64_t below(uint64_t *state, uint64_t n) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % n;
}
static inline uint64_t seed(intptr_t me) {
    return 88172645463325252ull + (uint64_t)me * 0x9e3779b97f4a7c15ull;
}

// The APIC id by which the CPU knows itself, whatever the kernel says.
static inline unsigned apic_id(void) {
    unsigned a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return b >> 24;
}

static inline char *map(void *at, size_t bytes, int rights, int flags) {
    char *p = mmap(at, bytes, rights, ANON | flags, -1, 0);
    if (p == MAP_FAILED) FAIL("no mapping of %zu KiB: errno %d", bytes / 1024, errno);
    return p;
}
