// The table of system calls: each has its line here, and its function in the file that a heading
// names. This file is read several times: CALL is defined before, and undefined after each.
//
//     CALL(name, function, state, note)
//
// The name is that of <asm/unistd_64.h>, which has the number. What is PARTIAL says what there is,
// or what is missing; IGNORED succeeds, and changes nothing; ABSENT returns ENOSYS without a line
// in the log. Notes are not in the kernel: `./build.sh calls` prints them, and `./build.sh calls
// page` writes them into README.md.

// clang-format off

#define NOTE_PATHS                                                                                \
    "standard input, output, error, /proc/iomem, /proc/meminfo, /proc/vmos for reading, "         \
    "/dev/fb0, /dev/zero, and the directories they are in; else ENOENT, and EROFS for what is "   \
    "to be made. 1024 files at most are open"
#define NOTE_LINKS                                                                                \
    "there are no links: EINVAL, or why there is no such file"
#define NOTE_CLONE                                                                                \
    "no namespaces (EPERM); CLONE_PIDFD and chosen tids are refused"
#define NOTE_PRIORITY                                                                             \
    "nice values and policies are kept; SCHED_FIFO and SCHED_RR are refused with EPERM"
#define NOTE_AFFINITY                                                                             \
    "every thread may use all CPUs; a mask with fewer is refused with EINVAL"
#define NOTE_LIMITS                                                                               \
    "all limits are kept; that of time on CPUs is not enforced, and as for root on Linux those "  \
    "of threads and locked memory are not; more than 1024 open files are refused with EPERM"
#define NOTE_QUIET                                                                                \
    "ENOSYS without a line in the log: every glibc program asks and does without"

// ---- readwrite.c ----
CALL(read, call_read, FULL, "")
CALL(write, call_write, FULL, "")
CALL(readv, call_readv, FULL, "")
CALL(writev, call_writev, FULL, "")
CALL(pread64, call_pread64, FULL, "")
CALL(pwrite64, call_pwrite64, FULL, "")
CALL(preadv, call_preadv, FULL, "")
CALL(pwritev, call_pwritev, FULL, "")
// ---- descriptors.c ----
CALL(close, call_close, FULL, "")
CALL(lseek, call_lseek, FULL, "")
CALL(dup, call_dup, FULL, "")
CALL(dup2, call_dup2, FULL, "")
CALL(dup3, call_dup3, FULL, "")
CALL(fcntl, call_fcntl, PARTIAL, "F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL; "
    "else EINVAL")
CALL(ioctl, call_ioctl, PARTIAL, "FIOCLEX, FIONCLEX, FIONBIO, FIONREAD; TCGETS, TCSETS, TCGETS2, "
    "TCSETS2 and their like (the port keeps its speed), TCSBRK (it waits for output and sends no "
    "break), TIOCOUTQ, TIOCGWINSZ on the terminal; FBIOGET_VSCREENINFO, FBIOGET_FSCREENINFO, "
    "FBIOPUT_VSCREENINFO, FBIOPAN_DISPLAY on /dev/fb0; else ENOTTY")
// ---- pipes.c ----
CALL(pipe, call_pipe, FULL, "")
CALL(pipe2, call_pipe2, PARTIAL, "O_CLOEXEC and O_NONBLOCK; packets (O_DIRECT) are refused with "
    "EINVAL")
// ---- paths.c ----
CALL(open, call_open, PARTIAL, NOTE_PATHS)
CALL(openat, call_openat, PARTIAL, NOTE_PATHS)
CALL(stat, call_stat, PARTIAL, NOTE_PATHS)
CALL(lstat, call_stat, PARTIAL, NOTE_PATHS) // there are no links
CALL(fstat, call_fstat, PARTIAL, NOTE_PATHS)
CALL(newfstatat, call_newfstatat, PARTIAL, NOTE_PATHS)
CALL(access, call_access, PARTIAL, NOTE_PATHS)
CALL(faccessat, call_faccessat, PARTIAL, NOTE_PATHS)
CALL(faccessat2, call_faccessat2, PARTIAL, NOTE_PATHS)
CALL(getdents64, call_getdents64, PARTIAL, NOTE_PATHS)
CALL(readlink, call_readlink, PARTIAL, NOTE_LINKS)
CALL(readlinkat, call_readlinkat, PARTIAL, NOTE_LINKS)
CALL(getcwd, call_getcwd, PARTIAL, "\"/\": no call changes the directory")
// ---- poll.c ----
CALL(poll, call_poll, FULL, "")
CALL(ppoll, call_ppoll, FULL, "")
// ---- mmap.c ----
CALL(mmap, call_mmap, PARTIAL, "anonymous memory, private or shared, MAP_GROWSDOWN too, "
    "`/dev/zero` and `/dev/fb0`; no other file here can be mapped (ENODEV); nothing at address 0 "
    "(EPERM)")
