// Calls about the process itself and its machine: names, numbers and limits.
#include <linux/personality.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>
#include "kernel/cpu/time.h"
#include "kernel/memory/pages.h"
#include "kernel/call/call.h"

#define SECOND           1000000000ull
#define UMASK_BITS       0777u
#define PERSONALITY_ASKS 0xffffffffu

s64 call_uname(struct thread *thread, const u64 *arg) {
    // The release says which interface is meant; programs compare it with what they need.
    static const struct new_utsname name = {"Linux",   "vmos",   "6.1.0-vmos",
                                            "#1 vmos", "x86_64", "(none)"};
    return put_user(user(arg[0]), &name, sizeof name);
}

s64 call_sysinfo(struct thread *thread, const u64 *arg) {
    struct sysinfo info = {.uptime = (s64)(time_now_ns() / SECOND), .mem_unit = 1};
    info.procs = (u16)threads_count();
    info.totalram = pages_total() * PAGE_SIZE;
    info.freeram = pages_free() * PAGE_SIZE;
    return put_user(user(arg[0]), &info, sizeof info);
}

// The mask for new files, of which there are none: the value is kept.
s64 call_umask(struct thread *thread, const u64 *arg) {
    u32 *mask = &thread->process->kept.umask;
    return __atomic_exchange_n(mask, (u32)arg[0] & UMASK_BITS, __ATOMIC_RELAXED);
}

// personality(unsigned): Linux's own, whose addresses are not random anyway, is the only one.
s64 call_personality(struct thread *thread, const u64 *arg) {
    u32 *kept = &thread->process->kept.personality; // PER_LINUX is 0
    u32 wanted = (u32)arg[0];
    if (wanted == PERSONALITY_ASKS) return __atomic_load_n(kept, __ATOMIC_RELAXED);
    if ((wanted & ~(u32)ADDR_NO_RANDOMIZE) == PER_LINUX)
        return __atomic_exchange_n(kept, wanted, __ATOMIC_RELAXED);
    return refused("personality", "value", wanted, "only Linux's own is built", -EINVAL);
}
