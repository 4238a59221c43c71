// The tables that list CPUs, bytes to numbers: the MADT (5.2.12), with the I/O APICs and what is unusual about
// interrupts, and the SRAT (5.2.16). Behind a fixed part both are entries that start with their type and length.
#include "kernel/device/acpi.h"
#include "kernel/kernel.h"

#define MADT_LOCAL_APIC 36
#define MADT_ENTRIES    44
#define SRAT_ENTRIES    48
#define ENABLED         (1u << 0) // without it, bit 1 of a CPU's flags says that it may be switched on later
#define NO_ID           0xff      // the id of entries that stand for no CPU; 0xffffffff where ids have 32 bits
#define ISA_BUS         0
#define LINTS           2

// Polarity and trigger mode in the flags of an interrupt; 0 and what is reserved leave it as the bus has it.
#define FLAGS_LOW(flags)   (((flags)&3) == 3)
#define FLAGS_LEVEL(flags) (((flags) >> 2 & 3) == 3)

void acpi_add_cpu(struct acpi_info *info, u64 seen[ACPI_SEEN], u32 id) {
    u64 *word = &seen[id / 64 % ACPI_SEEN], bit = 1ull << id % 64;
    for (u32 i = 0; *word & bit && i < info->cpu_count; i++)
        if (info->cpus[i] == id) return;
    *word |= bit;
    if (info->cpu_count == ACPI_CPUS) info->ignored++;
    else info->cpus[info->cpu_count++] = id;
}

bool acpi_add_io_apic(struct acpi_info *info, u64 address, u32 gsi) {
    if (!address || info->io_apic_count == ACPI_IO_APICS) {
        log("ACPI: ignored an I/O APIC at 0x%lx: %s", address, address ? "there are too many" : "that is no address");
        return false;
    }
    info->io_apics[info->io_apic_count].address = address;
    info->io_apics[info->io_apic_count++].gsi = gsi;
    return true;
}

void acpi_set_isa(struct acpi_info *info, u8 source, u32 gsi, u16 flags) {
    if (source >= ARRAY_SIZE(info->isa)) {
        log("ACPI: ignored the line of ISA interrupt %u: there is no such interrupt", source);
        return;
    }
    info->isa[source].gsi = gsi;
    info->isa[source].low = FLAGS_LOW(flags);
    info->isa[source].level = FLAGS_LEVEL(flags);
}

// Tables can name a pin for each CPU; all are wired alike.
void acpi_set_nmi(struct acpi_info *info, u8 lint, u16 flags) {
    if (lint >= LINTS || (info->nmi_lint != 0xff && info->nmi_lint != lint)) {
        log("ACPI: ignored pin %u of a local APIC as one for NMIs", lint);
        return;
    }
    info->nmi_lint = lint;
    info->nmi_low = FLAGS_LOW(flags);
}

// The entry at *at, which moves behind it; NULL at the end of the table, or of what makes sense in it.
static const u8 *next_entry(const u8 *table, const char *name, size_t *at) {
    const u8 *entry = table + *at;
    size_t left = *at < length_of(table) ? length_of(table) - *at : 0;
    if (!left) return NULL;
    if (left < 2 || entry[1] < 2 || entry[1] > left) {
        log("ACPI: ignored the last %zu bytes of the %s: an entry has no sensible length", left, name);
        return NULL;
    }
    *at += entry[1];
    return entry;
}

// Types of entries, and the least length each has.
enum { LOCAL_APIC, IO_APIC, OVERRIDE, NMI = 4, LOCAL_APIC_ADDRESS, LOCAL_X2APIC = 9, X2APIC_NMI, TYPES };
static const u8 least[TYPES] = {
    [LOCAL_APIC] = 8,          [IO_APIC] = 12,      [OVERRIDE] = 10,   [NMI] = 6,
    [LOCAL_APIC_ADDRESS] = 12, [LOCAL_X2APIC] = 16, [X2APIC_NMI] = 12,
};

// Returns whether the entry stands for a CPU that is switched off.
static bool read_entry(const u8 *entry, struct acpi_info *info, u64 seen[ACPI_SEEN]) {
    u32 word = entry[1] >= 8 ? (u32)number(entry + 4, 4) : 0;
    switch (entry[0]) {
    case LOCAL_APIC:
        if (entry[3] == NO_ID || !(word & ENABLED)) return true;
        acpi_add_cpu(info, seen, entry[3]);
        break;
    case LOCAL_X2APIC:
        if (word == UINT32_MAX || !(number(entry + 8, 4) & ENABLED)) return true;
        acpi_add_cpu(info, seen, word);
        break;
    case IO_APIC: (void)!acpi_add_io_apic(info, word, (u32)number(entry + 8, 4)); break;
    case OVERRIDE:
        if (entry[2] == ISA_BUS) acpi_set_isa(info, entry[3], word, (u16)number(entry + 8, 2));
        break;
    case NMI: acpi_set_nmi(info, entry[5], (u16)number(entry + 3, 2)); break;
    case X2APIC_NMI: acpi_set_nmi(info, entry[8], (u16)number(entry + 2, 2)); break;
    case LOCAL_APIC_ADDRESS: info->local_apic = number(entry + 4, 8); break;
    }
    return false;
}

void madt_read(const u8 *madt, struct acpi_info *info) {
    u64 seen[ACPI_SEEN] = {0};
    u32 off = 0;
    size_t at = MADT_ENTRIES;
    if (length_of(madt) >= MADT_ENTRIES) info->local_apic = number(madt + MADT_LOCAL_APIC, 4);
    for (const u8 *entry; (entry = next_entry(madt, "APIC", &at));) {
        if (entry[0] >= TYPES || !least[entry[0]]) continue;
        if (entry[1] >= least[entry[0]]) off += read_entry(entry, info, seen);
        else log("ACPI: ignored an entry of type %u in the APIC: it has only %u bytes", entry[0], entry[1]);
    }
    log("ACPI: %u CPUs, %u I/O APICs; %u more CPUs are switched off", info->cpu_count, info->io_apic_count, off);
    if (info->ignored) log("ACPI: ignored %u CPUs behind the first %u", info->ignored, ACPI_CPUS);
}

void srat_read(const u8 *srat) { (void)srat; }