CALL(munmap, call_munmap, FULL, "")
CALL(mprotect, call_mprotect, FULL, "")
CALL(brk, call_brk, FULL, "")
// ---- mremap.c ----
CALL(mremap, call_mremap, PARTIAL, "what is mapped of the program's own file does not grow "
    "(EFAULT); nothing at address 0 (EPERM)")
// ---- madvise.c ----
CALL(madvise, call_madvise, PARTIAL, "MADV_DONTNEED, MADV_FREE and MADV_REMOVE give pages up (the "
    "bytes of the program's file come back), MADV_POPULATE_READ and _WRITE make them, "
    "MADV_GUARD_INSTALL guards them; MADV_COLLAPSE makes none larger (EINVAL), and there is no "
    "MADV_HWPOISON or MADV_SOFT_OFFLINE (EINVAL); advice about swap, cores and children has "
    "nothing to change")
// ---- mlock.c ----
CALL(mlock, call_mlock, FULL, "")
CALL(mlock2, call_mlock2, FULL, "")
CALL(munlock, call_munlock, FULL, "")
CALL(mlockall, call_mlockall, FULL, "")
CALL(munlockall, call_munlockall, FULL, "")
CALL(mincore, call_mincore, FULL, "")
CALL(msync, call_msync, FULL, "")
// ---- threads.c ----
CALL(exit, call_exit, FULL, "")
CALL(exit_group, call_exit_group, FULL, "")
CALL(gettid, call_gettid, FULL, "")
CALL(set_tid_address, call_set_tid_address, FULL, "")
CALL(set_robust_list, call_set_robust_list, FULL, "")
CALL(get_robust_list, call_get_robust_list, FULL, "")
CALL(getcpu, call_getcpu, FULL, "")
CALL(rseq, call_rseq, FULL, "")
// ---- clone.c ----
CALL(clone, call_clone, PARTIAL, NOTE_CLONE)
CALL(clone3, call_clone3, PARTIAL, NOTE_CLONE)
CALL(fork, call_fork, FULL, "")
CALL(vfork, call_vfork, FULL, "")
// ---- exec.c ----
CALL(execve, call_execve, PARTIAL, "/proc/self/exe, the image's own program; else ENOENT")
CALL(execveat, call_execveat, PARTIAL, "the same")
// ---- wait.c ----
CALL(wait4, call_wait4, FULL, "")
CALL(waitid, call_waitid, PARTIAL, "no P_PIDFD")
// ---- membarrier.c ----
CALL(membarrier, call_membarrier, PARTIAL, "PRIVATE_EXPEDITED and its SYNC_CORE; else EINVAL")
// ---- futex.c ----
CALL(futex, call_futex, PARTIAL, "WAIT, WAKE, their BITSET kinds, WAKE_OP, REQUEUE and "
    "CMP_REQUEUE; else ENOSYS")
// ---- signal.c ----
CALL(rt_sigaction, call_rt_sigaction, PARTIAL, "by default SIGSTOP and its like do nothing: nobody "
    "could continue the program")
CALL(rt_sigprocmask, call_rt_sigprocmask, FULL, "")
CALL(rt_sigpending, call_rt_sigpending, FULL, "")
CALL(rt_sigsuspend, call_rt_sigsuspend, FULL, "")
CALL(pause, call_pause, FULL, "")
CALL(rt_sigtimedwait, call_rt_sigtimedwait, FULL, "")
CALL(rt_sigreturn, call_rt_sigreturn, FULL, "")
CALL(sigaltstack, call_sigaltstack, FULL, "")
// ---- kill.c ----
CALL(kill, call_kill, FULL, "")
CALL(tkill, call_tkill, FULL, "")
CALL(tgkill, call_tgkill, FULL, "")
CALL(rt_sigqueueinfo, call_rt_sigqueueinfo, FULL, "")
CALL(rt_tgsigqueueinfo, call_rt_tgsigqueueinfo, FULL, "")
// ---- clocks.c ----
CALL(clock_gettime, call_clock_gettime, FULL, "")
CALL(clock_getres, call_clock_getres, FULL, "")
CALL(clock_nanosleep, call_clock_nanosleep, FULL, "")
CALL(nanosleep, call_nanosleep, FULL, "")
CALL(gettimeofday, call_gettimeofday, FULL, "")
CALL(time, call_time, FULL, "")
// ---- alarm.c ----
CALL(alarm, call_alarm, FULL, "")
CALL(getitimer, call_getitimer, FULL, "")
CALL(setitimer, call_setitimer, PARTIAL, "the kernel's time counts as the program's: ITIMER_VIRTUAL is ITIMER_PROF")
// ---- timers.c ----
CALL(timer_create, call_timer_create, PARTIAL, "no clocks of other threads and processes, nor those that wake a machine")
CALL(timer_settime, call_timer_settime, FULL, "")
CALL(timer_gettime, call_timer_gettime, FULL, "")
CALL(timer_getoverrun, call_timer_getoverrun, FULL, "")
CALL(timer_delete, call_timer_delete, FULL, "")
// ---- usage.c ----
CALL(getrusage, call_getrusage, PARTIAL, "time (all of it the user's), memory of its own, faults, "
    "switches; of children 0")
