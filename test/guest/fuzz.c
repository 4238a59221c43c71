// Random calls with random arguments, from two processes with two threads each, until so many were
// made: the first process starts the others again when they end, however they do. It ends well when
// it can still act, and as much memory is free as after the first tenth.
//
//     fuzz CALLS SEED
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS  2
#define THREADS  2
#define NUMBERS  470
#define PATIENCE 300 // ms that a worker may be stuck in a call
#define LEAK_KIB 4096

static struct {
    uint64_t calls;          // made by all
    uint64_t turns[WORKERS]; // by each worker
} * shared;
static uint64_t seed;

static __thread uint64_t state;
static uint64_t below(uint64_t most) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % most;
}

// What is likely to mean something, or nearly.
static unsigned long argument(char *memory) {
    static const unsigned long odd[] = {
        0,         1,          2,         3,         4095, 4096,    8191,   0x7fffffff,
        1ul << 31, 0xffffffff, 1ul << 47, 1ul << 63, ~0ul, -4096ul, -100ul, 0x7ffff000ul};
    switch (below(8)) {
    case 0: return below(64);
    case 1: return odd[below(sizeof odd / sizeof odd[0])];
    case 2: return 1ul << below(64);
    case 3: return state;
    case 4: return below(4096);
    default: return (unsigned long)memory + below(3 * 4096);
    }
}

// What would end the test, or is not for a test: signals to the first process, its terminal.
static int is_left_out(unsigned long number, unsigned long first) {
    int pid = (int)first;
    switch (number) {
    case SYS_kill:
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_rt_sigqueueinfo:
    case SYS_rt_tgsigqueueinfo: return pid == 1 || pid == 0 || pid < 0;
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_ioctl: return pid < 3;
    }
    return 0;
}

static void *calls(void *which) {
    long worker = (long)which % WORKERS;
    char *memory = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    state = seed + __atomic_add_fetch(&shared->calls, 1, 5) * 0x9e3779b97f4a7c15 + (uint64_t)which;
    mprotect(memory + 8192, 4096, PROT_READ);
    for (;;) {
        unsigned long number = below(NUMBERS), arg[6];
        for (int i = 0; i < 6; i++) arg[i] = argument(memory);
        for (int i = 0; i < 8; i++) memory[below(8192)] = (char)below(256);
        __atomic_fetch_add(&shared->calls, 1, 5);
        __atomic_fetch_add(&shared->turns[worker], 1, 5);
        if (!is_left_out(number, arg[0]))
            syscall((long)number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    }
    return NULL;
}

static void work(long worker) {
    pthread_t thread;
    close(0);
    for (long i = 1; i < THREADS; i++)
        pthread_create(&thread, NULL, calls, (void *)(worker + i * WORKERS));
    calls((void *)worker);
}

static long free_kib(void) {
    struct sysinfo info;
    sysinfo(&info);
    return (long)(info.freeram >> 10);
}

static void quiet_ms(long ms) {
    struct timespec rest = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&rest, NULL);
}

// All that the workers have left behind, too.
static void end_all(void) {
    int status;
    kill(-1, SIGKILL);
    while (waitpid(-1, &status, __WALL) > 0) kill(-1, SIGKILL);
}

static long run(uint64_t until) {
    pid_t pids[WORKERS] = {0};
    uint64_t seen[WORKERS] = {0};
    long started = 0;
    while (__atomic_load_n(&shared->calls, 5) < until) {
        for (long i = 0; i < WORKERS; i++) {
            if (pids[i]) continue;
            pids[i] = fork();
            if (pids[i] < 0) pids[i] = 0;
            if (!pids[i] && errno == EAGAIN) continue;
            if (!pids[i]) work(i);
            started++;
        }
        for (int ms = 0; ms < PATIENCE; ms += 10) {
            pid_t ended = waitpid(-1, NULL, WNOHANG | __WALL);
            for (int i = 0; i < WORKERS; i++)
                if (pids[i] == ended && ended > 0) pids[i] = 0, ms = PATIENCE;
            if (__atomic_load_n(&shared->calls, 5) >= until) break;
            if (ended <= 0) quiet_ms(10);
        }
        for (int i = 0; i < WORKERS; i++) {
            uint64_t now = __atomic_load_n(&shared->turns[i], 5);
            if (pids[i] && now == seen[i]) kill(pids[i], SIGKILL);
            seen[i] = now;
        }
    }
    end_all();
    return started;
}

int main(int argc, char **argv) {
    uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 0) : 200000;
    seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    signal(SIGTERM, SIG_IGN);
    long started = run(wanted / 10);
    long before = free_kib();
    started += run(wanted);
    long lost = before - free_kib();
    printf("%s; memory %s\n", started > 4 ? "fuzzed" : "hardly fuzzed",
           lost < LEAK_KIB ? "is there" : "is lost");
    if (lost >= LEAK_KIB) printf("%ld KiB\n", lost);
    return 0;
}
