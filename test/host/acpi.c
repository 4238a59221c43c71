// kernel/device/acpi.c and fadt.c on tables as QEMU, Bochs and others make them, and on hostile
// ones.
#include "test/acpi_tables.h"

// ---- good tables ----

static void test_qemu(void) {
    put_qemu();
    struct acpi_info info = read_tables();
    CHECK(info.pm1a_control == 0x604 && info.pm1b_control == 0 && info.pm_timer == 0x608);
    CHECK(has_s5 && s5[0] == 0 && s5[1] == 0);
    CHECK(says_only(SAYS_ONE_CPU));
}

static void test_new(void) {
    put_new();
    struct acpi_info info = read_tables();
    CHECK(info.pm1a_control == 0x1804 && info.pm1b_control == 0x1904 && info.pm_timer == 0x1808);
    CHECK(has_s5);
    CHECK(says_only(SAYS_ONE_CPU));
    // a broken XSDT: the RSDT serves
    at(XSDT)[20] ^= 1;
    info = read_tables();
    CHECK(says("ignored the XSDT") && says("checksum") && info.pm_timer == 0x1808);
    // a broken second half of the root pointer: likewise
    put_new(), at(RSDP)[25] ^= 1;
    info = read_tables();
    CHECK(says("second half") && info.pm_timer == 0x1808);
    // the DSDT has none: an SSDT serves
    put_new(), put_table(DSDT, "DSDT", qemu_aml, 11);
    put_table(SSDT, "SSDT", "\x08\\_S5_\x12\x06\x02\x0a\x05\x0a\x06", 13);
    info = read_tables();
    CHECK(has_s5 && s5[0] == 5 && s5[1] == 6 && says_only(SAYS_ONE_CPU));
}

static void test_registers(void) {
    put_new();
    struct fadt fadt = new_fadt();
    fadt.x_pm_timer.space = 0, fadt.x_pm1a_control.address = 0x10000,
    fadt.x_pm1b_control.address = 0;
    put_fadt(fadt, 244);
    struct acpi_info info = read_tables();
    CHECK(info.pm_timer == 0x608 && info.pm1a_control == 0x604 &&
          info.pm1b_control == 0); // the older fields
    fadt.pm_timer = fadt.pm1a_control = 0x12345678, put_fadt(fadt, 244);
    info = read_tables();
    CHECK(!info.pm_timer && !info.pm1a_control && says("no PM timer port") && says("no PM1a"));
    fadt = new_fadt(), fadt.pm_timer_bytes = 0, put_fadt(fadt, 244);
    CHECK(read_tables().pm_timer == 0);
    fadt = new_fadt(), fadt.flags |= FADT_HARDWARE_REDUCED, put_fadt(fadt, 268);
    info = read_tables();
    CHECK(!info.pm_timer && !info.pm1a_control && !info.sleep.space &&
          says("no sleep control register"));
    fadt = new_fadt(), fadt.smi_command = 0xb2, fadt.enable = 0xa1,
    fadt.reset = (struct address){1, 8, 0, 1, 0xcf9};
    fadt.reset_value = 6, put_fadt(fadt, 244);
    info = read_tables();
    CHECK(info.smi_command == 0xb2 && info.acpi_on == 0xa1 &&
          !info.reset.space); // no flag says that there is one
    fadt.flags |= FADT_HAS_RESET, put_fadt(fadt, 244);
    info = read_tables();
    CHECK(info.reset.space == ACPI_PORT && info.reset.port == 0xcf9 && info.reset_value == 6);
    put_fadt(fadt, 127);
    CHECK(!read_tables().reset.space);
    fadt.reset.address = 0x10cf9, fadt.smi_command = 0x10000, put_fadt(fadt, 244);
    info = read_tables();
    CHECK(!info.reset.space && !info.smi_command &&
          says("ignored the RESET_REG: 0x10cf9 in address space 1 is out of"));
    // every length between the oldest and the newest; what is cut off counts as absent
    for (size_t bytes = 116; bytes <= 244; bytes++) {
        put_fadt(new_fadt(), bytes);
        info = read_tables();
        CHECK(info.pm_timer == (bytes >= 220 ? 0x1808 : 0x608) || bytes >= 212);
        CHECK(has_s5 || (bytes > 140 && bytes < 148));
    }
    // whether there is a keyboard controller is said from revision 3 on
    for (int i = 0; i < 8; i++) {
        put_fadt(new_fadt(), 244);
        at(FACP)[8] = (u8)(1 + i / 2), at(FACP)[109] = i % 2 ? 0x12 : 0x11,
        fix_checksum(FACP, 244, 9);
        CHECK(read_tables().no_keyboard == (i == 4 || i == 6));
    }
    put_fadt(new_fadt(), 115);
    read_tables();
    CHECK(!has_s5 && says("ignored the FACP"));
}

