// kernel/cpu/apic.c and the decisions of kernel/device/ioapic.c: what is chosen, and what reaches
// the registers, with registers that are memory and with registers that are MSRs.
#include <string.h>

#include "test/check.h"
#include "kernel/cpu/x86.h"

#define BASE 0xfee00000u

// One local APIC, seen either way; a register is a quadword here.
static u64 registers[0x40], command_log[8], base_msr, base_log[4];
static unsigned commands, base_writes;
static u64 fake_rdmsr(u32 msr) { return msr == 0x1b ? base_msr : registers[msr - 0x800]; }
static void fake_wrmsr(u32 msr, u64 value) {
    if (msr == 0x1b)
        base_log[base_writes++] = base_msr = value;
    else
        registers[msr - 0x800] = value;
    if (msr == 0x830) command_log[commands++] = value;
}
static struct cpuid fake_cpuid(u32 leaf, u32 subleaf) {
    (void)leaf, (void)subleaf;
    return (struct cpuid){0, 0, 0, 1u << 9};
}
#define rdmsr                fake_rdmsr
#define wrmsr                fake_wrmsr
#define cpuid(leaf, subleaf) fake_cpuid(leaf, subleaf)
#define log                  vmos_log // the C library has another
#include "kernel/cpu/cpus.h"
static struct cpu cpus[2] = {[1].apic_id = 0x1234}; // instead of slots
#define cpu_number(number) (&cpus[number])
#define this_cpu()         (&cpus[0])
#include "kernel/cpu/apic.c"
#define get        io_get
#define set        io_set
#define VERSION    IO_VERSION
#define ACTIVE_LOW IO_ACTIVE_LOW
#define MASKED     IO_MASKED
#include "kernel/device/ioapic.c"

void log(const char *fmt, ...) { (void)fmt; }
static unsigned errors;
void log_error(const char *fmt, ...) { (void)fmt, errors++; }
void lock_take(struct lock *taken) { (void)taken; }
void *window_map(paddr physical, u64 bytes, enum window_kind kind) {
    return (void)bytes, (void)kind, (void *)physical.at;
}
void interrupts_route(void (*given)(unsigned line)) { (void)given; }

enum { APIC = 1u << 9, X2APIC = 1u << 21, ON = 1u << 11, X2_ON = 1u << 10 };

static void choice(void) {
    CHECK(apic_choose(0, 0, 0, 0) == APIC_NONE &&
          apic_choose(X2APIC, 0, BASE | ON | X2_ON, 9) == APIC_NONE);
    CHECK(apic_choose(0, APIC, BASE | ON, 3) == APIC_MEMORY &&
          apic_choose(X2APIC, APIC, BASE | ON, 254) == APIC_MEMORY);
    CHECK(apic_choose(X2APIC, APIC, BASE | ON, 255) == APIC_MSRS &&
          apic_choose(0, APIC, BASE | ON, 300) == APIC_MEMORY);
    CHECK(apic_choose(X2APIC, APIC, BASE | ON | X2_ON, 0) == APIC_MSRS);
    CHECK(apic_choose(0, APIC, BASE | ON | X2_ON, 0) ==
          APIC_MSRS); // a hypervisor may hide the bit, not the fact
    CHECK(apic_choose(X2APIC, APIC, BASE, 3) == APIC_MEMORY);
}

// x2APIC is switched on in two steps, left on when it is, and nobody ever switches it off.
static void by_msrs(void) {
    static const u64 before[] = {BASE, BASE | ON, BASE | ON | X2_ON};
    for (unsigned i = 0; i < 3; i++) {
        memset(registers, 0, sizeof registers);
        registers[2] = 0x12345, registers[3] = 0x60015;
        base_msr = before[i], base_writes = commands = 0;
        apic_set_up(&(struct apic_setup){APIC_MSRS, .nmi_lint = 0xff});
        apic_init(false);
        CHECK(base_msr == (BASE | ON | X2_ON) && base_writes == 2 - i &&
              (base_writes < 2 || base_log[0] == (BASE | ON)));
        CHECK(apic_id() == 0x12345 && registers[0xf] == 0x1ff && registers[8] == 0);
        for (unsigned entry = 0x32; entry <= 0x37;
             entry++) // all masked, with vectors that are no error, but for LINT1
            CHECK(entry == 0x36 ? registers[entry] == 0x400 : registers[entry] == 0x100ff);
        CHECK(registers[0x2f] == 0x100ff);
        apic_send_init(0x1234);
        apic_send_sipi(0x1234, (paddr){0x9f000});
        ipi_send(1);
        ipi_nmi(1);
        CHECK(commands == 4 && command_log[0] == 0x123400004500 &&
              command_log[1] == 0x12340000469f);
        CHECK(command_log[2] == 0x1234000040f1 && command_log[3] == 0x123400004400);
    }
}

