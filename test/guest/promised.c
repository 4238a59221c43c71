// As much memory as will be promised, touched by all CPUs at once, three times over: every page is
// there and is one page for all, and begins with zeroes.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
static _Atomic unsigned *memory;
static unsigned long pages;
static long threads;
static pthread_barrier_t barrier;

static void *touch(void *me) {
    pthread_barrier_wait(&barrier); // their own memory comes first
    unsigned long at = (unsigned long)me * pages / (unsigned long)threads, step = 7919;
    while (pages % step == 0) step += 2;
    for (unsigned long i = 0; i < pages; i++, at = (at + step) % pages)
        atomic_fetch_add(&memory[at * PAGE / 4], 1);
    return NULL;
}

int main(void) {
    threads = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t *thread = calloc((unsigned long)threads, sizeof *thread);
    for (int round = 0; round < 3; round++) {
        pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
        for (long i = 0; i < threads; i++)
            if (pthread_create(&thread[i], NULL, touch, (void *)i)) return 1;
        for (pages = sysconf(_SC_PHYS_PAGES); pages; pages -= pages / 100 + 1) {
            memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                          -1, 0);
            if (memory != MAP_FAILED) break;
        }
        pthread_barrier_wait(&barrier);
        for (long i = 0; i < threads; i++) pthread_join(thread[i], NULL);
        for (unsigned long i = 0; i < pages; i++)
            if (memory[i * PAGE / 4] != threads) {
                printf("page %lu has %u, not %ld\n", i, memory[i * PAGE / 4], threads);
                return 2;
            }
        printf("%lu pages, %ld threads\n", pages, threads);
        if (munmap(memory, pages * PAGE)) return 3;
    }
    return 0;
}
