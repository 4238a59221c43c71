// Random bytes for the program: from RDRAND where the CPU has it, else stirred from the time stamp counter, which is no
// secret; that is said once.
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/program/program.h"

#define CPUID_1_ECX_RDRAND (1u << 30)

// RDRAND fails when the generator is drained; ten tries in a row fail only when it is broken (SDM 1, 7.3.17.1).
static bool hardware_random(u64 *value) {
    u8 ok = 0;
    for (int i = 0; i < 10 && !ok; i++) __asm__ volatile("rdrand %0; setc %1" : "=r"(*value), "=qm"(ok)::"cc");
    return ok;
}

// SplitMix64 over a state that every call's time stamp changes.
static u64 stirred_random(void) {
    static u64 state;
    if (!state) log("random: this CPU has no RDRAND; random numbers come from the time stamp counter, not for secrets");
    u64 z = state += 0x9e3779b97f4a7c15 + tsc();
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

void random_bytes(void *to, size_t bytes) {
    bool has_rdrand = cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND;
    while (bytes > 0) {
        u64 value;
        if (!has_rdrand || !hardware_random(&value)) value = stirred_random();
        size_t part = bytes < sizeof value ? bytes : sizeof value;
        memcpy(to, &value, part);
        to = (u8 *)to + part;
        bytes -= part;
    }
}
