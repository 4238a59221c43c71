// membarrier(2): two threads that pass a flag each without barriers of their own in the frequent
// one, as in Dekker's algorithm; both must never miss the other's.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUNDS 3000
enum { QUERY = 0, PRIVATE = 8, REGISTER = 16, CORE = 32, REGISTER_CORE = 64 };

static long barrier(int command) { return syscall(SYS_membarrier, command, 0, 0); }

static volatile int mine, other, seen_by_slow, seen_by_fast, round_of[2], wrong;

static void *fast(void *unused) {
    for (int round = 1; round <= ROUNDS; round++) {
        while (__atomic_load_n(&round_of[0], 5) < round) {}
        mine = 1;
        __asm__ volatile("" ::: "memory"); // for the compiler alone
        seen_by_fast = other;
        __atomic_store_n(&round_of[1], round, 5);
    }
    return unused;
}

int main(void) {
    pthread_t thread;
    printf("not registered %ld", barrier(PRIVATE));
    printf(" %d, ", errno);
    printf("%d %ld %ld\n", (barrier(QUERY) & (PRIVATE | REGISTER | CORE | REGISTER_CORE)) == 120,
           barrier(REGISTER), barrier(REGISTER_CORE));
    printf("nonsense %ld", barrier(1 << 20));
    printf(" %d\n", errno);
    pthread_create(&thread, NULL, fast, NULL);
    for (int round = 1; round <= ROUNDS; round++) {
        mine = other = 0;
        __atomic_store_n(&round_of[0], round, 5);
        other = 1;
        if (barrier(round % 2 ? PRIVATE : CORE)) wrong++;
        seen_by_slow = mine;
        while (__atomic_load_n(&round_of[1], 5) < round) {}
        wrong += !seen_by_slow && !seen_by_fast;
    }
    pthread_join(thread, NULL);
    printf("wrong %d\n", wrong);
    return 0;
}
