// Calls about the process itself: who and where it is, what it may use, and its end.
#include <asm/prctl.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>
#include "kernel/cpu/time.h"
#include "kernel/device/devices.h"
#include "kernel/memory/frames.h"
#include "kernel/program/calls.h"
#include "kernel/program/program.h"
#include "kernel/program/space.h"

#define NAME_BYTES 16         // of PR_SET_NAME
#define RANDOM_MAX (1u << 20) // bytes of one getrandom(), which cannot be interrupted
#define GRND_FLAGS 7u

// The bases hold from the next return on. One that SYSRET's address space does not have would fault in the kernel.
CALL(arch_prctl) {
    bool fs = arg[0] == ARCH_SET_FS || arg[0] == ARCH_GET_FS;
    u64 *base = fs ? &thread->context.fs_base : &thread->context.gs_base;
    if (arg[0] == ARCH_GET_FS || arg[0] == ARCH_GET_GS) return copy_to_user(arg[1], base, sizeof *base) ? 0 : -EFAULT;
    if (arg[0] != ARCH_SET_FS && arg[0] != ARCH_SET_GS) return -EINVAL;
    if (arg[1] >= USER_END) return -EPERM;
    *base = arg[1];
    return 0;
}

CALL(set_tid_address) { return thread->id; } // the word is cleared when a thread ends before the process: never here

// prlimit64(process, resource, new, old): limits are what they are.
CALL(prlimit64) {
    struct rlimit64 limit = {RLIM64_INFINITY, RLIM64_INFINITY};
    if (arg[0] && (int)arg[0] != thread->id) return -ESRCH;
    if (arg[1] >= RLIM_NLIMITS || arg[2]) return arg[2] ? -EPERM : -EINVAL;
    if (arg[1] == RLIMIT_STACK) limit.rlim_cur = STACK_BYTES;
    if (arg[1] == RLIMIT_NOFILE) limit.rlim_cur = limit.rlim_max = FILES_MAX;
    return !arg[3] || copy_to_user(arg[3], &limit, sizeof limit) ? 0 : -EFAULT;
}

CALL(getrandom) {
    u8 bytes[256];
    u64 count = arg[1] < RANDOM_MAX ? arg[1] : RANDOM_MAX;
    if (arg[2] & ~(u64)GRND_FLAGS) return -EINVAL;
    for (u64 done = 0, part; done < count; done += part) {
        part = count - done < sizeof bytes ? count - done : sizeof bytes;
        random_bytes(bytes, part);
        if (!copy_to_user(arg[0] + done, bytes, part)) return -EFAULT;
    }
    return (s64)count;
}

CALL(uname) {
    // The release says which interface is meant; programs compare it with what they need.
    static const struct new_utsname name = {"Linux", "vmos", "6.1.0-vmos", "#1 vmos", "x86_64", "(none)"};
    return copy_to_user(arg[0], &name, sizeof name) ? 0 : -EFAULT;
}

CALL(sysinfo) {
    struct sysinfo info = {.uptime = (s64)(time_now_ns() / 1000000000), .procs = 1, .mem_unit = PAGE_SIZE};
    info.totalram = pages_total();
    info.freeram = pages_free();
    return copy_to_user(arg[0], &info, sizeof info) ? 0 : -EFAULT;
}

// sched_getaffinity(process, bytes, mask): CPU 0 alone; returns how many bytes it wrote.
CALL(sched_getaffinity) {
    u64 cpus = 1;
    if (arg[1] < sizeof cpus || arg[1] % sizeof cpus) return -EINVAL;
    if (arg[0] && (int)arg[0] != thread->id) return -ESRCH;
    return copy_to_user(arg[2], &cpus, sizeof cpus) ? (s64)sizeof cpus : -EFAULT;
}

CALL(prctl) {
    static char name[NAME_BYTES];
    if (arg[0] == PR_GET_NAME) return copy_to_user(arg[1], name, NAME_BYTES) ? 0 : -EFAULT;
    if (arg[0] != PR_SET_NAME) return -EINVAL;
    if (copy_string_from_user(name, arg[1], NAME_BYTES) < 0) return -EFAULT;
    name[NAME_BYTES - 1] = 0;
    return 0;
}

CALL(getpid) { return 1; }
CALL(gettid) { return thread->id; }
CALL(getppid) { return 0; }
CALL(getpgrp) { return 1; }
CALL(getpgid) { return 1; }
CALL(getsid) { return 1; }
CALL(getuid) { return 0; }
CALL(geteuid) { return 0; }
CALL(getgid) { return 0; }
CALL(getegid) { return 0; }
CALL(exit) { power_end((int)(arg[0] & 255)); }
CALL(exit_group) { power_end((int)(arg[0] & 255)); }
