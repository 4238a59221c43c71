// kernel/device/madt.c and mp.c: which CPUs, I/O APICs and lines there are, by tables of real
// machines and emulators (test/acpi), by what others printed of larger ones, and by hostile ones.
#include "test/acpi_tables.h"

// ---- tables from files: hexadecimal digits, "@" and a physical address before each table ----

// Places ACPI's tables where there is room, with a root of their own, and MP tables where they
// were. with_acpi: as if only the MP table were there.
static struct acpi_info read_file(const char *name, bool with_acpi) {
    char path[100], line[256];
    u32 tables[8];
    u64 address = 0, free = MANY;
    size_t count = 0, bytes = 0;
    u8 table[4096];
    clear_memory();
    snprintf(path, sizeof path, "test/acpi/%s.hex", name);
    FILE *file = fopen(path, "r");
    for (bool more = file != NULL; more;) {
        more = fgets(line, sizeof line, file) != NULL;
        if (!more || line[0] == '@') { // the table before is complete
            bool is_mp = bytes && (!memcmp(table, "_MP_", 4) || !memcmp(table, "PCMP", 4));
            if (bytes && !is_mp)
                tables[count++] = (u32)free, memcpy(at(free), table, bytes), free += bytes;
            if (is_mp) memcpy(at(address), table, bytes);
            address = strtoul(line + 1, NULL, 16), bytes = 0;
        } else if (line[0] != '#') {
            unsigned byte;
            for (size_t i = 0; sscanf(line + i, "%2x", &byte) == 1; i += 2)
                table[bytes++] = (u8)byte;
        }
    }
    CHECK(file && !fclose(file));
    if (with_acpi) put_rsdp(0, RSDT, 0), put_table(RSDT, "RSDT", tables, 4 * count);
    return read_tables();
}

// The ids are those, in this order; -1 ends them.
static bool cpus_are(const struct acpi_info *info, const int *ids) {
    u32 count = 0;
    while (ids[count] >= 0 && count < info->cpu_count && info->cpus[count] == (u32)ids[count])
        count++;
    return ids[count] < 0 && count == info->cpu_count && !info->ignored;
}
#define CPUS(...) cpus_are(&info, (int[]){__VA_ARGS__, -1})

static bool io_apic_is(const struct acpi_info *info, u32 index, u32 address, u32 gsi) {
    return index < info->io_apic_count && info->io_apics[index].address == address &&
           info->io_apics[index].gsi == gsi;
}

// All of ISA's interrupts that are not named have their own number, are edge-triggered and active
// high.
struct line {
    int source, gsi;
    bool low, level;
};
static bool lines_are(const struct acpi_info *info, size_t count, const struct line *lines) {
    for (u32 source = 0; source < 16; source++) {
        struct line line = {(int)source, (int)source, false, false};
        for (size_t i = 0; i < count; i++)
            if (lines[i].source == (int)source) line = lines[i];
        if (info->isa[source].gsi != (u32)line.gsi || info->isa[source].low != line.low)
            return false;
        if (info->isa[source].level != line.level) return false;
    }
    return true;
}
#define LINES(...)                                                                                 \
    lines_are(&info, sizeof((struct line[]){__VA_ARGS__}) / sizeof(struct line),                   \
              (struct line[]){__VA_ARGS__})

