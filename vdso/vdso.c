// The vDSO: a shared object in the program's memory that AT_SYSINFO_EHDR points to. C libraries
// look up the names of Linux's (vdso(7)) and call them instead of the system; dietlibc does so
// without a look at whether there is one. What they return is what the system call returns: 0 or a
// value, or an errno made negative. The time comes out of a page of the kernel's, without a system
// call where that says enough. A pointer to no memory is the program's fault, as on Linux.
#include <linux/time.h>
#include <sys/syscall.h>
#include "kernel/cpu/timepage.h"

// Clocks by their ids, as the kernel has them (kernel/process/clocks.c). The others are called for.
#define CLOCKS_WALL (1u << CLOCK_REALTIME | 1u << CLOCK_REALTIME_COARSE | 1u << CLOCK_TAI)
#define CLOCKS_BOOT                                                                                \
    (1u << CLOCK_MONOTONIC | 1u << CLOCK_MONOTONIC_RAW | 1u << CLOCK_MONOTONIC_COARSE |            \
     1u << CLOCK_BOOTTIME)

static s64 vdso_call(s64 number, u64 first, u64 second) {
    s64 result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second)
                     : "rcx", "r11", "memory");
    return result;
}

static bool vdso_is_one_of(u32 clock, u32 set) { return clock < 32 && set >> clock & 1; }

// False where the call has to be made.
static inline bool vdso_now(bool is_wall, u64 *ns) {
    u64 start = is_wall ? __atomic_load_n(&time_page.wall_ns, __ATOMIC_RELAXED) : 0;
    bool is_unknown = is_wall && !start;
    if (is_unknown || !time_page_read(&time_page, rdtsc, ns)) return false;
    *ns += start;
    return true;
}

s64 __vdso_clock_gettime(int clock, struct timespec *time) {
    u64 ns;
    bool is_wall = vdso_is_one_of((u32)clock, CLOCKS_WALL);
    bool is_here = is_wall || vdso_is_one_of((u32)clock, CLOCKS_BOOT);
    if (!is_here || !vdso_now(is_wall, &ns))
        return vdso_call(SYS_clock_gettime, (u32)clock, (u64)time);
    time->tv_sec = (s64)(ns / NS_PER_S);
    time->tv_nsec = (s64)(ns % NS_PER_S);
    return 0;
}

s64 __vdso_gettimeofday(struct timeval *time, struct timezone *zone) {
    struct timespec now;
    (void)__vdso_clock_gettime(CLOCK_REALTIME, &now); // cannot fail
    if (time) *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    if (zone) *zone = (struct timezone){0}; // UTC
    return 0;
}

s64 __vdso_time(s64 *to) {
    struct timespec now;
    (void)__vdso_clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}

s64 __vdso_clock_getres(int clock, struct timespec *time) {
    if (!vdso_is_one_of((u32)clock, CLOCKS_BOOT | CLOCKS_WALL))
        return vdso_call(SYS_clock_getres, (u32)clock, (u64)time);
    if (time) *time = (struct timespec){0, 1};
    return 0;
}

// By the limit of a segment, which differs from CPU to CPU; there is one node. The third argument
// is ignored, as in the call.
s64 __vdso_getcpu(u32 *cpu, u32 *node) {
    u32 number;
    __asm__ volatile("lsl %1, %0" : "=r"(number) : "r"(NUMBER_SELECTOR) : "cc");
    if (cpu) *cpu = number;
    if (node) *node = 0;
    return 0;
}

// The same by the names of the C library's.
s64 clock_gettime(int clock, struct timespec *time)
    __attribute__((weak, alias("__vdso_clock_gettime")));
s64 gettimeofday(struct timeval *time, struct timezone *zone)
    __attribute__((weak, alias("__vdso_gettimeofday")));
s64 time(s64 *to) __attribute__((weak, alias("__vdso_time")));
s64 clock_getres(int clock, struct timespec *time)
    __attribute__((weak, alias("__vdso_clock_getres")));
s64 getcpu(u32 *cpu, u32 *node) __attribute__((weak, alias("__vdso_getcpu")));
