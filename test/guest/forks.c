// Four processes at once, each with two threads that write to its memory and give parts of it up,
// while its first thread makes children: which write, unmap, move, send signals, wait to be killed,
// or run another program. Three rounds leave as much memory free as the first.
//
//     forks CHILDREN
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES    (6l << 20)
#define PAGE     4096
#define WORKERS  4
#define ROUNDS   3
#define LOST_KIB (40 << 10) // what may be garbage still

static char *memory;

static void *touches(void *seed) {
    for (unsigned state = (unsigned)(long)seed;;) {
        state = state * 1103515245 + 12345;
        long at = (state >> 8) % BYTES;
        memory[at]++;
        if (state >> 20 & 63) continue;
        madvise(memory + at / PAGE * PAGE, PAGE, MADV_DONTNEED);
    }
    return NULL;
}

static void on_signal(int signal) { (void)signal; }

static void child(int number) {
    for (int i = 0; i < 20; i++) memory[i * 262147l % BYTES]++;
    if (number % 7 == 0) munmap(memory + PAGE * (number % 100), PAGE * 50);
    if (number % 11 == 0) mremap(memory, BYTES, BYTES * 2, MREMAP_MAYMOVE);
    if (number % 3 == 0) kill(getppid(), SIGUSR1);
    if (number % 13 == 0) pause(); // to be killed
    _exit(1);
}

static void runs_again(void) {
    char *args[] = {"forks", "again", NULL};
    execve("/proc/self/exe", args, NULL);
    _exit(9);
}

static void work(long worker, int children) {
    pthread_t thread;
    memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(memory, (int)worker, BYTES);
    for (long i = 0; i < 2; i++) pthread_create(&thread, NULL, touches, (void *)(worker * 10 + i));
    signal(SIGUSR1, on_signal);
    for (int number = 0; number < children; number++) {
        int runs = number % 5 == 4, status;
        pid_t pid = runs ? vfork() : fork();
        if (!pid && runs) runs_again();
        if (!pid) child(number);
        if (pid < 0) continue;
        if (number % 13 == 0) kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0) {}
        if (runs && number % 13 && status != 0x500) _exit(2);
    }
    _exit(0);
}

static long free_kib(void) {
    struct sysinfo info;
    sysinfo(&info);
    return (long)(info.freeram >> 10);
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "again")) return 5;
    long first = 0, well = 0;
    int children = argc > 1 ? atoi(argv[1]) : 100, status;
    for (int round = 0; round < ROUNDS; round++) {
        for (long worker = 0; worker < WORKERS; worker++)
            if (!fork()) work(worker, children);
        while (wait(&status) > 0) well += status == 0;
        if (!round) first = free_kib();
    }
    printf("%ld of %d ended well, memory %s\n", well, WORKERS * ROUNDS,
           first - free_kib() < LOST_KIB ? "is there" : "is lost");
    return 0;
}
