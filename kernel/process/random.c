// Random numbers, for getrandom and for what a program finds at its start.
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/process/program.h"

#define CPUID_1_ECX_RDRAND (1u << 30)

// SplitMix64 over a state that every call's time stamp changes and, where the CPU has it, RDRAND.
// That fails when the generator is drained; ten tries in a row fail only when it is broken (SDM
// 1, 7.3.17.1).
u64 random_u64(void) {
    static u64 state;
    static bool has_rdrand;
    if (!state) has_rdrand = cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND;
    if (!state && !has_rdrand)
        log("random: this CPU has no RDRAND; random numbers come from the time stamp counter, "
            "not for secrets");
    u64 hardware = 0;
    u8 ok = !has_rdrand;
    for (int i = 0; i < 10 && !ok; i++)
        __asm__ volatile("rdrand %0; setc %1" : "=r"(hardware), "=qm"(ok)::"cc");
    u64 z = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15 + tsc(), __ATOMIC_RELAXED);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) ^ hardware;
}
