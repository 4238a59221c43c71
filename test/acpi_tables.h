// Tables for the tests of kernel/device/acpi.c and of the parsers it calls. Physical memory is an
// array with three windows, as a PC has them; window_map hands out copies of exactly the bytes
// asked for, so that the sanitizer sees every read beyond them.
#pragma once

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#define log kernel_log // the C library has one of its own
#include "kernel/device/acpi.c"
#include "kernel/device/fadt.c"
#include "kernel/device/madt.c"
#include "kernel/device/mp.c"

enum {
    BASE = 0xe0000,
    SIZE = 0x20000,
    RSDP = BASE,
    RSDT = BASE + 0x100,
    XSDT = BASE + 0x200,
    FACP = BASE + 0x400
};
enum { DSDT = BASE + 0x1000, SSDT = BASE + 0x2000, OTHER = BASE + 0x3000, MANY = BASE + 0x4000 };
enum { DEVICE = 0xfea00000, DEVICE_BYTES = 0x1000 }; // registers in memory
enum { BIOS_DATA = 0x400, EBDA = 0x9fc00 };

// ---- tables as the specification draws them ----

struct rsdp { // 5.2.5.3
    char signature[8];
    u8 checksum; // over the first 20 bytes
    char oem[6];
    u8 revision; // from 2 on there is the rest
    u32 rsdt;
    u32 length;
    u64 xsdt;
    u8 extended_checksum; // over all
    u8 reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct rsdp) == 36, "ACPI 5.2.5.3");

struct table { // 5.2.6: what every table starts with
    char signature[4];
    u32 length; // of the whole table
    u8 revision, checksum;
    char oem[14];
    u32 oem_revision, creator, creator_revision;
} __attribute__((packed));
_Static_assert(sizeof(struct table) == 36, "ACPI 5.2.6");

struct address { // generic address structure, 5.2.3.2
    u8 space, bits, first_bit, access;
    u64 address;
} __attribute__((packed));

struct fadt { // 5.2.9; ACPI 1.0 ends it after flags
    struct table table;
    u32 facs, dsdt;
    u8 model, profile;
    u16 sci;
    u32 smi_command;
    u8 enable, disable, s4bios, pstate;
    u32 pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
    u8 pm1_event_bytes, pm1_control_bytes, pm2_control_bytes, pm_timer_bytes;
    u8 unused[20];
    u32 flags;
    struct address reset;
    u8 reset_value;
    u8 unused2[3];
    u64 x_facs, x_dsdt;
    struct address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control,
        x_pm_timer, x_gpe0, x_gpe1;
    struct address sleep_control, sleep_status; // from ACPI 5.0 on
} __attribute__((packed));
_Static_assert(offsetof(struct fadt, flags) == 112 && offsetof(struct fadt, x_pm_timer) == 208 &&
                   offsetof(struct fadt, sleep_control) == 244 && sizeof(struct fadt) == 268,
               "ACPI 5.2.9");

static u8 memory[0x110000]; // more than there are windows to
static const struct {
    u64 start, end;
} windows[] = {{BIOS_DATA, 0x500}, {EBDA, 0xa0000}, {BASE, BASE + SIZE}};
static u8 registers[DEVICE_BYTES];
static char said[40000];
static void *copies[2000];
static int copied;

u64 window_base;

void *window_map(paddr from, u64 bytes, enum window_kind kind) {
    u64 physical = from.at;
    if (kind == WINDOW_DEVICE)
        return physical - DEVICE < DEVICE_BYTES ? registers + (physical - DEVICE) : NULL;
    CHECK(kind == WINDOW_TABLES && bytes && bytes <= TABLE_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(windows); i++) {
        if (physical < windows[i].start || physical > windows[i].end ||
            bytes > windows[i].end - physical)
            continue;
        if (copied == ARRAY_SIZE(copies)) return NULL;
        void *copy = copies[copied++] = malloc(bytes);
        return memcpy(copy, memory + physical, bytes);
    }
    return NULL;
}

void log(const char *fmt, ...) {
    va_list args;
    size_t used = strlen(said);
    va_start(args, fmt);
    used += (size_t)vsnprintf(said + used, sizeof said - used, fmt, args);
    va_end(args);
    if (used + 1 < sizeof said) strcpy(said + used, "\n");
}

static bool says(const char *text) { return strstr(said, text) != NULL; }

// The lines are these, and no other.
static bool says_only(const char *lines) { return !strcmp(said, lines); }

static bool has_s5;
static u8 s5[2];

static struct acpi_info read_tables(void) {
    struct acpi_info info = {0};
    said[0] = 0;
    acpi_init((paddr){RSDP}, &info);
    has_s5 = acpi_find_s5(&info, s5);
    while (copied) free(copies[--copied]);
    return info;
}

// ---- building tables ----

static void clear_memory(void) {
    for (size_t i = 0; i < ARRAY_SIZE(windows); i++)
        memset(memory + windows[i].start, 0, windows[i].end - windows[i].start);
    memcpy(memory + BDA_EBDA_SEGMENT, (u16[]){EBDA >> 4}, 2);
}

