// Everything that keeps a CPU long, at once on all CPUs: calls that change much memory, waiters by
// the thousand, much output, faults. How long each takes at a time is measured outside
// (test/boot/longest.c). Ends with 60,000 areas.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "waiter.h"

#define GIB     (1ul << 30)
#define MIB     (1ul << 20)
#define PAGE    4096ul
#define WAITERS 20000
#define AREAS   60000ul
#define PARTS   32
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED  (MAP_SHARED | MAP_ANONYMOUS)
#define RW      (PROT_READ | PROT_WRITE)
#define WAKE    (FUTEX_WAKE | FUTEX_PRIVATE_FLAG)
#define REQUEUE (FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG)
#define TICK_NS 50000
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fprintf(stderr, "line %d: %s does not hold: %m\n", __LINE__, #condition), _exit(1);    \
    } while (0)

static volatile int stop; // the faults

static void sleep_ns(long ns) { nanosleep(&(struct timespec){0, ns}, NULL); }

static char *map(unsigned long bytes, int flags) {
    char *at = mmap(NULL, bytes, RW, flags, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

// Its timer ends the turn of the CPU that QEMU runs, so that the two meet at many places.
static void *tick(void *unused) {
    for (;;) sleep_ns(TICK_NS);
    return unused;
}

// Faults of the program and of the kernel's copies, on pages of both sizes and across the borders
// of large ones.
static void *fault(void *unused) {
    while (!stop) {
        char *large = map(8 * MIB, PRIVATE), *small = map(MIB, SHARED);
        CHECK(getrandom(large + MIB, 4 * MIB, 0) > 0);
        for (unsigned long at = 0; at < MIB; at += PAGE) small[at] = 1;
        CHECK(!mprotect(large + 6 * MIB, PAGE, PROT_READ));
        for (unsigned long at = 6 * MIB + PAGE; at < 8 * MIB; at += PAGE) large[at] = 1;
        CHECK(!madvise(large, 8 * MIB, MADV_DONTNEED) || errno == EINVAL); // heap() had it locked
        CHECK(!munmap(large, 8 * MIB) && !munmap(small, MIB));
    }
    return unused;
}

// All of it, and one page in its middle, so that large pages are split.
static void protect(char *at, unsigned long bytes) {
    CHECK(!mprotect(at, bytes, PROT_READ));
    CHECK(!mprotect(at + bytes / 2 + PAGE, PAGE, RW));
    CHECK(!mprotect(at, bytes, RW));
}

static void lock(char *at, unsigned long bytes) { CHECK(!mlock(at, bytes) && !munlock(at, bytes)); }

// To where pages keep their size, then to where none does.
static void move(char *at, unsigned long bytes) {
    char *place = mmap(NULL, 2 * bytes + 2 * GIB, PROT_NONE, PRIVATE | MAP_NORESERVE, -1, 0);
    CHECK(place != MAP_FAILED);
    char *aligned = (char *)(((uintptr_t)place + GIB - 1) & -GIB);
    CHECK(mremap(at, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, aligned) == aligned);
    char *odd = aligned + bytes + PAGE;
    CHECK(mremap(aligned, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, odd) == odd);
    CHECK(!munmap(place, 2 * bytes + 2 * GIB));
}

static void memory(void) {
    char *huge = map(GIB, PRIVATE | MAP_HUGETLB | MAP_HUGE_1GB); // while there is a whole one
    protect(huge, GIB);
    CHECK(!munmap(huge, GIB));
    char *small = map(256 * MIB, SHARED | MAP_POPULATE);
    protect(small, 256 * MIB);
    lock(small, 256 * MIB);
    move(small, 256 * MIB);
    char *large = map(GIB + 512 * MIB, PRIVATE | MAP_POPULATE);
    protect(large, GIB + 512 * MIB);
    lock(large, GIB + 512 * MIB);
    move(large, GIB + 512 * MIB);
    huge = map(256 * MIB, PRIVATE | MAP_HUGETLB);
    CHECK(!munmap(huge, 256 * MIB));
}

static void heap(void) {
    char *before = sbrk(0);
    CHECK(!mlockall(MCL_FUTURE));
    CHECK(!brk(before + 512 * MIB));
    CHECK(!munlockall());
    CHECK(!brk(before));
}

// Parts of a vector, or of what a call copies, that each need a page nobody has touched, a large
// one.
static void vectors(void) {
    struct iovec parts[PARTS];
    int zero = open("/dev/zero", O_RDWR);
    char *at = map(2 * PARTS * 2 * MIB + 2 * MIB, PRIVATE | MAP_NORESERVE);
    char *aligned = (char *)(((uintptr_t)at + 2 * MIB - 1) & -(2 * MIB));
    for (int i = 0; i < PARTS; i++) parts[i] = (struct iovec){aligned + 2 * MIB * i, 1};
    CHECK(readv(zero, parts, PARTS) == PARTS);
    for (int i = 0; i < PARTS; i++) parts[i].iov_base = aligned + 2 * MIB * (PARTS + i);
    CHECK(writev(1, parts, PARTS) == PARTS);
    CHECK(!madvise(aligned, 2 * PARTS * 2 * MIB, MADV_DONTNEED));
    CHECK(read(zero, aligned + MIB, 3 * MIB) == 3 * MIB);
    CHECK(!uname((struct utsname *)(aligned + 6 * MIB - 100)));
    CHECK(!mincore(aligned, 4 * MIB, (unsigned char *)aligned + 8 * MIB - 512));
    CHECK(!munmap(at, 2 * PARTS * 2 * MIB + 2 * MIB));
}

static void output(void) {
    char *text = map(MIB, PRIVATE);
    memset(text, '.', MIB);
    for (unsigned long done = 0; done < MIB;) {
        ssize_t wrote = write(1, text + done, MIB - done);
        CHECK(wrote > 0);
        done += (unsigned long)wrote;
    }
    CHECK(!munmap(text, MIB));
}

// Reads and writes of a pipe in parts of a byte and in one, and a poll that waits at many places.
static void *write_pipe(void *number) {
    static char text[MIB];
    CHECK(write((int)(intptr_t)number, text, sizeof text) == sizeof text);
    sleep_ns(TICK_NS);
    CHECK(write((int)(intptr_t)number, text, 1) == 1);
    return NULL;
}

static void pipes(void) {
    static struct iovec parts[IOV_MAX];
    static struct pollfd polled[IOV_MAX];
    static char text[2 * IOV_MAX], read_text[MIB];
    pthread_t writer;
    int ends[2];
    CHECK(!pipe(ends));
    for (int i = 0; i < IOV_MAX; i++) parts[i] = (struct iovec){text + 2 * i, 1};
    for (int i = 0; i < IOV_MAX; i++) polled[i] = (struct pollfd){ends[0], POLLIN, 0};
    for (int i = 0; i < 60; i++) CHECK(writev(ends[1], parts, IOV_MAX) == IOV_MAX);
    CHECK(readv(ends[0], parts, IOV_MAX) == IOV_MAX);
    CHECK(read(ends[0], read_text, MIB) == 59 * IOV_MAX);
    CHECK(!pthread_create(&writer, NULL, write_pipe, (void *)(intptr_t)ends[1]));
    for (unsigned long done = 0; done < MIB;) {
        ssize_t count = read(ends[0], read_text, MIB - done);
        CHECK(count > 0);
        done += (unsigned long)count;
    }
    CHECK(poll(polled, 1000, -1) > 0 && !pthread_join(writer, NULL));
    CHECK(!close(ends[0]) && !close(ends[1]));
}

// ---- waiters, each a thread that the C library knows nothing of ----

static uint32_t gate, other, left;

static long futex(uint32_t *at, int operation, int value, long more, uint32_t *at2) {
    return syscall(SYS_futex, at, operation, value, more, at2, -1);
}

static void waiters(void) {
    static char stack[64] __attribute__((aligned(64)));
    for (left = 0; left < WAITERS; left++)
        CHECK(waiter_make(stack + sizeof stack, &gate, &left) > 0);
    while (futex(&gate, REQUEUE, 0, INT_MAX, &gate) != WAITERS) sleep_ns(TICK_NS);
    CHECK(futex(&gate, REQUEUE, 0, INT_MAX, &other) == WAITERS);
    CHECK(syscall(SYS_futex, &other, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL,
                  0) == -1);
    CHECK(futex(&other, WAKE, INT_MAX, 0, NULL) == WAITERS);
    while (__atomic_load_n(&left, __ATOMIC_SEQ_CST)) sleep_ns(TICK_NS);
}

static char *alternate(void) {
    char *at = mmap(NULL, AREAS * PAGE, PROT_READ, PRIVATE | MAP_NORESERVE, -1, 0);
    CHECK(at != MAP_FAILED);
    for (unsigned long i = 0; i < AREAS; i += 2) CHECK(!mprotect(at + i * PAGE, PAGE, RW));
    return at;
}

static void areas(void) {
    unsigned long some = AREAS / 10 * PAGE;
    char *at = alternate(), *to = map(some, PRIVATE | MAP_NORESERVE);
    CHECK(!mlock2(at, AREAS * PAGE, MLOCK_ONFAULT));
    CHECK(mremap(at, some, some, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to && !munmap(to, some));
    CHECK(!mprotect(at + some, some, RW));
    CHECK(!munmap(at, AREAS * PAGE));
    alternate();
}

int main(void) {
    pthread_t ticker, faulter;
    CHECK(!pthread_create(&ticker, NULL, tick, NULL) &&
          !pthread_create(&faulter, NULL, fault, NULL));
    memory();
    heap();
    vectors();
    output();
    pipes();
    stop = 1;
    CHECK(!pthread_join(faulter, NULL));
    waiters();
    areas();
    CHECK(write(1, "longest ok\n", 11) == 11);
    _exit(0);
}
