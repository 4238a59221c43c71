// The system calls. call_NAME does the call that <asm/unistd_64.h> numbers as __NR_NAME: it gets
// the thread and the six arguments and returns the result, a negative errno, or CALL_WAITS.
#pragma once

#include "kernel/program/program.h"

// All calls have the same parameters, as the table wants it; not every one needs them.
#pragma GCC diagnostic ignored "-Wunused-parameter"

// Those that the table names by their own name.
// clang-format off
#define CALLS(X) \
    X(read) X(write) X(readv) X(writev) X(pread64) X(pwrite64) X(preadv) X(pwritev) \
    X(ioctl) X(fcntl) X(dup) X(dup2) X(dup3) X(fstat) X(close) X(lseek) X(pipe) X(pipe2) X(stat) X(open) \
    X(access) X(faccessat) X(readlink) X(readlinkat) X(openat) X(newfstatat) X(getcwd) \
    X(getdents64) X(poll) X(ppoll) X(mmap) X(munmap) X(mprotect) X(mremap) X(madvise) X(mlock) \
    X(mlock2) X(munlock) X(mlockall) X(munlockall) X(mincore) X(msync) X(brk) X(clock_gettime) \
    X(clock_getres) X(gettimeofday) X(time) X(nanosleep) X(clock_nanosleep) X(futex) X(getrusage) \
    X(times) X(alarm) X(getitimer) X(setitimer) X(umask) X(personality) X(getpgid) X(getsid) \
    X(setpgid) X(setsid) X(getresuid) X(getresgid) X(getgroups) X(sched_setscheduler) \
    X(sched_getscheduler) X(sched_setparam) X(sched_getparam) X(sched_get_priority_max) \
    X(sched_get_priority_min) X(setpriority) \
    X(getpriority) X(sched_setaffinity) X(set_robust_list) X(get_robust_list) \
    X(rt_sigaction) X(rt_sigprocmask) X(kill) X(tkill) X(tgkill) \
    X(rt_sigpending) X(rt_sigsuspend) X(pause) X(sigaltstack) X(arch_prctl) X(prlimit64) \
    X(getrlimit) \
    X(setrlimit) X(getrandom) X(uname) \
    X(sysinfo) X(sched_getaffinity) X(prctl) X(exit) \
    X(exit_group) X(clone) X(set_tid_address) X(gettid) X(sched_yield) X(getcpu)
// clang-format on
#define CALL_DECLARE(name) s64 call_##name(struct thread *thread, const u64 *arg);
CALLS(CALL_DECLARE)
s64 call_faccessat2(struct thread *thread, const u64 *arg);

// Finds a call by its number. One that nobody built returns -ENOSYS, which programs know how to
// live with, and is named once in the log.
s64 calls_dispatch(struct thread *thread, u32 number, const u64 *arg);