static void test_files(void) {
    struct acpi_info info = read_file("qemu-pc", true);
    CHECK(CPUS(0, 1, 2, 3) && info.hpet.at == 0xfed00000 && !info.pci_config.at);
    CHECK(info.io_apic_count == 1 && io_apic_is(&info, 0, 0xfec00000, 0) && info.nmi_lint == 1 &&
          !info.nmi_low);
    CHECK(LINES({0, 2, 0, 0}, {5, 5, 0, 1}, {9, 9, 0, 1}, {10, 10, 0, 1}, {11, 11, 0, 1}));
    CHECK(says("ACPI: CPUs: 4, switched off: 0, I/O APICs: 1\n"));

    info = read_file("qemu-q35-numa", true);
    CHECK(CPUS(0, 1, 2, 3) && info.pci_config.at == 0xb0000000 && info.pci_last_bus == 255);
    CHECK(says("ACPI: CPUs: 4, switched off: 2, I/O APICs: 1\n"));
    CHECK(says(
        "ACPI: 6 CPUs, 255 MiB of memory and 0 MiB that can be unplugged belong to 2 nodes\n"));

    info = read_file("bochs", true);
    CHECK(CPUS(0, 1, 2, 3) && info.nmi_lint == 0xff && info.hpet.at == 0xfed00000 &&
          LINES({0, 2, 0, 0}));
    CHECK(io_apic_is(&info, 0, 0xfec00000, 0));

    info = read_file("desktop", true);
    CHECK(CPUS(0, 1, 2, 3, 8, 9, 10, 11) && says("CPUs: 8, switched off: 8, I/O APICs: 2\n"));
    CHECK(io_apic_is(&info, 0, 0xfec00000, 0) && io_apic_is(&info, 1, 0xfec01000, 24));
    CHECK(LINES({0, 2, 0, 0}, {9, 9, 1, 1}) && info.nmi_lint == 1 && !info.nmi_low);

    info = read_file("hybrid", true);
    CHECK(CPUS(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11) &&
          says_only("ACPI: CPUs: 12, switched off: 8, I/O APICs: 1\n" //
                    "ACPI: no FACP, so no power-off and no PM timer\n"));
    CHECK(LINES({0, 2, 0, 0}, {9, 9, 0, 1}) && info.nmi_lint == 1 && !info.nmi_low);

    info = read_file("laptop", true);
    CHECK(CPUS(16, 17, 24, 25, 32, 33, 40, 41, 48, 49, 56, 57, 0, 2, 4, 6, 8, 10, 12, 14, 64, 66));
    CHECK(says("CPUs: 22, switched off: 26, I/O APICs: 1\n") && info.nmi_lint == 1 &&
          !info.nmi_low);

    info = read_file("hyperv", true);
    CHECK(CPUS(0, 1, 2, 3) && io_apic_is(&info, 0, 0xfec00000, 0) && LINES({9, 9, 0, 1}) &&
          info.nmi_lint == 1);
    CHECK(
        says("1 CPUs, 0 MiB of memory and 16776576 MiB that can be unplugged belong to 1 nodes\n"));
}

static void test_mp_files(void) {
    struct acpi_info info = read_file("seabios-mp", false);
    CHECK(CPUS(0, 1, 2, 3) && io_apic_is(&info, 0, 0xfec00000, 0));
    CHECK(LINES({0, 2, 0, 0}) && info.nmi_lint == 1 &&
          says("MP table: CPUs: 4, switched off: 0, I/O APICs: 1\n"));
    info = read_file("qemu-pc", false); // one entry for a package
    CHECK(CPUS(0) && LINES({0, 2, 0, 0}));
    info = read_file("bochs", false);
    CHECK(CPUS(0, 1, 2, 3) && LINES({0, 2, 0, 0}) && info.nmi_lint == 0xff);
    info = read_file("k8-board", false);
    CHECK(CPUS(0) && info.io_apic_count == 1 && info.nmi_lint == 1 && !info.nmi_low);
    CHECK(LINES({0, 2, 0, 0}, {5, 5, 1, 1}, {10, 10, 1, 1}, {11, 11, 1, 1}));
}

// ---- tables entry by entry ----

#define ENTRY(...) put_entry((u8[]){__VA_ARGS__}, sizeof((u8[]){__VA_ARGS__}))

static void begin(void) { memset(body, 0, 8), body_bytes = 8; }
static void put_cpu(u8 id, u8 flags) { ENTRY(0, 8, id, id, flags, 0, 0, 0); }
static void put_x2apic(u32 id, u8 flags) {
    ENTRY(9, 16, 0, 0, (u8)id, (u8)(id >> 8), (u8)(id >> 16), (u8)(id >> 24), flags, 0, 0, 0, 0, 0,
          0, 0);
}

