// kernel/device/acpi.c on tables as QEMU, Bochs and others make them, and on hostile ones. Physical memory is an array;
// window_map hands out copies of exactly the bytes asked for, so that the sanitizer sees every read beyond them.
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#define log kernel_log // the C library has one of its own
#include "kernel/device/acpi.c"

enum { BASE = 0xe0000, SIZE = 0x8000, RSDP = BASE, RSDT = BASE + 0x100, XSDT = BASE + 0x200, FACP = BASE + 0x400 };
enum { DSDT = BASE + 0x1000, SSDT = BASE + 0x2000, OTHER = BASE + 0x3000 };

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
    struct address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control, x_pm_timer;
} __attribute__((packed));
_Static_assert(offsetof(struct fadt, flags) == 112 && offsetof(struct fadt, x_pm_timer) == 208, "ACPI 5.2.9");

static u8 memory[SIZE];
static char said[4000];
static void *copies[2000];
static int copied;

u64 window_base;

void *window_map(u64 physical, u64 bytes, enum window_kind kind) {
    CHECK(kind == WINDOW_TABLES && bytes && bytes <= TABLE_MAX);
    if (physical < BASE || physical > BASE + SIZE || bytes > BASE + SIZE - physical) return NULL;
    if (copied == ARRAY_SIZE(copies)) return NULL;
    void *copy = copies[copied++] = malloc(bytes);
    return memcpy(copy, memory + (physical - BASE), bytes);
}

void log(const char *fmt, ...) {
    va_list args;
    size_t used = strlen(said);
    va_start(args, fmt);
    vsnprintf(said + used, sizeof said - used, fmt, args);
    va_end(args);
}

static bool says(const char *text) { return strstr(said, text) != NULL; }

static struct acpi_info read_tables(void) {
    struct acpi_info info;
    said[0] = 0;
    memset(&info, 0xcc, sizeof info);
    acpi_init(RSDP, &info);
    while (copied) free(copies[--copied]);
    return info;
}

// ---- building tables ----

static u8 *at(u64 physical) { return memory + (physical - BASE); }

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
    memset(memory, 0, sizeof memory);
    put_rsdp(0, RSDT, 0);
    put_table(RSDT, "RSDT", (u32[]){OTHER, FACP}, 8);
    put_table(OTHER, "APIC", "\0\0\0\0", 4);
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

// ---- good tables ----

static void test_qemu(void) {
    put_qemu();
    struct acpi_info info = read_tables();
    CHECK(info.pm1a_control == 0x604 && info.pm1b_control == 0 && info.pm_timer == 0x608);
    CHECK(info.has_s5 && info.s5_a == 0 && info.s5_b == 0);
    CHECK(!said[0]);
}

static void test_new(void) {
    put_new();
    struct acpi_info info = read_tables();
    CHECK(info.pm1a_control == 0x1804 && info.pm1b_control == 0x1904 && info.pm_timer == 0x1808);
    CHECK(info.has_s5);
    CHECK(!said[0]);
    // a broken XSDT: the RSDT serves
    at(XSDT)[20] ^= 1;
    info = read_tables();
    CHECK(says("ignored the XSDT") && says("checksum") && info.pm_timer == 0x1808);
    // a broken second half of the root pointer: likewise
    put_new(), at(RSDP)[25] ^= 1;
    info = read_tables();
    CHECK(says("second half") && info.pm_timer == 0x1808);
    // the DSDT has none: an SSDT serves
    put_new(), put_table(DSDT, "DSDT", qemu_aml, 11);
    put_table(SSDT, "SSDT", "\x08\\_S5_\x12\x06\x02\x0a\x05\x0a\x06", 13);
    info = read_tables();
    CHECK(info.has_s5 && info.s5_a == 5 && info.s5_b == 6 && !said[0]);
}

