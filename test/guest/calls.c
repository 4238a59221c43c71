// Every cheap system call from all threads in random order, each result checked: also those that
// differ by thread, those that fail, and that registers survive.
#include "threads.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static long pid, heap;
#define ARCH_GET_FS 0x1003
static _Atomic int tids[1 << 22];
static _Atomic long calls;

// A call by hand, so that the registers it must leave alone can be looked at.
static long call(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    register long r12 __asm__("r12") = number ^ 0x5555555555555555, r15 __asm__("r15") = ~number;
    long result, rdi = a, rsi = b, rdx = c;
    __asm__ volatile("syscall"
                     : "=a"(result), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9),
                       "+r"(r12), "+r"(r15)
                     : "0"(number)
                     : "rcx", "r11", "memory");
    WANT(rdi == a && rsi == b && rdx == c && r10 == d && r8 == e && r9 == f);
    WANT(r12 == (number ^ 0x5555555555555555) && r15 == ~number);
    return result;
}
#define CALL(name, a, b, c) call(SYS_##name, (long)(a), (long)(b), (long)(c), 0, 0, 0)

struct mine {
    long tid, fs;
    uint64_t random, mask;
};

static void memory_calls(struct mine *mine) {
    char *p = (char *)call(SYS_mmap, 0, PAGE, RW, ANON, -1, 0);
    WANT((unsigned long)p < -4096ul && *p == 0);
    *p = 1;
    switch (below(&mine->random, 3)) {
    case 0:
        WANT(CALL(mprotect, p, PAGE, PROT_READ) == 0 && CALL(clock_gettime, 0, p, 0) == -EFAULT &&
             *p == 1);
        break;
    case 1: WANT(CALL(madvise, p, PAGE, MADV_DONTNEED) == 0 && *p == 0); break;
    case 2: WANT(CALL(mprotect, p + 1, PAGE, RW) == -EINVAL); break;
    }
    WANT(CALL(munmap, p, PAGE, 0) == 0);
    // Another thread may have got that place by now, but these are nobody's.
    WANT(CALL(munmap, 1, PAGE, 0) == -EINVAL && call(SYS_mmap, 0, 0, RW, ANON, -1, 0) == -EINVAL);
    WANT(CALL(brk, 0, 0, 0) == heap && CALL(madvise, 0, 0, 1000) == -EINVAL);
}

static void own_calls(struct mine *mine) {
    char name[16];
    uint64_t old = 0,
             next = below(&mine->random, -1ul) & ~(1ul << 8 | 1ul << 18 | 3ul << 31 | 1ul << 10);
    switch (below(&mine->random, 5)) {
    case 0: WANT(CALL(gettid, 0, 0, 0) == mine->tid); break;
    case 1: WANT(CALL(arch_prctl, ARCH_GET_FS, &old, 0) == 0 && (long)old == mine->fs); break;
    case 2:
        snprintf(name, sizeof name, "%lx", (long)below(&mine->random, 1ul << 48));
        WANT(CALL(prctl, PR_SET_NAME, name, 0) == 0 &&
             CALL(prctl, PR_SET_NAME, 1ul << 47, 0) == -EFAULT);
        break;
    case 3:
        WANT(call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&next, (long)&old, 8, 0, 0) == 0 &&
             old == mine->mask);
        mine->mask = next;
        break;
    case 4:
        WANT(call(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)&old, 8, 0, 0) == 0 && old == mine->mask);
        break;
    }
}

static void shared_calls(struct mine *mine) {
    union {
        struct utsname name;
        struct sysinfo info;
        char text[512];
        cpu_set_t set[4];
        struct timespec time;
        uint32_t word;
    } u;
    unsigned where[2] = {-1u, -1u};
    switch (below(&mine->random, 18)) {
    case 0: WANT(CALL(getpid, 0, 0, 0) == pid); break;
    case 1: WANT(CALL(uname, &u, 0, 0) == 0 && strcmp(u.name.machine, "x86_64") == 0); break;
    case 2:
        WANT(CALL(sysinfo, &u, 0, 0) == 0 && u.info.freeram <= u.info.totalram && u.info.freeram);
        break;
    case 3: WANT(CALL(getcwd, &u, sizeof u, 0) >= 2 && u.text[0] == '/'); break;
    case 4: WANT(CALL(sched_yield, 0, 0, 0) == 0); break;
    case 5: WANT(CALL(sched_getaffinity, 0, sizeof u, &u) > 0); break;
    case 6: WANT(CALL(getcwd, &u, 1, 0) == -ERANGE); break;
    case 7: WANT(CALL(close, 77, 0, 0) == -EBADF && CALL(read, 99, &u, 1) == -EBADF); break;
    case 8: WANT(CALL(write, 1, &u, 0) == 0 && CALL(write, 77, &u, 1) == -EBADF); break;
    case 9: WANT(CALL(lseek, 77, 0, 0) == -EBADF && CALL(fcntl, 77, 1, 0) == -EBADF); break;
    case 10:
        u.word = 7;
        WANT(call(SYS_futex, (long)&u, 128, 8, 0, 0, 0) == -EAGAIN &&
             call(SYS_futex, (long)&u, 129, 5, 0, 0, 0) == 0);
        WANT(call(SYS_futex, (long)&u + 1, 128, 8, 0, 0, 0) == -EINVAL);
        break;
    case 11:
        u.time = (struct timespec){0, -1};
        WANT(CALL(nanosleep, &u, 0, 0) == -EINVAL);
        break;
    case 12:
        WANT(CALL(clock_gettime, 0, 1, 0) == -EFAULT &&
             CALL(clock_gettime, 1, 1ul << 63, 0) == -EFAULT);
        break;
    case 13: WANT(call(500 + (long)below(&mine->random, 1000), 0, 0, 0, 0, 0, 0) == -ENOSYS); break;
    case 14:
        WANT(CALL(clock_gettime, CLOCK_MONOTONIC, &u, 0) == 0 && u.time.tv_nsec < SECOND);
        break;
    case 15: WANT(CALL(getrandom, &u, sizeof u, 0) == sizeof u); break;
    case 16:
        WANT(CALL(tgkill, pid, mine->tid, 0) == 0 && CALL(tgkill, pid, -5, 0) == -EINVAL);
        break;
    case 17:
        WANT(CALL(getcpu, where, where + 1, 0) == 0 && where[0] < 4096 && where[1] < 64);
        break;
    }
}

static void *storm(void *argument) {
    struct mine mine = {.tid = syscall(SYS_gettid), .random = seed((intptr_t)argument), .mask = 0};
    WANT(mine.tid > 0 && mine.tid < 1 << 22 && tids[mine.tid]++ == 0);
    CALL(arch_prctl, ARCH_GET_FS, &mine.fs, 0);
    call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mine.mask, 0, 8, 0, 0);
    meet();
    for (int n = rounds(3000); n; n--) {
        uint64_t what = below(&mine.random, 16);
        if (what == 0)
            memory_calls(&mine);
        else if (what < 6)
            own_calls(&mine);
        else
            shared_calls(&mine);
    }
    calls += rounds(3000);
    meet();
    return argument;
}

static void *warm(void *me) { return me; }

int main(int argc, char **argv) {
    arguments(argc, argv);
    pid = getpid();
    all_of(threads, warm); // so that the heap has its size
    heap = CALL(brk, 0, 0, 0);
    part("all calls", storm);
    WANT(calls == (long)rounds(3000) * threads);
    puts("calls ok");
    return 0;
}