// 360 CPUs as the ACPI tables of a Google cloud machine list them (linux-kernel mailing list, July
// 2024, without the raw bytes): even ids below 256, even ones above, odd ones below, odd ones
// above; 30 of each 32.
static void test_360_cpus(void) {
    u32 ids[360], count = 0;
    begin();
    for (u32 part = 0; part < 4; part++)
        for (u32 id = 0; id < 0xc0; id += 2) {
            if (id % 32 >= 30) continue;
            ids[count] = id + (part & 1) * 0x100 + part / 2;
            if (part & 1)
                put_x2apic(ids[count], 1);
            else
                put_cpu((u8)ids[count], 1);
            count++;
        }
    struct acpi_info info = read_body("APIC");
    CHECK(count == 360 && info.cpu_count == 360 && !info.ignored &&
          !memcmp(info.cpus, ids, sizeof ids));
}

// The 17 I/O APICs of a server with four sockets (HPE DL560 Gen10, from a kernel log), and 72 CPUs
// twice: by both kinds of entry, as on Ivy Bridge EP.
static void test_four_sockets(void) {
    begin();
    for (u32 id = 0; id < 144; id += 2) put_cpu((u8)id, 1);
    for (u32 id = 0; id < 144; id += 2) put_x2apic(id, 1);
    for (u8 i = 0; i < 17; i++) {
        u32 address = i < 2 ? 0xfec00000 + i * 0x1000u : 0xfec00000 + (i - 1) * 0x8000u;
        ENTRY(1, 12, (u8)(8 + i), 0, 0, (u8)(address >> 8), (u8)(address >> 16), 0xfe,
              i ? (u8)(16 + 8 * i) : 0, 0, 0, 0);
    }
    ENTRY(0xa, 12, 5, 0, 255, 255, 255, 255, 1, 0, 0, 0);
    ENTRY(4, 6, 255, 5, 0, 1);
    struct acpi_info info = read_body("APIC");
    CHECK(info.cpu_count == 72 && info.cpus[71] == 142 && !info.ignored && info.nmi_lint == 1);
    CHECK(info.io_apic_count == 17 && io_apic_is(&info, 16, 0xfec78000, 144) &&
          io_apic_is(&info, 1, 0xfec01000, 24));
}

