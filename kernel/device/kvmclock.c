// KVM's clock, as its manual describes it: the hypervisor fills two structs in memory that it is told of. vmos asks once
// and goes on by the TSC: after a move to another host, the time shown so far counts.
#include "kernel/cpu/clock.h"
#include "kernel/device/devices.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/window.h"

#define KVM_SIGNATURE     0x4b4d564b    // "KVMK", EBX of leaf 40000000h
#define KVM_CLOCKSOURCE2  (1u << 3)     // EAX of leaf 40000001h
#define MSR_KVM_WALL      0x4b564d00
#define MSR_KVM_SYSTEM    0x4b564d01
#define KVM_SYSTEM_ENABLE (1u << 0)
#define YEAR_2000         946684800     // seconds since 1970

struct kvm_clock {
    struct { // system_time ns since its start, when the TSC was tsc
        u32 version, zero; // odd: being changed, 0: never written
        u64 tsc, system_time;
        u32 factor; // ns per TSC tick, times 2^32, after a shift by:
        s8 shift;
        u8 flags, zero2[2];
    } now;
    struct {
        u32 version, seconds, ns; // since 1970, when system_time was 0
    } start;
};

// ns per TSC tick, times 2^32; 0 when the struct makes no sense.
static u64 kvm_factor(const struct kvm_clock *clock) {
    s8 shift = clock->now.shift;
    if (!clock->now.version || clock->now.version & 1 || shift < -31 || shift > 31) return 0;
    return shift < 0 ? clock->now.factor >> -shift : (u64)clock->now.factor << shift;
}

static u64 kvm_wall(const struct kvm_clock *clock, u64 tsc) {
    u64 factor = kvm_factor(clock);
    bool whole = clock->start.version && !(clock->start.version & 1) && clock->start.ns < NS_PER_S;
    if (!factor || !whole || clock->start.seconds < YEAR_2000) return 0;
    return clock->start.seconds * NS_PER_S + clock->start.ns + clock->now.system_time + scale(tsc - clock->now.tsc, factor);
}
