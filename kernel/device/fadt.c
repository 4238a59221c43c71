// The FADT: the registers for switching off, restarting and of the PM timer (5.2.9). And the one
// package of AML that switching off needs, _S5_: there is no interpreter, since it is a constant
// that a byte matcher finds.
#include "kernel/device/acpi.h"
#include "kernel/kernel.h"
#include "kernel/memory/window.h"

// Byte offsets; X_ are those of the newer fields.
enum {
    FADT_REVISION = 8,
    FADT_DSDT = 40,
    FADT_SMI_COMMAND = 48,
    FADT_ACPI_ON = 52,
    FADT_PM1A_CONTROL = 64,
    FADT_PM1B_CONTROL = 68,
    FADT_PM_TIMER = 76,
    FADT_PM_TIMER_BYTES = 91,
    FADT_BOOT_ARCH = 109,
    FADT_FLAGS = 112,
    FADT_RESET = 116,
    FADT_RESET_VALUE = 128,
    FADT_X_DSDT = 140,
    FADT_X_PM1A_CONTROL = 172,
    FADT_X_PM1B_CONTROL = 184,
    FADT_X_PM_TIMER = 208,
    FADT_SLEEP_CONTROL = 244
};
#define FADT_V1_BYTES         116 // the least length
#define BOOT_ARCH_8042        (1u << 1)
#define FADT_HAS_RESET        (1u << 10)
#define FADT_HARDWARE_REDUCED (1u << 20) // there are no PM1 registers and no PM timer

// Fields that an older, shorter FADT does not have count as 0.
static u64 fadt_field(const u8 *fadt, size_t offset, size_t bytes) {
    if (offset + bytes > acpi_length_of(fadt)) return 0;
    return acpi_number(fadt + offset, bytes);
}

// 0 for a number that no port has.
static u16 fadt_if_port(u64 port) {
    if (port > UINT16_MAX) return 0;
    return (u16)port;
}

static u16 fadt_port_at(const u8 *fadt, size_t address) {
    if (fadt_field(fadt, address, 1) != SPACE_IO) return 0;
    return fadt_if_port(fadt_field(fadt, address + ADDRESS_VALUE, 8));
}

// A register's port: the newer field when it names one, else the older; 0: none.
static u16 fadt_port_of(const u8 *fadt, size_t newer, size_t older) {
    u16 port = fadt_port_at(fadt, newer);
    if (port) return port;
    return fadt_if_port(fadt_field(fadt, older, 4));
}

// A register in PCI's configuration space has its device, function and offset in 16 bits each, and
// lies on bus 0. The address port reaches the first 256 bytes of a function.
static bool fadt_pci_register(u64 address, u32 *pci) {
    u64 device = address >> 32;
    u64 function = address >> 16 & 0xffff;
    u64 offset = address & 0xffff;
    if (device > 31 || function > 7 || offset > 255) return false;
    *pci = (u32)(PCI_ENABLE | device << 11 | function << 8 | offset);
    return true;
}

// A register that switches off or restarts, in whatever space it is. Memory is mapped now, since
// the machine may end when no lock can be had any more. What cannot be reached is said.
static struct acpi_register fadt_register_at(const u8 *fadt, size_t offset, const char *name) {
    struct acpi_register found = {0};
    u64 space = fadt_field(fadt, offset, 1);
    u64 address = fadt_field(fadt, offset + ADDRESS_VALUE, 8);
    if (!address) return found;
    if (space == SPACE_MEMORY) {
        found.memory = window_map((paddr){address}, 1, WINDOW_DEVICE);
        if (found.memory) found.space = ACPI_MEMORY;
    } else if (space == SPACE_IO && fadt_if_port(address)) {
        found.space = ACPI_PORT;
        found.port = (u16)address;
    } else if (space == SPACE_PCI && fadt_pci_register(address, &found.pci)) {
        found.space = ACPI_PCI;
    }
    if (found.space == ACPI_NOWHERE)
        log("ACPI: ignored the %s: 0x%lx in address space %lu is out of reach", name, address,
            space);
    return found;
}

