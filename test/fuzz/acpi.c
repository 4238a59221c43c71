// Fuzz target: acpi.c on the tables of the host test, with patches from the input and with its bytes as AML; checksums
// are set right again in most runs, so that what lies behind them is reached.
// Run with clang -fsanitize=fuzzer,address,undefined and -runs=20000.
#include "test/acpi_tables.h"

static void fix_table(u64 physical) {
    u32 length;
    memcpy(&length, at(physical) + 4, 4);
    if (length >= 36 && length <= BASE + SIZE - physical) fix_checksum(physical, length, 9);
}

// The first byte says which tables and whether their checksums are kept wrong. A patch is an offset and a byte, each
// offset counted in the tables' headers and bodies only; what is left of an odd input is AML.
int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes) {
    static const struct {
        u32 physical, bytes;
    } tables[] = {{RSDP, 36}, {RSDT, 48}, {XSDT, 64}, {FACP, 256}, {DSDT, 64}, {SSDT, 48}};
    if (!bytes) return 0;
    u8 mode = *data++;
    bytes--;
    if (mode & 1) put_qemu();
    if (!(mode & 1)) put_new();
    if (mode & 2) put_table(DSDT, "DSDT", data, bytes < 0x800 ? bytes : 0x800);
    for (size_t i = 0; !(mode & 2) && i + 3 <= bytes; i += 3) {
        u32 table = data[i] % 6;
        at(tables[table].physical)[data[i + 1] % tables[table].bytes] = data[i + 2];
    }
    if (mode & 12) {
        fix_checksum(RSDP, 20, 8), fix_checksum(RSDP, 36, 32);
        for (size_t i = 1; i < ARRAY_SIZE(tables); i++) fix_table(tables[i].physical);
    }
    struct acpi_info info = read_tables();
    if (info.has_s5 && (info.s5_a > 7 || info.s5_b > 7)) abort();
    if (checks_failed) abort();
    return 0;
}
