// Futexes at addresses that mean nothing, moved onto themselves and to NULL, with arguments at
// their limits: what Linux answers. A waiter that was moved anywhere is still a waiter: it is woken
// there, or its time runs out, and when it has ended nothing in the kernel points to it.
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PRIVATE FUTEX_PRIVATE_FLAG
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) printf("line %d: %s does not hold\n", __LINE__, #condition), exit(1);    \
    } while (0)

static uint32_t word, other;

static long futex(const void *at, long operation, long value, const void *time, const void *at2,
                  long bits) {
    long result = syscall(SYS_futex, at, operation, value, time, at2, bits);
    return result < 0 ? -errno : result;
}
static long wake(const void *at, long count) {
    return futex(at, FUTEX_WAKE | PRIVATE, count, NULL, NULL, 0);
}
static long requeue(const void *from, const void *to, long wakes, long moves) {
    return futex(from, FUTEX_REQUEUE | PRIVATE, wakes, (void *)moves, to, 0);
}

// One waiter at each of two words: which of them is woken by an operation on the second one.
static long wake_op(int operation, int argument, int comparison, int with, uint32_t value,
                    int count) {
    other = value;
    return futex(&word, FUTEX_WAKE_OP | PRIVATE, count, (void *)(long)count, &other,
                 FUTEX_OP(operation, argument, comparison, with));
}

static void wake_ops(void) {
    CHECK(wake_op(FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 3, 3, 1) == 0 && other == 7);
    CHECK(wake_op(FUTEX_OP_ADD, 7, FUTEX_OP_CMP_NE, 3, 3, 1) == 0 && other == 10);
    CHECK(wake_op(FUTEX_OP_ADD, -1, FUTEX_OP_CMP_LT, -3, 0, 1) == 0 && other == 0xffffffff);
    CHECK(wake_op(FUTEX_OP_OR, 6, FUTEX_OP_CMP_LE, 3, 1, 1) == 0 && other == 7);
    CHECK(wake_op(FUTEX_OP_ANDN, 6, FUTEX_OP_CMP_GT, 3, 7, 1) == 0 && other == 1);
    CHECK(wake_op(FUTEX_OP_XOR, 6, FUTEX_OP_CMP_GE, 3, 3, 1) == 0 && other == 5);
    CHECK(wake_op(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 31, FUTEX_OP_CMP_GE, 3, 0, 1) == 0 &&
          other == 1u << 31);
    CHECK(wake_op(5, 6, FUTEX_OP_CMP_GE, 3, 3, 1) == -ENOSYS && other == 3);
    CHECK(wake_op(FUTEX_OP_SET, 6, 6, 3, 3, 1) == -ENOSYS);
    CHECK(futex(&word, FUTEX_WAKE_OP | PRIVATE, 1, (void *)1, NULL, 0) == -EFAULT);
    CHECK(futex(&word, FUTEX_WAKE_OP | PRIVATE, 1, (void *)1, (char *)&other + 1, 0) == -EINVAL);
}

static void *wait_at_word(void *ms) {
    struct timespec time = {(long)ms / 1000, (long)ms % 1000 * 1000000};
    return (void *)futex(&word, FUTEX_WAIT | PRIVATE, 0, &time, NULL, 0);
}

static void start(pthread_t *waiters, int count, long ms) {
    for (int i = 0; i < count; i++)
        CHECK(!pthread_create(&waiters[i], NULL, wait_at_word, (void *)ms));
    while (requeue(&word, &word, 0, INT_MAX) != count) usleep(1000);
}

static void expect(pthread_t *waiters, int count, long result) {
    for (int i = 0; i < count; i++) {
        void *got;
        CHECK(!pthread_join(waiters[i], &got) && (long)got == result);
    }
}

static void bad_addresses(void) {
    char *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
         *kernel = (char *)(1ul << 63);
    char *last = (char *)0x7ffffffff000; // where the program's addresses end
    char *places[] = {NULL, none, (char *)0x10000};
    for (int i = 0; i < 3; i++) {
        char *at = places[i];
        CHECK(wake(at, 1) == 0 && wake(at, INT_MAX) == 0);
        CHECK(requeue(at, &word, 1, 1) == 0 && requeue(&word, at, 1, 1) == 0);
        CHECK(futex(at, FUTEX_WAKE_BITSET | PRIVATE, 1, NULL, NULL, 1) == 0);
        CHECK(futex(at, FUTEX_WAKE, 1, NULL, NULL, 0) == -EFAULT);
        CHECK(futex(at, FUTEX_WAIT, 0, NULL, NULL, 0) == -EFAULT);
        CHECK(futex(at, FUTEX_WAIT | PRIVATE, 0, NULL, NULL, 0) == -EFAULT);
        CHECK(futex(at, FUTEX_REQUEUE, 1, (void *)1, &word, 0) == -EFAULT);
        CHECK(futex(&word, FUTEX_REQUEUE, 1, (void *)1, at, 0) == -EFAULT);
        CHECK(futex(at, FUTEX_CMP_REQUEUE | PRIVATE, 1, (void *)1, &word, 0) == -EFAULT);
    }
    CHECK(wake(last, 1) == 0 && requeue(&word, last, 1, 1) == 0 && wake(last + 4, 1) == -EFAULT);
    CHECK(futex(last, FUTEX_WAKE, 1, NULL, NULL, 0) == -EFAULT);
    CHECK(futex(last, FUTEX_WAIT | PRIVATE, 0, NULL, NULL, 0) == -EFAULT);
    CHECK(wake(kernel, 1) == -EFAULT && requeue(&word, kernel, 1, 1) == -EFAULT);
    CHECK(wake((char *)&word + 1, 1) == -EINVAL &&
          requeue(&word, (char *)&word + 2, 1, 1) == -EINVAL);
    munmap(none, 4096);
}

