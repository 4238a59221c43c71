// Time on a simulated machine: the rate must be right wherever it comes from and however late the
// second reading comes, nobody waits without need, time never runs backwards on any CPU, and timers
// are not late.
#include "test/time_machine.h"

static const char *const names[] = {"HPET", "PM timer", "PIT"};

static void test_mul_div(void) {
    for (int i = 0; i < 100000; i++) {
        u64 a = (u64)rand() << rand() % 33, b = (u64)rand() << rand() % 33,
            c = (u64)rand() << rand() % 33;
        unsigned __int128 exact = c ? (unsigned __int128)a * b / c : (unsigned __int128)-1;
        CHECK(mul_div(a, b, c) == (exact > UINT64_MAX ? UINT64_MAX : (u64)exact));
    }
}

// First use comes after each of these times; then the clock runs for five minutes.
static void test_clock(u64 rate_hz, enum reference_source source) {
    static const double first_use[] = {0,   1e-6, 4e-4, 6e-4, 0.01, 0.0549, 0.055, 0.06,
                                       0.1, 0.5,  2.3,  2.35, 4.6,  4.68,   4.7,   9.0,
                                       9.4, 20,   61,   80,   5000, 90000};
    for (size_t i = 0; i < ARRAY_SIZE(first_use); i++) {
        switch_on(rate_hz, 3.7 * (double)(i + 1));
        if (source == REFERENCE_HPET) set_hpet(i % 2 ? 10000000 : 69841279);
        u64 begin = now_ps;
        begin_time(source);
        sleep_s(first_use[i]);
        u64 asked = now_ps, before = time_now_ns();
        double waited = (double)(now_ps - asked) / 1e12,
               turn = (double)reference->turn / (double)reference->hz;
        CHECK(waited < 0.0006 + 60 * (double)slowest_read / 1e12); // half a millisecond at most
        bool needs = first_use[i] < 5e-4 || first_use[i] > 1.9 * turn;
        if (!needs)
            CHECK(waited < 0.0002); // none when the readings lie apart and the turns can be told
        if (!needs && waited >= 0.0002)
            fprintf(stderr, "%s, %lu Hz, after %f s: waited %f s\n", names[source], rate_hz,
                    first_use[i], waited);
        CHECK(error_of(hz) < 0.01);
        for (int step = 0; step < 3000; step++) {
            sleep_s(0.001 * (rand() % 200));
            u64 now = time_now_ns();
            CHECK(now >= before);
            double real = (double)(now_ps - begin) / 1e3;
            CHECK((double)now > real * 0.99 - 1e5 && (double)now < real * 1.01 + 1e5);
            before = now;
        }
        CHECK(error_of(hz) < 20e-6);
        CHECK(time_tsc_to_ns(hz) > 999999990 && time_tsc_to_ns(hz) <= 1000000000);
        CHECK(time_ns_to_tsc(NS_PER_S) > hz - hz / 100000 - 10 &&
              time_ns_to_tsc(NS_PER_S) < hz + hz / 100000 + 10);
        CHECK(time_page.clock.refine_at == UINT64_MAX && complaints == 0 && lines == 1);
    }
}

// All three tries of a reading take 4 ms where the rate would be for good.
static void test_disturbed(void) {
    u64 usual = slowest_read;
    switch_on(2000000000, 5);
    begin_time(REFERENCE_PM_TIMER);
    static const double waits[] = {0, 0.2, 2};
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
        sleep_s(waits[i]);
        slowest_read = i == 2 ? 4 * PS / 1000 : usual;
        time_now_ns();
    }
    slowest_read = usual;
    CHECK(error_of(hz) > 20e-6 && time_page.clock.refine_at != UINT64_MAX);
    sleep_s(0.2);
    time_now_ns();
    CHECK(error_of(hz) < 20e-6 && time_page.clock.refine_at == UINT64_MAX);
}

