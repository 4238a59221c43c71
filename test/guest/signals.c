// What signals do, printed: the same program on Linux prints the same. What TCG does in another way
// than a CPU is left out: #SS is a #GP, and no exception of SSE comes.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define SAY(...)                                                                                   \
    do {                                                                                           \
        printf(__VA_ARGS__);                                                                       \
        putchar('\n');                                                                             \
    } while (0)

typedef void handler(int, siginfo_t *, void *);

static volatile int runs, last, code, value, is_from_us;
static volatile long long mask_inside;
static sigjmp_buf back;
static pthread_t main_thread;

static void on(int signal, handler *function, int flags) {
    struct sigaction action = {.sa_sigaction = function, .sa_flags = flags | SA_SIGINFO};
    if (sigaction(signal, &action, NULL)) SAY("sigaction %d: %s", signal, strerror(errno));
}

static long long mask_now(void) {
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    return *(long long *)&set;
}

static void block(int how, int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(how, &set, NULL);
}

static void count(int signal, siginfo_t *info, void *context) {
    (void)context;
    runs++;
    last = signal;
    code = info->si_code;
    value = info->si_value.sival_int;
    is_from_us = info->si_pid == getpid();
    mask_inside = mask_now();
}

// ---- sending and taking ----

static void simple(void) {
    on(SIGUSR1, count, 0);
    raise(SIGUSR1);
    SAY("raise: ran %d, code %d, from us %d, blocked inside %llx, outside %llx", runs, code,
        is_from_us, mask_inside, mask_now());
    kill(getpid(), SIGUSR1);
    SAY("kill: ran %d, code %d", runs, code);
    on(SIGUSR1, count, SA_NODEFER);
    raise(SIGUSR1);
    SAY("SA_NODEFER: blocked inside %llx", mask_inside);
    on(SIGUSR1, count, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    SAY("SA_RESETHAND: default %d, flags %x", now.sa_handler == SIG_DFL,
        (unsigned)now.sa_flags & ~0x4000000u);
}

static int order[8], ordered;
static void note(int signal, siginfo_t *info, void *context) {
    (void)context;
    if (ordered < 8) order[ordered++] = signal * 100 + info->si_value.sival_int;
}

static void queues(void) {
    for (int signal = SIGRTMIN; signal < SIGRTMIN + 2; signal++) {
        on(signal, note, 0);
        block(SIG_BLOCK, signal);
    }
    on(SIGUSR2, note, 0);
    block(SIG_BLOCK, SIGUSR2);
    for (int i = 1; i <= 2; i++) {
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i + 2});
        sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = i + 4});
    }
    sigset_t set;
    sigpending(&set);
    SAY("pending: %llx", *(long long *)&set);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // Handlers are stacked: what is delivered first runs last.
    for (int i = 0; i < ordered; i++) SAY("queued: %d", order[i]);
}

static void many(void) {
    int queued = 0;
    on(SIGRTMIN, count, SA_NODEFER);
    block(SIG_BLOCK, SIGRTMIN);
    while (queued < 2000 && !sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = queued}))
        queued++;
    runs = 0;
    block(SIG_UNBLOCK, SIGRTMIN); // frames on frames
    SAY("many: queued %d, ran %d, the last value %d", queued, runs, value);
}

static void waits(void) {
    sigset_t set;
    siginfo_t info;
    block(SIG_BLOCK, SIGUSR1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    struct timespec none = {0, 0}, some = {0, 2000000};
    SAY("sigtimedwait, nothing: %d %s", sigtimedwait(&set, &info, &none), strerror(errno));
    SAY("sigtimedwait, later: %d %s", sigtimedwait(&set, &info, &some), strerror(errno));
    raise(SIGUSR1);
    SAY("sigtimedwait: %d, code %d", sigtimedwait(&set, &info, &none), info.si_code);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 77});
    int signal = sigwaitinfo(&set, &info);
    SAY("sigwaitinfo: %d, code %d, value %d", signal, info.si_code, info.si_value.sival_int);
    on(SIGUSR1, count, 0);
    raise(SIGUSR1);
    sigemptyset(&set);
    runs = 0;
    int result = sigsuspend(&set);
    SAY("sigsuspend: %d %s, ran %d, blocked inside %llx, outside %llx", result, strerror(errno),
        runs, mask_inside, mask_now());
    raise(SIGUSR1);
    struct timespec long_time = {100, 0};
    result = ppoll(NULL, 0, &long_time, &set);
    SAY("ppoll: %d %s, outside %llx", result, strerror(errno), mask_now());
    block(SIG_UNBLOCK, SIGUSR1);
}

