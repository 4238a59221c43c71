// The end of the machine. An emulator or a virtual machine ends with the program; on a PC the report stays on the
// screen until somebody has read it.
#include "kernel/device/devices.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"

#define CPUID_1_ECX_HYPERVISOR (1u << 31)

#define PM1_SCI_EN        (1u << 0) // ACPI 6.5, 4.8.3.2.1
#define PM1_SLP_TYP(type) (((type)&7u) << 10)
#define PM1_SLP_EN        (1u << 13)
#define RESET_SPACE_IO    1 // ACPI address space

#define KBC_DATA        0x60
#define KBC_STATUS      0x64
#define KBC_OUTPUT_FULL (1u << 0)
#define KBC_FROM_MOUSE  (1u << 5)
#define KBC_PULSE_RESET 0xfe
#define KEY_RELEASED    (1u << 7)

static struct acpi_info acpi; // zero: nothing known

void power_init(const struct acpi_info *info) { acpi = *info; }

// Lets the machine go off or restart; a port read takes about a microsecond.
static void wait_ms(unsigned ms) {
    for (unsigned i = 0; i < ms * 1000; i++) inb(KBC_STATUS);
}

static void soft_off(u16 port, u8 type) {
    if (port) outw(port, (u16)((inw(port) & PM1_SCI_EN) | PM1_SLP_TYP(type) | PM1_SLP_EN));
}

// A byte of the keyboard controller, 0 when it has none; it reads ff throughout where there is no controller.
static u8 scan_code(void) {
    u8 status = inb(KBC_STATUS);
    if (status == 0xff || !(status & KBC_OUTPUT_FULL)) return 0;
    u8 code = inb(KBC_DATA);
    return status & KBC_FROM_MOUSE ? 0 : code;
}

// The ways to restart a PC, best first; the last one cannot fail: without an IDT the first exception resets the CPU.
static void __attribute__((noreturn)) restart(void) {
    if (acpi.reset_space == RESET_SPACE_IO) outb((u16)acpi.reset_address, acpi.reset_value);
    wait_ms(100);
    outb(KBC_STATUS, KBC_PULSE_RESET);
    wait_ms(100);
    static const u8 no_idt[10];
    __asm__ volatile("lidt %0\n\tint3" ::"m"(no_idt));
    __builtin_unreachable();
}

void power_end(int status) {
    log("exit %d", status);
    serial_flush();
    logwire_flush();
    emulator_exit();
    bool is_virtual = cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR || emulator_recognise() != EMULATOR_NONE;
    if (is_virtual && acpi.has_s5) {
        soft_off(acpi.pm1a_control, acpi.s5_a);
        soft_off(acpi.pm1b_control, acpi.s5_b);
        wait_ms(1000);
    }
    static const char prompt[] = "Press any key to restart.\n";
    screen_write(prompt, sizeof(prompt) - 1);
    for (int i = 0; i < 64 && scan_code(); i++) {}                           // keys pressed before
    for (u8 code = 0; code == 0 || code & KEY_RELEASED;) code = scan_code(); // this is the end: it may wait for ever
    restart();
}