static void test_registers(void) {
    put_new();
    struct fadt fadt = new_fadt();
    fadt.x_pm_timer.space = 0, fadt.x_pm1a_control.address = 0x10000, fadt.x_pm1b_control.address = 0;
    put_fadt(fadt, 244);
    struct acpi_info info = read_tables();
    CHECK(info.pm_timer == 0x608 && info.pm1a_control == 0x604 && info.pm1b_control == 0); // the older fields
    fadt.pm_timer = fadt.pm1a_control = 0x12345678, put_fadt(fadt, 244);
    info = read_tables();
    CHECK(!info.pm_timer && !info.pm1a_control && says("no PM timer port") && says("no PM1a"));
    fadt = new_fadt(), fadt.pm_timer_bytes = 0, put_fadt(fadt, 244);
    CHECK(read_tables().pm_timer == 0);
    fadt = new_fadt(), fadt.flags |= FADT_HARDWARE_REDUCED, put_fadt(fadt, 268);
    info = read_tables();
    CHECK(!info.pm_timer && !info.pm1a_control);
    // every length between the oldest and the newest; what is cut off counts as absent
    for (size_t bytes = 116; bytes <= 244; bytes++) {
        put_fadt(new_fadt(), bytes);
        info = read_tables();
        CHECK(info.pm_timer == (bytes >= 220 ? 0x1808 : 0x608) || bytes >= 212);
        CHECK(info.has_s5 || (bytes > 140 && bytes < 148));
    }
    put_fadt(new_fadt(), 115);
    CHECK(!read_tables().has_s5 && says("ignored the FACP"));
}

static bool s5_is(const char *aml, size_t bytes, int a, int b) {
    put_qemu();
    put_table(DSDT, "DSDT", aml, bytes);
    struct acpi_info info = read_tables();
    if (a < 0) return !info.has_s5 && says("no _S5_");
    return info.has_s5 && info.s5_a == a && info.s5_b == b;
}
#define S5(aml, a, b) CHECK(s5_is(aml, sizeof(aml) - 1, a, b))

static void test_s5(void) {
    S5("\x08_S5_\x12\x06\x04\x00\x00\x00\x00", 0, 0);
    S5("\x08_S5_\x12\x08\x04\x0a\x05\x0a\x05\x00\x00", 5, 5);
    S5("\x08_S5_\x12\x04\x02\x01\x00", 1, 0);
    S5("\x08_S5_\x12\x04\x01\x0a\x05", 5, 0);     // one element
    S5("\x08_S5_\x12\x05\x01\x0b\x05\x06", 5, 6); // one element with both
    S5("\x08_S5_\x12\x08\x02\x0b\x07\x00\x0b\x03\x00", 7, 3);
    S5("\x08_S5_\x12\x08\x02\x0c\x02\x00\x00\x00\x01", 2, 1);
    S5("\x08\\_S5_\x12\x04\x02\x01\x01", 1, 1);
    S5("\x08_S5_\x12\x45\x00\x02\x01\x01", 1, 1);         // length in two bytes
    S5("\x08_S5_\x12\xc7\x00\x00\x00\x02\x01\x01", 1, 1); // in four
    S5("_S5__S5S_S5\x08_S5_\x08_S5_\x12\x04\x02\x01\x00", 1, 0);
    S5("x_S5_\x12\x04\x02\x01\x01", -1, 0);    // a use, not a definition
    S5("_S5_\x12\x04\x02\x01\x01", -1, 0);     // at the very start
    S5("\x08_S5_\x12\x05\x02\x01\x01", -1, 0); // longer than the table
    S5("\x08_S5_\x12\x03\x02\x01\x01", -1, 0); // shorter than its elements
    S5("\x08_S5_\x12\x01\x02\x01\x01", -1, 0); // too short for a count
    S5("\x08_S5_\x12\x00", -1, 0);
    S5("\x08_S5_\x12\xff\xff\xff\xff\x02\x01\x01", -1, 0);
    S5("\x08_S5_\x12\xc4", -1, 0);
    S5("\x08_S5_\x12\x04\x00\x01\x01", -1, 0);     // no elements
    S5("\x08_S5_\x12\x04\x02\xff\x01", -1, 0);     // Ones
    S5("\x08_S5_\x12\x05\x02\x0a\x08\x00", -1, 0); // SLP_TYP has three bits
    S5("\x08_S5_\x12\x05\x02\x0e\x00\x00", -1, 0);
    S5("\x08_S5_\x12\x03\x02\x0b", -1, 0);
    S5("\x08_S5_\x14\x04\x02\x01\x01", -1, 0);
    S5("\x08_S5_", -1, 0);
    S5("\x08_S5", -1, 0);
    S5("", -1, 0);
    put_qemu(); // what looks like the operator is the header's last byte
    put_table(DSDT, "DSDT", "_S5_\x12\x04\x02\x01\x01", 9), at(DSDT)[35] = AML_NAME, fix_checksum(DSDT, 45, 9);
    CHECK(!read_tables().has_s5 && says("no _S5_"));
    char aml[64];
    for (size_t before = 0; before < 40; before++) { // at every distance from the start, behind parts of the name
        for (size_t i = 0; i < before; i++) aml[i] = "_S5x"[i * 7 % 4];
        memcpy(aml + before, "\x08_S5_\x12\x04\x02\x01\x00", 10);
        CHECK(s5_is(aml, before + 10, 1, 0));
        CHECK(s5_is(aml, before + 9, -1, 0));
    }
}

