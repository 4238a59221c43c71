// The battery clock (Motorola MC146818A): date and time, to the second. Its time is taken for UTC.
#include "kernel/device/devices.h"
#include "kernel/cpu/lock.h"
#include "kernel/cpu/time.h"
#include "kernel/cpu/timepage.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"

#define RTC_INDEX         0x70 // bit 7 disables NMI: stays 0
#define RTC_DATA          0x71
#define RTC_STATUS_A      0x0a
#define STATUS_A_UPDATING (1u << 7)
#define STATUS_B_24_HOURS (1u << 1)
#define STATUS_B_BINARY   (1u << 2)
#define HOUR_PM           (1u << 7) // in 12-hour mode
// an update lasts at most 2 ms; a read takes about a microsecond
#define READS_MAX 20000

enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, CENTURY, STATUS_B, FIELDS };
static const u8 registers[FIELDS] = {0x00, 0x02, 0x04, 0x07, 0x08, 0x09, 0x32, 0x0b};

#define NO_NUMBER 255

// A field's value, or NO_NUMBER: each half of a byte is a decimal figure, unless the clock counts
// in binary.
static u8 rtc_number(u8 field, bool binary) {
    u8 tens = field >> 4;
    u8 ones = field & 0x0f;
    if (binary) return field;
    if (tens > 9 || ones > 9) return NO_NUMBER;
    return tens * 10 + ones;
}

// 0-23, or NO_NUMBER. 12 AM is 0, and 12 PM is 12.
static u8 rtc_hour_of(u8 field, bool binary, bool is_24) {
    if (is_24) {
        u8 hour = rtc_number(field, binary);
        if (hour > 23) return NO_NUMBER;
        return hour;
    }
    u8 hour = rtc_number(field & ~HOUR_PM, binary);
    if (hour < 1 || hour > 12) return NO_NUMBER;
    if (hour == 12) hour = 0;
    if (field & HOUR_PM) hour += 12;
    return hour;
}

// Days since 1970-01-01 of a Gregorian date from 1970 on. A year that begins in March has its leap
// day at the end, so months before a date have (153 * m + 2) / 5 days: 0, 31, 61, 92, ...
static u64 rtc_days_from_date(unsigned year, unsigned month, unsigned day) {
    if (month <= 2) year--;
    u64 in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    return 365ull * year + year / 4 - year / 100 + year / 400 + in_year - 719468;
}

// Seconds since 1970, 0: no date and time. Not every clock has a century register: 19, 20, 21 or
// else it means 20.
static u64 rtc_convert(const u8 field[FIELDS]) {
    bool binary = field[STATUS_B] & STATUS_B_BINARY;
    u8 value[FIELDS];
    for (int i = 0; i < FIELDS; i++) value[i] = rtc_number(field[i], binary);
    u8 hour = rtc_hour_of(field[HOUR], binary, field[STATUS_B] & STATUS_B_24_HOURS);
    unsigned century = value[CENTURY];
    if (century < 19 || century > 21) century = 20;
    unsigned year = century * 100 + value[YEAR];
    if (hour > 23 || value[MINUTE] > 59 || value[SECOND] > 59) return 0;
    if (value[YEAR] > 99 || year < 1970) return 0;
    if (value[MONTH] < 1 || value[MONTH] > 12) return 0;
    if (value[DAY] < 1 || value[DAY] > 31) return 0;
    u64 days = rtc_days_from_date(year, value[MONTH], value[DAY]);
    return ((days * 24 + hour) * 60 + value[MINUTE]) * 60 + value[SECOND];
}

static u8 rtc_read(u8 index) {
    outb(RTC_INDEX, index);
    return inb(RTC_DATA);
}

// The same by the clock. Registers are read outside an update; one can begin between two, so the
// same twice is right.
static u64 rtc_seconds(void) {
    u8 before[FIELDS] = {0}, now[FIELDS];
    for (int reads = 0; reads < READS_MAX; reads++) {
        if (rtc_read(RTC_STATUS_A) & STATUS_A_UPDATING) continue;
        for (int i = 0; i < FIELDS; i++) now[i] = rtc_read(registers[i]);
        if (memcmp(before, now, sizeof(now)) == 0) return rtc_convert(now);
        memcpy(before, now, sizeof(now));
    }
    return 0;
}

u64 time_wall_ns(void) {
    static struct lock lock = {.rank = LOCK_RTC}; // two CPUs must not read the clock at once
    u64 start = __atomic_load_n(&time_page.wall_ns, __ATOMIC_RELAXED);
    if (start) return start + time_now_ns();
    lock_take(&lock);
    if (!time_page.wall_ns) {
        u64 wall_ns = kvm_clock_ns();
        if (!wall_ns) wall_ns = rtc_seconds() * 1000000000;
        u64 start_of_time = 1; // any but 0
        if (wall_ns)
            start_of_time = wall_ns - time_now_ns();
        else
            log_error("the battery clock gives no plausible time: it is taken for 1970");
        __atomic_store_n(&time_page.wall_ns, start_of_time, __ATOMIC_RELAXED);
    }
    lock_give(&lock);
    return time_page.wall_ns + time_now_ns();
}
