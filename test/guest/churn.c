// Threads come and go by the thousand, and what is a thread's own stays its own over preemption and
// moves between CPUs: registers of all kinds, rounding modes, TLS, errno.
#include "threads.h"

#include <fenv.h>
#include <sys/sysinfo.h>

static __thread struct {
    uint64_t a, zero[50];
    char text[24];
} own = {.a = 0x1234567890abcdef, .text = "initial"};

static _Atomic long alive, done;

static void check_own(void *me) {
    WANT(own.a == 0x1234567890abcdef && !own.zero[49] && strcmp(own.text, "initial") == 0);
    own.a = own.zero[49] = (uintptr_t)me;
    snprintf(own.text, sizeof own.text, "%lx", (unsigned long)me);
    errno = (int)(intptr_t)me % 100;
}

static void *brief(void *me) {
    char text[24];
    check_own(me);
    if ((uintptr_t)me % 4 == 0) sched_yield();
    snprintf(text, sizeof text, "%lx", (unsigned long)me);
    WANT(errno == (int)(intptr_t)me % 100 && own.a == (uintptr_t)me && own.zero[49] == own.a);
    WANT(strcmp(own.text, text) == 0);
    done++;
    return me;
}

static void *joined(void *me) {
    for (intptr_t n = rounds(30); n; n--) {
        void *argument = (void *)(n * 1000 + (intptr_t)me), *result;
        WANT(pthread_join(start(brief, argument), &result) == 0 && result == argument);
    }
    return me;
}

static void *leaving(void *me) {
    brief(me);
    alive--;
    if ((uintptr_t)me % 2) pthread_exit(me);
    return me;
}

static void *detached(void *me) {
    for (intptr_t n = rounds(30); n; n--) {
        alive++;
        WANT(pthread_detach(start(leaving, (void *)(n * 1000 + (intptr_t)me))) == 0);
        while (alive > 4 * threads) sched_yield();
    }
    return me;
}

#define SLACK (1ul << 20)

static uint64_t free_bytes(void) {
    struct sysinfo info;
    WANT(sysinfo(&info) == 0);
    return info.freeram * (uint64_t)info.mem_unit;
}

// All at once, asleep: many more than CPUs.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t go = PTHREAD_COND_INITIALIZER, all_here = PTHREAD_COND_INITIALIZER;
static int waiting, gone;

static void *crowd_member(void *me) {
    check_own(me);
    pthread_mutex_lock(&mutex);
    waiting++;
    pthread_cond_signal(&all_here);
    while (!gone) pthread_cond_wait(&go, &mutex);
    waiting--;
    pthread_mutex_unlock(&mutex);
    return me;
}

static void crowd(int count) {
    pthread_t thread[1000];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32768);
    gone = 0;
    for (intptr_t i = 0; i < count; i++)
        WANT(pthread_create(&thread[i], &small, crowd_member, (void *)i) == 0);
    pthread_mutex_lock(&mutex);
    while (waiting < count) pthread_cond_wait(&all_here, &mutex);
    gone = 1;
    pthread_cond_broadcast(&go);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < count; i++) WANT(pthread_join(thread[i], NULL) == 0);
    WANT(waiting == 0);
}

// ---- registers ---------------------------------------------------------------------------------

struct state {
    uint64_t general[8];
    unsigned char vector[16][32];
    uint32_t mxcsr;
    uint16_t control;
};