// A word of the program's own that cannot be written to is no shared futex; one of a file, or of
// shared memory, is.
static void read_only(void) {
    static const uint32_t constant = 5;
    static const struct timespec moment = {0, 0};
    int all = PROT_READ | PROT_WRITE;
    uint32_t *never = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t *own = mmap(NULL, 4096, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t *shared = mmap(NULL, 4096, all, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(never != MAP_FAILED && own != MAP_FAILED && shared != MAP_FAILED);
    *own = *shared = 5;
    CHECK(futex(own, FUTEX_WAIT, 5, &moment, NULL, 0) == -ETIMEDOUT &&
          futex(own, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
    CHECK(!mprotect(own, 4096, PROT_READ) && !mprotect(shared, 4096, PROT_READ));
    const uint32_t *none[] = {never, own};
    for (int i = 0; i < 2; i++) {
        CHECK(futex(none[i], FUTEX_WAIT, 4, &moment, NULL, 0) == -EFAULT);
        CHECK(futex(none[i], FUTEX_WAKE, 1, NULL, NULL, 0) == -EFAULT);
        CHECK(futex(none[i], FUTEX_REQUEUE, 1, (void *)1, &word, 0) == -EFAULT);
        CHECK(futex(&word, FUTEX_REQUEUE, 1, (void *)1, none[i], 0) == -EFAULT);
        CHECK(futex(none[i], FUTEX_WAIT | PRIVATE, 1, &moment, NULL, 0) == -EAGAIN &&
              wake(none[i], 1) == 0);
    }
    const uint32_t *some[] = {shared, &constant};
    for (int i = 0; i < 2; i++) {
        CHECK(futex(some[i], FUTEX_WAIT, 5, &moment, NULL, 0) == -ETIMEDOUT);
        CHECK(futex(some[i], FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
        CHECK(futex(&word, FUTEX_REQUEUE, 1, (void *)1, some[i], 0) == 0);
    }
    CHECK(!munmap(never, 4096) && !munmap(own, 4096) && !munmap(shared, 4096));
}

// What is wrong with a timeout comes before everything else, where there is one.
static void timeouts(void) {
    static const struct timespec bad = {0, -1};
    static const int timed[] = {
        FUTEX_WAIT, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, FUTEX_WAIT_BITSET, FUTEX_LOCK_PI, 11, 13};
    for (unsigned i = 0; i < sizeof timed / sizeof *timed; i++) {
        CHECK(futex((char *)&word + 1, timed[i] | PRIVATE, 0, &bad, NULL, 0) == -EINVAL);
        CHECK(futex((char *)&word + 1, timed[i] | PRIVATE, 0, (void *)8, NULL, 0) == -EFAULT);
    }
    CHECK(futex(&word, 77, 1, &bad, NULL, 0) == -ENOSYS &&
          futex(&word, FUTEX_FD, 1, &bad, NULL, 0) == -ENOSYS);
    CHECK(futex(&word, FUTEX_WAKE | PRIVATE, 1, &bad, NULL, 0) == 0);
}

static void arguments(void) {
    struct timespec bad[] = {{-1, 0}, {0, 1000000000}, {0, -1}};
    for (int i = 0; i < 3; i++)
        CHECK(futex(&word, FUTEX_WAIT | PRIVATE, 0, &bad[i], NULL, 0) == -EINVAL);
    CHECK(futex(&word, FUTEX_WAIT | PRIVATE, 0, (void *)8, NULL, 0) == -EFAULT);
    CHECK(futex(&word, FUTEX_WAIT | PRIVATE, 1, NULL, NULL, 0) == -EAGAIN);
    CHECK(futex(&word, FUTEX_WAIT_BITSET | PRIVATE, 0, NULL, NULL, 0) == -EINVAL);
    CHECK(futex(&word, FUTEX_WAKE_BITSET | PRIVATE, 1, NULL, NULL, 0) == -EINVAL);
    CHECK(futex(&word, FUTEX_WAIT | PRIVATE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0) == -ENOSYS);
    CHECK(requeue(&word, &other, -1, 1) == -EINVAL &&
          requeue(&word, &other, 1, INT_MIN) == -EINVAL);
    CHECK(futex(&word, 77, 1, NULL, NULL, 0) == -ENOSYS);
    // int arguments: the upper halves mean nothing
    long upper = 0x500000000;
    CHECK(futex(&word, upper | FUTEX_WAKE | PRIVATE, upper | 1, NULL, NULL, 0) == 0);
    CHECK(futex(&word, FUTEX_CMP_REQUEUE | PRIVATE, 1, (void *)(upper | 1), &other, upper) == 0);
    CHECK(futex(&word, FUTEX_WAIT | PRIVATE, upper | 1, NULL, NULL, 0) == -EAGAIN);
}

static void counts(void) {
    pthread_t waiters[8];
    long few[] = {0, -1, INT_MIN, 1, 2};
    start(waiters, 8, 60000);
    for (int i = 0, woken = 0; i < 5; i++) {
        long count = few[i] > 0 ? few[i] : 1;
        CHECK(wake(&word, few[i]) == count &&
              requeue(&word, &word, 0, INT_MAX) == 8 - (woken += count));
    }
    CHECK(requeue(&word, &word, 1, INT_MAX) == 2); // the one who is woken counts, too
    CHECK(wake(&word, INT_MAX) == 1);
    expect(waiters, 8, 0);
}

// Six wait at the first word and are woken by one call at each; three of them are moved to the
// other word first.
static void counts_of_two(void) {
    pthread_t waiters[6];
    start(waiters, 6, 60000);
    CHECK(wake_op(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0, 0, 1) == 1); // nobody waits at the second
    CHECK(requeue(&word, &other, 0, 3) == 3);
    CHECK(wake_op(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 1, 0, 1) == 1); // the first one alone
    CHECK(wake_op(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0, 0, 2) == 3); // one that is left, and two
    CHECK(wake_op(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0, 0, 9) == 1);
    expect(waiters, 6, 0);
}

// At NULL, and at a page that is not there: woken there, moved back from there, or until the time
// is over.
static void moved_anywhere(void) {
    char *places[] = {NULL, (char *)0x10000, (char *)&other};
    for (int i = 0; i < 3; i++) {
        pthread_t waiters[6];
        start(waiters, 6, 60000);
        CHECK(requeue(&word, places[i], 0, INT_MAX) == 6);
        CHECK(wake(&word, INT_MAX) == 0 && wake(places[i], 2) == 2);
        CHECK(requeue(places[i], &word, 1, 2) == 3);
        CHECK(wake(&word, INT_MAX) == 2 && wake(places[i], INT_MAX) == 1);
        expect(waiters, 6, 0);
        start(waiters, 6, 200);
        CHECK(requeue(&word, places[i], 0, 5) == 5);
        expect(waiters, 6, -ETIMEDOUT);
        CHECK(wake(places[i], INT_MAX) == 0);
    }
}

static void *wait_shared(void *at) {
    struct timespec time = {60, 0};
    return (void *)futex(at, FUTEX_WAIT, 0, &time, NULL, 0);
}

// Shared memory at two places: who waits at one is found by the other.
static void at_two_places(void) {
    char *first = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(first != MAP_FAILED);
    char *second = mremap(first + 4096, 0, 4096, MREMAP_MAYMOVE);
    CHECK(second != MAP_FAILED);
    pthread_t waiter;
    CHECK(!pthread_create(&waiter, NULL, wait_shared, first + 4096));
    while (futex(second, FUTEX_REQUEUE, 0, (void *)1, first, 0) == 0) sched_yield();
    CHECK(futex(second, FUTEX_WAKE, 1, NULL, NULL, 0) == 0 &&
          futex(first, FUTEX_WAKE, 1, NULL, NULL, 0) == 1);
    expect(&waiter, 1, 0);
    CHECK(!munmap(first, 8192) && !munmap(second, 4096));
}

// Pages that were threads of the kernel become ours; whatever still pointed to them would be
// followed now.
static void reused(void) {
    for (int i = 0; i < 2000; i++) {
        char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(page != MAP_FAILED);
        memset(page, 0x41, 4096);
        if (i % 2) munmap(page, 4096); // else neighbours become a large page
    }
    CHECK(wake(NULL, INT_MAX) == 0 && wake(&word, INT_MAX) == 0 &&
          requeue(NULL, &word, INT_MAX, INT_MAX) == 0);
}

int main(void) {
    bad_addresses();
    read_only();
    timeouts();
    arguments();
    counts();
    wake_ops();
    counts_of_two();
    moved_anywhere();
    at_two_places();
    reused();
    puts("futexes ok");
    return 0;
}
