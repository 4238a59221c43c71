// What many small calls answer, with Linux's answers: it passes there, too. One line for each that
// is wrong.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#define SECOND  1000000000ll
#define PAGE    4096ul
#define NOWHERE ((void *)8) // no memory of the program
static int wrong;

static void want(int line, const char *what, long got, long wanted) {
    if (got == wanted) return;
    printf("line %d: %s: %ld, not %ld\n", line, what, got, wanted);
    wrong++;
}

// A call that returns wanted, which is a negative errno when it fails.
#define RESULT(call, ...) (syscall(SYS_##call, ##__VA_ARGS__) == -1 ? -errno : 0)
#define GIVES(wanted, call, ...)                                                                   \
    do {                                                                                           \
        long result = syscall(SYS_##call, ##__VA_ARGS__);                                          \
        want(__LINE__, #call "(" #__VA_ARGS__ ")", result == -1 ? -errno : result, wanted);        \
    } while (0)
#define IS(condition) want(__LINE__, #condition, !(condition), 0)

static int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    return syscall(SYS_clock_gettime, clock, &t) ? -1 : t.tv_sec * SECOND + t.tv_nsec;
}
static clockid_t cpu_clock_of(unsigned number, int which) {
    return (clockid_t)(~number << 3) | which;
}

static void umasks(void) {
    long before = syscall(SYS_umask, 077);
    IS(before >= 0 && before <= 0777);
    GIVES(077, umask, 0x1ffff & ~022);
    GIVES(0777 & ~022, umask, before);
}

static void clocks(void) {
    static const int known[] = {0, 1, 2, 3, 4, 5, 6, 7, 11, -2, -3, -4, -6, -7, -8};
    static const int unknown[] = {10, 12, 13, 14, 15, 1000, -1, -5, 0x7fffffff};
    struct timespec t;
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        t = (struct timespec){-1, -1};
        want(__LINE__, "clock_gettime of a known clock", RESULT(clock_gettime, known[i], &t), 0);
        IS(t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < SECOND);
        t = (struct timespec){-1, -1};
        want(__LINE__, "clock_getres of a known clock", RESULT(clock_getres, known[i], &t), 0);
        IS(t.tv_sec == 0 && t.tv_nsec > 0 && t.tv_nsec <= 10000000);
        want(__LINE__, "clock_getres to nowhere", RESULT(clock_getres, known[i], NULL), 0);
        want(__LINE__, "clock_gettime to nowhere", RESULT(clock_gettime, known[i], NOWHERE),
             -EFAULT);
    }
    for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        want(unknown[i], "clock_gettime of no clock", RESULT(clock_gettime, unknown[i], &t),
             -EINVAL);
        want(unknown[i], "clock_getres of no clock", RESULT(clock_getres, unknown[i], &t), -EINVAL);
    }
    GIVES(-EFAULT, clock_getres, CLOCK_MONOTONIC, NOWHERE);
    GIVES(-EINVAL, clock_gettime, cpu_clock_of(0x0fffffff, 6), &t);
    GIVES(-EINVAL, clock_gettime, cpu_clock_of(0x0fffffff, 2), &t);
    int64_t wall = clock_ns(CLOCK_REALTIME), tai = clock_ns(CLOCK_TAI);
    IS(tai >= wall && tai < wall + 100 * SECOND);
    int64_t mine = clock_ns(CLOCK_THREAD_CPUTIME_ID), same = clock_ns(-2),
            again = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    IS(mine <= same && same <= again);
    int64_t all = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    IS(all >= again && clock_ns(-6) >= all && clock_ns(cpu_clock_of(getpid(), 2)) >= all);
    clockid_t process;
    IS(clock_getcpuclockid(0, &process) == 0 && clock_ns(process) >= all);
    IS(clock_getcpuclockid(getpid(), &process) == 0 && clock_ns(process) >= all);
    struct timeval day;
    struct timezone zone = {5, 5};
    GIVES(0, gettimeofday, &day, &zone);
    IS(zone.tz_minuteswest == 0 && zone.tz_dsttime == 0 &&
       llabs(day.tv_sec - (long)time(NULL)) < 5);
    GIVES(-EFAULT, gettimeofday, NOWHERE, NULL);
    GIVES(-EFAULT, gettimeofday, NULL, NOWHERE);
    GIVES(0, gettimeofday, NULL, NULL);
    GIVES(-EFAULT, time, NOWHERE);
}