// The registers of a byte: where switching off and restarting happen, in each space.
static void test_byte_registers(void) {
    static const struct {
        struct address at;
        struct acpi_register is;
    } cases[] = {
        {{SPACE_IO, 8, 0, 1, 0x604}, {.space = ACPI_PORT, .port = 0x604}},
        {{SPACE_IO, 8, 0, 1, 0x10000}, {0}},
        {{SPACE_MEMORY, 8, 0, 1, DEVICE + 2}, {.space = ACPI_MEMORY, .memory = registers + 2}},
        {{SPACE_MEMORY, 8, 0, 1, UINT64_MAX}, {0}}, // nothing can be mapped there
        {{SPACE_PCI, 8, 0, 1, 0x1f000700ab}, {.space = ACPI_PCI, .pci = 0x8000ffab}},
        {{SPACE_PCI, 8, 0, 1, 0x2000000000}, {0}},       // device 32
        {{SPACE_PCI, 8, 0, 1, 0x1f000800ab}, {0}},       // function 8
        {{SPACE_PCI, 8, 0, 1, 0x1f00070100}, {0}},       // behind what the ports reach
        {{SPACE_PCI, 8, 0, 1, 0x0001001f000700ab}, {0}}, // no bus is said here
        {{0x7f, 8, 0, 1, 4}, {0}},                       // fixed hardware
        {{SPACE_MEMORY, 8, 0, 1, 0}, {0}},
        {{SPACE_IO, 8, 0, 1, 0}, {0}},
        {{SPACE_PCI, 8, 0, 1, 0}, {0}}, // none
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fadt fadt = new_fadt();
        fadt.flags |= FADT_HARDWARE_REDUCED | FADT_HAS_RESET;
        fadt.reset = fadt.sleep_control = cases[i].at;
        for (size_t bytes = 244; bytes <= 268; bytes++) { // the first has no sleep register yet
            put_new(), put_fadt(fadt, bytes);
            struct acpi_info info = read_tables();
            CHECK(!memcmp(&info.reset, &cases[i].is, sizeof info.reset));
            CHECK(says("ignored the RESET_REG") == (cases[i].at.address && !cases[i].is.space));
            if (bytes < 256) continue;
            CHECK(!memcmp(&info.sleep, &cases[i].is, sizeof info.sleep) && has_s5 && !says("PM1a"));
            CHECK(says("so no power-off") == !cases[i].is.space);
        }
        fadt.flags &= ~FADT_HARDWARE_REDUCED, put_fadt(fadt, 268);
        CHECK(read_tables().sleep.space == ACPI_NOWHERE); // the register is for reduced hardware
    }
}

static bool s5_is(const char *aml, size_t bytes, int a, int b) {
    put_qemu();
    put_table(DSDT, "DSDT", aml, bytes);
    read_tables();
    return has_s5 == (a >= 0) && (!has_s5 || (s5[0] == a && s5[1] == b));
}
#define S5(aml, a, b) CHECK(s5_is(aml, sizeof(aml) - 1, a, b))

