// What vmos wants from ACPI: CPUs and their interrupts, timers, and switching off. A table is used
// only after length and checksum were checked, nothing is read outside of it, and no pointer is
// followed twice.
#include "kernel/device/acpi.h"
#include "kernel/kernel.h"
#include "kernel/memory/window.h"

#define TABLE_MAX 0x100000 // bytes; the largest DSDTs of servers stay below

// Byte offsets in the root pointer (5.2.5.3).
// from 2 on there are a length, an address of an XSDT, and a second checksum
#define RSDP_REVISION 15
enum { RSDP_RSDT = 16, RSDP_LENGTH = 20, RSDP_XSDT = 24, RSDP_V1_BYTES = 20, RSDP_BYTES = 36 };

enum { FADT, MADT, HPET, MCFG, SRAT, KINDS };
static const char signatures[KINDS][5] = {"FACP", "APIC", "HPET", "MCFG", "SRAT"};

// Eight bytes at a time: in pairs, in four lanes of 16 bits, and the product's top lane is the sum
// of the four. Byte by byte, the DSDT alone would take 1 % of the boot.
bool acpi_adds_up(const void *data, size_t bytes) {
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

// NULL where an address says that there is nothing.
static const u8 *acpi_map(paddr physical, size_t bytes) {
    if (!physical.at) return NULL;
    return window_map(physical, bytes, WINDOW_TABLES);
}

// The table at an address, mapped as a whole, when it has this signature and a length that can be;
// its checksum is not looked at. quiet: another signature is no news.
static const u8 *acpi_map_table(paddr physical, const char *signature, bool quiet) {
    const u8 *table = acpi_map(physical, TABLE_BYTES);
    if (!table || memcmp(table, signature, 4)) {
        if (!quiet) log("ACPI: no %s at %lx", signature, physical.at);
        return NULL;
    }
    u32 length = (u32)acpi_length_of(table);
    table = NULL;
    if (length >= TABLE_BYTES && length <= TABLE_MAX)
        table = window_map(physical, length, WINDOW_TABLES);
    if (!table)
        log("ACPI: ignored the %s at %lx: its length is %u", signature, physical.at, length);
    return table;
}

// The table at an address when it has this signature and passes its checks.
static const u8 *acpi_find_table(paddr physical, const char *signature, bool quiet) {
    const u8 *table = acpi_map_table(physical, signature, quiet);
    if (!table || acpi_adds_up(table, acpi_length_of(table))) return table;
    log("ACPI: ignored the %s at %lx (%zu bytes): wrong checksum", signature, physical.at,
        acpi_length_of(table));
    return NULL;
}

// The XSDT, else the RSDT: a table of addresses.
struct root {
    const u8 *table; // NULL: none
    size_t count, entry_bytes;
};

static struct root acpi_find_root(paddr physical) {
    struct root root = {.entry_bytes = 4};
    const u8 *rsdp = acpi_map(physical, RSDP_V1_BYTES);
    if (!rsdp || memcmp(rsdp, "RSD PTR ", 8) || !acpi_adds_up(rsdp, RSDP_V1_BYTES)) {
        log("ACPI: no root pointer, so no power-off and no PM timer");
        return root;
    }
    paddr rsdt = {acpi_number(rsdp + RSDP_RSDT, 4)};
    if (rsdp[RSDP_REVISION] >= 2) {
        rsdp = window_map(physical, RSDP_BYTES, WINDOW_TABLES);
        if (rsdp && acpi_number(rsdp + RSDP_LENGTH, 4) == RSDP_BYTES &&
            acpi_adds_up(rsdp, RSDP_BYTES))
            root.table = acpi_find_table((paddr){acpi_number(rsdp + RSDP_XSDT, 8)}, "XSDT", false);
        if (root.table)
            root.entry_bytes = 8;
        else
            log("ACPI: no use of the root pointer's second half; trying the RSDT");
    }
    if (!root.table) root.table = acpi_find_table(rsdt, "RSDT", false);
    if (root.table) root.count = (acpi_length_of(root.table) - TABLE_BYTES) / root.entry_bytes;
    if (root.count <= ACPI_TABLES) return root;
    log("ACPI: ignored the last %zu of %zu tables", root.count - ACPI_TABLES, root.count);
    root.count = ACPI_TABLES;
    return root;
}

static paddr acpi_root_entry(const struct root *root, size_t index) {
    const u8 *entry = root->table + TABLE_BYTES + index * root->entry_bytes;
    if (root->entry_bytes == 8) return (paddr){acpi_number(entry, 8)};
    return (paddr){acpi_number(entry, 4)};
}

// Finds the first good table of each kind, and all SSDTs. All are mapped as a whole: what is mapped
// stays when ACPI's memory is used.
static void acpi_find_tables(const struct root *root, const u8 *found[KINDS],
                             struct acpi_info *info) {
    for (size_t i = 0; i < root->count; i++) {
        paddr physical = acpi_root_entry(root, i);
        const u8 *table = acpi_map(physical, TABLE_BYTES);
        if (!table) continue;
        size_t length = acpi_length_of(table);
        const u8 *whole = NULL;
        if (length > TABLE_BYTES && length <= TABLE_MAX) whole = acpi_map(physical, length);
        if (whole && !memcmp(whole, "SSDT", 4)) info->ssdts[info->ssdt_count++] = whole;
        for (int kind = 0; kind < KINDS; kind++) {
            if (acpi_number(table, 4) != acpi_number((const u8 *)signatures[kind], 4)) continue;
            if (!found[kind])
                found[kind] = acpi_find_table(physical, signatures[kind], true);
            else
                log("ACPI: ignored the %s at %lx: it is not the first", signatures[kind],
                    physical.at);
        }
    }
}

static bool acpi_holds_s5(const u8 *table, u8 slp_typ[2]) {
    return table && acpi_adds_up(table, acpi_length_of(table)) && aml_find_s5(table, slp_typ);
}

// Looks for _S5_ in the AML, which takes tens of thousands of instructions, so only who switches
// off does it. It is in the DSDT nearly always, else in an SSDT. No lock and no new mapping: it may
// come after a panic. False: there is none that can be trusted.
bool acpi_find_s5(const struct acpi_info *info, u8 slp_typ[2]) {
    if (acpi_holds_s5(info->dsdt, slp_typ)) return true;
    for (u32 i = 0; i < info->ssdt_count; i++)
        if (acpi_holds_s5(info->ssdts[i], slp_typ)) return true;
    return false;
}

// IA-PC HPET specification 3.2.4.
static void acpi_read_hpet(const u8 *table, struct acpi_info *info) {
    if (acpi_length_of(table) >= 56 && table[40] == SPACE_MEMORY)
        info->hpet.at = acpi_number(table + 40 + ADDRESS_VALUE, 8);
    if (!info->hpet.at) log("ACPI: ignored the HPET: its table has no address in memory");
}

// PCI firmware specification 4.1.2: behind 44 bytes an address, a segment and its first and last
// bus, 16 bytes each.
static void acpi_read_mcfg(const u8 *table, struct acpi_info *info) {
    for (const u8 *at = table + 44; at + 16 <= table + acpi_length_of(table); at += 16) {
        u64 address = acpi_number(at, 8);
        u64 segment = acpi_number(at + 8, 2);
        bool is_first = !segment && !info->pci_config.at;
        bool makes_sense = address && at[10] <= at[11];
        const char *what = "ignored the ";
        if (is_first && makes_sense) {
            what = "";
            info->pci_config.at = address;
            info->pci_first_bus = at[10];
            info->pci_last_bus = at[11];
        }
        log("ACPI: %sPCI configuration space of segment %lu, buses %u-%u, at 0x%lx", what, segment,
            at[10], at[11], address);
    }
}

void acpi_init(paddr rsdp, struct acpi_info *info) {
    const u8 *found[KINDS] = {0};
    info->nmi_lint = 0xff;
    for (u8 source = 0; source < ARRAY_SIZE(info->isa); source++) info->isa[source].gsi = source;
    struct root root = acpi_find_root(rsdp);
    if (root.table) acpi_find_tables(&root, found, info);
    if (found[MADT])
        madt_read(found[MADT], info);
    else
        mp_read(info);
    if (found[HPET]) acpi_read_hpet(found[HPET], info);
    if (found[MCFG]) acpi_read_mcfg(found[MCFG], info);
    if (found[SRAT]) srat_read(found[SRAT]);
    if (found[FADT])
        info->dsdt = acpi_map_table(fadt_read(found[FADT], info), "DSDT", false);
    else if (root.table)
        log("ACPI: no FACP, so no power-off and no PM timer");
}