static volatile u32 page[1024];

static void by_memory(void) {
    memset((void *)page, 0, sizeof page);
    page[0x20 / 4] = 0x7f000000, page[0x30 / 4] = 0x50014, page[0x2f0 / 4] = 7;
    page[0x330 / 4] = 0x200, page[0x340 / 4] = 0x400; // the firmware's SMI
    base_msr = BASE | ON, base_writes = 0;
    apic_set_up(
        &(struct apic_setup){APIC_MEMORY, (volatile u8 *)page, .nmi_lint = 0, .nmi_low = true});
    apic_init(true);
    CHECK(base_writes == 0 && apic_id() == 0x7f && page[0xf0 / 4] == 0x1ff);
    CHECK(page[0x350 / 4] == 0x2400 && page[0x360 / 4] == 0x100ff &&
          page[0x2f0 / 4] == 7); // it has no CMCI
    CHECK(page[0x330 / 4] == 0x200 && page[0x340 / 4] == 0x100ff);
    apic_set_up(&(struct apic_setup){APIC_MEMORY, (volatile u8 *)page, .nmi_lint = 1});
    apic_init(true);
    CHECK(page[0x350 / 4] == 0x700 && page[0x360 / 4] == 0x400);
    apic_send_sipi(0xfe, (paddr){0x1000});
    CHECK(page[0x310 / 4] == 0xfe000000 && page[0x300 / 4] == 0x4601);
    base_msr = BASE | ON | X2_ON; // another CPU's, which firmware left there
    apic_init(false);
    CHECK(base_writes == 2 && base_log[0] == BASE && base_msr == (BASE | ON));
    page[0x300 / 4] = 0x1000; // busy for ever: sent all the same
    apic_send_init(3);
    CHECK(page[0x310 / 4] == 0x03000000 && page[0x300 / 4] == 0x4500);
}

static void lines(void) {
    struct acpi_info acpi = {0};
    for (unsigned i = 0; i < 16; i++) acpi.isa[i].gsi = i;
    CHECK(ioapic_entry(&acpi, 4, 0) == 0x24 && ioapic_entry(&acpi, 15, 0xfe) == 0xfe0000000000002f);
    acpi.isa[9].level = acpi.isa[9].low = true, acpi.isa[10].low = true, acpi.isa[11].level = true;
    CHECK(ioapic_entry(&acpi, 9, 1) == 0x010000000000a029);
    CHECK(ioapic_entry(&acpi, 10, 0) == 0x202a && ioapic_entry(&acpi, 11, 0) == 0x802b);
}

// Two IO-APICs; whichever CPU asks, the boot CPU gets the interrupt.
static void routing(void) {
    static volatile u32 first[8], second[8];
    struct acpi_info acpi = {
        .isa[4].gsi = 4, .isa[10] = {.gsi = 30, .low = true, .level = true}, .isa[11].gsi = 24};
    cpus[0].apic_id = 0x11, tables = &acpi;
    io_apics[0] = (struct io_apic){(volatile u8 *)first, 0, 24};
    io_apics[1] = (struct io_apic){(volatile u8 *)second, 25, 16};
    ioapic_let(4);
    CHECK(first[0] == 0x10 + 2 * 4 && first[4] == 0x24 &&
          second[0] == 0); // of both halves the lower one is the last
    ioapic_let(10);
    CHECK(second[0] == 0x10 + 2 * 5 && second[4] == 0xa02a && errors == 0);
    ioapic_let(11); // in the gap between them
    CHECK(errors == 1);
}

int main(void) {
    routing();
    choice();
    by_msrs();
    by_memory();
    lines();
    return check_done("apic");
}
