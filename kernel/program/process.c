// Calls about the process itself: who and where it is, what it may use, and its end.
#include <asm/prctl.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>
#include "kernel/cpu/time.h"
#include "kernel/device/devices.h"
#include "kernel/lib/string.h"
#include "kernel/memory/frames.h"
#include "kernel/program/calls.h"
#include "kernel/program/program.h"
#include "kernel/program/space.h"

#define NAME_BYTES 16         // of PR_SET_NAME
#define RANDOM_MAX (1u << 20) // bytes of one getrandom(), which cannot be interrupted
#define GRND_FLAGS 7u

// The bases hold from the next return on. One that SYSRET's address space does not have would fault in the kernel.
CALL(arch_prctl)
{
    bool fs = arg[0] == ARCH_SET_FS || arg[0] == ARCH_GET_FS;
    u64 *base = fs ? &thread->context.fs_base : &thread->context.gs_base;
    switch (arg[0]) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (arg[1] >= USER_END) return -EPERM;
        *base = arg[1];
        return 0;
    case ARCH_GET_FS:
    case ARCH_GET_GS:
        return copy_to_user(arg[1], base, sizeof *base) ? 0 : -EFAULT;
    }
    return -EINVAL;
}

CALL(set_tid_address) { return thread->id; } // the word is cleared when a thread ends before the process: never here

static s64 limit_get(u64 resource, u64 to)
{
    struct rlimit64 limit = {RLIM64_INFINITY, RLIM64_INFINITY};
    if (resource >= RLIM_NLIMITS) return -EINVAL;
    if (resource == RLIMIT_STACK) limit.rlim_cur = STACK_BYTES;
    if (resource == RLIMIT_NOFILE) limit.rlim_cur = limit.rlim_max = FILES_MAX;
    if (resource == RLIMIT_CORE) limit.rlim_cur = 0;
    return !to || copy_to_user(to, &limit, sizeof limit) ? 0 : -EFAULT;
}

// prlimit64(process, resource, new, old): limits are what they are.
CALL(prlimit64)
{
    if (arg[0] && (int)arg[0] != thread->id) return -ESRCH;
    return arg[2] ? -EPERM : limit_get(arg[1], arg[3]);
}
CALL(getrlimit) { return limit_get(arg[0], arg[1]); }

CALL(getrandom)
{
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

CALL(uname)
{
    // The release says which interface is meant; programs compare it with what they need.
    static const struct new_utsname name = {"Linux", "vmos", "6.1.0-vmos", "#1 vmos", "x86_64", "(none)"};
    return copy_to_user(arg[0], &name, sizeof name) ? 0 : -EFAULT;
}

CALL(sysinfo)
{
    struct sysinfo info;
    memset(&info, 0, sizeof info);
    info.uptime = (s64)(time_now_ns() / 1000000000);
    info.totalram = pages_total() * PAGE_SIZE;
    info.freeram = pages_free() * PAGE_SIZE;
    info.procs = info.mem_unit = 1;
    return copy_to_user(arg[0], &info, sizeof info) ? 0 : -EFAULT;
}

// sched_getaffinity(process, bytes, mask): CPU 0 alone; returns how many bytes it wrote.
CALL(sched_getaffinity)
{
    u64 cpus = 1;
    if (arg[1] < sizeof cpus || arg[1] % sizeof cpus) return -EINVAL;
    if (arg[0] && (int)arg[0] != thread->id) return -ESRCH;
    return copy_to_user(arg[2], &cpus, sizeof cpus) ? (s64)sizeof cpus : -EFAULT;
}

CALL(prctl)
{
    static char name[NAME_BYTES];
    switch (arg[0]) {
    case PR_SET_NAME:
        if (copy_string_from_user(name, arg[1], NAME_BYTES) < 0) return -EFAULT;
        name[NAME_BYTES - 1] = 0;
        return 0;
    case PR_GET_NAME:
        return copy_to_user(arg[1], name, NAME_BYTES) ? 0 : -EFAULT;
    }
    return -EINVAL;
}

CALL(getpid) { return 1; }
CALL(gettid) { return thread->id; }
CALL(getppid) { return 0; }
CALL(getpgrp) { return 1; }
CALL(getuid) { return 0; }
CALL(geteuid) { return 0; }
CALL(getgid) { return 0; }
CALL(getegid) { return 0; }
CALL(exit) { power_end((int)(arg[0] & 255)); }
CALL(exit_group) { power_end((int)(arg[0] & 255)); }
