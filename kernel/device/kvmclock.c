// KVM's clock (Linux, Documentation/virt/kvm/x86/msr.rst): two structs that the hypervisor fills.
// It is asked once.
#include "kernel/cpu/clock.h"
#include "kernel/device/devices.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/window.h"

#define CPUID_40000001_EAX_CLOCK2 (1u << 3) // the clock, by these MSRs
#define MSR_KVM_WALL_CLOCK        0x4b564d00
#define MSR_KVM_SYSTEM_TIME       0x4b564d01
#define KVM_ENABLE                (1u << 0)
#define YEAR_2000                 946684800 // seconds since 1970

struct kvm_clock {
    u32 version, zero; // odd: being changed, 0: never written
    u64 tsc, ns;       // ns since a start, at this TSC
    u32 ns_per_tsc;    // times 2^32, after a shift
    signed char shift;
    u8 flags, zero2[2];
    u32 start_version, start_seconds, start_ns; // since 1970
};

// ns since 1970 at a TSC; 0 when the values make no sense.
static u64 kvm_wall_ns(const struct kvm_clock *clock, u64 tsc_now) {
    signed char shift = clock->shift;
    bool has_clock = clock->version && !(clock->version & 1);
    bool has_start = clock->start_version && !(clock->start_version & 1);
    if (!has_clock || !has_start) return 0;
    if (shift < -31 || shift > 31) return 0;
    if (clock->start_seconds < YEAR_2000 || tsc_now < clock->tsc) return 0;
    u64 factor = clock->ns_per_tsc;
    if (shift < 0)
        factor >>= -shift;
    else
        factor <<= shift;
    return clock->start_seconds * NS_PER_S + clock->start_ns + clock->ns +
           scale(tsc_now - clock->tsc, factor);
}

u64 kvm_clock_ns(void) {
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) || cpuid(0x40000000, 0).ebx != HYPERVISOR_KVM)
        return 0;
    if (!(cpuid(0x40000001, 0).eax & CPUID_40000001_EAX_CLOCK2)) return 0;
    paddr page = page_alloc_cleared();
    if (!page.at) return 0;
    wrmsr(MSR_KVM_WALL_CLOCK, page.at + offsetof(struct kvm_clock, start_version));
    wrmsr(MSR_KVM_SYSTEM_TIME, page.at | KVM_ENABLE);
    u64 ns = kvm_wall_ns(window(page), rdtsc());
    wrmsr(MSR_KVM_SYSTEM_TIME, 0);
    page_free(page);
    return ns;
}