// ---- exceptions ----

static void jump(int signal, siginfo_t *info, void *context) {
    ucontext_t *c = context;
    greg_t *r = c->uc_mcontext.gregs;
    SAY("  signal %d code %d trap %lld error %llx, address is rip: %d, address %llx, cr2 %llx",
        signal, info->si_code, (long long)r[REG_TRAPNO], (long long)r[REG_ERR],
        (long long)(intptr_t)info->si_addr == r[REG_RIP],
        (long long)(intptr_t)info->si_addr == r[REG_RIP] ? 1 : (long long)(intptr_t)info->si_addr,
        r[REG_TRAPNO] == 14 ? (long long)r[REG_CR2] : 0);
    siglongjmp(back, 1);
}

#define TRY(what, ...)                                                                             \
    do {                                                                                           \
        SAY("%s", what);                                                                           \
        if (!sigsetjmp(back, 1)) {                                                                 \
            __VA_ARGS__;                                                                           \
            SAY("  nothing");                                                                      \
        }                                                                                          \
    } while (0)

static void exceptions(void) {
    const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    static char own[65536];
    sigaltstack(&(stack_t){.ss_sp = own, .ss_size = sizeof own}, NULL);
    for (int i = 0; i < 5; i++) on(caught[i], jump, SA_ONSTACK);
    char *page =
        mmap((void *)0x10000000, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mprotect(page + 4096, 4096, PROT_NONE);
    TRY("write to nothing", *(volatile char *)0x20000000 = 1);
    TRY("read of nothing", (void)*(volatile char *)0x20000000);
    TRY("write to NULL", *(volatile char *)8 = 1);
    TRY("write to what can be read", *(volatile char *)page = 1);
    TRY("read of what nobody can", (void)*(volatile char *)(page + 4096));
    (void)*(volatile char *)page; // which is there from now on
    TRY("a jump into data", ((void (*)(void))(page))());
    TRY("write to the kernel", *(volatile char *)0xffff800000001000 = 1);
    TRY("read of the kernel", (void)*(volatile char *)0xffffffff80000000);
    TRY("no address at all", (void)*(volatile char *)0x123456789abcdef0);
    TRY("ud2", __asm__ volatile("ud2"));
    TRY("hlt", __asm__ volatile("hlt"));
    TRY("int3", __asm__ volatile("int3"));
    TRY("int 4", __asm__ volatile("int $4"));
    TRY("one step", __asm__ volatile("pushfq; orl $0x100, (%rsp); popfq; nop"));
    TRY("division by zero", __asm__ volatile("xor %%ecx, %%ecx; div %%ecx" ::
                                                 : "eax", "ecx", "edx"));
    unsigned short control = 0x37f & ~4;
    TRY("x87 division by zero",
        __asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait" ::"m"(control)));
    __asm__ volatile("fninit");
    for (int i = 0; i < 5; i++) signal(caught[i], SIG_DFL);
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
}

static void skip(int signal, siginfo_t *info, void *context) {
    ucontext_t *c = context;
    (void)signal;
    (void)info;
    c->uc_mcontext.gregs[REG_RIP] += 2;
    c->uc_mcontext.gregs[REG_R12] = 0x1234;
    c->uc_mcontext.fpregs->_xmm[5].element[0] = 0x5678;
    c->uc_mcontext.fpregs->_xmm[6].element[1] ^= 1;
}

static void changes(void) {
    unsigned long r12 = 0, xmm5 = 0, xmm6 = 0, xmm7;
    on(SIGILL, skip, 0);
    __asm__ volatile(
        "xor %%r12d, %%r12d; pxor %%xmm5, %%xmm5; pxor %%xmm6, %%xmm6; pcmpeqd %%xmm7, %%xmm7;"
        "ud2; mov %%r12, %0; movq %%xmm5, %1; movq %%xmm6, %2; movq %%xmm7, %3"
        : "=r"(r12), "=r"(xmm5), "=r"(xmm6), "=r"(xmm7)::"r12", "xmm5", "xmm6", "xmm7");
    SAY("a handler changed: r12 %lx, xmm5 %lx, xmm6 %lx, not xmm7 %lx", r12, xmm5, xmm6, xmm7);
    signal(SIGILL, SIG_DFL);
}

// ---- the alternate stack ----

static char *alternate;
static void where(int signal, siginfo_t *info, void *context) {
    ucontext_t *c = context;
    stack_t now, other = {.ss_sp = alternate, .ss_size = 16384};
    char here;
    (void)info;
    sigaltstack(NULL, &now);
    SAY("  signal %d on the other stack: %d, flags %d, in the frame %d, changing it: %d %s", signal,
        &here > alternate && &here < alternate + 65536, now.ss_flags, c->uc_stack.ss_flags,
        sigaltstack(&other, NULL), strerror(errno));
    errno = 0;
}

static void overflow(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    (void)context;
    SAY("  stack overflow caught");
    siglongjmp(back, 1);
}

static int deep(int depth) {
    volatile char room[4096];
    room[0] = (char)depth;
    return depth == 1 << 30 ? 0 : deep(depth + 1) + room[0];
}

static void stacks(void) {
    alternate = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t old, wanted = {.ss_sp = alternate, .ss_size = 65536};
    SAY("sigaltstack: %d", sigaltstack(&wanted, &old));
    SAY("before: flags %d size %zu", old.ss_flags, old.ss_size);
    wanted.ss_size = 100;
    SAY("too small: %d %s", sigaltstack(&wanted, NULL), strerror(errno));
    errno = 0;
    on(SIGUSR1, where, SA_ONSTACK);
    raise(SIGUSR1);
    on(SIGUSR1, where, 0);
    raise(SIGUSR1);
    on(SIGSEGV, overflow, SA_ONSTACK);
    if (!sigsetjmp(back, 1)) SAY("%d", deep(0));
    signal(SIGSEGV, SIG_DFL);
    wanted = (stack_t){.ss_sp = alternate, .ss_size = 65536, .ss_flags = (int)(1u << 31)};
    sigaltstack(&wanted, NULL);
    on(SIGUSR1, where, SA_ONSTACK);
    raise(SIGUSR1);
    sigaltstack(NULL, &old);
    SAY("SS_AUTODISARM afterwards: flags %x size %zu", (unsigned)old.ss_flags, old.ss_size);
}

// ---- calls that wait ----

static int pipes[2];
static void *after_a_while(void *what) {
    for (int i = 0; i < 3; i++) { // with SA_RESTART the first ones do not end the call
        usleep(15000);
        pthread_kill(main_thread, SIGUSR2);
    }
    usleep(15000);
    if (what) (void)!write(pipes[1], "x", 1);
    return NULL;
}

static void interrupted(const char *name, int flags, int wakes, long (*call)(void)) {
    pthread_t other;
    runs = 0;
    on(SIGUSR2, count, flags);
    pthread_create(&other, NULL, after_a_while, wakes ? pipes : NULL);
    errno = 0;
    long result = call();
    int error = errno;
    int many = runs > 1;
    pthread_join(other, NULL);
    SAY("%s%s: %ld %s, several runs before it returned: %d", name, flags ? ", SA_RESTART" : "",
        result, result < 0 ? strerror(error) : "", many);
}

static struct timespec rest;
static long call_read(void) {
    char byte;
    return read(pipes[0], &byte, 1);
}
static long call_sleep(void) {
    long result = nanosleep(&(struct timespec){50, 0}, &rest);
    SAY("  rest: %d s", (int)rest.tv_sec);
    return result;
}
static long call_sleep_until(void) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 50;
    rest.tv_sec = 1;
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, &rest);
    SAY("  rest: %d s", (int)rest.tv_sec);
    return errno ? -1 : 0;
}
static long call_poll(void) {
    return poll(&(struct pollfd){.fd = pipes[0], .events = POLLIN}, 1, 50000);
}
static int word;
static long call_futex(void) { return syscall(SYS_futex, &word, 0, 0, NULL); }
static long call_futex_for(void) {
    return syscall(SYS_futex, &word, 0, 0, &(struct timespec){50, 0});
}
static long call_pause(void) { return pause(); }
static long call_wait_signal(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    // By number: musl goes on behind a handler.
    return syscall(SYS_rt_sigtimedwait, &set, NULL, &(struct timespec){50, 0}, 8);
}
static char much[300000];
static long call_write(void) { return write(pipes[1], much, sizeof much); }
static void *reader(void *unused) {
    usleep(70000);
    for (long left = sizeof much; left > 0;) left -= read(pipes[0], much, sizeof much);
    return unused;
}

