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

// Byte offsets in the root pointer (5.2.5.3), in what every table starts with (5.2.6), in a generic address structure
// (5.2.3.2) and in the FADT (5.2.9).
#define RSDP_REVISION       15 // from 2 on there are a length, an address of an XSDT, and a second checksum
#define RSDP_RSDT           16
#define RSDP_LENGTH         20
#define RSDP_XSDT           24
#define RSDP_V1_BYTES       20
#define RSDP_BYTES          36
#define TABLE_LENGTH        4 // of the whole table
#define TABLE_BYTES         36
#define ADDRESS_VALUE       4 // 8 bytes; byte 0 is the space
#define FADT_DSDT           40
#define FADT_PM1A_CONTROL   64
#define FADT_PM1B_CONTROL   68
#define FADT_PM_TIMER       76
#define FADT_PM_TIMER_BYTES 91
#define FADT_FLAGS          112
#define FADT_X_DSDT         140
#define FADT_X_PM1A_CONTROL 172
#define FADT_X_PM1B_CONTROL 184
#define FADT_X_PM_TIMER     208

#define FADT_V1_BYTES         116
#define SPACE_IO              1
#define FADT_HARDWARE_REDUCED (1u << 20) // there are no PM1 registers and no PM timer

// A little-endian number of up to 8 bytes, at any address.
static u64 number(const u8 *at, size_t bytes) {
    u64 value = 0;
    memcpy(&value, at, bytes);
    return value;
}

// Bytes of a valid table add up to 0 modulo 256. Eight at a time: in pairs, in four lanes of 16 bits, and the product's
// top lane is the sum of the four. Byte by byte, the DSDT alone would take 1 % of the boot.
static bool adds_up(const void *data, size_t bytes) {
    const u64 lanes = 0x00ff00ff00ff00ff;
    const u8 *at = data;
    u64 sum = 0;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        u64 word = *(const loose_u64 *)at;
        sum += ((word & lanes) + (word >> 8 & lanes)) * 0x0001000100010001 >> 48;
    }
    while (bytes--) sum += *at++;
    return sum % 256 == 0;
}

// The table at an address when it has this signature and passes its checks. quiet: another signature is no news.
static const u8 *find_table(u64 physical, const char *signature, bool quiet) {
    const u8 *table = physical ? window_map(physical, TABLE_BYTES, WINDOW_TABLES) : NULL;
    if (!table || memcmp(table, signature, 4)) {
        if (!quiet) log("ACPI: no %s at %lx", signature, physical);
        return NULL;
    }
    u32 length = (u32)number(table + TABLE_LENGTH, 4);
    if (length >= TABLE_BYTES && length <= TABLE_MAX) {
        table = window_map(physical, length, WINDOW_TABLES);
        if (table && adds_up(table, length)) return table;
    }
    log("ACPI: ignored the %s at %lx (%u bytes): wrong length or checksum", signature, physical, length);
    return NULL;
}

static size_t length_of(const u8 *table) { return number(table + TABLE_LENGTH, 4); }

// The XSDT, else the RSDT: a table of addresses.
struct root {
    const u8 *table; // NULL: none
    size_t count, entry_bytes;
};

static struct root find_root(u64 physical) {
    struct root root = {.entry_bytes = 4};
    const u8 *rsdp = physical ? window_map(physical, RSDP_V1_BYTES, WINDOW_TABLES) : NULL;
    if (!rsdp || memcmp(rsdp, "RSD PTR ", 8) || !adds_up(rsdp, RSDP_V1_BYTES)) {
        log("ACPI: no root pointer, so no power-off and no PM timer");
        return root;
    }
    u64 rsdt = number(rsdp + RSDP_RSDT, 4);
    if (rsdp[RSDP_REVISION] >= 2) {
        rsdp = window_map(physical, RSDP_BYTES, WINDOW_TABLES);
        if (rsdp && number(rsdp + RSDP_LENGTH, 4) == RSDP_BYTES && adds_up(rsdp, RSDP_BYTES))
            root.table = find_table(number(rsdp + RSDP_XSDT, 8), "XSDT", false);
        if (root.table) root.entry_bytes = 8;
        else log("ACPI: no use of the root pointer's second half; trying the RSDT");
    }
    if (!root.table) root.table = find_table(rsdt, "RSDT", false);
    if (root.table) root.count = (length_of(root.table) - TABLE_BYTES) / root.entry_bytes;
    if (root.count <= ROOT_ENTRIES_MAX) return root;
    log("ACPI: ignored the last %zu of %zu tables", root.count - ROOT_ENTRIES_MAX, root.count);
    root.count = ROOT_ENTRIES_MAX;
    return root;
}

// The next table with this signature from entry *index on, which moves behind it; NULL when there is none.
static const u8 *next_table(const struct root *root, const char *signature, size_t *index) {
    const u8 *table = NULL;
    while (!table && *index < root->count) {
        const u8 *entry = root->table + TABLE_BYTES + (*index)++ * root->entry_bytes;
        table = find_table(number(entry, root->entry_bytes), signature, true);
    }
    return table;
}

