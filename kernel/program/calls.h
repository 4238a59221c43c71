// The system calls, by the names of <asm/unistd_64.h>: call_NAME gets the thread and the six arguments and returns the
// result, a negative errno, or CALL_WAITS.
#pragma once

#include <asm/errno.h>
#include "kernel/program/thread.h"

#define CALL(name)                                                                                                     \
    s64 call_##name(struct thread *thread __attribute__((unused)), const u64 arg[6] __attribute__((unused)))
#define CALL_DECLARE(name) CALL(name);
// clang-format off
#define CALLS(X) \
    X(read) X(write) X(pread64) X(readv) X(writev) X(lseek) X(ioctl) X(fcntl) X(fstat) X(dup) X(dup2) X(close) \
    X(stat) X(lstat) X(open) X(openat) X(access) X(faccessat) X(readlink) X(readlinkat) X(newfstatat) X(poll) \
    X(ppoll) X(mmap) X(munmap) X(mprotect) X(mremap) X(madvise) X(brk) X(clock_gettime) X(clock_getres) \
    X(gettimeofday) X(time) X(nanosleep) X(clock_nanosleep) X(times) X(getrusage) X(futex) X(sched_yield) \
    X(rt_sigaction) X(rt_sigprocmask) X(kill) X(tkill) X(tgkill) X(arch_prctl) X(set_tid_address) X(prlimit64) \
    X(getrandom) X(uname) X(sysinfo) X(sched_getaffinity) X(prctl) X(getpid) X(gettid) X(getppid) X(getuid) \
    X(geteuid) X(getgid) X(getegid) X(getpgrp) X(getpgid) X(getsid) X(getcwd) X(exit) X(exit_group)
// clang-format on
CALLS(CALL_DECLARE)

// A struct timespec of the program in nanoseconds, NEVER when that is beyond all; 0, -EFAULT or -EINVAL.
s64 time_get(u64 from, u64 *ns);
