// kernel/device/rtc.c: every day from 1970 to 2199 against the C library, and each way the clock
// can keep time.
#include <string.h>
#include <time.h>

#define log vmos_log // the C library has another
#include "test/check.h"
#include "kernel/device/rtc.c"

void log_error(const char *fmt, ...) { (void)fmt; }
struct time_page time_page;
u64 time_now_ns(void) { return 0; }
u64 kvm_clock_ns(void) { return 0; }
void lock_take(struct lock *lock) { lock->taken = true; }

static u8 bcd(unsigned n) { return (u8)(n / 10 << 4 | n % 10); }

struct rtc_reading {
    u8 field[FIELDS];
};

// What a clock in mode status_b holds at a time.
static struct rtc_reading clock_at(time_t when, u8 status_b) {
    struct tm t;
    gmtime_r(&when, &t);
    unsigned hour = t.tm_hour, year = 1900 + t.tm_year, pm = 0;
    if (!(status_b & STATUS_B_24_HOURS)) {
        pm = hour >= 12 ? HOUR_PM : 0;
        hour = hour % 12 ? hour % 12 : 12;
    }
    unsigned value[STATUS_B] = {t.tm_sec,     t.tm_min,   hour,      t.tm_mday,
                                t.tm_mon + 1, year % 100, year / 100};
    struct rtc_reading r = {.field[STATUS_B] = status_b};
    for (int i = 0; i < STATUS_B; i++)
        r.field[i] = status_b & STATUS_B_BINARY ? value[i] : bcd(value[i]);
    r.field[HOUR] |= pm;
    return r;
}

static void test_every_day(void) {
    for (time_t day = 1; day < 230 * 365 + 55; day++) {
        time_t when = day * 86400 + day * 7919 % 86400;
        struct rtc_reading r = clock_at(when, STATUS_B_24_HOURS);
        CHECK(rtc_convert(r.field) == (u64)when);
    }
}

static void test_modes(void) {
    for (time_t when = 1709164800; when < 1709164800 + 2 * 86400;
         when += 59) // over 29 February 2024
        for (unsigned mode = 0; mode < 4; mode++) {
            struct rtc_reading r = clock_at(when, mode << 1);
            CHECK(rtc_convert(r.field) == (u64)when);
        }
}

static void test_nonsense(void) {
    struct rtc_reading good = clock_at(1795168800, STATUS_B_24_HOURS), r;
    memset(&r, 0xff, sizeof(r)); // no clock at all
    CHECK(rtc_convert(r.field) == 0);
    memset(&r, 0, sizeof(r)); // an empty battery
    CHECK(rtc_convert(r.field) == 0);
    static const struct {
        int field;
        u8 value;
    } bad[] = {{SECOND, 0x60}, {SECOND, 0x5a}, {MINUTE, 0x60}, {HOUR, 0x24}, {HOUR, 0x1a}, {DAY, 0},
               {DAY, 0x32},    {MONTH, 0},     {MONTH, 0x13},  {YEAR, 0x9a}, {YEAR, 0xff}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        r = good;
        r.field[bad[i].field] = bad[i].value;
        CHECK(rtc_convert(r.field) == 0);
    }
    for (unsigned century = 0; century < 256;
         century++) { // no such register: the year alone counts
        r = good;
        r.field[CENTURY] = (u8)century;
        if (century != 0x19 && century != 0x21) CHECK(rtc_convert(r.field) == 1795168800);
    }
    for (unsigned value = 0; value < 256; value++) { // never outside 1970-2199 whatever the bytes
        memset(&r, (int)value, sizeof(r));
        CHECK(rtc_convert(r.field) < 7258118400);
    }
}

int main(void) {
    test_every_day();
    test_modes();
    test_nonsense();
    return check_done("rtc");
}