// Loads registers with me's pattern, runs for a while without a call (way 0) or with one in each
// turn, and compares.
#define FOR_ALL(op) ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n " op "\n .endr\n"
static void run(const struct state *in, struct state *out, long turns, long number, int avx) {
    register const struct state *from __asm__("r8") = in;
    register struct state *to __asm__("r9") = out;
    register long left __asm__("r10") = turns, call __asm__("r13") = number,
                       wide __asm__("r14") = avx;
    // clang-format off
    __asm__ volatile(
        "ldmxcsr 576(%%r8); fldcw 580(%%r8); fldpi; fldl2e\n"
        "test %%r14, %%r14; jz 1f\n"
        FOR_ALL("vmovdqu 64+32*\\n(%%r8), %%ymm\\n")
        "jmp 2f\n"
        "1:\n"
        FOR_ALL("movdqu 64+32*\\n(%%r8), %%xmm\\n")
        "2: mov (%%r8), %%rbx; mov 8(%%r8), %%r12; mov 16(%%r8), %%r15\n"
        "3: test %%r13, %%r13; js 4f\n"
        "mov %%r13, %%rax; xor %%edi, %%edi; xor %%esi, %%esi; syscall\n"
        "4: dec %%r10; jnz 3b\n"
        "mov %%rbx, (%%r9); mov %%r12, 8(%%r9); mov %%r15, 16(%%r9)\n"
        "test %%r14, %%r14; jz 5f\n"
        FOR_ALL("vmovdqu %%ymm\\n, 64+32*\\n(%%r9)")
        "vzeroupper; jmp 6f\n"
        "5:\n"
        FOR_ALL("movdqu %%xmm\\n, 64+32*\\n(%%r9)")
        "6: stmxcsr 576(%%r9); fnstcw 580(%%r9); fstpl 24(%%r9); fstpl 32(%%r9); fninit\n"
        : "+r"(left)
        : "r"(from), "r"(to), "r"(call), "r"(wide)
        : "rax", "rbx", "rcx", "rdi", "rsi", "r11", "r12", "r15", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3",
          "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    // clang-format on
}

static _Atomic long moves;

static void *registers(void *argument) {
    intptr_t me = (intptr_t)argument;
    __builtin_cpu_init();
    int avx = __builtin_cpu_supports("avx") != 0;
    uint64_t random = seed(me);
    fenv_t normal;
    fegetenv(&normal);
    for (int n = rounds(30); n; n--) {
        struct state in, out;
        memset(&in, 0, sizeof in);
        memset(&out, 0, sizeof out);
        for (int i = 0; i < 3; i++) in.general[i] = below(&random, -1ul);
        for (size_t i = 0; i < sizeof in.vector; i++)
            ((unsigned char *)in.vector)[i] = (unsigned char)below(&random, 256);
        in.mxcsr = 0x1f80 | (uint32_t)below(&random, 4) << 13;
        in.control = (uint16_t)(0x37f | below(&random, 4) << 10);
        unsigned before = apic_id();
        if (n % 3 == 0)
            run(&in, &out, 1, SYS_sched_yield, avx);
        else
            run(&in, &out, n % 3 == 1 ? 200 : 200000, n % 3 == 1 ? SYS_gettid : -1, avx);
        moves += before != apic_id();
        fesetenv(&normal);
        WANT(memcmp(in.general, out.general, 24) == 0 && in.mxcsr == (out.mxcsr & ~0x3fu) &&
             in.control == out.control);
        for (int i = 0; i < 16; i++) WANT(memcmp(in.vector[i], out.vector[i], avx ? 32 : 16) == 0);
        double e, pi;
        memcpy(&e, &out.general[3], 8);
        memcpy(&pi, &out.general[4], 8);
        WANT(e > 1.442695 && e < 1.442696 && pi > 3.141592 && pi < 3.141593);
    }
    return argument;
}

// A new thread computes as the one that made it does.
static void *inherits(void *mode) {
    WANT(fegetround() == (int)(intptr_t)mode);
    volatile double one = 1, three = 3;
    static const double third = 1 / 3.0; // rounded down, as the compiler does
    WANT((one / three > third) == (mode == (void *)FE_UPWARD));
    return mode;
}

static void *modes(void *me) {
    static const int all[4] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    for (int i = 0; i < 4; i++) {
        int mode = all[(i + (intptr_t)me) % 4];
        WANT(fesetround(mode) == 0);
        WANT(pthread_join(start(inherits, (void *)(intptr_t)mode), NULL) == 0 &&
             fegetround() == mode);
    }
    fesetround(FE_TONEAREST);
    return me;
}

int main(int argc, char **argv) {
    arguments(argc, argv);
    uint64_t before = 0;
    for (int round = 0; round < 3; round++) {
        all_of(threads, joined);
        all_of(threads, detached);
        while (alive) sched_yield();
        crowd(percent >= 100 ? 1000 : 1000 * percent / 100 + 1);
        // What the first round left is what libc keeps. A thread that is on its way out still has
        // its stack.
        int checks = round == 2 && is_vmos();
        for (int i = 0; checks && i < 500 && free_bytes() + SLACK < before; i++) usleep(10000);
        if (checks && free_bytes() + SLACK < before)
            FAIL("%lu KiB are lost", (before - free_bytes()) >> 10);
        before = free_bytes();
    }
    WANT(done == 6l * rounds(30) * threads);
    puts("threads ok");
    part("rounding modes", modes);
    part("registers", registers);
    all_of(3 * threads < THREADS ? 3 * threads : THREADS,
           registers); // more than CPUs: they are preempted
    fprintf(stderr, "%ld times on another CPU\n", moves);
    puts("churn ok");
    return 0;
}
