// Threads by the C library: what POSIX promises of them must hold. With an argument: ways to end,
// each with its status.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define THREADS 16
#define ROUNDS  2000
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            printf("line %d: %s does not hold, errno %d\n", __LINE__, #condition, errno), exit(1); \
    } while (0)

static void *nothing(void *arg) { return arg; }

static long long now(clockid_t clock) {
    struct timespec t;
    CHECK(!clock_gettime(clock, &t));
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static struct timespec later(clockid_t clock, long long ns) {
    ns += now(clock);
    return (struct timespec){ns / 1000000000, ns % 1000000000};
}

static void run_all(void *(*run)(void *), int count) {
    pthread_t threads[count];
    for (int i = 0; i < count; i++)
        CHECK(!pthread_create(&threads[i], NULL, run, (void *)(intptr_t)i));
    for (int i = 0; i < count; i++) {
        void *result;
        CHECK(!pthread_join(threads[i], &result) && result == (void *)(intptr_t)i);
    }
}

// ---- mutual exclusion, and registers that survive being preempted ----

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long shared;

static void *add(void *arg) {
    double sum = 0;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        shared++;
        pthread_mutex_unlock(&mutex);
        sum += 1.0 / (i + 1 + (intptr_t)arg);
    }
    double again = 0;
    for (int i = 0; i < ROUNDS; i++) again += 1.0 / (i + 1 + (intptr_t)arg);
    CHECK(sum == again);
    return arg;
}

static void mutexes(void) {
    run_all(add, THREADS);
    CHECK(shared == THREADS * ROUNDS);
}

// ---- condition variables: a queue of one, many producers and consumers ----

static pthread_cond_t full = PTHREAD_COND_INITIALIZER, empty = PTHREAD_COND_INITIALIZER;
static long slot, taken;

static void *produce_or_consume(void *arg) {
    bool produces = (intptr_t)arg % 2;
    for (int i = 0; i < ROUNDS / 4; i++) {
        pthread_mutex_lock(&mutex);
        if (produces) {
            while (slot) pthread_cond_wait(&empty, &mutex);
            slot = i + 1;
            if (i % 2)
                pthread_cond_signal(&full);
            else
                pthread_cond_broadcast(&full);
        } else {
            while (!slot) pthread_cond_wait(&full, &mutex);
            taken += slot;
            slot = 0;
            if (i % 2)
                pthread_cond_broadcast(&empty);
            else
                pthread_cond_signal(&empty);
        }
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void conditions(void) {
    run_all(produce_or_consume, THREADS);
    CHECK(taken == THREADS / 2 * (ROUNDS / 4) * (ROUNDS / 4 + 1l) / 2);
}

// ---- barriers, TLS, semaphores ----

static pthread_barrier_t barrier;
static atomic_int passed;
static __thread intptr_t own = 42;
static sem_t semaphore;

static void *meet(void *arg) {
    CHECK(own == 42);
    own = (intptr_t)arg;
    for (int i = 0; i < 50; i++) {
        CHECK(passed / THREADS == i);
        pthread_barrier_wait(&barrier);
        passed++;
        pthread_barrier_wait(&barrier);
        if (i % 16 == own) sem_post(&semaphore);
    }
    CHECK(own == (intptr_t)arg);
    return arg;
}

static void barriers(void) {
    pthread_barrier_init(&barrier, NULL, THREADS);
    sem_init(&semaphore, 0, 0);
    run_all(meet, THREADS);
    for (int i = 0; i < 50; i++) CHECK(!sem_wait(&semaphore));
    CHECK(sem_trywait(&semaphore) && errno == EAGAIN);
}

// ---- many, at once and one after another; detached ones ----

static atomic_int gone;

static long free_pages(void) { // of vmos; elsewhere others use memory too
    struct utsname name;
    struct sysinfo info;
    uname(&name);
    sysinfo(&info);
    return strcmp(name.nodename, "vmos") ? 0 : (long)(info.freeram * info.mem_unit / 4096);
}

static void *wait_for_all(void *arg) {
    pthread_barrier_wait(&barrier);
    gone++;
    return arg;
}

static void many(int count) {
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 16384 + 16384);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_barrier_init(&barrier, NULL, count + 1);
    for (int i = 0; i < count; i++) CHECK(!pthread_create(&thread, &attr, wait_for_all, NULL));
    pthread_barrier_wait(&barrier);
    while (gone < count) sched_yield();
    run_all(nothing, THREADS);
    long before = free_pages();
    for (int i = 0; i < 10 * count; i++) run_all(nothing, 1);
    CHECK(free_pages() > before - count); // had they left something, it would be ten times that
}

// ---- timeouts ----

static struct timespec nap = {0, 50000000};

static void *sleep_for_nap(void *arg) {
    CHECK(!nanosleep(&nap, NULL));
    return arg;
}

static void timeouts(void) {
    pthread_t sleeper;
    CHECK(!pthread_create(&sleeper, NULL, sleep_for_nap, NULL));
    nanosleep(&(struct timespec){0, 10000000}, NULL);
    nap.tv_nsec = -1; // it was read when the sleep began
    CHECK(!pthread_join(sleeper, NULL));
    static pthread_mutex_t free_mutex = PTHREAD_MUTEX_INITIALIZER;
    const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    for (int i = 0; i < 2; i++) {
        pthread_cond_t never;
        pthread_condattr_t attr;
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, clocks[i]);
        pthread_cond_init(&never, &attr);
        long long before = now(CLOCK_MONOTONIC);
        struct timespec until = later(clocks[i], 30000000);
        pthread_mutex_lock(&free_mutex);
        CHECK(pthread_cond_timedwait(&never, &free_mutex, &until) == ETIMEDOUT);
        pthread_mutex_unlock(&free_mutex);
        long long took = now(CLOCK_MONOTONIC) - before;
        CHECK(took >= 29000000 && took < 2000000000);
    }
    struct timespec until = later(CLOCK_REALTIME, 20000000);
    CHECK(sem_timedwait(&semaphore, &until) && errno == ETIMEDOUT);
    CHECK(syscall(SYS_futex, &gone, 0, gone + 1, NULL) && errno == EAGAIN);
    CHECK(syscall(SYS_futex, &gone, 1 | 256, 1) && errno == ENOSYS);
    CHECK(syscall(SYS_futex, 1, 1, 1) && errno == EINVAL);
    CHECK(syscall(SYS_futex, &gone, 9, gone, NULL, NULL, 0) && errno == EINVAL);
}

