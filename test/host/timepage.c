// The page that the vDSO reads the time from: any numbers in it against 128-bit arithmetic, and on
// a simulated machine that it says the kernel's time, and when it leaves that to the kernel.
#include "test/time_machine.h"

static u64 tsc_now;
static u64 given_tsc(void) { return tsc_now; }

static u64 random_u64(void) {
    u64 bits = (u64)rand() << 42 ^ (u64)rand() << 21 ^ (u64)rand();
    return bits >> rand() % 64;
}

// Every TSC from the clock's own to the one at which it is refined, wherever these wrap, and no
// other.
static void test_numbers(void) {
    for (int i = 0; i < 1000000; i++) {
        struct time_page page = {.sequence = (u32)random_u64()};
        struct clock *of = &page.clock;
        *of = (struct clock){random_u64(), random_u64(), random_u64(), UINT64_MAX};
        if (rand() % 2)
            of->ns_per_tsc = (NS_PER_S << 32) / (TSC_HZ_SLOWEST + random_u64() % 10000000000);
        u64 due = random_u64();
        if (rand() % 4 && due >= of->tsc) of->refine_at = due;
        u64 ns = 77;
        tsc_now = random_u64();
        if (rand() % 4 == 0) tsc_now = of->tsc + (u64)(rand() % 3) - 1;
        if (rand() % 4 == 0) tsc_now = of->refine_at + (u64)(rand() % 3) - 1;
        bool is_due = tsc_now < of->tsc || tsc_now >= of->refine_at;
        bool is_known = !is_due && page.sequence % 4 == 0;
        CHECK(time_page_read(&page, given_tsc, &ns) == is_known);
        unsigned __int128 passed = (unsigned __int128)(tsc_now - of->tsc) * of->ns_per_tsc;
        CHECK(ns == (is_known ? of->ns + (u64)(passed >> 32) : 77));
    }
}

// The clock changes while it is read.
static struct time_page changing;
static u64 changing_tsc(void) {
    changing.sequence += TIME_CHANGE;
    return tsc_now;
}

static void test_change(void) {
    u64 ns = 77;
    changing.clock = (struct clock){1000, 5, 1ull << 32, UINT64_MAX};
    tsc_now = 1010;
    CHECK(!time_page_read(&changing, changing_tsc, &ns) && ns == 77);
    CHECK(time_page_read(&changing, given_tsc, &ns) && ns == 15);
    _Static_assert(sizeof changing == PAGE_SIZE, "the program sees nothing else");
}

static bool is_readable(void) {
    u64 ns;
    return time_page_read(&time_page, rdtsc, &ns);
}

static void switch_on_steady(u64 rate, bool adjusts, bool invariant) {
    switch_on(rate, 3);
    set_leaf(0, 7, 0, 0, 0);
    set_leaf(7, 0, adjusts ? 1 << 1 : 0, 0, 0);
    set_leaf(0x80000000, 0x80000008, 0, 0, 0);
    set_leaf(0x80000007, 0, 0, 0, invariant ? 1 << 8 : 0);
}

// Five seconds of a program that asks by turns in both ways, on all CPUs: no step is backwards, and
// all but a handful of those who read the page are told by it.
static void test_turns(u64 rate, int cpus_used) {
    u64 last = 0, now;
    int left = 0;
    for (int i = 0; i < 5000; i++) {
        here = cpus + rand() % cpus_used;
        bool reads = i % 2 && time_page_read(&time_page, rdtsc, &now);
        left += i % 2 && !reads;
        if (!reads) now = time_now_ns();
        CHECK(now >= last);
        last = now;
        sleep_s(0.001);
    }
    CHECK(left <= 4 && error_of(hz) < 20e-6 && tsc_hz == rate);
    here = cpus;
}

static void test_machines(void) {
    static const u64 rates[] = {4000000, 50000000, 1000000007, 2599999999, 6000000000};
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        switch_on_steady(rates[i], true, true);
        cpus[1].adjust += 123456789;
        begin_time(REFERENCE_PM_TIMER);
        CHECK(!is_readable()); // the rate is not known
        for (here = cpus + 1; here < cpus + CPUS; here++) time_cpu_joined();
        here = cpus;
        time_now_ns();
        test_turns(rates[i], CPUS);

        switch_on_steady(rates[i], i % 2, false);
        begin_time(REFERENCE_PM_TIMER);
        time_now_ns();
        CHECK(!is_readable()); // others may come
        time_cpu_alone();
        test_turns(rates[i], 1);
    }
}

// TSCs that may drift apart, and one that is not known to be the same.
static void test_differ(void) {
    for (int which = 0; which < 3; which++) {
        switch_on_steady(2000000000, which != 0, which != 1);
        begin_time(REFERENCE_PM_TIMER);
        time_now_ns();
        CHECK(is_readable() == (which == 2));
        here = cpus + 1;
        if (which == 2) leaves[1].is.ebx = 0; // leaf 7 of this CPU
        time_cpu_joined();
        for (int i = 0; i < 100; i++) {
            here = cpus + i % 2;
            CHECK(!is_readable());
            time_now_ns();
            sleep_s(0.05);
        }
    }
}

int main(void) {
    slowest_read = 2000000;
    test_numbers();
    test_change();
    test_machines();
    test_differ();
    return check_done("timepage");
}
