// kernel/cpu/time.c on a simulated machine: a TSC of a known rate, a reference that wraps, both read with delays. The
// measured rate must be right however late the second reading comes, and time must never run backwards.
#include <stdlib.h>

// The real instructions make way for the simulated ones below.
#define inl   real_inl
#define rdtsc real_rdtsc
#define inb   real_inb
#define outb  real_outb
#include "kernel/cpu/x86.h"
#undef inl
#undef rdtsc
#undef inb
#undef outb
#define log vmos_log // the C library has another
#include "kernel/cpu/time.h"
#include "test/check.h"

static double seconds;      // of the simulated machine since it was switched on
static double tsc_hz;       // truth
static double slowest_read; // of a port
static bool pm_stands_still;
static u32 garbage;
static const u64 tsc_at_start = 0x123456789;

static u64 rdtsc(void) {
    seconds += 10e-9;
    return tsc_at_start + (u64)(seconds * tsc_hz);
}

static double read_delay(void) { return 100e-9 + slowest_read * (rand() % 1000) / 1000; }

static u32 inl(u16 port) {
    CHECK(port == 0x608);
    seconds += read_delay() / 2;
    u32 value = pm_stands_still ? 1234 : (u32)((u64)(seconds * 3579545) & 0xffffff);
    seconds += read_delay() / 2;
    return value | garbage; // the bits above a 24-bit counter mean nothing
}

static u16 latched;
static bool high_next;
static void outb(u16 port, u8 value) {
    CHECK(port == 0x61 || port == 0x43 || (port == 0x42 && value == 0));
    if (port != 0x43 || value != 0x80) return;
    seconds += read_delay();
    latched = (u16) - (u64)(seconds * 1193182);
    high_next = false;
}

static u8 inb(u16 port) {
    CHECK(port == 0x61 || port == 0x42);
    high_next = !high_next;
    return (u8)(high_next ? latched : latched >> 8);
}

void interrupt_set(unsigned line, void (*handler)(void)) { CHECK(line == 0 && !handler); }

static int complaints;
void log_error(const char *fmt, ...) { complaints += *fmt != 0; }
void unfit(const char *fmt, ...) {
    fprintf(stderr, "unfit: %s\n", fmt);
    exit(1);
}

#include "kernel/cpu/time.c"

static void start(double rate_hz, u16 port, double uptime) {
    hz = ns_per_tsc = base_tsc = base_ns = refine_at = latest = 0;
    seconds = uptime;
    tsc_hz = rate_hz;
    garbage = (u32)rand() << 24;
    time_init(port);
}

static double error_of(u64 measured) { return measured > tsc_hz ? measured / tsc_hz - 1 : 1 - measured / tsc_hz; }

// The second reading comes after each of these times; then the clock runs for five minutes.
static void test_clock(double rate_hz, u16 port) {
    static const double first_use[] = {0,    1e-6, 4e-4, 6e-4, 0.01, 0.0549, 0.055, 0.06, 0.5, 2.3,
                                       2.35, 4.6,  4.68, 4.7,  9.36, 9.4,    20,    61,   300, 5000};
    for (size_t i = 0; i < ARRAY_SIZE(first_use); i++) {
        start(rate_hz, port, 3.7 * (double)(i + 1));
        double begin = seconds;
        seconds += first_use[i];
        double asked = seconds;
        u64 before = time_now_ns();
        CHECK(seconds - asked < 0.0006 + 30 * slowest_read); // it waits half a millisecond at most
        CHECK(error_of(hz) < 0.01);
        for (int step = 0; step < 3000; step++) {
            seconds += 0.001 * (rand() % 200);
            u64 now = time_now_ns();
            CHECK(now >= before);
            double real = (seconds - begin) * 1e9;
            CHECK((double)now > real * 0.99 - 1e5 && (double)now < real * 1.01 + 1e5);
            before = now;
        }
        CHECK(error_of(hz) < 20e-6);
        CHECK(time_tsc_to_ns(hz) > 999999990 && time_tsc_to_ns(hz) <= 1000000000);
    }
}

int main(void) {
    static const double rates[] = {4e6, 50e6, 1e9, 2.6e9, 6e9};
    slowest_read = 2e-6;
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        test_clock(rates[i], 0x608);
        test_clock(rates[i], 0);
    }
    CHECK(complaints == 0);
    pm_stands_still = true;
    start(1e9, 0x608, 1);
    time_now_ns();
    CHECK(error_of(hz) < 0.01 && complaints == 1); // falls back to the PIT, and says so
    return check_done("time");
}
