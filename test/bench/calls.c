// What a program pays for the kernel below it: lines "NAME TICKS" of the time stamp counter, for
// one of each. Under QEMU's -icount a tick is an instruction. Runs on any Linux as well.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 1000
#define SPAN   (64l << 20)

enum {
    FUTEX_WAIT_PRIVATE = 128,
    FUTEX_WAKE_PRIVATE = 129
}; // musl-gcc does not see the kernel's headers

static int turn[2]; // futexes: whose turn it is

static unsigned long ticks(void) {
    unsigned low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high));
    return (unsigned long)high << 32 | low;
}

static void getppid_call(void) { syscall(SYS_getppid); }
static void clock_call(void) { syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &(struct timespec){0}); }
static void clock_libc(void) { clock_gettime(CLOCK_MONOTONIC, &(struct timespec){0}); }
static void wake_nobody(void) { syscall(SYS_futex, turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0); }
static void map_page(void) {
    char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *page = 1;
    munmap(page, 4096);
}

static void *nothing(void *argument) { return argument; }
static void thread(void) {
    pthread_t made;
    pthread_create(&made, 0, nothing, 0);
    pthread_join(made, 0);
}

static void pass(int to) {
    __atomic_store_n(&turn[to], 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &turn[to], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}
static void wait_for(int me) {
    while (!__atomic_exchange_n(&turn[me], 0, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, &turn[me], FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
}
static void *partner(void *argument) {
    for (int i = 0; i < ROUNDS + 1; i++) {
        wait_for(1);
        pass(0);
    }
    return argument;
}
static void there_and_back(void) {
    pass(1);
    wait_for(0);
}

static int here[2], there[2]; // pipes
static void *pipe_partner(void *argument) {
    char byte;
    while (read(there[0], &byte, 1) == 1) (void)!write(here[1], &byte, 1);
    return argument;
}
static void pipe_there_and_back(void) {
    char byte = 0;
    (void)!write(there[1], &byte, 1);
    (void)!read(here[0], &byte, 1);
}

static void on_signal(int signal) { (void)signal; }
static void signal_self(void) { raise(SIGUSR1); }

static void fork_wait(void) {
    pid_t pid = fork();
    if (!pid) _exit(0);
    waitpid(pid, 0, 0);
}
static void run_again(void) {
    pid_t pid = vfork();
    if (!pid) {
        char *args[] = {"calls", "ends", 0};
        execve("/proc/self/exe", args, 0);
        _exit(1);
    }
    waitpid(pid, 0, 0);
}

static void measure(const char *name, void (*act)(void)) {
    act(); // what is done once only
    unsigned long start = ticks();
    for (int i = 0; i < ROUNDS; i++) act();
    printf("%s %lu\n", name, (ticks() - start) / ROUNDS);
}

int main(int argc, char **argv) {
    pthread_t other;
    mkdir("/proc", 0755); // Linux needs both; in vmos they are refused
    mount("proc", "/proc", "proc", 0, 0);
    if (argc > 1 && argv[1][0] == 'e') return 0;
    measure("getppid", getppid_call);
    measure("clock_gettime, the call", clock_call);
    measure("clock_gettime, as the C library does it", clock_libc);
    measure("futex wake of nobody", wake_nobody);
    measure("mmap, touch, munmap of a page", map_page);
    measure("thread made and joined", thread);
    pthread_create(&other, 0, partner, 0);
    measure("to another thread and back, by futexes", there_and_back);
    pthread_join(other, 0);
    (void)!(pipe(here) | pipe(there));
    pthread_create(&other, 0, pipe_partner, 0);
    measure("pipe, to another thread and back", pipe_there_and_back);
    close(there[1]);
    pthread_join(other, 0);
    signal(SIGUSR1, on_signal);
    measure("signal to oneself, handler, return", signal_self);
    measure("fork, exit, wait", fork_wait);
    measure("vfork, execve of itself, wait", run_again);
    char *span = mmap(0, SPAN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned long start = ticks();
    for (long at = 0; at < SPAN; at += 4096) span[at] = 1;
    printf("memory touched for the first time, per 4 KiB %lu\n", (ticks() - start) / (SPAN / 4096));
    puts("end");
    fflush(stdout);
    for (;;) sleep(1000);
}