// ---- hostile tables ----

static void set32(u64 physical, u32 value) { memcpy(at(physical), &value, 4); }

static void test_hostile(void) {
    struct acpi_info info;
    said[0] = 0;
    acpi_init(0, &info);
    CHECK(says("no root pointer") && !info.pm_timer);
    put_qemu(), at(RSDP)[0] = 'X';
    CHECK(!read_tables().pm_timer && says("no root pointer"));
    put_qemu(), at(RSDP)[10] ^= 1;
    CHECK(!read_tables().pm_timer && says("no root pointer"));
    static const u32 lengths[] = {0, 35, TABLE_MAX + 1, 0xffffffff, SIZE};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        put_qemu(), set32(RSDT + 4, lengths[i]);
        CHECK(!read_tables().pm_timer && says("ignored the RSDT"));
        put_qemu(), set32(FACP + 4, lengths[i]);
        CHECK(!read_tables().pm_timer && says("ignored the FACP"));
        put_qemu(), set32(DSDT + 4, lengths[i]);
        CHECK(!read_tables().has_s5 && says("ignored the DSDT"));
    }
    put_qemu(), put_table(RSDT, "RSDT", "", 0);
    CHECK(!read_tables().pm_timer && says("no FACP"));
    put_qemu(), put_table(RSDT, "RSDT", (u8[]){0, 4, 14, 0, 1, 2, 3}, 7); // FACP, then a part of an entry
    CHECK(read_tables().pm_timer == 0x608 && !said[0]);
    put_qemu(), put_table(RSDT, "RSDT", (u32[]){0, 0xffffffff, BASE + SIZE - 35, RSDT, RSDP, FACP}, 24);
    CHECK(read_tables().pm_timer == 0x608 && !said[0]);
    struct fadt fadt = qemu_fadt();
    static const u32 wrong[] = {0, 0xffffffff, FACP, RSDT, BASE + SIZE - 20};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        fadt.dsdt = wrong[i], put_fadt(fadt, 116);
        info = read_tables();
        CHECK(info.pm_timer == 0x608 && !info.has_s5 && says("no DSDT"));
    }
    put_new(), put_rsdp(2, RSDT, UINT64_MAX - 10);
    CHECK(read_tables().pm_timer == 0x1808 && says("no XSDT"));
    static u32 many[300];
    for (int i = 0; i < 300; i++) many[i] = OTHER;
    put_qemu(), many[299] = FACP, put_table(BASE + 0x4000, "RSDT", many, sizeof many), put_rsdp(0, BASE + 0x4000, 0);
    CHECK(!read_tables().pm_timer && says("last 44 of 300"));
    many[255] = FACP, put_table(BASE + 0x4000, "RSDT", many, sizeof many);
    CHECK(read_tables().pm_timer == 0x608);
}

// The eightfold sum against the plain one, on lengths with and without a rest.
static void test_checksum(void) {
    srand(1);
    for (size_t bytes = 1; bytes < 300; bytes++) {
        u8 *data = malloc(bytes), sum = 0;
        for (size_t i = 1; i < bytes; i++) sum += data[i] = (u8)(bytes % 3 ? rand() : 0xff);
        data[0] = (u8)-sum;
        CHECK(adds_up(data, bytes));
        data[bytes / 2] ^= (u8)(1 << bytes % 8);
        CHECK(!adds_up(data, bytes));
        free(data);
    }
}

int main(void) {
    test_checksum();
    test_qemu();
    test_new();
    test_registers();
    test_s5();
    test_hostile();
    return check_done("acpi");
}
