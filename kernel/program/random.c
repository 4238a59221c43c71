// Random numbers, for getrandom and for what a program finds at its start.
#include <linux/random.h>
#include "kernel/call/call.h"
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/program/program.h"

#define GRND_FLAGS (GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)
#define RANDOM_MAX 0x7ffff000ull // bytes of one call, as on Linux
// bytes of one execution of the call: a fault may clear a large page, too
#define PIECE              2048
#define CPUID_1_ECX_RDRAND (1u << 30)

// SplitMix64 over a state that every call's time stamp changes and, where the CPU has it, RDRAND.
// That fails when the generator is drained; ten tries in a row fail only when it is broken (SDM
// 1, 7.3.17.1).
u64 random_u64(void) {
    static u64 state;
    static bool has_rdrand;
    if (!state) has_rdrand = cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND;
    if (!state && !has_rdrand)
        log("random: this CPU has no RDRAND; random numbers come from the time stamp counter, not for secrets");
    u64 hardware = 0;
    u8 ok = !has_rdrand;
    for (int i = 0; i < 10 && !ok; i++)
        __asm__ volatile("rdrand %0; setc %1" : "=r"(hardware), "=qm"(ok)::"cc");
    u64 z = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15 + tsc(), __ATOMIC_RELAXED);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) ^ hardware;
}

// Up to a piece, page by page; how many bytes of it came before the program's memory ended.
static u64 random_put(u64 to, u64 bytes) {
    u64 values[16];
    u64 done = 0;
    while (done < bytes) {
        u64 part = MIN(bytes - done, PAGE_SIZE - (to + done) % PAGE_SIZE);
        part = MIN(part, sizeof values);
        for (u64 i = 0; i * sizeof values[0] < part; i++) values[i] = random_u64();
        if (!copy_to_user(to + done, values, part)) break;
        done += part;
    }
    return done;
}

// getrandom(to, bytes, unsigned flags): never waits, since there is no entropy to wait for. What
// was written before a fault counts.
s64 call_getrandom(struct thread *thread, const u64 *arg) {
    u64 count = MIN(arg[1], RANDOM_MAX);
    u32 flags = (u32)arg[2];
    bool both = flags & GRND_INSECURE && flags & GRND_RANDOM;
    if (flags & ~GRND_FLAGS || both) return -EINVAL;
    u64 bytes = MIN(count - thread->record.done, PIECE);
    u64 put = random_put(arg[0] + thread->record.done, bytes);
    thread->record.done += put;
    if (put == bytes && thread->record.done < count) return call_again(thread);
    return thread->record.done || !count ? (s64)thread->record.done : -EFAULT;
}
