// The tables that list CPUs, bytes to numbers: the MADT (5.2.12), with the I/O APICs and what is
// unusual about interrupts, and the SRAT (5.2.16). Behind a fixed part both are entries that start
// with their type and length.
#include "kernel/device/acpi.h"
#include "kernel/kernel.h"

#define MADT_ENTRIES 44
#define SRAT_ENTRIES 48
// the id of entries that stand for no CPU; 0xffffffff where ids have 32 bits
#define NO_ID 0xff
#define LINTS 2

// Takes a CPU into the list, each id once; one that is not enabled is only counted.
void acpi_add_cpu(struct acpi_info *info, struct acpi_seen *seen, u32 id, bool enabled) {
    u64 *word = &seen->bits[id / 64 % ARRAY_SIZE(seen->bits)];
    u64 bit = 1ull << id % 64;
    if (!enabled) {
        seen->off++;
        return;
    }
    for (u32 i = 0; *word & bit && i < info->cpu_count; i++)
        if (info->cpus[i] == id) return;
    *word |= bit;
    if (info->cpu_count == ACPI_CPUS)
        info->ignored++;
    else
        info->cpus[info->cpu_count++] = id;
}

void acpi_add_io_apic(struct acpi_info *info, u32 address, u32 gsi) {
    if (!address || info->io_apic_count == ACPI_IO_APICS) {
        const char *why = "that is no address";
        if (address) why = "there are too many";
        log("ACPI: ignored an I/O APIC at %#x: %s", address, why);
        return;
    }
    info->io_apics[info->io_apic_count].address = address;
    info->io_apics[info->io_apic_count].gsi = gsi;
    info->io_apic_count++;
}

// Polarity and trigger mode have two bits each in flags: 3 is low and level, 0 and what is reserved
// as the bus has it.
void acpi_set_isa(struct acpi_info *info, u8 source, u32 gsi, u16 flags) {
    if (source >= ARRAY_SIZE(info->isa)) {
        log("ACPI: ignored the line of ISA interrupt %u: there is no such interrupt", source);
        return;
    }
    info->isa[source].gsi = gsi;
    info->isa[source].low = (flags & 3) == 3;
    info->isa[source].level = (flags >> 2 & 3) == 3;
}

// Tables can name a pin for each CPU; all are wired alike.
void acpi_set_nmi(struct acpi_info *info, u8 lint, u16 flags) {
    bool is_second = info->nmi_lint < LINTS && info->nmi_lint != lint;
    if (lint >= LINTS || is_second) {
        log("ACPI: ignored pin %u of a local APIC as one for NMIs", lint);
        return;
    }
    info->nmi_lint = lint;
    info->nmi_low = (flags & 3) == 3;
}

void acpi_say(const struct acpi_info *info, const char *source, const struct acpi_seen *seen) {
    log("%s: CPUs: %u, switched off: %u, I/O APICs: %u", source, info->cpu_count, seen->off,
        info->io_apic_count);
    if (info->ignored)
        log("%s: ignored %u CPUs behind the first %u", source, info->ignored, ACPI_CPUS);
}

// The entry at *at, which moves behind it; NULL at the end of the table, or of what makes sense in
// it.
static const u8 *madt_next_entry(const u8 *table, const char *name, size_t *at) {
    const u8 *entry = table + *at;
    size_t length = acpi_length_of(table);
    if (*at >= length) return NULL;
    size_t left = length - *at;
    if (left < 2 || entry[1] < 2 || entry[1] > left) {
        log("ACPI: ignored the last %zu bytes of the %s: an entry has no sensible length", left,
            name);
        return NULL;
    }
    *at += entry[1];
    return entry;
}

enum { LOCAL_APIC, IO_APIC, OVERRIDE, NMI = 4, LOCAL_X2APIC = 9, X2APIC_NMI };
// Bytes of an entry, by type; 0: a type without a use here.
static const u8 least[] = {[LOCAL_APIC] = 8, [IO_APIC] = 12,      [OVERRIDE] = 10,
                           [NMI] = 6,        [LOCAL_X2APIC] = 16, [X2APIC_NMI] = 12};

void madt_read(const u8 *madt, struct acpi_info *info) {
    struct acpi_seen seen = {0};
    size_t at = MADT_ENTRIES;
    const u8 *entry;
    while ((entry = madt_next_entry(madt, "APIC", &at))) {
        u8 type = entry[0];
        u8 bytes = entry[1];
        if (type >= ARRAY_SIZE(least) || !least[type]) continue;
        if (bytes < least[type]) {
            log("ACPI: ignored an entry of type %u in the APIC: it has only %u bytes", type, bytes);
            continue;
        }
        u32 word = 0;
        if (bytes >= 8) word = (u32)acpi_number(entry + 4, 4);
        switch (type) {
        case LOCAL_APIC:
            acpi_add_cpu(info, &seen, entry[3], entry[3] != NO_ID && word & ACPI_ENABLED);
            break;
        case LOCAL_X2APIC:
            acpi_add_cpu(info, &seen, word, word != UINT32_MAX && entry[8] & ACPI_ENABLED);
            break;
        case IO_APIC: acpi_add_io_apic(info, word, (u32)acpi_number(entry + 8, 4)); break;
        case OVERRIDE: acpi_set_isa(info, entry[3], word, (u16)acpi_number(entry + 8, 2)); break;
        case NMI: acpi_set_nmi(info, entry[5], (u16)acpi_number(entry + 3, 2)); break;
        case X2APIC_NMI: acpi_set_nmi(info, entry[8], (u16)acpi_number(entry + 2, 2)); break;
        }
    }
    acpi_say(info, "ACPI", &seen);
}

// By type, CPU, memory, CPU with an x2APIC: least length, where the flags are and where the node
// is. It has 32 bits in the last two, but no machine has more than 256.
static const struct {
    u8 bytes, flags, node;
} srat_types[] = {{16, 4, 2}, {40, 28, 2}, {24, 12, 4}};

void srat_read(const u8 *srat) {
    u64 nodes[4] = {0};
    u64 bytes[2] = {0}; // memory to stay, memory that can be unplugged
    u32 count = 0;
    u32 cpus = 0;
    size_t at = SRAT_ENTRIES;
    const u8 *entry;
    while ((entry = madt_next_entry(srat, "SRAT", &at))) {
        u8 type = entry[0];
        if (type >= ARRAY_SIZE(srat_types) || entry[1] < srat_types[type].bytes) continue;
        u8 flags = entry[srat_types[type].flags];
        if (!(flags & ACPI_ENABLED)) continue;
        if (type == 1)
            bytes[flags >> 1 & 1] += acpi_number(entry + 16, 8);
        else
            cpus++;
        u8 node = entry[srat_types[type].node];
        u64 bit = 1ull << node % 64;
        if (!(nodes[node / 64] & bit)) count++;
        nodes[node / 64] |= bit;
    }
    log("ACPI: %u CPUs, %lu MiB of memory and %lu MiB that can be unplugged belong to %u nodes",
        cpus, bytes[0] >> 20, bytes[1] >> 20, count);
}