// ---- futex: exactly as many as asked, in order, by bits, and moved ----

static atomic_int word, other, awake;

static void *sleep_on_word(void *arg) {
    while (awake != (intptr_t)arg) sched_yield(); // one after the other
    awake++;
    CHECK(!syscall(SYS_futex, &word, 9 | 128, 0, NULL, NULL, 1u << (intptr_t)arg));
    awake--;
    return arg;
}

static void settle(int count) { // until only so many are in their waits
    while (awake != count) sched_yield();
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    CHECK(awake == count);
}

static void *move_and_wake(void *arg) {
    settle(8);
    CHECK(syscall(SYS_futex, &word, 10 | 128, 1, (void *)1, NULL, 1u << 6) ==
          1); // bit 6: the seventh
    settle(7);
    CHECK(syscall(SYS_futex, &word, 1 | 128, 2) == 2);
    settle(5);
    CHECK(syscall(SYS_futex, &word, 4 | 128, 1, (void *)2, &other, 5) == -1 && errno == EAGAIN);
    CHECK(syscall(SYS_futex, &word, 4 | 128, 1, (void *)2, &other, 0) == 3);
    settle(4);
    CHECK(syscall(SYS_futex, &word, 1 | 128, 100) == 2);
    CHECK(syscall(SYS_futex, &word, 1 | 128, 100) == 0);
    settle(2);
    CHECK(syscall(SYS_futex, &other, 1 | 128, 100) == 2);
    return arg;
}

static void futexes(void) {
    pthread_t mover;
    awake = 0;
    CHECK(!pthread_create(&mover, NULL, move_and_wake, NULL));
    run_all(sleep_on_word, 8);
    pthread_join(mover, NULL);
}

// ---- a thread that never calls the kernel does not stop the others; CPU time ----

static atomic_bool stop;

static void *spin(void *arg) {
    long long begin = now(CLOCK_THREAD_CPUTIME_ID);
    while (!stop) {}
    CHECK(now(CLOCK_THREAD_CPUTIME_ID) > begin);
    return arg;
}

// Whether a thread that sleeps while others spin uses little of the time.
static bool sleeps_for_little(void) {
    long long mine = now(CLOCK_THREAD_CPUTIME_ID);
    long long all = now(CLOCK_PROCESS_CPUTIME_ID);
    do nanosleep(&(struct timespec){0, 10000000}, NULL);
    while (now(CLOCK_PROCESS_CPUTIME_ID) - all < 50000000);
    return now(CLOCK_THREAD_CPUTIME_ID) - mine < 40000000;
}

