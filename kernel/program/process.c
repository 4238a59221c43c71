// Calls about the process itself and its machine: what it may use, randomness, time and sleeping.
#include <asm/prctl.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/utsname.h>
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/memory/pages.h"
#include "kernel/program/program.h"

#define NAME_BYTES         16         // of PR_SET_NAME
#define RANDOM_MAX         (1u << 20) // bytes of one getrandom(), which cannot be interrupted
#define GRND_FLAGS         7u
#define CPUID_1_ECX_RDRAND (1u << 30)
#define SECOND             1000000000ull

// The bases hold from the next return on. One that SYSRET's address space does not have would fault in the kernel.
CALL(arch_prctl) {
    bool fs = arg[0] == ARCH_SET_FS || arg[0] == ARCH_GET_FS;
    u64 *base = fs ? &thread->context.fs_base : &thread->context.gs_base;
    if (arg[0] == ARCH_GET_FS || arg[0] == ARCH_GET_GS) return put_user(arg[1], base, sizeof *base);
    if (arg[0] != ARCH_SET_FS && arg[0] != ARCH_SET_GS) return -EINVAL;
    if (arg[1] >= USER_END) return -EPERM;
    *base = arg[1];
    return 0;
}

// SplitMix64 over a state that every call's time stamp changes and, where the CPU has it, RDRAND. That fails when the
// generator is drained; ten tries in a row fail only when it is broken (SDM 1, 7.3.17.1).
u64 random_u64(void) {
    static u64 state;
    static bool has_rdrand;
    if (!state && !(has_rdrand = cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND))
        log("random: this CPU has no RDRAND; random numbers come from the time stamp counter, not for secrets");
    u64 hardware = 0;
    u8 ok = !has_rdrand;
    for (int i = 0; i < 10 && !ok; i++) __asm__ volatile("rdrand %0; setc %1" : "=r"(hardware), "=qm"(ok)::"cc");
    u64 z = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15 + tsc(), __ATOMIC_RELAXED);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) ^ hardware;
}

CALL(getrandom) {
    u64 count = MIN(arg[1], RANDOM_MAX);
    if (arg[2] & ~(u64)GRND_FLAGS) return -EINVAL;
    for (u64 done = 0; done < count; done += sizeof(u64)) {
        u64 value = random_u64(), rest = count - done;
        if (!copy_to_user(arg[0] + done, &value, MIN(rest, sizeof value))) return -EFAULT;
    }
    return (s64)count;
}

CALL(uname) {
    // The release says which interface is meant; programs compare it with what they need.
    static const struct new_utsname name = {"Linux", "vmos", "6.1.0-vmos", "#1 vmos", "x86_64", "(none)"};
    return put_user(arg[0], &name, sizeof name);
}

CALL(sysinfo) {
    struct sysinfo info = {.uptime = (s64)(time_now_ns() / SECOND), .mem_unit = PAGE_SIZE};
    info.procs = (u16)threads_count();
    info.totalram = pages_total();
    info.freeram = pages_free();
    return put_user(arg[0], &info, sizeof info);
}

// A name for lists of processes, which nobody makes here.
CALL(prctl) {
    char name[NAME_BYTES];
    if (arg[0] != PR_SET_NAME) return -EINVAL;
    return copy_string_from_user(name, arg[1], NAME_BYTES) < 0 ? -EFAULT : 0;
}

// False for a clock that Linux has not either, or that is not built (alarm clocks, other threads).
static bool clock_read(const struct thread *thread, u64 clock, u64 *ns) {
    static const char kinds[] =
        "wbptbwbb"; // wall clock, since boot, CPU time of all or one; raw and coarse are no others
    if (clock >= sizeof kinds - 1) return false;
    *ns = kinds[clock] == 'w'   ? time_wall_ns()
          : kinds[clock] == 'b' ? time_now_ns()
                                : time_tsc_to_ns(kinds[clock] == 'p' ? program_time() : thread_time(thread));
    return true;
}

// Seconds and a fraction in units of so many ns: struct timespec has 1, struct timeval 1000.
static s64 put_time(u64 to, u64 ns, u64 unit) {
    s64 time[2] = {(s64)(ns / SECOND), (s64)(ns % SECOND / unit)};
    return put_user(to, time, sizeof time);
}

s64 time_get(u64 from, u64 *ns) {
    s64 time[2];
    if (!copy_from_user(time, from, sizeof time)) return -EFAULT;
    if (time[0] < 0 || (u64)time[1] >= SECOND) return -EINVAL;
    *ns = (u64)time[0] >= NEVER / SECOND - 1 ? NEVER : (u64)time[0] * SECOND + (u64)time[1];
    return 0;
}

CALL(clock_gettime) {
    u64 ns;
    return clock_read(thread, arg[0], &ns) ? put_time(arg[1], ns, 1) : -EINVAL;
}

CALL(gettimeofday) {
    if (arg[1] && !clear_user(arg[1], sizeof(struct timezone))) return -EFAULT; // UTC
    return arg[0] ? put_time(arg[0], time_wall_ns(), 1000) : 0;
}

CALL(time) {
    s64 seconds = (s64)(time_wall_ns() / SECOND);
    return arg[0] && !copy_to_user(arg[0], &seconds, sizeof seconds) ? -EFAULT : seconds;
}

// clock_nanosleep(clock, flags, time, left): nothing interrupts a sleep but death, so left is never written.
CALL(clock_nanosleep) {
    u64 ns = 0, now;
    s64 error = thread->has_deadline ? 0 : time_get(arg[2], &ns); // which may be gone by now
    if (error || arg[0] == CLOCK_THREAD_CPUTIME_ID || !clock_read(thread, arg[0], &now)) return error ? error : -EINVAL;
    if (arg[1] & TIMER_ABSTIME) ns = ns > now ? ns - now : 0;
    return thread_deadline(thread, ns) ? 0 : CALL_WAITS;
}

CALL(nanosleep) { return call_clock_nanosleep(thread, (u64[]){CLOCK_MONOTONIC, 0, arg[0]}); }

// getrusage(who, usage): the time comes first, the rest is zero.
CALL(getrusage) {
    int who = (int)arg[0];
    u64 ticks = who == RUSAGE_CHILDREN ? 0 : who == RUSAGE_THREAD ? thread_time(thread) : program_time();
    if (!clear_user(arg[1], sizeof(struct rusage))) return -EFAULT;
    return put_time(arg[1], time_tsc_to_ns(ticks), 1000);
}