static void test_s5(void) {
    S5("\x08_S5_\x12\x06\x04\x00\x00\x00\x00", 0, 0);
    S5("\x08_S5_\x12\x08\x04\x0a\x05\x0a\x05\x00\x00", 5, 5);
    S5("\x08_S5_\x12\x04\x02\x01\x00", 1, 0);
    S5("\x08_S5_\x12\x04\x01\x0a\x05", 5, 0);     // one element
    S5("\x08_S5_\x12\x05\x01\x0b\x05\x06", 5, 6); // one element with both
    S5("\x08_S5_\x12\x08\x02\x0b\x07\x00\x0b\x03\x00", 7, 3);
    S5("\x08_S5_\x12\x08\x02\x0c\x02\x00\x00\x00\x01", 2, 1);
    S5("\x08\\_S5_\x12\x04\x02\x01\x01", 1, 1);
    S5("\x08_S5_\x12\x45\x00\x02\x01\x01", 1, 1);         // length in two bytes
    S5("\x08_S5_\x12\xc7\x00\x00\x00\x02\x01\x01", 1, 1); // in four
    S5("_S5__S5S_S5\x08_S5_\x08_S5_\x12\x04\x02\x01\x00", 1, 0);
    S5("x_S5_\x12\x04\x02\x01\x01", -1, 0);    // a use, not a definition
    S5("_S5_\x12\x04\x02\x01\x01", -1, 0);     // at the very start
    S5("\x08_S5_\x12\x05\x02\x01\x01", -1, 0); // longer than the table
    S5("\x08_S5_\x12\x03\x02\x01\x01", -1, 0); // shorter than its elements
    S5("\x08_S5_\x12\x01\x02\x01\x01", -1, 0); // too short for a count
    S5("\x08_S5_\x12\x00", -1, 0);
    S5("\x08_S5_\x12\xff\xff\xff\xff\x02\x01\x01", -1, 0);
    S5("\x08_S5_\x12\xc4", -1, 0);
    S5("\x08_S5_\x12\x04\x00\x01\x01", -1, 0);     // no elements
    S5("\x08_S5_\x12\x04\x02\xff\x01", -1, 0);     // Ones
    S5("\x08_S5_\x12\x05\x02\x0a\x08\x00", -1, 0); // SLP_TYP has three bits
    S5("\x08_S5_\x12\x05\x02\x0e\x00\x00", -1, 0);
    S5("\x08_S5_\x12\x03\x02\x0b", -1, 0);
    S5("\x08_S5_\x14\x04\x02\x01\x01", -1, 0);
    S5("\x08_S5_", -1, 0);
    S5("\x08_S5", -1, 0);
    S5("", -1, 0);
    put_qemu(); // what looks like the operator is the header's last byte
    put_table(DSDT, "DSDT", "_S5_\x12\x04\x02\x01\x01", 9), at(DSDT)[35] = AML_NAME,
                                                            fix_checksum(DSDT, 45, 9);
    read_tables();
    CHECK(!has_s5);
    char aml[64];
    for (size_t before = 0; before < 40;
         before++) { // at every distance from the start, behind parts of the name
        for (size_t i = 0; i < before; i++) aml[i] = "_S5x"[i * 7 % 4];
        memcpy(aml + before, "\x08_S5_\x12\x04\x02\x01\x00", 10);
        CHECK(s5_is(aml, before + 10, 1, 0));
        CHECK(s5_is(aml, before + 9, -1, 0));
    }
}

// ---- hostile tables ----

static void set32(u64 physical, u32 value) { memcpy(at(physical), &value, 4); }

static void test_hostile(void) {
    struct acpi_info info = {0};
    said[0] = 0, clear_memory();
    acpi_init((paddr){0}, &info);
    CHECK(says("no root pointer") && !info.pm_timer);
    put_qemu(), at(RSDP)[0] = 'X';
    CHECK(!read_tables().pm_timer && says("no root pointer"));
    put_qemu(), at(RSDP)[10] ^= 1;
    CHECK(!read_tables().pm_timer && says("no root pointer"));
    static const u32 lengths[] = {0, 35, TABLE_MAX + 1, 0xffffffff, SIZE};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        put_qemu(), set32(RSDT + 4, lengths[i]);
        CHECK(!read_tables().pm_timer && says("ignored the RSDT"));
        put_qemu(), set32(FACP + 4, lengths[i]);
        CHECK(!read_tables().pm_timer && says("ignored the FACP"));
        put_qemu(), set32(DSDT + 4, lengths[i]);
        read_tables();
        CHECK(!has_s5 && says("ignored the DSDT"));
    }
    put_qemu(), put_table(RSDT, "RSDT", "", 0);
    CHECK(!read_tables().pm_timer && says("no FACP"));
    put_qemu(),
        put_table(RSDT, "RSDT", (u8[]){0, 4, 14, 0, 1, 2, 3}, 7); // FACP, then a part of an entry
    CHECK(read_tables().pm_timer == 0x608 && says_only(SAYS_NO_CPUS));
    put_qemu(),
        put_table(RSDT, "RSDT", (u32[]){0, 0xffffffff, BASE + SIZE - 35, RSDT, RSDP, FACP}, 24);
    CHECK(read_tables().pm_timer == 0x608 && says_only(SAYS_NO_CPUS));
    struct fadt fadt = qemu_fadt();
    static const u32 wrong[] = {0, 0xffffffff, FACP, RSDT, BASE + SIZE - 20};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        fadt.dsdt = wrong[i], put_fadt(fadt, 116);
        info = read_tables();
        CHECK(info.pm_timer == 0x608 && !has_s5 && says("no DSDT"));
    }
    put_new(), put_rsdp(2, RSDT, UINT64_MAX - 10);
    CHECK(read_tables().pm_timer == 0x1808 && says("no XSDT"));
    static u32 many[300];
    for (int i = 0; i < 300; i++) many[i] = OTHER;
    put_qemu(), many[299] = FACP, put_table(MANY, "RSDT", many, sizeof many), put_rsdp(0, MANY, 0);
    CHECK(!read_tables().pm_timer && says("last 44 of 300"));
    many[255] = FACP, put_table(MANY, "RSDT", many, sizeof many);
    CHECK(read_tables().pm_timer == 0x608);
}