// Maps all tables as a whole: what is mapped stays when the memory that ACPI lent is used.
static void keep_tables(const struct root *root) {
    for (size_t i = 0; i < root->count; i++) {
        u64 physical = number(root->table + TABLE_BYTES + i * root->entry_bytes, root->entry_bytes);
        const u8 *table = physical ? window_map(physical, TABLE_BYTES, WINDOW_TABLES) : NULL;
        size_t length = table ? length_of(table) : 0;
        if (length > TABLE_BYTES && length <= TABLE_MAX) window_map(physical, length, WINDOW_TABLES);
    }
}

// Fields that an older, shorter FADT does not have count as 0.
static u64 field(const u8 *fadt, size_t offset, size_t bytes) {
    return offset + bytes <= length_of(fadt) ? number(fadt + offset, bytes) : 0;
}

// A register's port: the newer field when it names one, else the older; 0: none.
static u16 port_of(const u8 *fadt, size_t newer, size_t older) {
    u64 port = field(fadt, newer + ADDRESS_VALUE, 8);
    if (field(fadt, newer, 1) != SPACE_IO || !port || port > UINT16_MAX) port = field(fadt, older, 4);
    return port <= UINT16_MAX ? (u16)port : 0;
}

// Returns where the DSDT lies.
static u64 read_fadt(const u8 *fadt, struct acpi_info *info) {
    u64 flags = field(fadt, FADT_FLAGS, 4), dsdt = field(fadt, FADT_X_DSDT, 8);
    if (length_of(fadt) < FADT_V1_BYTES) {
        log("ACPI: ignored the FACP: its length is %zu", length_of(fadt));
        return 0;
    }
    if (!(flags & FADT_HARDWARE_REDUCED)) {
        info->pm1a_control = port_of(fadt, FADT_X_PM1A_CONTROL, FADT_PM1A_CONTROL);
        info->pm1b_control = port_of(fadt, FADT_X_PM1B_CONTROL, FADT_PM1B_CONTROL);
        if (fadt[FADT_PM_TIMER_BYTES] == 4) info->pm_timer = port_of(fadt, FADT_X_PM_TIMER, FADT_PM_TIMER);
    }
    if (!info->pm1a_control) log("ACPI: no PM1a control port, so no power-off");
    if (!info->pm_timer) log("ACPI: no PM timer port");
    return dsdt ? dsdt : field(fadt, FADT_DSDT, 4);
}

// ---- _S5_: Name (_S5, Package () {SLP_TYPa, SLP_TYPb, ...}); encodings of chapter 20.2 ----
#define AML_ONE     0x01 // and 0x00: zero
#define AML_NAME    0x08
#define AML_BYTE    0x0a // 1, 2 or 4 bytes follow
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

// What is left to read of AML.
struct aml {
    const u8 *at, *end;
};

// Takes a number of up to 4 bytes. False: there are fewer.
static bool take(struct aml *aml, size_t bytes, u32 *value) {
    if (aml->end - aml->at < (ptrdiff_t)bytes) return false;
    *value = (u32)number(aml->at, bytes);
    aml->at += bytes;
    return true;
}

static bool take_constant(struct aml *aml, u32 *value) {
    if (!take(aml, 1, value)) return false;
    if (*value <= AML_ONE) return true;
    return *value >= AML_BYTE && *value <= AML_DWORD && take(aml, (size_t)1 << (*value - AML_BYTE), value);
}

// A package's length counts from its own first byte, whose top two bits say how many bytes of it follow: without any it
// has 6 bits, with some the first byte gives the lowest 4. One element alone holds both values, a byte each, as other
// systems read it.
static bool read_s5(struct aml aml, struct acpi_info *info) {
    u32 code, length, more, elements, a, b;
    if (!take(&aml, 1, &code) || code != AML_PACKAGE) return false;
    const u8 *start = aml.at;
    if (!take(&aml, 1, &length) || !take(&aml, length >> 6, &more)) return false;
    if (length >> 6) length = (length & 0xf) | more << 4;
    if (length > aml.end - start) return false;
    aml.end = start + length;
    if (!take(&aml, 1, &elements) || !elements || !take_constant(&aml, &a)) return false;
    if (elements == 1) b = a >> 8, a &= 0xff;
    else if (!take_constant(&aml, &b)) return false;
    if (a > SLP_TYP_MAX || b > SLP_TYP_MAX) return false;
    info->has_s5 = true;
    info->s5_a = (u8)a;
    info->s5_b = (u8)b;
    return true;
}

static bool find_s5(const u8 *table, struct acpi_info *info) {
    const u8 *aml = table + TABLE_BYTES, *end = table + length_of(table);
    for (const u8 *name = aml; (name = find_name(name, end)); name++) {
        const u8 *before = name;
        if (before > aml && before[-1] == AML_ROOT) before--;
        if (before > aml && before[-1] == AML_NAME && read_s5((struct aml){name + 4, end}, info)) return true;
    }
    return false;
}

void acpi_init(u64 rsdp, struct acpi_info *info) {
    *info = (struct acpi_info){0};
    struct root root = find_root(rsdp);
    if (!root.table) return;
    keep_tables(&root);
    size_t index = 0;
    const u8 *fadt = next_table(&root, "FACP", &index);
    if (!fadt) {
        log("ACPI: no FACP, so no power-off and no PM timer");
        return;
    }
    const u8 *code = find_table(read_fadt(fadt, info), "DSDT", false);
    if (code && find_s5(code, info)) return;
    for (index = 0; (code = next_table(&root, "SSDT", &index));)
        if (find_s5(code, info)) return;
    log("ACPI: no _S5_ package, so no power-off");
}
