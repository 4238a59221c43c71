// The end of the machine. An emulator or a virtual machine ends with the program; on a PC the report stays on the
// screen until somebody has read it.
#include "kernel/device/devices.h"
#include "kernel/cpu/panic.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/i8042.h"
#include "kernel/kernel.h"

#define PM1_SCI_EN        (1u << 0) // ACPI 6.5, 4.8.3.2.1
#define PM1_SLP_TYP(type) (((type)&7u) << 10)
#define PM1_SLP_EN        (1u << 13)

static const struct acpi_info *acpi; // NULL: nothing known

void power_init(const struct acpi_info *info) { acpi = info; }

// Lets the machine go off or restart; a port read takes about a microsecond.
static void wait_ms(unsigned ms) {
    for (unsigned i = 0; i < ms * 1000; i++) inb(KBC_STATUS);
}

static void soft_off(u16 port, u8 type) {
    if (port) outw(port, (u16)((inw(port) & PM1_SCI_EN) | PM1_SLP_TYP(type) | PM1_SLP_EN));
}

// A key was pressed since the last call; the status reads ff throughout where there is no controller.
static bool key_pressed(void) {
    u8 status = inb(KBC_STATUS);
    if (status == KBC_ABSENT || !(status & KBC_OUTPUT_FULL)) return false;
    return !(inb(KBC_DATA) & KEY_RELEASED) && !(status & KBC_FROM_MOUSE);
}

void power_restart(void) {
    outb(KBC_STATUS, KBC_PULSE_RESET);
    wait_ms(100);
    static const u8 no_idt[10]; // should that fail: without an IDT the first exception resets the CPU
    __asm__ volatile("lidt %0\n\tint3" ::"m"(no_idt));
    __builtin_unreachable();
}

void power_end(int status) {
    cpus_stop(false);
    log("exit %d", status);
    serial_flush();
    logwire_flush();
    emulator_exit();
    bool is_virtual = cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR || emulator_has_debugcon();
    if (is_virtual && acpi && acpi->has_s5) {
        soft_off(acpi->pm1a_control, acpi->s5_a);
        soft_off(acpi->pm1b_control, acpi->s5_b);
        wait_ms(1000);
    }
    static const char prompt[] = "Press any key to restart.\n";
    screen_write(prompt, sizeof(prompt) - 1);
    for (int i = 0; i < 64; i++) key_pressed(); // earlier ones do not count
    while (!key_pressed()) {}                   // this is the end: it may wait for ever
    power_restart();
}
