// The MP table (Intel MultiProcessor Specification 1.4, chapter 4), for machines whose firmware has
// no MADT.
#include "kernel/device/acpi.h"
#include "kernel/kernel.h"
#include "kernel/memory/window.h"

#define MP_ROM       0xf0000
#define HEADER_BYTES 44
#define ALL_IO_APICS 0xff
// GSIs given to each I/O APIC: the table counts pins, and none has more than 240
#define APIC_LINES 256

enum { MP_CPU, MP_BUS, MP_IO_APIC, MP_INTERRUPT, MP_LOCAL_INTERRUPT, MP_TYPES };
enum { MP_INT, MP_NMI }; // kinds of interrupts

static const u8 *mp_find_pointer(u64 start, u64 end) {
    const u8 *at = window_map((paddr){start}, end - start, WINDOW_TABLES);
    for (; at && start < end; start += 16, at += 16)
        if (!memcmp(at, "_MP_", 4) && acpi_adds_up(at, 16)) return at;
    return NULL;
}

// The pointer to it is in the first KiB of the EBDA (if there is none: the last one of base memory)
// or in the BIOS ROM.
static const u8 *mp_find_table(void) {
    const u8 *segment = window_map((paddr){BDA_EBDA_SEGMENT}, 2, WINDOW_TABLES);
    u64 ebda = 0;
    if (segment) ebda = acpi_number(segment, 2) << 4;
    if (ebda < EBDA_LOWEST || ebda > LEGACY_HOLE - 1024) ebda = LEGACY_HOLE - 1024;
    const u8 *pointer = mp_find_pointer(ebda, ebda + 1024);
    if (!pointer) pointer = mp_find_pointer(MP_ROM, HIGH_MEMORY);
    if (!pointer) return NULL;
    // 0: one of the default configurations, all of which are older than 64 bits.
    paddr physical = {acpi_number(pointer + 4, 4)};
    u64 length = 0;
    const u8 *table = NULL;
    if (physical.at) table = window_map(physical, HEADER_BYTES, WINDOW_TABLES);
    if (table && !memcmp(table, "PCMP", 4)) length = acpi_number(table + 4, 2);
    table = NULL;
    if (length >= HEADER_BYTES) table = window_map(physical, length, WINDOW_TABLES);
    if (table && acpi_adds_up(table, length)) return table;
    log("MP table: ignored at 0x%lx (%lu bytes): wrong length or checksum", physical.at, length);
    return NULL;
}

static void mp_read_interrupt(struct acpi_info *info, const u8 *entry, u32 apic) {
    if (apic)
        acpi_set_isa(info, entry[5], (apic - 1) * APIC_LINES + entry[7],
                     (u16)acpi_number(entry + 2, 2));
    else
        log("MP table: ignored the line of ISA interrupt %u: there is no I/O APIC %u", entry[5],
            entry[6]);
}

void mp_read(struct acpi_info *info) {
    const u8 *table = mp_find_table();
    struct acpi_seen seen = {0};
    bool isa[256] = {0};    // by bus
    u8 io_apics[256] = {0}; // by id: index + 1; 0: none
    if (!table) {
        log("ACPI: neither an APIC table nor an MP table, so only the boot CPU is used");
        return;
    }
    const u8 *entry = table + HEADER_BYTES;
    const u8 *end = table + acpi_number(table + 4, 2);
    for (u64 left = acpi_number(table + 34, 2); left; left--) {
        u8 type = MP_TYPES;
        if (entry < end) type = *entry;
        u8 bytes = type == MP_CPU ? 20 : 8;
        if (type >= MP_TYPES || bytes > end - entry) {
            log("MP table: ignored its last %lu entries: one has no sensible type or length", left);
            break;
        }
        u32 count = info->io_apic_count;
        if (type == MP_CPU) acpi_add_cpu(info, &seen, entry[1], entry[3] & ACPI_ENABLED);
        if (type == MP_BUS) isa[entry[1]] = !memcmp(entry + 2, "ISA   ", 6);
        if (type == MP_IO_APIC && entry[3] & ACPI_ENABLED)
            acpi_add_io_apic(info, (u32)acpi_number(entry + 4, 4), count * APIC_LINES);
        if (info->io_apic_count > count) io_apics[entry[1]] = (u8)(count + 1);
        if (type == MP_INTERRUPT && entry[1] == MP_INT && isa[entry[4]]) {
            u32 apic = io_apics[entry[6]];
            if (entry[6] == ALL_IO_APICS) apic = 1;
            mp_read_interrupt(info, entry, apic);
        }
        if (type == MP_LOCAL_INTERRUPT && entry[1] == MP_NMI)
            acpi_set_nmi(info, entry[7], (u16)acpi_number(entry + 2, 2));
        entry += bytes;
    }
    acpi_say(info, "MP table", &seen);
}
