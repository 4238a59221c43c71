// How a program with busy threads ends: one thread's death is everybody's, once, with its status.
// The third argument is the way; if it does not lead to the end, the status is 99.
#include "threads.h"

#include <signal.h>
#include <sys/prctl.h>

static _Atomic int busy;
static char *page;

// One spins, one maps, one sleeps, one calls, one waits for ever, and so on.
static void *load(void *argument) {
    intptr_t me = (intptr_t)argument;
    uint64_t random = seed(me);
    _Atomic uint32_t word = 0;
    busy++;
    for (volatile long n = 0;; n++) switch (me % 5) {
        case 0: break;
        case 1: {
            size_t bytes = PAGE << below(&random, 10);
            char *p = map(NULL, bytes, RW, 0);
            *p = 1;
            munmap(p, bytes);
            if (threads > 16) usleep(1000); // a host with few cores needs long for each
            break;
        }
        case 2: nanosleep(&(struct timespec){0, (long)below(&random, 2000000)}, NULL); break;
        case 3: syscall(SYS_prctl, PR_SET_NAME, "load"); break;
        case 4: syscall(SYS_futex, &word, 128, 0, NULL);
        }
    return NULL;
}

__attribute__((noinline)) static void crash(void) { *(volatile int *)8 = 1; }

__attribute__((noinline)) static int deeper(volatile char *up) {
    volatile char here[2048];
    here[0] = (char)(up ? up[0] + 1 : 0);
    return deeper(here) + here[0];
}

static void *crashes(void *me) {
    meet();
    crash();
    return me;
}

// Writes to a page that another thread has taken away or made read-only meanwhile.
static void *writes(void *me) {
    for (uint64_t n = 0;; n++) ((volatile char *)page)[n % PAGE] = 1;
    return me;
}

static void *nap(void *me) {
    usleep(1000 * (unsigned)(intptr_t)me);
    return me;
}

static void *end(void *way) {
    static _Atomic int divisor;
    switch ((intptr_t)way) {
    case 0: exit(42);
    case 1: crash(); break;
    case 2: return (void *)(intptr_t)(7 / divisor);
    case 3: abort();
    case 4: kill(getpid(), SIGTERM); break;
    case 5: syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1); break;
    case 6: return (void *)(intptr_t)deeper(NULL);
    case 7: __asm__ volatile("ud2"); break;
    case 8: __asm__ volatile("hlt"); break;
    case 9: syscall(SYS_exit_group, 0x12345); break;
    }
    return NULL;
}

int main(int argc, char **argv) {
    arguments(argc, argv);
    intptr_t way = argc > 3 ? atoi(argv[3]) : 0;
    page = map(NULL, PAGE, RW, 0);
    if (way == 14) { // who is left ends it, with the main thread's status
        for (intptr_t i = 0; i < threads; i++) pthread_detach(start(nap, (void *)i));
        pthread_exit(NULL);
    }
    if (way == 10) all_of(threads, crashes); // all at once, still one report
    for (intptr_t i = 0; i + 1 < threads; i++) start(load, (void *)i);
    while (busy < threads - 1) sched_yield();
    puts("before");
    fflush(stdout);
    if (way == 13) return 43;
    if (way == 11 || way == 12) {
        start(writes, NULL);
        while (!*(volatile char *)page) sched_yield();
        if (way == 11 ? munmap(page, PAGE) : mprotect(page, PAGE, PROT_READ)) return 98;
    } else
        start(end, (void *)way);
    for (int64_t until = now_ns() + 10 * SECOND; now_ns() < until;) usleep(1000);
    return 99;
}