// ---- other threads ----

static volatile int stop;
static pid_t busy_tid;
static void *busy(void *clock) {
    pthread_getcpuclockid(pthread_self(), clock);
    __atomic_store_n(&busy_tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    while (!stop) {}
    return NULL;
}

static void sleeps(void) {
    static const struct timespec moment = {0, 20000000}, bad = {0, SECOND}, negative = {-1, 0};
    static const int able[] = {0, 1, 7, 11}, unable[] = {3, 4, 5, 6, -5},
                     unknown[] = {10, 12, 15, 1000, -1, -2};
    for (unsigned i = 0; i < sizeof able / sizeof *able; i++) {
        int64_t since = clock_ns(CLOCK_MONOTONIC);
        want(__LINE__, "clock_nanosleep", RESULT(clock_nanosleep, able[i], 0, &moment, NULL), 0);
        IS(clock_ns(CLOCK_MONOTONIC) - since >= moment.tv_nsec);
        int64_t until = clock_ns(able[i]) + moment.tv_nsec;
        struct timespec then = {until / SECOND, until % SECOND};
        want(__LINE__, "clock_nanosleep",
             RESULT(clock_nanosleep, able[i], TIMER_ABSTIME, &then, NULL), 0);
        IS(clock_ns(able[i]) >= until);
        want(__LINE__, "clock_nanosleep",
             RESULT(clock_nanosleep, able[i], TIMER_ABSTIME, &(struct timespec){1, 0}, NULL), 0);
        want(__LINE__, "clock_nanosleep", RESULT(clock_nanosleep, able[i], 0, &bad, NULL), -EINVAL);
        want(__LINE__, "clock_nanosleep", RESULT(clock_nanosleep, able[i], 0, &negative, NULL),
             -EINVAL);
        want(__LINE__, "clock_nanosleep", RESULT(clock_nanosleep, able[i], 0, NOWHERE, NULL),
             -EFAULT);
    }
    for (unsigned i = 0; i < sizeof unable / sizeof *unable; i++)
        want(__LINE__, "clock_nanosleep by a clock that cannot",
             RESULT(clock_nanosleep, unable[i], 0, &moment, NULL), -EOPNOTSUPP);
    for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; i++)
        want(unknown[i], "clock_nanosleep by no clock",
             RESULT(clock_nanosleep, unknown[i], 0, &moment, NULL), -EINVAL);
    GIVES(-EFAULT, nanosleep, NOWHERE, NULL);
    GIVES(-EINVAL, nanosleep, &bad, NULL);
    GIVES(-EINVAL, clock_nanosleep, cpu_clock_of((unsigned)syscall(SYS_gettid), 6), 0, &moment,
          NULL);
    GIVES(-EINVAL, clock_nanosleep, cpu_clock_of(0x0fffffff, 6), 0, &moment, NULL);
}

// A sleep by a CPU clock lasts as long as that takes, which is no less than on all CPUs at once.
static void cpu_sleeps(void) {
    struct timespec tenth = {0, 100000000};
    clockid_t its;
    pthread_t thread;
    stop = 0;
    pthread_create(&thread, NULL, busy, &its);
    while (!__atomic_load_n(&busy_tid, __ATOMIC_SEQ_CST)) sched_yield();
    IS(its == cpu_clock_of((unsigned)busy_tid, 6));
    int64_t before = clock_ns(its), all = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    GIVES(0, clock_nanosleep, its, 0, &tenth, NULL);
    int64_t after = clock_ns(its);
    IS(before >= 0 && after >= before + tenth.tv_nsec);
    GIVES(0, clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &tenth, NULL);
    IS(clock_ns(CLOCK_PROCESS_CPUTIME_ID) >= all + 2 * tenth.tv_nsec);
    int64_t until = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + 50000000;
    struct timespec then = {until / SECOND, until % SECOND};
    GIVES(0, clock_nanosleep, -6, TIMER_ABSTIME, &then, NULL);
    IS(clock_ns(CLOCK_PROCESS_CPUTIME_ID) >= until);
    GIVES(0, clock_nanosleep, its, TIMER_ABSTIME, &tenth, NULL); // was long ago
    stop = 1;
    pthread_join(thread, NULL);
    GIVES(-EINVAL, clock_gettime, its, &then);
}