CALL(times, call_times, PARTIAL, "all time is the user's; of children 0")
// ---- limits.c ----
CALL(getrlimit, call_getrlimit, PARTIAL, NOTE_LIMITS)
CALL(setrlimit, call_setrlimit, PARTIAL, NOTE_LIMITS)
CALL(prlimit64, call_prlimit64, PARTIAL, NOTE_LIMITS)
// ---- priority.c ----
CALL(sched_yield, call_sched_yield, FULL, "")
CALL(sched_getaffinity, call_sched_getaffinity, PARTIAL, NOTE_AFFINITY)
CALL(sched_setaffinity, call_sched_setaffinity, PARTIAL, NOTE_AFFINITY)
CALL(sched_get_priority_max, call_sched_get_priority_max, FULL, "")
CALL(sched_get_priority_min, call_sched_get_priority_min, FULL, "")
CALL(sched_setscheduler, call_sched_setscheduler, IGNORED, NOTE_PRIORITY)
CALL(sched_getscheduler, call_sched_getscheduler, IGNORED, NOTE_PRIORITY)
CALL(sched_setparam, call_sched_setparam, IGNORED, NOTE_PRIORITY)
CALL(sched_getparam, call_sched_getparam, IGNORED, NOTE_PRIORITY)
CALL(setpriority, call_setpriority, IGNORED, NOTE_PRIORITY)
CALL(getpriority, call_getpriority, IGNORED, NOTE_PRIORITY)
// ---- random.c ----
CALL(getrandom, call_getrandom, FULL, "")
// ---- prctl.c ----
CALL(arch_prctl, call_arch_prctl, PARTIAL, "the bases of FS and GS, ARCH_GET_CPUID; else EINVAL")
CALL(prctl, call_prctl, PARTIAL, "names; what a process says of itself (dumpable, no new "
    "privileges, timer slack, its parent's end, huge pages) is kept and changes nothing; else "
    "EINVAL")
// ---- process.c ----
CALL(uname, call_uname, FULL, "")
CALL(sysinfo, call_sysinfo, PARTIAL, "time, memory and threads; no load")
CALL(umask, call_umask, IGNORED, "the mask is kept; no file is ever made")
CALL(personality, call_personality, PARTIAL, "Linux's own; else EINVAL")
// ---- credentials.c ----
CALL(getuid, call_getuid, FULL, "")
CALL(geteuid, call_geteuid, FULL, "")
CALL(getgid, call_getgid, FULL, "")
CALL(getegid, call_getegid, FULL, "")
CALL(getresuid, call_getresuid, FULL, "")
CALL(getresgid, call_getresgid, FULL, "")
CALL(setuid, call_setuid, FULL, "")
CALL(setgid, call_setgid, FULL, "")
CALL(setreuid, call_setreuid, FULL, "")
CALL(setregid, call_setregid, FULL, "")
CALL(setresuid, call_setresuid, FULL, "")
CALL(setresgid, call_setresgid, FULL, "")
CALL(setfsuid, call_setfsuid, FULL, "")
CALL(setfsgid, call_setfsgid, FULL, "")
CALL(getgroups, call_getgroups, FULL, "")
CALL(setgroups, call_setgroups, PARTIAL, "32 groups at most; more: ENOMEM")
CALL(capget, call_capget, FULL, "")
CALL(capset, call_capset, FULL, "")
// ---- groups.c ----
CALL(getpid, call_getpid, FULL, "")
CALL(getppid, call_getppid, FULL, "")
CALL(getpgrp, call_getpgrp, FULL, "")
CALL(getpgid, call_getpgid, FULL, "")
CALL(getsid, call_getsid, FULL, "")
CALL(setpgid, call_setpgid, FULL, "")
CALL(setsid, call_setsid, FULL, "")
// ---- call.c ----
CALL(sync, call_returns_0, IGNORED, "nothing is kept that could be written")
// clang-format on
