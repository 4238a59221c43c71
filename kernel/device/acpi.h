// Between acpi.c, which finds the tables, and the files that read them. A table given to a reader
// is mapped, adds up and has at least TABLE_BYTES; everything else in it is unchecked. Section
// numbers are those of ACPI 6.4.
#pragma once

#include "kernel/device/devices.h"
#include "kernel/lib/string.h"

// what every table starts with (5.2.6): offset of the length of the whole table
#define TABLE_LENGTH  4
#define TABLE_BYTES   36
#define ADDRESS_VALUE 4 // in a generic address structure (5.2.3.2): 8 bytes; byte 0 is the space
#define SPACE_MEMORY  0
#define SPACE_IO      1
#define SPACE_PCI     2

// A little-endian number of up to 8 bytes, at any address; one load where their number is a
// constant.
static inline u64 acpi_number(const u8 *at, size_t bytes) {
    u64 value = 0;
    __builtin_memcpy(&value, at, bytes);
    return value;
}

static inline size_t acpi_length_of(const u8 *table) {
    return acpi_number(table + TABLE_LENGTH, 4);
}

// Whether the bytes add up to 0 modulo 256, as those of a valid table do.
bool acpi_adds_up(const void *data, size_t bytes);

// ---- fadt.c ----
paddr fadt_read(const u8 *fadt, struct acpi_info *info); // returns where the DSDT lies; 0: nowhere
bool aml_find_s5(const u8 *table, u8 slp_typ[2]) MUST_USE;

// ---- madt.c ----
void madt_read(const u8 *madt, struct acpi_info *info);
void srat_read(const u8 *srat);
// What MADT and MP table have in common.
// in flags: it is there; without it, bit 1 of a CPU's says that it may come one day
#define ACPI_ENABLED (1u << 0)
struct acpi_seen {
    u64 bits[32]; // one for each id modulo their number: one that is clear was not seen
    u32 off;      // CPUs that are switched off
};
void acpi_add_cpu(struct acpi_info *info, struct acpi_seen *seen, u32 id, bool enabled);
void acpi_add_io_apic(struct acpi_info *info, u32 address, u32 gsi);
void acpi_set_isa(struct acpi_info *info, u8 source, u32 gsi, u16 flags);
void acpi_set_nmi(struct acpi_info *info, u8 lint, u16 flags);
void acpi_say(const struct acpi_info *info, const char *source, const struct acpi_seen *seen);

// ---- mp.c ----
void mp_read(struct acpi_info *info); // finds and reads the MP table, or says that there is none
