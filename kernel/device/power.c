// The end of the machine. An emulator or a virtual machine ends with the program; on a PC the report stays on the
// screen until somebody has read it.
#include "kernel/device/devices.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"

#define CPUID_1_ECX_HYPERVISOR (1u << 31)

#define PM1_SLP_TYP(type) ((type) << 10) // ACPI 6.5, 4.8.3.2.1
#define PM1_SLP_EN        (1u << 13)
#define PM1_KEPT          0x0001u // SCI_EN
#define S5_WAIT_READS     1000000 // about a second of port reads

#define KBC_DATA        0x60
#define KBC_STATUS      0x64
#define KBC_OUTPUT_FULL (1u << 0)
#define KBC_INPUT_FULL  (1u << 1)
#define KBC_FROM_MOUSE  (1u << 5)
#define KBC_PULSE_RESET 0xfe
#define KBC_WAIT_READS  100000
#define KEY_RELEASED    (1u << 7)
#define RESET_SPACE_IO  1 // ACPI address space

static struct acpi_info acpi; // zero: nothing known

void power_init(const struct acpi_info *info) { acpi = *info; }

static void sleep_write(u16 port, u8 type)
{
    if (port) outw(port, (u16)((inw(port) & PM1_KEPT) | PM1_SLP_TYP(type & 7u) | PM1_SLP_EN));
}

static void soft_off(void)
{
    if (!acpi.has_s5 || !acpi.pm1a_control) return;
    sleep_write(acpi.pm1a_control, acpi.s5_a);
    sleep_write(acpi.pm1b_control, acpi.s5_b);
    for (int i = 0; i < S5_WAIT_READS; i++) inb(KBC_STATUS); // the machine goes off meanwhile
}

static bool is_virtual(void)
{
    return cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR || emulator_recognise() != EMULATOR_NONE;
}

// Waits for a key to be pressed; for ever, this is the end. Ports that read ff throughout have no controller, and
// then it is up to the power switch.
static void wait_for_key(void)
{
    for (;;) {
        u8 status = inb(KBC_STATUS);
        if (status == 0xff || !(status & KBC_OUTPUT_FULL)) {
            __builtin_ia32_pause();
            continue;
        }
        u8 code = inb(KBC_DATA);
        if (!(status & KBC_FROM_MOUSE) && !(code & KEY_RELEASED)) return;
    }
}

// The ways to reset a PC, best first; the last one cannot fail: without an IDT the first exception resets the CPU.
static void restart(void) __attribute__((noreturn));
static void restart(void)
{
    if (acpi.reset_space == RESET_SPACE_IO) outb((u16)acpi.reset_address, acpi.reset_value);
    for (int i = 0; i < KBC_WAIT_READS && inb(KBC_STATUS) & KBC_INPUT_FULL; i++) {
    }
    outb(KBC_STATUS, KBC_PULSE_RESET);
    for (int i = 0; i < KBC_WAIT_READS; i++) inb(KBC_STATUS); // the pulse takes its time
    struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) none = {0, 0};
    __asm__ volatile("lidt %0\n\tint3" ::"m"(none));
    __builtin_unreachable();
}

void power_end(int status)
{
    static const char prompt[] = "Press any key to restart.\n";
    log("exit %d", status);
    serial_flush();
    logwire_flush();
    emulator_exit();
    if (is_virtual()) soft_off();
    screen_write(prompt, sizeof(prompt) - 1);
    for (int i = 0; i < KBC_WAIT_READS && inb(KBC_STATUS) & KBC_OUTPUT_FULL; i++) inb(KBC_DATA); // keys pressed before
    wait_for_key();
    restart();
}
