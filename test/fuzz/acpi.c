// Fuzz target: acpi.c on the tables of the host test, with patches from the input, with its bytes
// as AML, and as entries of the tables that list CPUs; checksums are set right again in most runs,
// so that what lies behind them is reached. Run with clang -fsanitize=fuzzer,address,undefined and
// -runs=20000.
#include "test/acpi_tables.h"

static void fix_table(u64 physical) {
    u32 length;
    memcpy(&length, at(physical) + 4, 4);
    if (length >= 36 && length <= BASE + SIZE - physical) fix_checksum(physical, length, 9);
}

static int by_value(const void *a, const void *b) {
    u32 one = *(const u32 *)a, other = *(const u32 *)b;
    return one < other ? -1 : one > other;
}

static void check(struct acpi_info info) {
    if (has_s5 && (s5[0] > 7 || s5[1] > 7)) abort();
    if (info.sleep.space == ACPI_MEMORY && !info.sleep.memory) abort();
    if (info.cpu_count > ACPI_CPUS || info.io_apic_count > ACPI_IO_APICS) abort();
    if (info.nmi_lint > 1 && info.nmi_lint != 0xff) abort();
    if (info.ignored && info.cpu_count != ACPI_CPUS) abort();
    qsort(info.cpus, info.cpu_count, sizeof(u32), by_value);
    for (u32 i = 1; i < info.cpu_count; i++)
        if (info.cpus[i - 1] == info.cpus[i]) abort();
    if (checks_failed) abort();
}

enum { APIC, SRAT_TABLE, HPET_TABLE, MCFG_TABLE, MP };

// The input as entries: without tidy as it is, else each has a type that means something and the
// length that belongs to it, and each bus is ISA.
static void put_entries(const u8 *data, size_t bytes, int kind, bool tidy) {
    body_bytes = 0;
    put_entry(data, bytes < 0x4000 ? bytes : 0x4000);
    for (size_t at = kind == MP ? 0 : kind == SRAT_TABLE ? 12 : 8; tidy && at + 2 <= body_bytes;) {
        u8 type = body[at] %= kind == MP ? MP_TYPES : kind == SRAT_TABLE ? 3 : ARRAY_SIZE(least);
        u8 length = kind == MP           ? (type == MP_CPU ? 20 : 8)
                    : kind == SRAT_TABLE ? srat_types[type].bytes
                                         : least[type];
        if (kind != MP) body[at + 1] = length = length ? length : 4;
        if (kind == MP && type == MP_BUS) memcpy(body + at + 2, "ISA   ", 6);
        at += length;
    }
}

// The first byte says which tables and whether their checksums are kept wrong. A patch is an offset
// and a byte, each offset counted in the tables' headers and bodies only; what is left of an odd
// input is AML.
int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes) {
    static const struct {
        u32 physical, bytes;
    } tables[] = {{RSDP, 36}, {RSDT, 48}, {XSDT, 64}, {FACP, 268},
                  {DSDT, 64}, {SSDT, 48}, {OTHER, 52}};
    if (!bytes) return 0;
    u8 mode = *data++;
    bytes--;
    if (mode & 0x30) { // an MP table, or one of ACPI's
        static const char kinds[4][5] = {"APIC", "SRAT", "HPET", "MCFG"};
        int kind = (mode & 0x30) == 0x30 ? MP : mode & 3;
        put_entries(data, bytes, kind, mode & 0x40);
        clear_memory();
        if (kind == MP) put_mp(EBDA, 0xe8000, mode & 0x80 ? body_bytes / 8 : 255);
        check(kind == MP ? read_tables() : read_body(kinds[kind]));
        return 0;
    }
    if (mode & 1) put_qemu();
    if (!(mode & 1)) put_new();
    if (mode & 0x40) { // reduced hardware
        struct fadt fadt = new_fadt();
        fadt.flags |= FADT_HARDWARE_REDUCED | FADT_HAS_RESET, fadt.sleep_control = fadt.reset;
        put_fadt(fadt, 268);
    }
    if (mode & 2) put_table(DSDT, "DSDT", data, bytes < 0x800 ? bytes : 0x800);
    for (size_t i = 0; !(mode & 2) && i + 3 <= bytes; i += 3) {
        u32 table = data[i] % 7;
        at(tables[table].physical)[data[i + 1] % tables[table].bytes] = data[i + 2];
    }
    if (mode & 12) {
        fix_checksum(RSDP, 20, 8), fix_checksum(RSDP, 36, 32);
        for (size_t i = 1; i < ARRAY_SIZE(tables); i++) fix_table(tables[i].physical);
    }
    check(read_tables());
    return 0;
}