static u8 *at(u64 physical) { return memory + physical; }

static void fix_checksum(u64 physical, size_t bytes, size_t checksum) {
    u8 sum = 0;
    at(physical)[checksum] = 0;
    for (size_t i = 0; i < bytes; i++) sum += at(physical)[i];
    at(physical)[checksum] = (u8)-sum;
}

static void put_table(u64 physical, const char *signature, const void *body, size_t bytes) {
    struct table header = {.length = (u32)(sizeof header + bytes), .revision = 1};
    memcpy(header.signature, signature, 4);
    memcpy(at(physical), &header, sizeof header);
    memcpy(at(physical) + sizeof header, body, bytes);
    fix_checksum(physical, header.length, 9);
}

static void put_rsdp(u8 revision, u32 rsdt, u64 xsdt) {
    struct rsdp rsdp = {.revision = revision, .rsdt = rsdt, .length = sizeof rsdp, .xsdt = xsdt};
    memcpy(rsdp.signature, "RSD PTR ", 8);
    memcpy(at(RSDP), &rsdp, sizeof rsdp);
    fix_checksum(RSDP, 20, 8);
    fix_checksum(RSDP, 36, 32);
}

static void put_fadt(struct fadt fadt, size_t bytes) {
    u8 whole[300] = {0};
    memcpy(whole, &fadt, sizeof fadt);
    put_table(FACP, "FACP", whole + 36, bytes - 36);
}

static const u8 qemu_aml[] = {0x10, 0x20, '_',  'S',  'B',  '_',  0x08, '_',  'S',  '5',
                              '_',  0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00, 0x5b, 0x82};

static const u8 one_cpu[] = {0, 0, 0xe0, 0xfe, 1, 0, 0, 0, 0, 8, 0, 0, 1, 0, 0, 0};
#define SAYS_ONE_CPU "ACPI: CPUs: 1, switched off: 0, I/O APICs: 0\n"
#define SAYS_NO_CPUS "ACPI: neither an APIC table nor an MP table, so only the boot CPU is used\n"

// As QEMU's pc: RSDP revision 0, an RSDT, a FADT of ACPI 1.0.
static struct fadt qemu_fadt(void) {
    return (struct fadt){.dsdt = DSDT,
                         .pm1a_control = 0x604,
                         .pm_timer = 0x608,
                         .pm1_control_bytes = 2,
                         .pm_timer_bytes = 4,
                         .flags = 0x80a5};
}

static void put_qemu(void) {
    clear_memory();
    put_rsdp(0, RSDT, 0);
    put_table(RSDT, "RSDT", (u32[]){OTHER, FACP}, 8);
    put_table(OTHER, "APIC", one_cpu, sizeof one_cpu);
    put_fadt(qemu_fadt(), 116);
    put_table(DSDT, "DSDT", qemu_aml, sizeof qemu_aml);
}

// As q35 and newer machines: revision 2, an XSDT, X_ fields and a reset register.
static struct fadt new_fadt(void) {
    struct fadt fadt = qemu_fadt();
    fadt.reset = (struct address){SPACE_IO, 8, 0, 1, 0xcf9};
    fadt.reset_value = 0xf;
    fadt.x_dsdt = DSDT;
    fadt.x_pm1a_control = (struct address){SPACE_IO, 16, 0, 2, 0x1804};
    fadt.x_pm1b_control = (struct address){SPACE_IO, 16, 0, 2, 0x1904};
    fadt.x_pm_timer = (struct address){SPACE_IO, 32, 0, 3, 0x1808};
    return fadt;
}

static void put_new(void) {
    put_qemu();
    put_rsdp(2, RSDT, XSDT);
    put_table(XSDT, "XSDT", (u64[]){OTHER, SSDT, FACP}, 24);
    put_table(SSDT, "SSDT", "\x08_S4_\x12", 6);
    put_fadt(new_fadt(), 244);
}

// ---- CPU tables, put together entry by entry ----

static u8 body[0x8000];
static size_t body_bytes;

static void put_entry(const void *bytes, size_t count) {
    memcpy(body + body_bytes, bytes, count);
    body_bytes += count;
}

static struct acpi_info read_body(const char *signature) {
    clear_memory(), put_rsdp(0, RSDT, 0), put_table(RSDT, "RSDT", (u32[]){MANY}, 4);
    put_table(MANY, signature, body, body_bytes);
    return read_tables();
}

// An MP table with these entries and the pointer to it.
static void put_mp(u64 pointer, u64 table, size_t entries) {
    u8 floating[16] = {'_', 'M', 'P', '_', (u8)table, (u8)(table >> 8), (u8)(table >> 16), 0, 1, 4};
    u8 header[44] = {'P', 'C', 'M', 'P', (u8)(44 + body_bytes), (u8)((44 + body_bytes) >> 8), 4};
    header[34] = (u8)entries, header[38] = 0xe0, header[39] = 0xfe;
    memcpy(at(table), header, 44), memcpy(at(table) + 44, body, body_bytes);
    memcpy(at(pointer), floating, 16);
    fix_checksum(table, 44 + body_bytes, 7), fix_checksum(pointer, 16, 10);
}
