// What vmos wants from ACPI: the PM timer's port and the ways to switch off and to reset. Tables are bytes from
// firmware: each is used only after its length and checksum were checked, nothing is read outside of it, and nothing
// points in circles since no pointer is followed twice. There is no AML interpreter: the one package that switching off
// needs, _S5_, is a constant that a byte matcher finds. Section numbers are those of ACPI 6.4.
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/window.h"

#define TABLE_MAX        0x100000 // bytes; the largest DSDTs of servers stay below
#define ROOT_ENTRIES_MAX 256

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
#define RSDP_V1_BYTES 20
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
#define SPACE_IO  1
#define SPACE_PCI 2 // configuration space; the highest number a reset register may have

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
#define FADT_V1_BYTES         116
#define FADT_TIMER_32_BIT     (1u << 8)  // TMR_VAL_EXT: else 24 bits
#define FADT_HAS_RESET        (1u << 10) // RESET_REG_SUP
#define FADT_HARDWARE_REDUCED (1u << 20) // there are no PM1 registers and no PM timer

// Bytes of a valid table add up to 0 modulo 256. Eight sums side by side; the top bits are added apart, by xor, so that
// no sum carries into its neighbour. Byte by byte, the DSDT alone would take 1 % of the boot.
static bool adds_up(const void *data, size_t bytes) {
    const u64 low = 0x7f7f7f7f7f7f7f7f;
    const u8 *at = data;
    u64 sums = 0;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        u64 word = *(const loose_u64 *)at;
        sums = ((sums & low) + (word & low)) ^ ((sums ^ word) & ~low);
    }
    u8 sum = 0;
    for (; sums; sums >>= 8) sum += (u8)sums;
    while (bytes--) sum += *at++;
    return sum == 0;
}

// The table at an address when it has this signature and passes its checks. quiet: another signature is no news.
static const struct table *find_table(u64 physical, const char *signature, bool quiet) {
    const struct table *table = physical ? window_map(physical, sizeof *table, WINDOW_TABLES) : NULL;
    if (!table || memcmp(table->signature, signature, sizeof table->signature)) {
        if (!quiet) log("ACPI: no %s at %lx", signature, physical);
        return NULL;
    }
    u32 length = table->length;
    if (length < sizeof *table || length > TABLE_MAX) {
        log("ACPI: ignored the %s at %lx: its length is %u", signature, physical, length);
        return NULL;
    }
    table = window_map(physical, length, WINDOW_TABLES);
    if (!table || !adds_up(table, length)) {
        log("ACPI: ignored the %s at %lx: %s", signature, physical, table ? "wrong checksum" : "it cannot be mapped");
        return NULL;
    }
    return table;
}

// The XSDT, else the RSDT, and the size of an entry in it.
static const struct table *find_root(u64 physical, size_t *entry_bytes) {
    const struct rsdp *rsdp = physical ? window_map(physical, RSDP_V1_BYTES, WINDOW_TABLES) : NULL;
    if (!rsdp || memcmp(rsdp->signature, "RSD PTR ", sizeof rsdp->signature) || !adds_up(rsdp, RSDP_V1_BYTES)) {
        log("ACPI: no root pointer, so no power-off and no PM timer");
        return NULL;
    }
    u32 rsdt = rsdp->rsdt;
    if (rsdp->revision >= 2 && (rsdp = window_map(physical, sizeof *rsdp, WINDOW_TABLES))) {
        const struct table *xsdt = NULL;
        if (rsdp->length == sizeof *rsdp && adds_up(rsdp, sizeof *rsdp)) xsdt = find_table(rsdp->xsdt, "XSDT", false);
        *entry_bytes = sizeof(u64);
        if (xsdt) return xsdt;
        log("ACPI: no use of the root pointer's second half; trying the RSDT");
    }
    *entry_bytes = sizeof(u32);
    return find_table(rsdt, "RSDT", false);
}

static u64 root_entry(const struct table *root, size_t entry_bytes, size_t index) {
    u64 physical = 0;
    memcpy(&physical, (const u8 *)(root + 1) + index * entry_bytes, entry_bytes);
    return physical;
}

// Maps the whole table, whatever it is: mapped pages stay when the memory that ACPI lent is used.
static void keep_table(u64 physical) {
    const struct table *table = physical ? window_map(physical, sizeof *table, WINDOW_TABLES) : NULL;
    if (table && table->length > sizeof *table && table->length <= TABLE_MAX)
        window_map(physical, table->length, WINDOW_TABLES);
}

// A register's port: the newer field when it names one, else the older.
static u16 port_of(const struct address *newer, u32 older) {
    if (newer->space == SPACE_IO && newer->address && newer->address <= UINT16_MAX) return (u16)newer->address;
    return older <= UINT16_MAX ? (u16)older : 0;
}

static void read_reset(const struct fadt *fadt, struct acpi_info *info) {
    const struct address *reset = &fadt->reset;
    if (!(fadt->flags & FADT_HAS_RESET)) return;
    if (!reset->address || reset->space > SPACE_PCI || (reset->space == SPACE_IO && reset->address > UINT16_MAX)) {
        log("ACPI: ignored the reset register: space %u, address %lx", reset->space, (u64)reset->address);
        return;
    }
    info->reset_space = reset->space;
    info->reset_address = reset->address;
    info->reset_value = fadt->reset_value;
}