static void calls(void) {
    pthread_t other;
    main_thread = pthread_self();
    if (pipe(pipes)) SAY("pipe: %s", strerror(errno));
    interrupted("read", 0, 0, call_read);
    interrupted("read", SA_RESTART, 1, call_read);
    interrupted("nanosleep", SA_RESTART, 0, call_sleep);
    interrupted("clock_nanosleep until", SA_RESTART, 0, call_sleep_until);
    interrupted("poll", SA_RESTART, 0, call_poll);
    interrupted("futex", 0, 0, call_futex);
    interrupted("futex with a timeout", SA_RESTART, 0, call_futex_for);
    interrupted("pause", SA_RESTART, 0, call_pause);
    interrupted("sigtimedwait", SA_RESTART, 0, call_wait_signal);
    interrupted("write", 0, 0, call_write);
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    SAY("it was there: %zd", read(pipes[0], much, sizeof much));
    fcntl(pipes[0], F_SETFL, 0);
    pthread_create(&other, NULL, reader, NULL);
    SAY("write while somebody reads: %ld", call_write());
    pthread_join(other, NULL);
    signal(SIGPIPE, SIG_IGN);
    close(pipes[0]);
    SAY("nobody reads: %zd %s", write(pipes[1], "x", 1), strerror(errno));
    on(SIGPIPE, count, 0);
    runs = 0;
    SAY("nobody reads: %zd %s, ran %d", write(pipes[1], "x", 1), strerror(errno), runs);
}

