// The end of the machine. An emulator or a virtual machine ends with the program; on a PC the
// report stays on the screen until somebody has read it. The command line can say otherwise
// (after=) where no emulator ends it.
#include "kernel/device/devices.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/i8042.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"

#define PM1_SCI_EN        (1u << 0) // ACPI 6.5, 4.8.3.2.1
#define PM1_SLP_TYP(type) ((7u & (type)) << 10)
#define PM1_SLP_EN        (1u << 13)
#define ACPI_ON_MS        3000 // some firmware takes seconds

// 4.8.3.7: the sleep control register of reduced hardware
#define SLEEP_TYP(type) ((u8)((type) << 2))
#define SLEEP_EN        (1u << 5)

#define KBC_EMPTY_MS 100   // a keyboard holds 16 bytes, and one takes about a millisecond
#define POLL_PAUSES  10000 // a millisecond or less

static const struct acpi_info *acpi; // NULL: nothing known

void power_init(const struct acpi_info *info) { acpi = info; }

// Lets the machine go off or restart; a port read takes about a microsecond.
static void power_wait_ms(unsigned ms) {
    for (unsigned i = 0; i < ms * 1000; i++) inb(KBC_STATUS);
}

static void power_soft_off(u16 port, u8 type) {
    if (port) outw(port, (u16)((inw(port) & PM1_SCI_EN) | PM1_SLP_TYP(type) | PM1_SLP_EN));
}

static void power_register_write(const struct acpi_register *reg, u8 value) {
    switch (reg->space) {
    case ACPI_NOWHERE: break;
    case ACPI_PORT: outb(reg->port, value); break;
    case ACPI_MEMORY: *reg->memory = value; break;
    case ACPI_PCI:
        outl(PCI_ADDRESS, reg->pci & ~3u);
        outb((u16)(PCI_DATA + (reg->pci & 3)), value);
        break;
    }
}

// Until the firmware is told to hand the PM1 registers over, they may do nothing (4.8.3.2.1,
// SCI_EN).
static void power_acpi_take_over(void) {
    if (acpi->smi_command && acpi->acpi_on && !(inw(acpi->pm1a_control) & PM1_SCI_EN)) {
        outb(acpi->smi_command, acpi->acpi_on);
        for (int ms = 0; ms < ACPI_ON_MS && !(inw(acpi->pm1a_control) & PM1_SCI_EN); ms++)
            power_wait_ms(1);
    }
}

// ACPI's S5. When the machine stays on, returns why.
static const char *power_off(void) {
    u8 slp_typ[2];
    if (!acpi || (acpi->sleep.space == ACPI_NOWHERE && !acpi->pm1a_control))
        return "No register for that is known.\n";
    if (!acpi_find_s5(acpi, slp_typ)) return "No _S5_ package is known.\n";
    if (acpi->sleep.space != ACPI_NOWHERE) {
        power_register_write(&acpi->sleep, (u8)(SLEEP_TYP(slp_typ[0]) | SLEEP_EN));
    } else {
        power_acpi_take_over();
        power_soft_off(acpi->pm1a_control, slp_typ[0]);
        power_soft_off(acpi->pm1b_control, slp_typ[1]);
    }
    power_wait_ms(1000);
    return "It was told to, and stayed on.\n";
}

void power_restart(void) {
    for (int ms = 0; ms < KBC_EMPTY_MS && inb(KBC_STATUS) & KBC_INPUT_FULL; ms++) power_wait_ms(1);
    outb(KBC_STATUS, KBC_PULSE_RESET);
    power_wait_ms(100);
    if (acpi && acpi->reset.space != ACPI_NOWHERE) {
        power_register_write(&acpi->reset, acpi->reset_value);
        power_wait_ms(100);
    }
    // Should that fail: without an IDT the first exception resets the CPU.
    static const u8 no_idt[10];
    __asm__ volatile("lidt %0\n\tint3" ::"m"(no_idt));
    __builtin_unreachable();
}

// Takes what was typed before. False: there is no controller, whose status then reads ff, or one
// that never empties, so nobody can press a key.
static bool power_keyboard_empty(void) {
    int full = 0;
    for (int ms = 0; ms < KBC_EMPTY_MS; ms++) {
        if (inb(KBC_STATUS) & KBC_OUTPUT_FULL) {
            inb(KBC_DATA);
            full++;
        }
        power_wait_ms(1);
    }
    return full < KBC_EMPTY_MS;
}

static bool power_key_pressed(void) {
    u8 status = inb(KBC_STATUS);
    return status & KBC_OUTPUT_FULL && !(inb(KBC_DATA) & KEY_RELEASED) &&
           !(status & KBC_FROM_MOUSE);
}

// Whatever style the program left on the screen.
static void power_tell(const char *text) { screen_log(text, strlen(text)); }

// Ends the machine. One CPU alone gets behind cpus_stop(); it writes the log's last line here,
// `exit N`, and no other CPU writes one behind it (log_line).
void power_end(int status) {
    cpus_stop(false);
    screen_yield(false);
    log_quiet(LOG_SCREEN, false);
    log_quiet(LOG_WIRE, false);
    serial_flush(true);
    log("exit %d", status);
    serial_flush(false);
    logwire_flush();
    emulator_exit();
    bool is_virtual = cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR || emulator_has_debugcon();
    const char *why = NULL;
    if (options.after == AFTER_REBOOT) power_restart();
    if (options.after == AFTER_POWEROFF || (options.after == AFTER_KEY && is_virtual))
        why = power_off();
    if (options.after == AFTER_POWEROFF) {
        power_tell("ACPI does not switch this machine off.\n");
        power_tell(why);
    }
    if (options.after != AFTER_HALT && power_keyboard_empty()) {
        power_tell("Press any key to restart.\n");
        while (!power_key_pressed()) // this is the end: it may wait for ever
            for (int i = 0; i < POLL_PAUSES; i++) __builtin_ia32_pause();
        power_restart();
    }
    power_tell("The machine stands still; it can be switched off.\n");
    for (;;) __asm__ volatile("cli\n\thlt");
}