static void test_rules(void) {
    begin(), put_cpu(7, 1), put_cpu(3, 2), put_cpu(4, 0), put_cpu(5, 3), put_cpu(255, 1),
        put_x2apic(UINT32_MAX, 1);
    put_x2apic(255, 1), put_x2apic(0x10007, 1), put_x2apic(7, 1), put_x2apic(7 + 2048, 2),
        put_x2apic(7 + 2048, 1);
    put_cpu(7, 1), put_x2apic(9, 0);
    struct acpi_info info = read_body("APIC");
    CHECK(CPUS(7, 5, 255, 0x10007, 2055) && says("CPUs: 5, switched off: 6,"));
    begin(), body[2] = 0xe0, body[3] = 0xfe, body_bytes = 7; // no room for the fixed part
    CHECK(!read_body("APIC").cpu_count && says("CPUs: 0"));
    // ISA: each polarity and trigger, and a source that is none
    for (u8 flags = 0; flags < 16; flags++) {
        begin(), ENTRY(2, 10, 0, 4, 20, 1, 0, 0, flags, 0), ENTRY(2, 10, 0, 16, 5, 0, 0, 0, 0, 0);
        info = read_body("APIC");
        CHECK(LINES({4, 276, flags % 4 == 3, flags / 4 == 3}) && says("ISA interrupt 16:"));
    }
    // NMI pins: the first counts
    begin(), ENTRY(4, 6, 255, 7, 0, 2), ENTRY(4, 6, 0, 7, 0, 1), ENTRY(4, 6, 1, 5, 0, 0);
    info = read_body("APIC");
    CHECK(info.nmi_lint == 1 && info.nmi_low && says("ignored pin 2 ") && says("ignored pin 0 "));
    begin(), ENTRY(10, 12, 7, 0, 0, 0, 0, 0, 1, 0, 0, 0);
    info = read_body("APIC");
    CHECK(info.nmi_lint == 1 && info.nmi_low);
    // more of everything than there is room for
    begin();
    for (u32 id = 0; id < 2000; id++) put_x2apic(id * 3, 1);
    info = read_body("APIC");
    CHECK(info.cpu_count == ACPI_CPUS && info.ignored == 976 && info.cpus[1023] == 3069 &&
          info.cpus[0] == 0);
    CHECK(says("ACPI: ignored 976 CPUs behind the first 1024\n"));
    begin(), ENTRY(1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    for (u8 i = 0; i < 65; i++) ENTRY(1, 12, i, 0, 0, 0x10, i, 0xfe, i, 0, 0, 0);
    info = read_body("APIC");
    CHECK(info.io_apic_count == 64 && io_apic_is(&info, 63, 0xfe3f1000, 63) &&
          says("0xfe401000: there are too many"));
    CHECK(says("an I/O APIC at 0: that is no address"));
}

// What comes behind an entry without a sensible length is lost, and said; one that is too short for
// its type is alone.
static void test_lengths(void) {
    static const u8 wrong[] = {0, 1, 9, 255};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        begin(), put_cpu(1, 1), put_cpu(2, 1), body[body_bytes - 7] = wrong[i];
        struct acpi_info info = read_body("APIC");
        CHECK(CPUS(1) && says("ignored the last 8 bytes of the APIC"));
    }
    for (u8 type = 0; type < 12; type++)
        for (u8 bytes = 2; bytes < 17;
             bytes++) { // the sanitizer sees what is read behind the last entry
            u8 entry[16] = {type, bytes, 0, 2, 1, 0, 0, 0, 1};
            begin(), put_cpu(1, 1), put_entry(entry, bytes);
            struct acpi_info info = read_body("APIC");
            bool is_short = type < ARRAY_SIZE(least) && bytes < least[type];
            CHECK(info.cpu_count >= 1 && says("it has only") == is_short);
        }
    begin(), put_cpu(1, 1), ENTRY(0);
    struct acpi_info info = read_body("APIC");
    CHECK(CPUS(1) && says("ignored the last 1 bytes of the APIC"));
}

