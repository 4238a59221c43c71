// What stands in the upper half of an argument that Linux takes as an int does not matter, nor in
// that of the number of a call: each call twice, clean and with garbage there, and the results must
// be the same. Passes on Linux, too.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define GARBAGE 0x5a5a5a5a00000000ul
// an int as the program's compiler may leave it, with zeroes above
#define U(value) ((uint32_t)(value))
static char text[4096] __attribute__((aligned(4096)));
static struct timespec moment = {0, 1000}, long_ago = {1, 0};
static struct iovec parts[2] = {{text, 0}, {text + 1, 0}};
static struct pollfd polled[2] = {{-1, 0, 0}, {1, POLLOUT, 0}};
static struct sched_param param;
static uint32_t word = 7;
static uint64_t set = 1ul << 40;
static struct rlimit same;

static long call(long number, const unsigned long *a) {
    register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#define P(pointer) ((unsigned long)(pointer))
static struct {
    const char *name;
    long number;
    unsigned ints; // bit n: argument n is an int
    unsigned long args[6];
} calls[] = {
#define CALL(of, bits, ...) .name = #of, .number = SYS_##of, .ints = 0x##bits, .args = {__VA_ARGS__}
    {CALL(read, 1, 99, P(text), 1)},
    {CALL(write, 1, 1, P(text), 0)},
    {CALL(readv, 1, 99, P(parts), 2)},
    {CALL(writev, 1, 1, P(parts), 2)},
    {CALL(ioctl, 3, 99, TIOCGWINSZ, P(text))},
    {CALL(ioctl, 3, 1, 0x99999999, P(text))},
    {CALL(fcntl, 3, 1, F_GETFD)},
    {CALL(fcntl, 3, 1, F_SETFD, 0)},
    {CALL(fcntl, 3, 1, F_GETFL)},
    {CALL(fcntl, 3, 99, F_GETFL)},
    {CALL(fstat, 1, 1, P(text))},
    {CALL(close, 1, 99)},
    {CALL(close, 1, U(-1))},
    {CALL(lseek, 5, 99, 0, SEEK_SET)},
    {CALL(open, 2, P("/no/such/file"), O_RDONLY)},
    {CALL(openat, 5, U(AT_FDCWD), P("/no/such/file"), O_RDONLY)},
    {CALL(newfstatat, 9, U(AT_FDCWD), P("/no/such/file"), P(text), 0)},
    {CALL(newfstatat, 9, 1, P(""), P(text), AT_EMPTY_PATH)},
    {CALL(access, 2, P("/no/such/file"), R_OK)},
    {CALL(faccessat, 5, U(AT_FDCWD), P("/"), R_OK)},
    {CALL(readlink, 4, P("/no/such/file"), P(text), 10)},
    {CALL(readlinkat, 9, U(AT_FDCWD), P("/"), P(text), 10)},
    {CALL(readlinkat, 9, U(AT_FDCWD), P("/"), P(text), U(-1))},
    {CALL(poll, 6, P(polled), 2, 0)},
    {CALL(poll, 6, P(polled), 1, 1)},
    {CALL(mmap, 10, 0, 4096, PROT_READ, MAP_PRIVATE, 99, 0)},
    {CALL(mmap, 10, P(text), 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
          U(-1), 0)},
    {CALL(madvise, 4, P(text), 4096, MADV_NORMAL)},
    {CALL(madvise, 4, P(text), 4096, 12345)},
    {CALL(clock_gettime, 1, CLOCK_MONOTONIC, P(text))},
    {CALL(clock_gettime, 1, U(-2), P(text))},
    {CALL(clock_gettime, 1, 77, P(text))},
    {CALL(clock_getres, 1, CLOCK_REALTIME, P(text))},
    {CALL(clock_nanosleep, 3, CLOCK_MONOTONIC, 0, P(&moment), 0)},
    {CALL(clock_nanosleep, 3, CLOCK_REALTIME, TIMER_ABSTIME, P(&long_ago), 0)},
    {CALL(clock_nanosleep, 3, CLOCK_MONOTONIC_RAW, 0, P(&moment), 0)},
    {CALL(clock_nanosleep, 3, U(-2), 0, P(&moment), 0)},
    {CALL(getrusage, 1, RUSAGE_THREAD, P(text))},
    {CALL(getrusage, 1, U(RUSAGE_CHILDREN), P(text))},
    {CALL(getrusage, 1, 99, P(text))},
    {CALL(futex, 6, P(&word), 128, 8, P(&moment))},
    {CALL(futex, 6, P(&word), 128, 7, P(&moment))},
    {CALL(futex, 6, P(&word), 129, 1)},
    {CALL(futex, 26, P(&word), 128 + 9, 7, P(&long_ago), 0, 1)},
    {CALL(futex, 26, P(&word), 128 + 10, 1, 0, 0, 2)},
    {CALL(futex, 2e, P(&word), 128 + 4, 1, 1, P(&word + 1), 7)},
    {CALL(futex, 2e, P(&word), 128 + 4, 1, 1, P(&word + 1), 8)},
    {CALL(rt_sigaction, 1, SIGUSR1, 0, P(text), 8)},
    {CALL(rt_sigaction, 1, 65, 0, P(text), 8)},
    {CALL(rt_sigprocmask, 1, SIG_BLOCK, P(&set), 0, 8)},
    {CALL(rt_sigprocmask, 1, 9, P(&set), 0, 8)},
    {CALL(kill, 3, 0x3fffffff, 0)},
    {CALL(kill, 3, 0, 0)},
    {CALL(kill, 3, 0, 65)},
    {CALL(tkill, 3, 0x3fffffff, 0)},
    {CALL(tkill, 3, U(-1), 0)},
    {CALL(tgkill, 7, 0x3fffffff, 1, 0)},
    {CALL(arch_prctl, 1, 0x1003, P(text))},
    {CALL(arch_prctl, 1, 0x9999, P(text))},
    {CALL(prctl, 1, PR_GET_NAME, P(text))},
    {CALL(prctl, 1, PR_GET_DUMPABLE)},
    {CALL(prlimit64, 3, 0, RLIMIT_NOFILE, 0, P(text))},
    {CALL(prlimit64, 3, 0x3fffffff, RLIMIT_NOFILE, 0, P(text))},
    {CALL(prlimit64, 3, 0, 99, 0, P(text))},
    {CALL(getrlimit, 1, RLIMIT_NOFILE, P(&same))},
    {CALL(setrlimit, 1, RLIMIT_NOFILE, P(&same))},
    {CALL(getrandom, 4, P(text), 16, 1)},
    {CALL(getrandom, 4, P(text), 16, 6)},
    {CALL(sched_getaffinity, 3, 0, sizeof text, P(text))},
    {CALL(sched_setaffinity, 3, 0, sizeof text, P(text))},
    {CALL(sched_getscheduler, 1, 0)},
    {CALL(sched_getscheduler, 1, U(-1))},
    {CALL(sched_setscheduler, 3, 0, SCHED_OTHER, P(&param))},
    {CALL(sched_setscheduler, 3, 0, 44, P(&param))},
    {CALL(sched_getparam, 1, 0, P(&param))},
    {CALL(sched_setparam, 1, 0, P(&param))},
    {CALL(sched_get_priority_max, 1, SCHED_FIFO)},
    {CALL(sched_get_priority_min, 1, SCHED_RR)},
    {CALL(getpriority, 3, PRIO_PROCESS, 0)},
    {CALL(getpriority, 3, PRIO_USER, 0x3fffffff)},
    {CALL(setpriority, 7, PRIO_PROCESS, 0, 0)},
    {CALL(get_robust_list, 1, 0, P(text), P(text + 8))},
    {CALL(getitimer, 1, 0, P(text))},
    {CALL(getitimer, 1, 9, P(text))},
    {CALL(alarm, 1, 0)},
    {CALL(umask, 1, 022)},
    {CALL(umask, 1, 022)},
    {CALL(personality, 1, U(-1))},
    {CALL(getpgid, 1, 0)},
    {CALL(getpgid, 1, 0x3fffffff)},
    {CALL(getsid, 1, 0)},
    {CALL(setpgid, 3, 0, U(-1))},
    {CALL(getgroups, 1, U(-1), P(text))},
    {CALL(gettid, 0)},
    {CALL(getpid, 0)},
    {CALL(sched_yield, 0)},
};

int main(void) {
    int wrong = 0;
    umask(022);
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
        unsigned long args[6];
        for (int n = 0; n < 6; n++)
            args[n] = calls[i].args[n] | (calls[i].ints >> n & 1 ? GARBAGE : 0);
        long clean = call(calls[i].number, calls[i].args),
             number = call(calls[i].number | GARBAGE, calls[i].args);
        long dirty = call(calls[i].number, args);
        if (clean == dirty && clean == number) continue;
        printf("%u: %s: %ld, with garbage in its arguments %ld, in its number %ld\n", i,
               calls[i].name, clean, dirty, number);
        wrong++;
    }
    puts(wrong ? "some are wrong" : "widths ok");
    fflush(stdout);
    call(SYS_exit_group, (unsigned long[6]){(wrong != 0) | GARBAGE});
}
