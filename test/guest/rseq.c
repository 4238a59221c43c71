// Restartable sequences, registered by hand (glibc: GLIBC_TUNABLES=glibc.pthread.rseq=0, musl has
// none): what registering refuses, the CPU's number, sequences that are interrupted, and wrong
// ones, of which argv[1] names one. The same program prints the same on Linux.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define SIGNATURE 0x53053053

struct rseq_area {
    uint32_t cpu_start, cpu;
    uint64_t sequence;
    uint32_t flags, node, number, padding;
} __attribute__((aligned(32)));

static __thread struct rseq_area area __attribute__((aligned(32)));

static long asked(void *at, long bytes, long flags, long signature) {
    long result = syscall(SYS_rseq, at, bytes, flags, signature);
    return result ? errno : 0;
}

static void registering(void) {
    static struct rseq_area other;
    area.cpu = (uint32_t)-1;
    printf("not aligned: %ld\n", asked((char *)&area + 8, 32, 0, SIGNATURE));
    printf("too short: %ld\n", asked(&area, 16, 0, SIGNATURE));
    printf("unknown flags: %ld\n", asked(&area, 32, 4, SIGNATURE));
    printf("of the kernel: %ld\n", asked((void *)0xffff800000000000, 32, 0, SIGNATURE));
    printf("unregister nothing: %ld\n", asked(&area, 32, 1, SIGNATURE));
    area.sequence = ~0ull;
    printf("register: %ld\n", asked(&area, 32, 0, SIGNATURE));
    sched_yield();
    printf("again: %ld\n", asked(&area, 32, 0, SIGNATURE));
    printf("another: %ld\n", asked(&other, 32, 0, SIGNATURE));
    printf("another signature: %ld\n", asked(&area, 32, 0, 1));
    printf("CPU is known: %d\n", area.cpu < 1024 && area.cpu == area.cpu_start);
    printf("unregister by another signature: %ld\n", asked(&area, 32, 1, 1));
    printf("unregister: %ld\n", asked(&area, 32, 1, SIGNATURE));
    printf("afterwards: %d\n", (int)area.cpu);
    printf("register: %ld\n", asked(&area, 32, 0, SIGNATURE));
}

static void handler(int signal) { (void)signal; }

// Waits inside a sequence until something interrupts it; returns how often it was at the abort
// address, which is once.
extern char sequence_start[], sequence_end[], sequence_abort[];
static struct {
    uint32_t version, flags;
    uint64_t start, length, abort;
} sequence __attribute__((aligned(32)));

static long spin(void) {
    long aborts = 0;
    area.sequence = (uint64_t)&sequence;
    __asm__ volatile(".globl sequence_start, sequence_end, sequence_abort\n"
                     "sequence_start: pause\n"
                     "jmp sequence_start\n"
                     "sequence_end: ud2\n"
                     ".long 0x53053053\n"
                     "sequence_abort: incq %0\n"
                     : "+r"(aborts)::"memory");
    return aborts;
}

static void *thread(void *unused) {
    long wrong = 0;
    if (asked(&area, 32, 0, SIGNATURE)) return unused;
    for (int i = 0; i < 2000; i++) {
        unsigned before = *(volatile uint32_t *)&area.cpu, cpu, after;
        syscall(SYS_getcpu, &cpu, NULL, NULL);
        after = *(volatile uint32_t *)&area.cpu;
        wrong += before == after && before != cpu; // it may have moved there and back, but rarely
        if (i % 100 == 0) usleep(100);
    }
    return (void *)(intptr_t)(wrong < 5);
}

int main(int count, char **arg) {
    const char *what = count > 1 ? arg[1] : "";
    pthread_t threads[4];
    setvbuf(stdout, NULL, _IONBF, 0);
    sequence.start = (uint64_t)sequence_start;
    sequence.length = (uint64_t)(sequence_end - sequence_start);
    sequence.abort = (uint64_t)sequence_abort;
    registering();
    signal(SIGALRM, handler);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 5000}, {0, 5000}}, NULL);
    if (!*what) {
        for (int i = 0; i < 5; i++)
            printf("aborted %ld, pointer %lx\n", spin(), (long)area.sequence);
        area.sequence = (uint64_t)&sequence;
        pause();
        printf("outside: pointer %lx\n", (long)area.sequence);
        for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, thread, NULL);
        for (int i = 0; i < 4; i++) {
            void *right;
            pthread_join(threads[i], &right);
            printf("thread: %d\n", right != NULL);
        }
    }
    if (!strcmp(what, "version")) sequence.version = 1;
    if (!strcmp(what, "flags")) sequence.flags = 1;
    if (!strcmp(what, "inside")) sequence.abort = sequence.start;
    if (!strcmp(what, "signature")) sequence.abort += 1;
    if (!strcmp(what, "abort of the kernel")) sequence.abort = 0xffff800000000000;
    if (!strcmp(what, "wraps")) sequence.length = (uint64_t)-1;
    if (!strcmp(what, "nowhere")) {
        area.sequence = 0x1000;
        pause();
    }
    if (*what) printf("went on: %ld\n", spin());
    return 0;
}
