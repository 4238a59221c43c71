// The battery clock (Motorola MC146818A): date and time, to the second. Its time is taken for UTC.
#include "kernel/device/devices.h"
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"

#define RTC_INDEX         0x70 // bit 7 disables NMI: stays 0
#define RTC_DATA          0x71
#define RTC_STATUS_A      0x0a
#define STATUS_A_UPDATING (1u << 7)
#define RTC_STATUS_B      0x0b
#define STATUS_B_24_HOURS (1u << 1)
#define STATUS_B_BINARY   (1u << 2)
#define HOUR_PM           (1u << 7) // in 12-hour mode
// An update lasts at most 2 ms; a read takes about a microsecond.
#define UPDATE_READS 20000
#define READINGS     5

enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, CENTURY, FIELDS };
struct rtc_reading {
    u8 field[FIELDS];
    u8 status_b;
};

// ---- conversion: pure ----

static bool is_bcd(u8 value) { return (value & 0x0f) <= 9 && value >> 4 <= 9; }
static unsigned from_bcd(u8 value) { return (value >> 4) * 10u + (value & 0x0f); }

// Days since 1970-01-01 of a Gregorian date from 1970 on. A year that begins in March has its leap day at the end, so
// months before a date have (153 * m + 2) / 5 days: 0, 31, 61, 92, ...
static u64 days_from_date(unsigned year, unsigned month, unsigned day)
{
    year -= month <= 2;
    u64 in_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
    return 365ull * year + year / 4 - year / 100 + year / 400 + in_year - 719468;
}

// 0-23, or 24 when the field makes no sense.
static unsigned hour_of(u8 field, bool binary, bool is_24)
{
    u8 value = is_24 ? field : field & ~HOUR_PM;
    if (!binary && !is_bcd(value)) return 24;
    unsigned hour = binary ? value : from_bcd(value);
    if (is_24) return hour < 24 ? hour : 24;
    if (hour == 0 || hour > 12) return 24;
    return hour % 12 + (field & HOUR_PM ? 12 : 0); // 12 AM is 0, 12 PM is 12
}

// The century register is not on every clock: 19, 20 and 21 are believed, anything else is 20.
static unsigned century_of(u8 field, bool binary)
{
    unsigned century = binary ? field : is_bcd(field) ? from_bcd(field) : 0;
    return century >= 19 && century <= 21 ? century : 20;
}

// Seconds since 1970, 0 when the fields are no date and time.
static u64 rtc_convert(const struct rtc_reading *r)
{
    bool binary = r->status_b & STATUS_B_BINARY;
    unsigned value[FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        if (i != HOUR && i != CENTURY && !binary && !is_bcd(r->field[i])) return 0;
        value[i] = binary ? r->field[i] : from_bcd(r->field[i]);
    }
    unsigned hour = hour_of(r->field[HOUR], binary, r->status_b & STATUS_B_24_HOURS);
    unsigned year = century_of(r->field[CENTURY], binary) * 100 + value[YEAR];
    if (value[SECOND] > 59 || value[MINUTE] > 59 || hour > 23 || value[YEAR] > 99 || year < 1970) return 0;
    if (value[DAY] < 1 || value[DAY] > 31 || value[MONTH] < 1 || value[MONTH] > 12) return 0;
    u64 days = days_from_date(year, value[MONTH], value[DAY]);
    return ((days * 24 + hour) * 60 + value[MINUTE]) * 60 + value[SECOND];
}

// ---- the clock ----

static u8 rtc_read(u8 index)
{
    outb(RTC_INDEX, index);
    return inb(RTC_DATA);
}

// One reading outside an update; false when the update does not end.
static bool read_fields(struct rtc_reading *reading)
{
    static const u8 index[FIELDS] = {0x00, 0x02, 0x04, 0x07, 0x08, 0x09, 0x32};
    for (int reads = 0; rtc_read(RTC_STATUS_A) & STATUS_A_UPDATING; reads++)
        if (reads == UPDATE_READS) return false;
    for (int i = 0; i < FIELDS; i++) reading->field[i] = rtc_read(index[i]);
    reading->status_b = rtc_read(RTC_STATUS_B);
    return true;
}

static bool same(const struct rtc_reading *a, const struct rtc_reading *b)
{
    for (int i = 0; i < FIELDS; i++)
        if (a->field[i] != b->field[i]) return false;
    return a->status_b == b->status_b;
}

// An update can begin between two registers: the same twice is right.
u64 rtc_seconds(void)
{
    struct rtc_reading before, now;
    if (!read_fields(&before)) return 0;
    for (int i = 0; i < READINGS; i++) {
        if (!read_fields(&now)) return 0;
        if (same(&before, &now)) return rtc_convert(&now);
        before = now;
    }
    return 0;
}

u64 time_wall_ns(void)
{
    static bool known;
    static u64 boot_ns;
    if (!known) {
        u64 seconds = rtc_seconds();
        if (!seconds) log_error("the battery clock gives no plausible time: it is taken for 1970");
        u64 now = time_now_ns();
        boot_ns = seconds * 1000000000 > now ? seconds * 1000000000 - now : 0;
        known = true;
    }
    return boot_ns + time_now_ns();
}
