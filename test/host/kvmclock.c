// kernel/device/kvmclock.c: what KVM writes for hosts of several speeds, and values that make no
// sense.
#include <string.h>

#define cpuid(a, b) real_cpuid(a, b)
#define wrmsr       real_wrmsr
#define rdtsc       real_rdtsc
#include "kernel/cpu/x86.h"
#undef cpuid
#undef wrmsr
#undef rdtsc
#include "test/check.h"

static bool in_kvm, has_clock;
static u8 memory[4096] __attribute__((aligned(4096)));
static int pages, enabled;

static struct cpuid cpuid(u32 leaf, u32 subleaf) {
    CHECK(subleaf == 0);
    if (leaf == 1) return (struct cpuid){.ecx = in_kvm ? 1u << 31 : 0};
    if (leaf == 0x40000000) return (struct cpuid){0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d};
    return (struct cpuid){.eax = has_clock ? 1u << 3 : 0};
}
static u64 rdtsc(void) { return 1000000000000 + 2600000000; }
static void wrmsr(u32 msr, u64 value);

#include "kernel/cpu/clock.c"
#include "kernel/device/kvmclock.c"

u64 window_base;
paddr page_alloc_cleared(void) {
    memset(memory, 0, sizeof memory);
    pages++;
    return (paddr){(u64)memory};
}
void page_free(paddr page) {
    CHECK(page.at == (u64)memory && !enabled);
    pages--;
}

// 2026-11-20 12:00:00 less 5 s; the guest's clock started 4 s ago when the TSC was 10^12.
static void wrmsr(u32 msr, u64 value) {
    struct kvm_clock *clock = (void *)memory;
    if (msr == 0x4b564d00) {
        CHECK(value == (u64)&clock->start_version && value % 4 == 0);
        clock->start_version = 2;
        clock->start_seconds = 1795176000 - 5;
        clock->start_ns = 7;
    } else {
        CHECK(msr == 0x4b564d01 && (!value || value == ((u64)memory | 1)));
        enabled = value & 1;
        if (enabled)
            *clock =
                (struct kvm_clock){2,   0, 1000000000000,        4000000000,     0xc4ec4ec5, -1, 1,
                                   {0}, 2, clock->start_seconds, clock->start_ns};
    }
}

static void test_values(void) {
    static const struct {
        double hz;
        u32 factor;
        int shift;
    } hosts[] = {{2.6e9, 0xc4ec4ec5, -1},
                 {1e9, 0x80000000, 1},
                 {3.2e9, 0xa0000000, -1},
                 {4.5e9, 0xe38e38e4, -2}};
    struct kvm_clock good = {4, 0, 5000, 77, 0, 0, 0, {0}, 2, 1700000000, 999999999}, bad;
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        good.ns_per_tsc = hosts[i].factor;
        good.shift = (signed char)hosts[i].shift;
        u64 ns = kvm_wall_ns(&good, 5000 + (u64)hosts[i].hz);
        CHECK(ns > 1700000001999999999 && ns < 1700000002000000100);
    }
    for (int i = 0; i < 9; i++) {
        bad = good;
        if (i == 0) bad.version = 0;
        if (i == 1) bad.version = 5;
        if (i == 2) bad.start_version = 0;
        if (i == 3) bad.start_version = 1;
        if (i == 4) bad.start_seconds = 900000000;
        if (i == 5) bad.shift = 32;
        if (i == 6) bad.shift = -128;
        if (i == 7) bad.tsc = 10000;
        if (i == 8) memset(&bad, 0, sizeof bad);
        CHECK(kvm_wall_ns(&bad, 6000) == 0);
    }
}

int main(void) {
    test_values();
    CHECK(kvm_clock_ns() == 0 && pages == 0);
    in_kvm = true;
    CHECK(kvm_clock_ns() == 0 && pages == 0);
    has_clock = true;
    u64 ns = kvm_clock_ns();
    CHECK(ns / 1000 == 1795176000000000 && pages == 0 && !enabled);
    return check_done("kvmclock");
}