// What CPUs and hypervisors say: signature, highest leaves, leaf 15h or 40000010h.
static void test_stated(void) {
    static const struct {
        u32 highest, denominator, numerator, crystal, signature, highest_hypervisor, khz;
        u64 stated;
    } cases[] = {
        {0x16, 2, 308, 24000000, 0, 0, 0, 3696000000},                // Core i7-8700K
        {0x1b, 2, 78, 38400000, 0, 0, 0, 1497600000},                 // Core i7-1065G7
        {0x15, 3, 171, 19200000, 0, 0, 0, 1094400000},                // Celeron N3350
        {0x16, 2, 334, 0, 0, 0, 0, 0},                                // Core i7-6700K: no crystal
        {0x16, 0, 0, 0, 0, 0, 0, 0},                                  // Broadwell
        {0x16, 0, 78, 38400000, 0, 0, 0, 0},                          //
        {0x10, 2, 78, 38400000, 0, 0, 0, 0},                          // EPYC: no such leaf
        {0x16, 0, 0, 0, 0x61774d56, 0x40000010, 2194843, 2194843000}, // VMware
        {0x16, 2, 308, 24000000, 0x4b4d564b, 0x40000010, 2600000, 2600000000}, // KVM that states it
        {0x16, 2, 308, 24000000, 0x4b4d564b, 0x40000001, 99, 3696000000}, // and one that does not
        {0x16, 0, 0, 0, 0x7263694d, 0x40000082, 2600000, 0}, // Hyper-V: that leaf is something else
        {0xd, 0, 0, 0, 0x54474354, 0x40000001, 2600000, 0},  // QEMU
        {0x16, 1, 0xffffffff, 0xffffffff, 0, 0, 0, 0},       // nonsense
        {0x16, 0xffffffff, 1, 1, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *by;
        switch_on(1000000000, 1);
        set_leaf(0x40000000, cases[i].highest_hypervisor, cases[i].signature, 0, 0);
        set_leaf(1, 0, 0, cases[i].signature ? CPUID_1_ECX_HYPERVISOR : 0, 0);
        set_leaf(0x40000010, cases[i].khz, 0, 0, 0);
        set_leaf(0, cases[i].highest, 0, 0, 0);
        set_leaf(0x15, cases[i].denominator, cases[i].numerator, cases[i].crystal, 0);
        CHECK(clock_stated_hz(cpuid, &by) == cases[i].stated);
    }
    switch_on(1000000000, 1);
    CHECK(!clock_invariant(cpuid));
    set_leaf(0x80000007, 0, 0, 0, 1 << 8);
    CHECK(!clock_invariant(cpuid)); // the leaf is not there
    set_leaf(0x80000000, 0x80000008, 0, 0, 0);
    CHECK(clock_invariant(cpuid));
}

// A stated rate costs no wait and is checked once; a wrong one does not last.
static void test_check_of_stated(enum reference_source source, u64 states, double wait) {
    switch_on(2600000000, 10);
    if (source == REFERENCE_HPET) set_hpet(10000000);
    set_leaf(1, 0, 0, CPUID_1_ECX_HYPERVISOR, 0);
    set_leaf(0x40000000, 0x40000010, HYPERVISOR_KVM, 0, 0);
    set_leaf(0x40000010, (u32)(states / 1000), 0, 0, 0);
    begin_time(source);
    sleep_s(wait);
    u64 asked = now_ps, before = time_now_ns();
    CHECK(now_ps - asked < PS / 5000);
    sleep_s(0.001);
    for (int i = 0; i < 1000; i++) {
        u64 now = time_now_ns();
        CHECK(now >= before);
        before = now;
        sleep_s(0.01);
    }
    bool right = states == tsc_hz;
    CHECK(complaints == !right && (right ? hz == tsc_hz : error_of(hz) < 20e-6) &&
          time_page.clock.refine_at == UINT64_MAX);
}

static void test_standing_still(void) {
    switch_on(1000000000, 1);
    pm_stands = true;
    begin_time(REFERENCE_PM_TIMER);
    time_now_ns();
    CHECK(error_of(hz) < 0.01 && complaints == 1); // falls back to the PIT, and says so
    switch_on(3000000000, 1);
    hpet_stands = true;
    set_hpet(10000000);
    begin_time(REFERENCE_HPET);
    here = cpus + 1;
    time_cpu_joined(); // its reading is of no use
    here = cpus;
    sleep_s(0.02);
    time_now_ns();
    CHECK(error_of(hz) < 0.01 && complaints == 1 && reference->source == REFERENCE_PM_TIMER);
    here = cpus + 1;
    time_now_ns();
    CHECK(cpus[1].cpu.time.offset == 0);
    switch_on(3000000000, 1);
    set_hpet(0); // none
    begin_time(REFERENCE_HPET);
    CHECK(complaints == 1 && reference->source == REFERENCE_PM_TIMER);
    switch_on(3000000000, 1);
    set_hpet(100000001);
    begin_time(REFERENCE_HPET);
    CHECK(complaints == 1 && reference->source == REFERENCE_PM_TIMER && hpet_registers[4] == 0);
}

// Other CPUs join at various times, with TSCs that are off; first use of the time is by any of
// them.
static void test_cpus(enum reference_source source, s64 off_us, double joins, int first_asks,
                      double asks_at) {
    switch_on(2000000000, 30);
    if (source == REFERENCE_HPET) set_hpet(69841279);
    cpus[1].tsc += (u64)(off_us * 2000);
    begin_time(source);
    u64 begin = now_ps;
    sleep_s(joins);
    for (int i = 1; i < CPUS; i++) {
        here = cpus + i;
        time_cpu_joined();
    }
    sleep_s(asks_at);
    here = cpus + first_asks;
    time_now_ns();
    here = cpus + 1;
    u64 before = time_now_ns();
    double doubt =
        source == REFERENCE_PIT ? 6000 : 2000; // ns, and more when the rate was not well known yet
    if (asks_at < 0.01) doubt += 20 * joins * 1e6;
    s64 missing = (s64)(cpus[1].cpu.time.offset + (u64)(off_us * 2000)) / 2;
    CHECK(missing <= doubt && missing >= -doubt);
    if (missing > doubt || missing < -doubt)
        fprintf(stderr, "%s, off by %ld us, joins at %f, first %d at %f: %ld ns missing\n",
                names[source], off_us, joins, first_asks, asks_at, missing);
    CHECK((strstr(said, off_us < 0 ? "behind: corrected" : "ahead: corrected") != NULL) ==
          (cpus[1].cpu.time.offset != 0));
    for (int i = 0; i < 20000; i++) {
        here = cpus + rand() % CPUS;
        u64 now = time_now_ns();
        CHECK(now >= before);
        before = now;
        sleep_s(1e-4 * (rand() % 16) / 16);
    }
    double real = (double)(now_ps - begin) / 1e3;
    CHECK((double)before > real * 0.999 - 1e5 && (double)before < real * 1.001 + 1e5);
    CHECK(cpus[2].cpu.time.offset == 0 && cpus[3].cpu.time.offset == 0 && complaints == 0);
}

static void test_offsets(void) {
    static const double joins[] = {0.0001, 0.003, 0.02};
    for (int source = 0; source <= REFERENCE_PIT; source++)
        for (int first = 0; first < CPUS; first++)
            for (size_t j = 0; j < ARRAY_SIZE(joins); j++)
                for (int late = 0; late < 2; late++) {
                    test_cpus(source, 0, joins[j], first, late * 0.02);
                    test_cpus(source, -1234, joins[j], first, late * 0.02);
                    test_cpus(source, 2500, joins[j], first, late * 0.02);
                    test_cpus(source, -20000, joins[j], first, late * 0.02);
                }
    test_cpus(REFERENCE_HPET, -29000000, 0.02, 0, 0.02); // reset much later
    test_cpus(REFERENCE_PM_TIMER, -29000000, 0.02, 0, 0.02);
    test_cpus(REFERENCE_HPET, 9000000, 0.02, 2, 0.02);
    test_cpus(REFERENCE_PM_TIMER, 0, 11, 0, 0.02); // a straggler
    test_cpus(REFERENCE_PIT, 0, 0.7, 0, 0.02);
}

// The pure part: never a false offset, never one that leaves more than the doubt.
static void test_offset_alone(void) {
    struct reference r = {REFERENCE_PM_TIMER, "", 3579545, 1 << 24, NULL, 1};
    for (int i = 0; i < 300000; i++) {
        double rate = 1e9 + rand() % 1000 * 4e6, from = rand() % 1000,
               to = from + rand() % 4000 * 1e-3;
        u64 gap = 1 + (u64)rand() % 5000, rate_hz = (u64)rate;
        double late = (rand() % 1000 - 500) / 1000.0 * (double)gap,
               off = i % 2 ? 0 : (rand() % 2000 - 1000) * 1e-3 * rate;
        struct reading a = {(u64)(from * rate + 1e15), (u32)(u64)(from * 3579545) & 0xffffff, 1,
                            gap};
        struct reading b = {(u64)(to * rate + 1e15 + late + off),
                            (u32)(u64)(to * 3579545) & 0xffffff, 1, gap};
        u64 doubt;
        double missing = (double)(s64)clock_offset(&r, &a, &b, rate_hz, 0, &doubt);
        if (off == 0)
            CHECK(missing == 0);
        else
            CHECK(missing + off <= (double)doubt && missing + off >= -(double)doubt);
    }
}

// With IA32_TSC_ADJUST equal on all CPUs and an invariant TSC nothing is shared by those that read
// the time.
static void test_adjust(void) {
    switch_on(2000000000, 5);
    set_leaf(0, 7, 0, 0, 0);
    set_leaf(7, 0, 1 << 1, 0, 0);
    set_leaf(0x80000000, 0x80000008, 0, 0, 0);
    set_leaf(0x80000007, 0, 0, 0, 1 << 8);
    for (int i = 0; i < CPUS; i++) cpus[i].adjust = i == 2 ? -5000000000ull : 1000000;
    begin_time(REFERENCE_PM_TIMER);
    for (int i = 1; i < CPUS; i++) {
        here = cpus + i;
        time_cpu_joined();
        CHECK(here->adjust == 1000000 && here->cpu.time.offset == 0);
    }
    CHECK(lines == 1 && strstr(said, "CPU 2 was adjusted by -5000000000, now by 1000000"));
    u64 before = 0;
    for (int i = 0; i < 20000; i++) {
        here = cpus + rand() % CPUS;
        u64 now = time_now_ns();
        CHECK(now >= before);
        before = now;
        sleep_s(1e-4 * (rand() % 16));
    }
    CHECK(latest == 0 && strstr(said, "invariant") && !strstr(said, "not"));
}

// Runs a sleep as the scheduler does; how late its end was.
static double sleep_until(u64 deadline, int *times) {
    for (*times = 0; time_now_ns() < deadline && *times < 1000; ++*times) {
        timer_set(deadline);
        if (has_apic && cpuid(1, 0).ecx & 1 << 24) {
            u64 ticks =
                here->deadline > tsc_of(here, now_ps) ? here->deadline - tsc_of(here, now_ps) : 0;
            sleep_s((double)ticks / (double)tsc_hz);
        } else if (has_apic) {
            CHECK(here->count != 0);
            sleep_s((double)here->count / (double)apic_hz);
        } else {
            sleep_s(0.0549);
        }
    }
    return (double)time_now_ns() - (double)deadline;
}

static void test_timers(bool deadline_mode, u64 rate_hz, u64 timer_hz, double first) {
    int times;
    switch_on(rate_hz, 3);
    has_apic = true;
    apic_hz = timer_hz;
    if (deadline_mode) set_leaf(1, 0, 0, 1 << 24, 0);
    begin_time(REFERENCE_PM_TIMER);
    here = cpus + 1;
    time_cpu_joined();
    for (int i = 0; i < 2; i++) {
        sleep_s(first);
        u64 asked = now_ps;
        timer_set(0); // long ago: at once
        CHECK(deadline_mode ? here->deadline <= tsc_of(here, now_ps) : here->count == 1);
        CHECK(now_ps - asked < PS / 500);
        static const double lengths[] = {1e-6, 1e-4, 0.03, 2, 700, 0.01};
        for (size_t j = 0; j < ARRAY_SIZE(lengths); j++) {
            double late = sleep_until(time_now_ns() + (u64)(lengths[j] * 1e9), &times);
            CHECK(late >= 0 && late < 20000 + (double)NS_PER_S / (double)timer_hz * 2 +
                                          lengths[j] * 1e9 / 10000);
            CHECK(times <= 40 + lengths[j] * (double)timer_hz / (1u << 31));
        }
        timer_set(UINT64_MAX - 1);
        CHECK(deadline_mode ? here->deadline > tsc_of(here, now_ps) + 1000 * tsc_hz
                            : here->count == UINT32_MAX);
        here = cpus;
    }
    CHECK(complaints == 0);
}

// A long sleep that begins at first need, when the rate is known to 1 %.
static void test_long_sleep(u64 rate_hz, enum reference_source source) {
    int times;
    switch_on(rate_hz, 3);
    has_apic = true;
    apic_hz = 62500000;
    begin_time(source);
    set_leaf(1, 0, 0, 1 << 24, 0);
    begin_time(source);
    u64 begin = now_ps;
    sleep_until(time_now_ns() + 3600 * NS_PER_S, &times);
    double off = (double)(now_ps - begin) / 1e12 - 3600;
    CHECK(off > -0.2 && off < 0.2 && times < 10);
    if (!(off > -0.2 && off < 0.2))
        fprintf(stderr, "%s, %lu Hz: off by %f s\n", names[source], rate_hz, off);
}

static void test_pit_timer(void) {
    int times;
    switch_on(1000000000, 3);
    begin_time(REFERENCE_PIT);
    CHECK(sleep_until(time_now_ns() + 1000000000, &times) >= 0 && times == 19 &&
          pit_one_shots == 19);
}

int main(void) {
    static const u64 rates[] = {4000000, 50000000, 1000000000, 2600000000, 6000000000};
    slowest_read = 2000000;
    test_mul_div();
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
        for (int source = 0; source <= REFERENCE_PIT; source++)
            test_clock(rates[i], source), test_long_sleep(rates[i], source);
    test_disturbed();
    test_stated();
    for (int source = 0; source <= REFERENCE_PIT; source++)
        for (int late = 0; late < 3; late++) {
            static const double waits[] = {0, 0.002, 0.01};
            test_check_of_stated(source, 2600000000, waits[late]);
            test_check_of_stated(source, 2500000000, waits[late]);
            test_check_of_stated(source, 2000000000, waits[late]);
            test_check_of_stated(source, 98000000000, waits[late]);
        }
    test_standing_still();
    test_offset_alone();
    test_offsets();
    test_adjust();
    static const u64 timers[] = {1562500, 6250000, 62500000, 1000000000};
    for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
        test_timers(false, 2600000000, timers[i], 0);
        test_timers(false, 1000000000, timers[i], 5000);
        test_timers(true, 2600000000, timers[i], i);
    }
    test_pit_timer();
    return check_done("time");
}