// An emulator that got no CPU of its host makes time that whoever ran then seems to have used: one
// of five must be right.
static void preemption(void) {
    pthread_t spinners[3];
    for (int i = 0; i < 3; i++) CHECK(!pthread_create(&spinners[i], NULL, spin, NULL));
    int wrong = 0;
    while (wrong < 5 && !sleeps_for_little()) wrong++;
    CHECK(wrong < 5);
    stop = true;
    for (int i = 0; i < 3; i++) pthread_join(spinners[i], NULL);
}

// ---- identity ----

static pid_t ids[THREADS];

static void *identify(void *arg) {
    cpu_set_t set;
    unsigned cpu;
    ids[(intptr_t)arg] = (pid_t)syscall(SYS_gettid);
    CHECK(syscall(SYS_tgkill, getpid(), ids[(intptr_t)arg], 0) == 0);
    CHECK(!sched_getaffinity(0, sizeof set, &set));
    CHECK(!syscall(SYS_getcpu, &cpu, NULL, NULL) && CPU_ISSET(cpu, &set));
    pthread_barrier_wait(&barrier);
    return arg;
}

static void identity(void) {
    pthread_barrier_init(&barrier, NULL, THREADS);
    run_all(identify, THREADS);
    for (int i = 0; i < THREADS; i++)
        for (int j = 0; j < i; j++) CHECK(ids[i] != ids[j] && ids[i] != getpid() && ids[i] > 0);
    CHECK(syscall(SYS_gettid) == getpid());
    CHECK(syscall(SYS_tgkill, getpid(), 0x3ffffffe, 0) && errno == ESRCH);
    CHECK(syscall(SYS_clone, 0x10000, 0, 0, 0, 0) &&
          errno == EINVAL); // a thread without common signal handlers
}

// ---- ways to end ----

static void *end_all(void *arg) {
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    exit((int)(intptr_t)arg);
}

static void *crash(void *arg) {
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    *(volatile int *)arg = 1;
    return NULL;
}

static void *outlive(void *arg) {
    pthread_join(*(pthread_t *)arg, NULL);
    puts("outlived");
    return NULL;
}

static void *raw_exit(void *arg) {
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    syscall(SYS_exit, 9);
    return arg;
}

static void *wait_for_ever(void *arg) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_lock(&mutex);
    return arg;
}

static atomic_int leaving;

// Its last call takes a while: the word to be cleared is on a page of 2 MiB that has to be made.
static void *leave(void *arg) {
    char *pages = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    syscall(SYS_set_tid_address, ((uintptr_t)pages + (2 << 20)) & -(2ul << 20));
    while (!leaving) {}
    leaving = 2;
    syscall(SYS_exit, 0);
    return arg;
}

// A signal to all that comes while the first who could take it goes: the other one takes it.
static void kill_one_who_leaves(void) {
    pthread_t thread;
    sigset_t all;
    sigfillset(&all);
    CHECK(!pthread_create(&thread, NULL, leave, NULL) &&
          !pthread_create(&thread, NULL, wait_for_ever, NULL));
    CHECK(!pthread_sigmask(SIG_BLOCK, &all, NULL));
    nanosleep(&(struct timespec){0, 20000000}, NULL);
    for (leaving = 1; leaving < 2;) sched_yield();
    for (volatile int i = 0; i < 100; i++) {}
    kill(getpid(), SIGTERM);
    sleep(1);
    exit(1);
}

static int end_by(const char *way) {
    static pthread_t self, thread;
    self = pthread_self();
    if (!strcmp(way, "leave")) kill_one_who_leaves();
    if (!strcmp(way, "exit")) pthread_create(&thread, NULL, end_all, (void *)23);
    for (int i = 0; i < 8 && !strcmp(way, "crash"); i++)
        pthread_create(&thread, NULL, crash, NULL); // all at once
    if (!strcmp(way, "kill")) pthread_create(&thread, NULL, spin, NULL);
    if (!strcmp(way, "outlive")) pthread_create(&thread, NULL, outlive, &self), pthread_exit(NULL);
    if (!strcmp(way, "raw")) pthread_create(&thread, NULL, raw_exit, NULL), syscall(SYS_exit, 7);
    if (!strcmp(way, "spin")) // the main thread runs on without a call
        for (pthread_create(&thread, NULL, end_all, (void *)24);;) {}
    if (!strcmp(way, "kill")) pthread_kill(thread, SIGTERM);
    wait_for_ever(NULL);
    return 1;
}

int main(int argc, char **argv) {
    if (argc > 1 && argv[1][0] > '9') return end_by(argv[1]);
    mutexes();
    conditions();
    barriers();
    many(argc > 1 ? atoi(argv[1]) : 200);
    timeouts();
    futexes();
    preemption();
    identity();
    puts("threads ok");
    return 0;
}