static void timers(void) {
    on(SIGALRM, count, SA_RESTART);
    runs = 0;
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 2000}, {0, 2000}}, NULL);
    while (runs < 5) pause();
    SAY("setitimer: code %d", code);
    while (runs < 10) {} // and without a call
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
}

// ---- threads ----

static void *cancelled(void *unused) {
    for (;;) pause();
    return unused;
}

static volatile int stormed;
static void storm_handler(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    (void)context;
    __atomic_fetch_add(&stormed, 1, __ATOMIC_RELAXED);
}
static pthread_t storm_threads[8];
static pthread_barrier_t all_sent; // nobody is joined, and gone, before
static void *storm(void *self) {
    block(SIG_UNBLOCK, SIGUSR1);
    double sum = 1;
    for (int i = 0; i < 500; i++) {
        pthread_kill(storm_threads[(i + (int)(intptr_t)self) % 8], SIGUSR1);
        for (int j = 0; j < 50; j++) sum = sum * 1.0000001 + j;
    }
    pthread_barrier_wait(&all_sent);
    return (void *)(intptr_t)(sum > 0);
}

static void threads(void) {
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, cancelled, NULL);
    usleep(5000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    SAY("pthread_cancel: %d", result == PTHREAD_CANCELED);
    pthread_barrier_init(&all_sent, NULL, 8);
    on(SIGUSR1, storm_handler, SA_RESTART);
    block(SIG_BLOCK, SIGUSR1);
    for (int i = 0; i < 8; i++) storm_threads[i] = pthread_self();
    for (int i = 0; i < 8; i++)
        pthread_create(&thread, NULL, storm, (void *)(intptr_t)i), storm_threads[i] = thread;
    block(SIG_UNBLOCK, SIGUSR1);
    for (int i = 0; i < 8; i++) pthread_join(storm_threads[i], &result);
    SAY("a storm of signals: some came %d", stormed > 0);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    simple();
    queues();
    many();
    waits();
    exceptions();
    changes();
    stacks();
    calls();
    timers();
    threads();
    SAY("done");
    return 0;
}