// Of two tables of a kind the first good one counts.
static void test_twice(void) {
    struct fadt other = new_fadt();
    for (int broken = 0; broken < 2; broken++) {
        put_new(), other.x_pm_timer.address = 0x1908;
        memcpy(at(MANY), at(FACP), 244);
        put_fadt(other, 244), at(FACP)[60] ^= (u8)broken;
        put_table(XSDT, "XSDT", (u64[]){OTHER, FACP, MANY, OTHER}, 32);
        CHECK(read_tables().pm_timer == (broken ? 0x1808 : 0x1908));
        CHECK(says(broken ? "ignored the FACP at e0400"
                          : "ignored the FACP at e4000: it is not the first"));
        CHECK(says("ignored the APIC at e3000: it is not the first"));
    }
}

static void test_hpet_and_mcfg(void) {
    u8 hpet[20] = {0x01, 0xa2, 0x86, 0x80, 0, 0, 0, 0, 0, 0, 0xd0, 0xfe};
    put_qemu(), put_table(RSDT, "RSDT", (u32[]){OTHER, FACP, MANY}, 12),
        put_table(MANY, "HPET", hpet, 20);
    CHECK(read_tables().hpet.at == 0xfed00000 && says_only(SAYS_ONE_CPU));
    put_table(MANY, "HPET", hpet, 19);
    CHECK(!read_tables().hpet.at && says("ignored the HPET"));
    hpet[4] = SPACE_IO, put_table(MANY, "HPET", hpet, 20);
    CHECK(!read_tables().hpet.at && says("ignored the HPET"));
    struct {
        u64 reserved;
        struct {
            u64 address;
            u16 segment;
            u8 first, last;
            u32 reserved;
        } entries[3];
    } mcfg = {
        0, {{0xc0000000, 1, 0, 255, 0}, {0xb0000000, 0, 0, 127, 0}, {0xd0000000, 0, 128, 255, 0}}};
    put_table(MANY, "MCFG", &mcfg, sizeof mcfg);
    struct acpi_info info = read_tables();
    CHECK(info.pci_config.at == 0xb0000000 && info.pci_first_bus == 0 && info.pci_last_bus == 127);
    CHECK(says("ignored the PCI configuration space of segment 1, buses 0-255, at 0xc0000000\n"));
    CHECK(says("ACPI: PCI configuration space of segment 0, buses 0-127, at 0xb0000000\n"));
    CHECK(says("ignored the PCI configuration space of segment 0, buses 128-255, at 0xd0000000\n"));
    mcfg.entries[1].address = 0;
    put_table(MANY, "MCFG", &mcfg, sizeof mcfg);
    CHECK(read_tables().pci_first_bus == 128 &&
          says("ignored the PCI configuration space of segment 0, buses 0-127, at 0x0"));
    mcfg.entries[1] = mcfg.entries[2], mcfg.entries[1].last = 127;
    for (size_t bytes = 0; bytes <= 39; bytes++) { // no whole entry that is any good
        put_table(MANY, "MCFG", &mcfg, bytes);
        CHECK(!read_tables().pci_config.at && says("segment 1") == (bytes >= 24));
    }
}

// The eightfold sum against the plain one, on lengths with and without a rest.
static void test_checksum(void) {
    srand(1);
    for (size_t bytes = 1; bytes < 300; bytes++) {
        u8 *data = malloc(bytes), sum = 0;
        for (size_t i = 1; i < bytes; i++) sum += data[i] = (u8)(bytes % 3 ? rand() : 0xff);
        data[0] = (u8)-sum;
        CHECK(acpi_adds_up(data, bytes));
        data[bytes / 2] ^= (u8)(1 << bytes % 8);
        CHECK(!acpi_adds_up(data, bytes));
        free(data);
    }
}

int main(void) {
    test_checksum();
    test_qemu();
    test_new();
    test_registers();
    test_byte_registers();
    test_s5();
    test_hostile();
    test_twice();
    test_hpet_and_mcfg();
    return check_done("acpi");
}