// Fields that an older, shorter table does not have count as 0. Returns where the DSDT lies.
static u64 read_fadt(const struct table *table, struct acpi_info *info) {
    struct fadt fadt = {0};
    if (table->length < FADT_V1_BYTES) {
        log("ACPI: ignored the FACP: its length is %u", table->length);
        return 0;
    }
    memcpy(&fadt, table, table->length < sizeof fadt ? table->length : sizeof fadt);
    if (!(fadt.flags & FADT_HARDWARE_REDUCED)) {
        info->pm1a_control = port_of(&fadt.x_pm1a_control, fadt.pm1a_control);
        info->pm1b_control = port_of(&fadt.x_pm1b_control, fadt.pm1b_control);
        if (fadt.pm_timer_bytes == 4) info->pm_timer = port_of(&fadt.x_pm_timer, fadt.pm_timer);
        info->pm_timer_32_bit = fadt.flags & FADT_TIMER_32_BIT;
    }
    if (!info->pm1a_control) log("ACPI: no PM1a control port, so no power-off");
    if (!info->pm_timer) log("ACPI: no PM timer port");
    read_reset(&fadt, info);
    return fadt.x_dsdt ? fadt.x_dsdt : fadt.dsdt;
}

// ---- _S5_: Name (_S5, Package () {SLP_TYPa, SLP_TYPb, ...}); encodings of chapter 20.2 ----
#define AML_ZERO    0x00
#define AML_ONE     0x01
#define AML_NAME    0x08
#define AML_BYTE    0x0a // 1, 2 or 4 bytes follow
#define AML_WORD    0x0b
#define AML_DWORD   0x0c
#define AML_PACKAGE 0x12
#define AML_ROOT    '\\'
#define SLP_TYP_MAX 7

// The next place of the name, looking at each fourth byte only: one that the name does not contain rules out all four
// places it could be part of.
static const u8 *find_name(const u8 *at, const u8 *end) {
    while (end - at >= 4) {
        if (at[3] == '_' && !memcmp(at, "_S5_", 4)) return at;
        at += at[3] == '_' ? 3 : at[3] == 'S' ? 2 : at[3] == '5' ? 1 : 4;
    }
    return NULL;
}

// A constant; moves at behind it.
static bool read_integer(const u8 **at, const u8 *end, u32 *value) {
    if (*at >= end) return false;
    u8 code = *(*at)++;
    *value = code;
    if (code == AML_ZERO || code == AML_ONE) return true;
    if (code < AML_BYTE || code > AML_DWORD) return false;
    size_t bytes = (size_t)1 << (code - AML_BYTE);
    if ((size_t)(end - *at) < bytes) return false;
    *value = 0;
    memcpy(value, *at, bytes);
    *at += bytes;
    return true;
}

// A package's length counts from its own first byte, whose top two bits say how many bytes of it follow: without any it
// has 6 bits, with some the first byte gives the lowest 4. Moves at to the elements' count and returns the package's
// end.
static const u8 *read_package(const u8 **at, const u8 *end) {
    const u8 *start = *at;
    if (end - start < 2 || start[0] != AML_PACKAGE) return NULL;
    size_t more = start[1] >> 6, length = more ? start[1] & 0xf : start[1] & 0x3f;
    if ((size_t)(end - start) < 2 + more) return NULL;
    for (size_t i = 0; i < more; i++) length |= (size_t)start[2 + i] << (4 + 8 * i);
    *at = start + 2 + more;
    return length > 1 + more && length <= (size_t)(end - start - 1) ? start + 1 + length : NULL;
}

// One element alone holds both values, a byte each, as other systems read it.
static bool read_s5(const u8 *at, const u8 *end, struct acpi_info *info) {
    u32 a, b;
    end = read_package(&at, end);
    if (!end) return false;
    u8 elements = *at++;
    if (!elements || !read_integer(&at, end, &a)) return false;
    if (elements == 1) b = a >> 8, a &= 0xff;
    if (elements > 1 && !read_integer(&at, end, &b)) return false;
    if (a > SLP_TYP_MAX || b > SLP_TYP_MAX) return false;
    info->has_s5 = true;
    info->s5_a = (u8)a;
    info->s5_b = (u8)b;
    return true;
}

static bool find_s5(const struct table *table, struct acpi_info *info) {
    const u8 *aml = (const u8 *)(table + 1), *end = (const u8 *)table + table->length;
    for (const u8 *name = aml; (name = find_name(name, end)); name++) {
        const u8 *before = name;
        if (before > aml && before[-1] == AML_ROOT) before--;
        if (before > aml && before[-1] == AML_NAME && read_s5(name + 4, end, info)) return true;
    }
    return false;
}

void acpi_init(u64 rsdp, struct acpi_info *info) {
    *info = (struct acpi_info){.reset_space = 0xff};
    size_t entry_bytes = 0;
    const struct table *root = find_root(rsdp, &entry_bytes), *fadt = NULL;
    if (!root) return;
    size_t count = (root->length - sizeof *root) / entry_bytes;
    if (count > ROOT_ENTRIES_MAX) log("ACPI: ignored the last %zu of %zu tables", count - ROOT_ENTRIES_MAX, count);
    if (count > ROOT_ENTRIES_MAX) count = ROOT_ENTRIES_MAX;
    for (size_t i = 0; i < count; i++) keep_table(root_entry(root, entry_bytes, i));
    for (size_t i = 0; i < count && !fadt; i++) fadt = find_table(root_entry(root, entry_bytes, i), "FACP", true);
    if (!fadt) {
        log("ACPI: no FACP, so no power-off and no PM timer");
        return;
    }
    const struct table *code = find_table(read_fadt(fadt, info), "DSDT", false);
    bool found = code && find_s5(code, info);
    for (size_t i = 0; i < count && !found; i++) {
        code = find_table(root_entry(root, entry_bytes, i), "SSDT", true);
        found = code && find_s5(code, info);
    }
    if (!found) log("ACPI: no _S5_ package, so no power-off");
}