static void *nameless(void *unused) {
    char name[16] = "";
    GIVES(0, prctl, PR_GET_NAME, name);
    IS(strcmp(name, "fifteen letters") == 0);
    GIVES(0, prctl, PR_SET_NAME, "another");
    return unused;
}

static void names(void) {
    char name[17];
    memset(name, 'x', sizeof name);
    GIVES(0, prctl, PR_GET_NAME, name);
    IS(strcmp(name, "a name of mine") == 0 && name[15] == 0 && name[16] == 'x');
    GIVES(0, prctl, PR_SET_NAME, "fifteen letters and more");
    pthread_t thread;
    pthread_create(&thread, NULL, nameless, NULL);
    pthread_join(thread, NULL);
    GIVES(0, prctl, PR_GET_NAME, name);
    IS(strcmp(name, "fifteen letters") == 0);
    GIVES(0, prctl, PR_SET_NAME, "");
    GIVES(0, prctl, PR_GET_NAME, name);
    for (int i = 0; i < 16; i++) IS(name[i] == 0);
    GIVES(-EFAULT, prctl, PR_SET_NAME, NOWHERE);
    GIVES(-EFAULT, prctl, PR_GET_NAME, NOWHERE);
}

static void prctls(void) {
    int value = -1;
    GIVES(1, prctl, PR_GET_DUMPABLE);
    GIVES(-EINVAL, prctl, PR_SET_DUMPABLE, 2);
    GIVES(0, prctl, PR_SET_DUMPABLE, 0);
    GIVES(0, prctl, PR_GET_DUMPABLE);
    GIVES(0, prctl, PR_SET_DUMPABLE, 1);
    GIVES(0, prctl, PR_SET_PDEATHSIG, 9);
    GIVES(-EINVAL, prctl, PR_SET_PDEATHSIG, 65);
    GIVES(0, prctl, PR_GET_PDEATHSIG, &value);
    IS(value == 9);
    GIVES(0, prctl, PR_SET_PDEATHSIG, 0);
    GIVES(0, prctl, PR_GET_KEEPCAPS);
    GIVES(0, prctl, PR_SET_KEEPCAPS, 1);
    GIVES(1, prctl, PR_GET_KEEPCAPS);
    GIVES(-EINVAL, prctl, PR_SET_KEEPCAPS, 2);
    GIVES(0, prctl, PR_GET_TIMING);
    GIVES(0, prctl, PR_SET_TIMING, 0);
    GIVES(-EINVAL, prctl, PR_SET_TIMING, 1);
    GIVES(0, prctl, PR_GET_TSC, &value);
    IS(value == PR_TSC_ENABLE);
    GIVES(0, prctl, PR_GET_CHILD_SUBREAPER, &value);
    IS(value == 0);
    GIVES(0, prctl, PR_SET_CHILD_SUBREAPER, 5);
    GIVES(0, prctl, PR_GET_CHILD_SUBREAPER, &value);
    IS(value == 1);
    GIVES(-EINVAL, prctl, PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0);
    GIVES(-EINVAL, prctl, PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
    GIVES(-EINVAL, prctl, PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0);
    GIVES(0, prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    GIVES(1, prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    GIVES(0, prctl, PR_GET_THP_DISABLE, 0, 0, 0, 0);
    GIVES(0, prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
    GIVES(1, prctl, PR_GET_THP_DISABLE, 0, 0, 0, 0);
    GIVES(0, prctl, PR_SET_THP_DISABLE, 0, 0, 0, 0);
    GIVES(0, prctl, PR_SET_TIMERSLACK, 70000);
    GIVES(70000, prctl, PR_GET_TIMERSLACK);
    GIVES(0, prctl, PR_SET_TIMERSLACK, 0);
    GIVES(50000, prctl, PR_GET_TIMERSLACK);
    GIVES(-EINVAL, prctl, PR_CAPBSET_READ, 1000);
    GIVES(-EINVAL, prctl, 9999);
    GIVES(-EINVAL, arch_prctl, 0x9999, 0);
    GIVES(-EPERM, arch_prctl, 0x1002, 1ul << 63);
    GIVES(-EFAULT, arch_prctl, 0x1003, NOWHERE);
}

static void numbers(void) {
    int real[3] = {-1, -1, -1};
    IS(getpgid(0) == getpgrp() && getpgid(getpid()) == getpgrp() && getsid(0) == getsid(getpid()) &&
       getsid(0) >= 0);
    GIVES(-ESRCH, getpgid, -1);
    GIVES(-ESRCH, getpgid, 0x3fffffff);
    GIVES(-ESRCH, getsid, -1);
    GIVES(-ESRCH, getsid, 0x3fffffff);
    GIVES(-EINVAL, setpgid, 0, -1);
    GIVES(-ESRCH, setpgid, 0x3fffffff, 0);
    GIVES(0, getresuid, &real[0], &real[1], &real[2]);
    IS(real[0] == (int)getuid() && real[1] == (int)geteuid());
    GIVES(-EFAULT, getresgid, NOWHERE, &real[1], &real[2]);
    GIVES(-EINVAL, getgroups, -1, NULL);
    long kept = syscall(SYS_personality, 0xffffffff);
    IS(kept >= 0);
    GIVES(kept, personality, kept | 0x40000);
    GIVES(kept | 0x40000, personality, kept);
    IS(syscall(SYS_getppid) >= 0 && syscall(SYS_setfsuid, -1) == geteuid() &&
       syscall(SYS_setfsgid, -1) == getegid());
    GIVES(0, sync);
}

static void uses(void) {
    struct rusage u, before;
    struct tms tms;
    struct sysinfo info;
    GIVES(-EINVAL, getrusage, 99, &u);
    GIVES(-EINVAL, getrusage, -2, &u);
    GIVES(-EFAULT, getrusage, 0, NOWHERE);
    GIVES(0, getrusage, RUSAGE_CHILDREN, &u);
    IS(u.ru_utime.tv_sec == 0 && u.ru_minflt == 0);
    GIVES(0, getrusage, RUSAGE_THREAD, &before);
    char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 64; i++) p[(unsigned)i * PAGE] = 1;
    munmap(p, 64 * PAGE);
    GIVES(0, getrusage, RUSAGE_THREAD, &u);
    IS(u.ru_maxrss >= 256 && u.ru_maxrss < 1 << 20);
    p = mmap(NULL, 4096 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 1, 4096 * PAGE);
    munmap(p, 4096 * PAGE);
    GIVES(0, getrusage, RUSAGE_SELF, &u);
    IS(u.ru_maxrss >= 16384 && u.ru_maxrss < 1 << 20);
    for (int i = 0; i < 3; i++) usleep(1000);
    GIVES(0, getrusage, RUSAGE_THREAD, &u);
    IS(u.ru_minflt > before.ru_minflt && u.ru_minflt <= before.ru_minflt + 4200 &&
       u.ru_nvcsw >= before.ru_nvcsw + 3);
    GIVES(0, getrusage, RUSAGE_SELF, &u);
    IS(u.ru_minflt > before.ru_minflt && u.ru_nvcsw >= before.ru_nvcsw + 3 &&
       u.ru_utime.tv_sec < 1000);
    long ticks = syscall(SYS_times, &tms), later = syscall(SYS_times, NULL);
    IS(ticks > 0 && later >= ticks && later < ticks + 1000 && tms.tms_cutime == 0 &&
       tms.tms_utime >= 0);
    int64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 10000000;
    IS(llabs(tms.tms_utime + tms.tms_stime - cpu) <= 3);
    GIVES(-EFAULT, times, NOWHERE);
    GIVES(0, sysinfo, &info);
    IS(info.mem_unit == 1 && info.totalram > 1 << 20 && info.freeram <= info.totalram &&
       info.procs >= 1);
    GIVES(-EFAULT, sysinfo, NOWHERE);
}

static void random_bytes(void) {
    char *p = mmap(NULL, 40ul << 20, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    GIVES(-EINVAL, getrandom, p, 16, 2 | 4);
    GIVES(-EINVAL, getrandom, p, 16, 8);
    GIVES(16, getrandom, p, 16, 1 | 2);
    GIVES(16, getrandom, p, 16, 4);
    GIVES(0, getrandom, p, 0, 0);
    GIVES(0, getrandom, NOWHERE, 0, 0);
    GIVES(-EFAULT, getrandom, NOWHERE, 1, 0);
    GIVES(-EFAULT, getrandom, 1ul << 63, 1, 0);
    GIVES(3 << 20, getrandom, p, 3ul << 20, 0);
    int distinct = 0;
    for (unsigned i = 0; i < 3u << 20; i += 4096) distinct += memcmp(p + i, p + i + 8, 8) != 0;
    IS(distinct == 768 && p[(3 << 20)] == 0);
    munmap(p + 2 * PAGE, PAGE);
    GIVES(2 * PAGE - 100, getrandom, p + 100, 8 * PAGE, 0); // what was there to be written
    munmap(p, 40ul << 20);
}

static void policies(void) {
    struct sched_param param = {77};
    cpu_set_t cpus[8];
    GIVES(SCHED_OTHER, sched_getscheduler, 0);
    GIVES(SCHED_OTHER, sched_getscheduler, getpid());
    GIVES(-EINVAL, sched_getscheduler, -1);
    GIVES(-ESRCH, sched_getscheduler, 0x3fffffff);
    GIVES(0, sched_getparam, 0, &param);
    IS(param.sched_priority == 0);
    GIVES(-EINVAL, sched_getparam, 0, NULL);
    GIVES(-EFAULT, sched_getparam, 0, NOWHERE);
    GIVES(0, sched_setparam, 0, &param);
    param.sched_priority = 1;
    GIVES(-EINVAL, sched_setparam, 0, &param);
    GIVES(-EINVAL, sched_setscheduler, 0, SCHED_OTHER, &param);
    param.sched_priority = 0;
    GIVES(-EINVAL, sched_setscheduler, 0, SCHED_FIFO, &param);
    GIVES(-EINVAL, sched_setscheduler, 0, -1, &param);
    GIVES(-EINVAL, sched_setscheduler, 0, 4, &param);
    GIVES(0, sched_setscheduler, 0, SCHED_BATCH, &param);
    GIVES(SCHED_BATCH, sched_getscheduler, 0);
    GIVES(0, sched_setscheduler, 0, SCHED_OTHER, &param);
    GIVES(99, sched_get_priority_max, SCHED_FIFO);
    GIVES(1, sched_get_priority_min, SCHED_RR);
    GIVES(0, sched_get_priority_max, SCHED_OTHER);
    GIVES(0, sched_get_priority_min, SCHED_IDLE);
    GIVES(-EINVAL, sched_get_priority_max, 4);
    GIVES(-EINVAL, sched_get_priority_max, -1);
    GIVES(20, getpriority, PRIO_PROCESS, 0);
    GIVES(-EINVAL, getpriority, 3, 0);
    GIVES(-EINVAL, getpriority, -1, 0);
    GIVES(-ESRCH, getpriority, PRIO_PROCESS, 0x3fffffff);
    GIVES(0, setpriority, PRIO_PROCESS, 0, 5);
    GIVES(15, getpriority, PRIO_PROCESS, getpid());
    GIVES(0, setpriority, PRIO_PROCESS, 0, 1000);
    GIVES(1, getpriority, PRIO_PROCESS, 0);
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof cpus, cpus);
    IS(bytes > 0 && bytes % 8 == 0);
    GIVES(0, sched_setaffinity, 0, bytes, cpus);
    GIVES(-EFAULT, sched_setaffinity, 0, bytes, NOWHERE);
    GIVES(-ESRCH, sched_setaffinity, 0x3fffffff, bytes, cpus);
    GIVES(-EINVAL, sched_setaffinity, 0, 0, cpus);
    GIVES(-EINVAL, sched_getaffinity, 0, 7, cpus);
}

static void signals(void) {
    uint64_t set = 1ull << (SIGUSR1 - 1) | 1ull << (SIGALRM - 1) | 1ull << (SIGKILL - 1), old;
    stack_t stack = {.ss_sp = &set, .ss_size = 10000}, got;
    GIVES(-EINVAL, rt_sigprocmask, SIG_BLOCK, &set, NULL, 4);
    GIVES(-EINVAL, rt_sigprocmask, 7, &set, NULL, 8);
    GIVES(0, rt_sigprocmask, 7, NULL, NULL, 8);
    GIVES(-EFAULT, rt_sigprocmask, SIG_BLOCK, NOWHERE, NULL, 8);
    GIVES(0, rt_sigprocmask, SIG_BLOCK, &set, NULL, 8);
    GIVES(0, rt_sigprocmask, SIG_SETMASK, NULL, &old, 8);
    IS(old == (set & ~(1ull << (SIGKILL - 1))));
    GIVES(0, rt_sigpending, &old, 8);
    IS(old == 0);
    GIVES(0, tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    GIVES(0, rt_sigpending, &old, 8);
    IS(old == 1ull << (SIGUSR1 - 1));
    GIVES(-EINVAL, rt_sigpending, &old, 9);
    GIVES(-EFAULT, rt_sigpending, NOWHERE, 8);
    signal(SIGUSR1, SIG_IGN); // forgets it
    GIVES(0, rt_sigpending, &old, 8);
    IS(old == 0);
    GIVES(-ESRCH, kill, 0x3fffffff, 0);
    GIVES(-ESRCH, kill, 0x3fffffff, 99);
    GIVES(-EINVAL, kill, getpid(), 65);
    GIVES(-EINVAL, kill, getpid(), -1);
    GIVES(0, kill, getpid(), 0);
    GIVES(-ESRCH, tkill, 0x3fffffff, 99);
    GIVES(-EINVAL, tkill, 0, 0);
    GIVES(-EINVAL, tgkill, 0, syscall(SYS_gettid), 0);
    GIVES(-EINVAL, tgkill, getpid(), -1, 0);
    GIVES(-ESRCH, tgkill, 0x3fffffff, syscall(SYS_gettid), 0);
    GIVES(-EINVAL, rt_sigaction, SIGUSR1, NULL, NULL, 4);
    GIVES(-EINVAL, rt_sigaction, 0, NULL, NULL, 8);
    GIVES(-EINVAL, rt_sigaction, 65, NULL, NULL, 8);
    GIVES(-EINVAL, rt_sigaction, -1, NULL, NULL, 8);
    GIVES(-EFAULT, rt_sigaction, 65, NOWHERE, NULL, 8);
    GIVES(-EFAULT, rt_sigaction, SIGUSR1, NULL, NOWHERE, 8);
    GIVES(0, sigaltstack, NULL, &got);
    IS(got.ss_flags == SS_DISABLE && got.ss_size == 0);
    GIVES(0, sigaltstack, &stack, NULL);
    GIVES(0, sigaltstack, NULL, &got);
    IS(got.ss_flags == 0 && got.ss_size == 10000 && got.ss_sp == &set);
    stack.ss_size = 100;
    GIVES(-ENOMEM, sigaltstack, &stack, NULL);
    stack.ss_flags = 4;
    GIVES(-EINVAL, sigaltstack, &stack, NULL);
    stack.ss_flags = SS_DISABLE;
    GIVES(0, sigaltstack, &stack, &got);
    IS(got.ss_size == 10000);
    GIVES(0, sigaltstack, NULL, &got);
    IS(got.ss_flags == SS_DISABLE && got.ss_size == 0 && got.ss_sp == NULL);
    GIVES(-EFAULT, sigaltstack, NOWHERE, NULL);
}

// SIGALRM is blocked by signals().
static void timers(void) {
    struct itimerval value, none = {0}, bad = {.it_value = {0, 1000000}};
    uint64_t pending = 0;
    GIVES(0, alarm, 0);
    GIVES(0, alarm, 1000);
    GIVES(0, getitimer, ITIMER_REAL, &value);
    IS(value.it_value.tv_sec >= 990 && value.it_value.tv_sec <= 1000 &&
       value.it_interval.tv_sec == 0);
    value = (struct itimerval){{7, 5}, {500, 999999}};
    GIVES(0, setitimer, ITIMER_REAL, &value, &value);
    IS(value.it_value.tv_sec >= 990);
    GIVES(0, getitimer, ITIMER_REAL, &value);
    IS(value.it_interval.tv_sec == 7 && value.it_interval.tv_usec == 5 &&
       value.it_value.tv_sec >= 490);
    GIVES(501, alarm, 0);
    GIVES(0, alarm, 0xffffffff);
    IS(syscall(SYS_alarm, 0) > 0xfffff000);
    GIVES(0, getitimer, ITIMER_REAL, &value);
    IS(value.it_value.tv_sec == 0 && value.it_value.tv_usec == 0);
    GIVES(0, getitimer, ITIMER_PROF, &value);
    IS(value.it_value.tv_sec == 0 && value.it_value.tv_usec == 0);
    GIVES(0, setitimer, ITIMER_VIRTUAL, &none, NULL);
    GIVES(-EINVAL, setitimer, ITIMER_REAL, &bad, NULL);
    GIVES(-EINVAL, setitimer, 3, &none, NULL);
    GIVES(-EINVAL, getitimer, 3, &value);
    GIVES(-EFAULT, setitimer, ITIMER_REAL, NOWHERE, NULL);
    GIVES(-EFAULT, getitimer, ITIMER_REAL, NOWHERE);
    value = (struct itimerval){{0, 0}, {0, 10000}}; // blocked: it stays pending
    GIVES(0, setitimer, ITIMER_REAL, &value, NULL);
    for (int i = 0; i < 1000 && !pending; i++) {
        usleep(1000);
        GIVES(0, rt_sigpending, &pending, 8);
    }
    IS(pending == 1ull << (SIGALRM - 1));
    GIVES(0, alarm, 0);
    signal(SIGALRM, SIG_IGN); // ignored: it is forgotten, and comes no more
    GIVES(0, rt_sigpending, &pending, 8);
    IS(pending == 0);
    pending = 0;
    GIVES(0, rt_sigprocmask, SIG_SETMASK, &pending, NULL, 8);
    GIVES(0, setitimer, ITIMER_REAL, &value, NULL);
    usleep(50000);
    GIVES(0, alarm, 0);
}

// ---- robust locks ----

static pthread_mutex_t robust;
static void *dies_with_it(void *unused) {
    pthread_mutex_lock(&robust);
    return unused;
}

// Lists by hand, of threads that end: a circle, garbage, and one that is too long.
struct entry {
    struct entry *next;
    uint32_t word;
};
static struct list {
    struct entry *first;
    long offset;
    struct entry *pending;
} list;
static struct entry entries[3000], waits;

static void *ends(void *how) {
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    list.offset = sizeof(void *);
    list.pending = NULL;
    for (int i = 0; i < 3000; i++) entries[i] = (struct entry){&entries[i + 1], tid};
    list.first = entries;
    switch (*(char *)how) {
    case 'c': entries[9].next = entries; break; // a circle
    case 'g': entries[9].next = NOWHERE; break; // nowhere
    case 'l': break;                            // longer than 2048
    case 'p':
        list.first = (struct entry *)&list, list.pending = &waits, waits.word = tid | 0x80000000;
        break;
    case 'o': list.offset = 1; break; // no aligned word
    case 'f':
        entries[9] = (struct entry){(struct entry *)&list, 12345};
        break; // another's lock, and the end
    }
    GIVES(-EINVAL, set_robust_list, &list, 23);
    GIVES(0, set_robust_list, &list, 24);
    return NULL;
}

static int died(void) {
    int count = 0;
    for (int i = 0; i < 3000; i++) count += entries[i].word == 0x40000000;
    return count;
}

static void robust_lists(void) {
    pthread_mutexattr_t attribute;
    pthread_t thread;
    void *head;
    size_t bytes = 0;
    pthread_mutexattr_init(&attribute);
    pthread_mutexattr_setrobust(&attribute, PTHREAD_MUTEX_ROBUST);
    IS(pthread_mutex_init(&robust, &attribute) == 0);
    pthread_create(&thread, NULL, dies_with_it, NULL);
    pthread_join(thread, NULL);
    IS(pthread_mutex_lock(&robust) == EOWNERDEAD);
    IS(pthread_mutex_consistent(&robust) == 0 && pthread_mutex_unlock(&robust) == 0);
    static const struct {
        char *how;
        int died;
    } cases[] = {{"c", 10}, {"g", 10}, {"l", 2048}, {"p", 0}, {"o", 0}, {"f", 9}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        pthread_create(&thread, NULL, ends, cases[i].how);
        pthread_join(thread, NULL);
        if (died() != cases[i].died) printf("list %s: ", cases[i].how);
        want(__LINE__, "locks whose owner died", died(), cases[i].died);
    }
    IS(waits.word == 0xc0000000);
    GIVES(0, get_robust_list, 0, &head, &bytes);
    IS(bytes == 24);
    GIVES(-ESRCH, get_robust_list, 0x3fffffff, &head, &bytes);
    GIVES(-EFAULT, get_robust_list, 0, NOWHERE, &bytes);
    GIVES(-EFAULT, get_robust_list, 0, &head, NOWHERE);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    prctl(PR_SET_NAME, "a name of mine");
    umasks();
    names();
    clocks();
    sleeps();
    cpu_sleeps();
    prctls();
    numbers();
    uses();
    random_bytes();
    robust_lists();
    signals();
    timers();
    policies();
    puts(wrong ? "some are wrong" : "small_calls ok");
    return wrong != 0;
}
