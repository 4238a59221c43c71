// Segment registers and the bases of FS and GS, which ring 3 changes without a system call: they
// belong to the thread, whoever runs in between, and the kernel knows what they are. A GS base can
// also be the kernel's own.
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 6
#define ROUNDS  200
#define SLOTS   0xffffff0000000000
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) printf("line %d: %s does not hold\n", __LINE__, #condition), exit(1);    \
    } while (0)
#define SELECTOR(name)                                                                             \
    static inline uint16_t name(void) {                                                            \
        uint16_t selector;                                                                         \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(selector));                                  \
        return selector;                                                                           \
    }
SELECTOR(ds)
SELECTOR(es)
SELECTOR(fs)
SELECTOR(gs)
SELECTOR(ss)
SELECTOR(cs)

// Without errno, which FS leads to.
static inline long raw(long number, long a, long b) {
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b) : "rcx", "r11", "memory");
    return number;
}
static inline uint64_t base(int which) {
    uint64_t value;
    return raw(SYS_arch_prctl, which, (long)&value) ? 1 : value;
}
static inline uint64_t at_gs_0(void) {
    uint64_t value;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
    return value;
}

static uint64_t buffers[THREADS][8];
static int has_fsgsbase;

static void own_selectors(uint16_t selector, uint16_t other) {
    __asm__ volatile("mov %0, %%ds\n\tmov %1, %%es" ::"r"((uint32_t)selector),
                     "r"((uint32_t)other));
}

static void touch_something(void) { // page faults
    volatile char *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *page = 1;
    munmap((void *)page, 4096);
}

// Each thread has other selectors and bases, and comes back to them. (Null selectors 1 to 3 become
// 0 by an IRETQ.)
static void *run(void *arg) {
    long me = (long)arg;
    uint16_t selectors[] = {0, ss(), cs()}, mine = selectors[me % 3],
             next = selectors[(me + 1) % 3];
    buffers[me][0] = 1000 + (uint64_t)me;
    own_selectors(mine, next);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(!raw(SYS_arch_prctl, ARCH_SET_GS, (long)buffers[me]));
        CHECK(gs() == 0 && at_gs_0() == 1000 + (uint64_t)me &&
              base(ARCH_GET_GS) == (uint64_t)buffers[me]);
        if (i % 3)
            sched_yield();
        else
            touch_something();
        CHECK(ds() == mine && es() == next && at_gs_0() == 1000 + (uint64_t)me);
        __asm__ volatile("mov %0, %%gs" ::"r"((uint32_t)ss())); // takes base 0 along
        sched_yield();
        CHECK(gs() == ss() && base(ARCH_GET_GS) == 0);
        if (!has_fsgsbase) continue;
        uint64_t wanted = i % 2 ? (uint64_t)buffers[me] : SLOTS + (uint64_t)(i % 4) * (1 << 30) / 2,
                 got;
        __asm__ volatile("wrgsbase %0" ::"r"(wanted));
        if (i % 5) sched_yield();
        touch_something();
        __asm__ volatile("rdgsbase %0" : "=r"(got));
        CHECK(got == wanted && base(ARCH_GET_GS) == wanted && gs() == ss());
    }
    return NULL;
}

// FS without its thread-local storage for a while: nothing in between may need that.
static void *run_fs(void *arg) {
    uint64_t own = base(ARCH_GET_FS), wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        __asm__ volatile("mov %0, %%fs" ::"r"((uint32_t)ss()));
        raw(SYS_sched_yield, 0, 0);
        wrong |= base(ARCH_GET_FS) | (fs() ^ ss());
        raw(SYS_arch_prctl, ARCH_SET_FS, (long)buffers[0]);
        raw(SYS_sched_yield, 0, 0);
        wrong |= (base(ARCH_GET_FS) ^ (uint64_t)buffers[0]) | fs();
        raw(SYS_arch_prctl, ARCH_SET_FS, (long)own);
    }
    CHECK(!wrong);
    return arg;
}

// A new thread has what its maker has, but for FS, which the C library sets.
static void *inherit(void *arg) {
    CHECK(ds() == ss() && es() == ss() && fs() == 0 && gs() == ss());
    return arg;
}

int main(void) {
    pthread_t threads[2 * THREADS], child;
    has_fsgsbase = getauxval(AT_HWCAP2) >> 1 & 1;
    CHECK(!ds() && !es() && !fs() && !gs() && !base(ARCH_GET_GS));
    CHECK(raw(SYS_arch_prctl, ARCH_SET_GS, (long)SLOTS) == -1 &&
          raw(SYS_arch_prctl, ARCH_GET_GS, 8) == -14);
    for (long i = 0; i < 2 * THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, i % 2 ? run_fs : run, (void *)(i / 2)));
    for (long i = 0; i < 2 * THREADS; i++) CHECK(!pthread_join(threads[i], NULL));
    CHECK(!ds() && !es() && !fs() && !gs());
    own_selectors(ss(), ss());
    __asm__ volatile("mov %0, %%gs" ::"r"((uint32_t)ss()));
    CHECK(!pthread_create(&child, NULL, inherit, NULL) && !pthread_join(child, NULL));
    printf("segments ok%s\n", has_fsgsbase ? ", with bases of its own" : "");
    return 0;
}