paddr fadt_read(const u8 *fadt, struct acpi_info *info) {
    u64 flags = fadt_field(fadt, FADT_FLAGS, 4);
    u64 dsdt = fadt_field(fadt, FADT_X_DSDT, 8);
    if (acpi_length_of(fadt) < FADT_V1_BYTES) {
        log("ACPI: ignored the FACP: its length is %zu", acpi_length_of(fadt));
        return (paddr){0};
    }
    if (flags & FADT_HAS_RESET) info->reset = fadt_register_at(fadt, FADT_RESET, "RESET_REG");
    info->reset_value = (u8)fadt_field(fadt, FADT_RESET_VALUE, 1);
    // The flag came with revision 3: before, its place is reserved, and there is a controller in
    // every PC.
    info->no_keyboard = fadt[FADT_REVISION] >= 3 && !(fadt[FADT_BOOT_ARCH] & BOOT_ARCH_8042);
    if (flags & FADT_HARDWARE_REDUCED) {
        info->sleep = fadt_register_at(fadt, FADT_SLEEP_CONTROL, "SLEEP_CONTROL_REG");
        if (info->sleep.space == ACPI_NOWHERE)
            log("ACPI: no sleep control register, so no power-off");
    } else {
        info->smi_command = fadt_if_port(fadt_field(fadt, FADT_SMI_COMMAND, 4));
        info->acpi_on = fadt[FADT_ACPI_ON];
        info->pm1a_control = fadt_port_of(fadt, FADT_X_PM1A_CONTROL, FADT_PM1A_CONTROL);
        info->pm1b_control = fadt_port_of(fadt, FADT_X_PM1B_CONTROL, FADT_PM1B_CONTROL);
        if (fadt[FADT_PM_TIMER_BYTES] == 4)
            info->pm_timer = fadt_port_of(fadt, FADT_X_PM_TIMER, FADT_PM_TIMER);
        if (!info->pm1a_control) log("ACPI: no PM1a control port, so no power-off");
    }
    if (!info->pm_timer) log("ACPI: no PM timer port");
    if (!dsdt) dsdt = fadt_field(fadt, FADT_DSDT, 4);
    return (paddr){dsdt};
}

// ---- _S5_: Name (_S5, Package () {SLP_TYPa, SLP_TYPb, ...}); encodings of chapter 20.2 ----
#define AML_ONE     0x01 // and 0x00: zero
#define AML_NAME    0x08
#define AML_BYTE    0x0a // 1, 2 or 4 bytes follow
#define AML_DWORD   0x0c
#define AML_PACKAGE 0x12
#define AML_ROOT    '\\'
#define SLP_TYP_MAX 7

// The next place of the name, by each fourth byte: one that the name does not contain rules out
// four places.
static const u8 *aml_find_name(const u8 *at, const u8 *end) {
    while (end - at >= 4) {
        if (at[3] == '_' && !memcmp(at, "_S5_", 4)) return at;
        switch (at[3]) {
        case '_': at += 3; break;
        case 'S': at += 2; break;
        case '5': at += 1; break;
        default: at += 4;
        }
    }
    return NULL;
}

// What is left to read of AML.
struct aml {
    const u8 *at, *end;
};

// Takes a number of up to 4 bytes. False: there are fewer.
static bool aml_take(struct aml *aml, size_t bytes, u32 *value) {
    if (aml->end - aml->at < (ptrdiff_t)bytes) return false;
    *value = (u32)acpi_number(aml->at, bytes);
    aml->at += bytes;
    return true;
}

static bool aml_take_constant(struct aml *aml, u32 *value) {
    if (!aml_take(aml, 1, value)) return false;
    if (*value <= AML_ONE) return true;
    if (*value < AML_BYTE || *value > AML_DWORD) return false;
    size_t bytes = (size_t)1 << (*value - AML_BYTE);
    return aml_take(aml, bytes, value);
}

// A package's length counts from its own first byte, whose top two bits say how many bytes of it
// follow: without any it has 6 bits, with some the first byte gives the lowest 4. One element alone
// holds both values, a byte each.
static bool fadt_read_s5(struct aml aml, u8 slp_typ[2]) {
    u32 code, length, more, elements, a, b;
    if (!aml_take(&aml, 1, &code) || code != AML_PACKAGE) return false;
    const u8 *start = aml.at;
    if (!aml_take(&aml, 1, &length) || !aml_take(&aml, length >> 6, &more)) return false;
    if (length >> 6) length = (length & 0xf) | more << 4;
    if (length > aml.end - start) return false;
    aml.end = start + length;
    if (!aml_take(&aml, 1, &elements) || !elements || !aml_take_constant(&aml, &a)) return false;
    if (elements == 1) {
        b = a >> 8;
        a &= 0xff;
    } else if (!aml_take_constant(&aml, &b)) {
        return false;
    }
    if (a > SLP_TYP_MAX || b > SLP_TYP_MAX) return false;
    slp_typ[0] = (u8)a;
    slp_typ[1] = (u8)b;
    return true;
}

bool aml_find_s5(const u8 *table, u8 slp_typ[2]) {
    const u8 *aml = table + TABLE_BYTES;
    const u8 *end = table + acpi_length_of(table);
    const u8 *name = aml;
    for (; (name = aml_find_name(name, end)); name++) {
        const u8 *before = name;
        if (before > aml && before[-1] == AML_ROOT) before--;
        if (before > aml && before[-1] == AML_NAME &&
            fadt_read_s5((struct aml){name + 4, end}, slp_typ))
            return true;
    }
    return false;
}