static void test_srat(void) {
    u8 memory_entry[40] = {1, 40, 5}, x2apic[24] = {2, 24};
    memory_entry[18] = 0x10, memory_entry[28] = 1, x2apic[4] = 255, x2apic[12] = 1;
    memset(body, 0, 12), body_bytes = 12;
    ENTRY(0, 16, 5, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        ENTRY(0, 16, 6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    put_entry(memory_entry, 40), put_entry(x2apic, 24), ENTRY(3, 4, 0, 0), ENTRY(2, 2), ENTRY(0, 2),
        ENTRY(1, 2);
    read_body("SRAT");
    CHECK(
        says("ACPI: 2 CPUs, 1 MiB of memory and 0 MiB that can be unplugged belong to 2 nodes\n"));
    ENTRY(0, 0), read_body("SRAT");
    CHECK(says("ignored the last 2 bytes of the SRAT"));
}

// ---- MP tables ----

static void put_mp_cpu(u8 id, u8 flags) {
    ENTRY(0, id, 0x14, flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void test_mp(void) {
    static const u64 places[] = {EBDA, EBDA + 0x3f0, 0xf0000, 0xffff0},
                     nowhere[] = {EBDA + 8, 0xeff00, 0xf0008};
    struct acpi_info info;
    body_bytes = 0, put_mp_cpu(4, 3), put_mp_cpu(6, 1), put_mp_cpu(5, 0), put_mp_cpu(6, 1);
    ENTRY(1, 9, 'I', 'S', 'A', ' ', ' ', ' '), ENTRY(1, 0, 'P', 'C', 'I', ' ', ' ', ' ');
    ENTRY(2, 20, 0x20, 1, 0, 0, 0xc0, 0xfe), ENTRY(2, 21, 0x20, 0, 0, 0, 0xc1, 0xfe),
        ENTRY(2, 22, 0x20, 1, 0, 0, 0xc2, 0xfe);
    ENTRY(3, 0, 0, 0, 9, 0, 20, 2), ENTRY(3, 0, 15, 0, 9, 5, 22, 7), ENTRY(3, 0, 0, 0, 9, 6, 21, 9),
        ENTRY(3, 0, 0, 0, 0, 7, 20, 9);
    ENTRY(3, 3, 0, 0, 9, 8, 20, 9), ENTRY(3, 0, 0, 0, 9, 3, 255, 13),
        ENTRY(4, 3, 0, 0, 9, 0, 255, 0), ENTRY(4, 1, 3, 0, 9, 0, 255, 1);
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        clear_memory(), put_mp(places[i], 0xe8000, 17);
        info = read_tables();
        CHECK(CPUS(4, 6) && says("MP table: CPUs: 2, switched off: 1, I/O APICs: 2\n"));
        CHECK(io_apic_is(&info, 0, 0xfec00000, 0) && io_apic_is(&info, 1, 0xfec20000, 256));
        CHECK(LINES({0, 2, 0, 0}, {3, 13, 0, 0}, {5, 263, 1, 1}) && info.nmi_lint == 1 &&
              info.nmi_low);
        CHECK(says("ISA interrupt 6: there is no I/O APIC 21\n"));
    }
    for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++) {
        clear_memory(), put_mp(nowhere[i], 0xe8000, 17);
        CHECK(!read_tables().cpu_count && says(SAYS_NO_CPUS));
    }
    clear_memory(), memset(at(BDA_EBDA_SEGMENT), 0, 2), put_mp(0x9fff0, 0xe8000, 17); // no EBDA
    CHECK(read_tables().cpu_count == 2);
    put_qemu(), put_mp(EBDA, 0xe8000, 17); // there is a MADT
    CHECK(read_tables().cpu_count == 1 && says_only(SAYS_ONE_CPU));
    for (size_t bytes = 0; bytes < 44 + body_bytes; bytes++) { // every shorter table
        clear_memory(), put_mp(EBDA, 0x100000 - bytes, 17);
        u8 length[2] = {(u8)bytes, (u8)(bytes >> 8)};
        memcpy(at(0x100000 - bytes) + 4, length, bytes < 6 ? 0 : 2),
            fix_checksum(0x100000 - bytes, bytes, bytes < 8 ? 0 : 7);
        info = read_tables();
        CHECK(info.cpu_count <= 2 && (says("wrong length") || says("no sensible type or length")));
    }
    clear_memory(), put_mp(EBDA, 0xe8000, 18);
    CHECK(read_tables().cpu_count == 2 && says("ignored its last 1 entries"));
    body[0] = 5, clear_memory(), put_mp(EBDA, 0xe8000, 17);
    CHECK(!read_tables().cpu_count && says("ignored its last 17 entries"));
    body[0] = 0, clear_memory(), put_mp(EBDA, 0xe8000, 17), at(0xe8000)[50] ^= 1;
    CHECK(!read_tables().cpu_count && says("MP table: ignored at 0xe8000") && says(SAYS_NO_CPUS));
    clear_memory(), put_mp(EBDA, 0xe8000, 17),
        at(EBDA)[10] ^= 1; // what looks like the pointer: the next one counts
    CHECK(!read_tables().cpu_count &&
          says_only("ACPI: no root pointer, so no power-off and no PM timer\n" SAYS_NO_CPUS));
    put_mp(0xf1230, 0xe8000, 17);
    CHECK(read_tables().cpu_count == 2);
    body_bytes = 0, clear_memory(), put_mp(EBDA, 0xe8000, 0), at(0xe8000)[4] = 43,
    fix_checksum(0xe8000, 43, 7);
    CHECK(!read_tables().cpu_count && says("MP table: ignored at 0xe8000 (43 bytes)"));
    clear_memory(), put_mp(EBDA, 0, 0); // a default configuration
    CHECK(!read_tables().cpu_count && says("MP table: ignored at 0x0 "));
}

int main(void) {
    test_files();
    test_mp_files();
    test_360_cpus();
    test_four_sockets();
    test_rules();
    test_lengths();
    test_srat();
    test_mp();
    return check_done("madt");
}
