// Interrupts of devices, all to the boot CPU: by its local APIC and the IO-APICs (Intel 82093AA),
// else the legacy PICs.
#include "kernel/cpu/apic.h"
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/lock.h"
#include "kernel/cpu/x86.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"

// Two registers are memory. The number of another register goes to SELECT, and then that one is at
// DATA. An entry of the redirection table is two such registers, the lower half first.
enum { SELECT = 0, DATA = 0x10, VERSION = 1, ENTRIES = 0x10 };
enum {
    MODE = 7 << 8,
    SMI = 2 << 8,
    ACTIVE_LOW = 1 << 13,
    LEVEL = 1 << 15,
    MASKED = 1 << 16,
    DESTINATION_AT = 56
};

static struct io_apic {
    volatile u8 *registers;
    u32 first, count; // lines
} io_apics[ACPI_IO_APICS];
static const struct acpi_info *tables;
static struct lock lock = {.rank = LOCK_IOAPIC}; // SELECT and DATA belong together

static u32 ioapic_get(const struct io_apic *io, u32 reg) {
    *(volatile u32 *)(io->registers + SELECT) = reg;
    return *(const volatile u32 *)(io->registers + DATA);
}

static void ioapic_set(const struct io_apic *io, u32 reg, u32 value) {
    *(volatile u32 *)(io->registers + SELECT) = reg;
    *(volatile u32 *)(io->registers + DATA) = value;
}

static u64 ioapic_entry(const struct acpi_info *acpi, unsigned line, u32 destination) {
    u64 entry = (u64)destination << DESTINATION_AT | (VECTOR_LINES + line);
    if (acpi->isa[line].level) entry |= LEVEL;
    if (acpi->isa[line].low) entry |= ACTIVE_LOW;
    return entry;
}

static void ioapic_let(unsigned line) {
    u64 entry = ioapic_entry(tables, line, cpu_number(0)->apic_id);
    for (size_t i = 0; i < ARRAY_SIZE(io_apics); i++) {
        u32 pin = tables->isa[line].gsi - io_apics[i].first;
        if (pin >= io_apics[i].count) continue;
        // The lower half, which lets the line interrupt, comes last.
        lock_take(&lock);
        ioapic_set(&io_apics[i], ENTRIES + 2 * pin + 1, (u32)(entry >> 32));
        ioapic_set(&io_apics[i], ENTRIES + 2 * pin, (u32)entry);
        lock_give(&lock);
        return;
    }
    log_error("interrupts: ISA line %u goes to line %u, which no IO-APIC has: ignored", line,
              tables->isa[line].gsi);
}

// Masks all lines but those by which the firmware gets its SMIs. False when there is no IO-APIC.
static bool ioapic_find_all(void) {
    bool any = false;
    for (u32 i = 0; i < tables->io_apic_count; i++) {
        paddr physical = {tables->io_apics[i].address};
        struct io_apic io = {window_map(physical, DATA + 4, WINDOW_DEVICE), tables->io_apics[i].gsi,
                             0};
        if (!io.registers) continue;
        u32 version = ioapic_get(&io, VERSION);
        if (version == UINT32_MAX || version == 0) { // what an address reads as where nothing is
            log("interrupts: no IO-APIC answers at %#lx: ignored", physical.at);
            continue;
        }
        io.count = (version >> 16 & 0xff) + 1;
        for (u32 pin = 0; pin < io.count; pin++)
            if ((ioapic_get(&io, ENTRIES + 2 * pin) & MODE) != SMI)
                ioapic_set(&io, ENTRIES + 2 * pin, MASKED);
        io_apics[i] = io;
        any = true;
    }
    return any;
}

void interrupts_init(const struct acpi_info *acpi) {
    struct cpuid features = cpuid(1, 0);
    // One of several CPUs has a local APIC, also where CPUID denies it, and interrupts of the PICs
    // go through that.
    if (acpi->cpu_count > 1) features.edx |= CPUID_1_EDX_APIC;
    u64 base = 0;
    if (features.edx & CPUID_1_EDX_APIC) base = apic_base();
    u32 highest = 0;
    for (u32 i = 0; i < acpi->cpu_count; i++) highest = MAX(highest, acpi->cpus[i]);
    struct apic_setup setup = {apic_choose(features.ecx, features.edx, base, highest), NULL,
                               acpi->nmi_lint, acpi->nmi_low};
    if (setup.mode == APIC_MEMORY) {
        setup.registers = window_map(pte_target(base), PAGE_SIZE, WINDOW_DEVICE);
        if (!setup.registers) setup.mode = APIC_NONE;
    }
    apic_set_up(&setup);
    tables = acpi;
    const char *why = NULL;
    if (setup.mode == APIC_NONE)
        why = "the CPU has no local APIC";
    else if (!ioapic_find_all())
        why = "there is no IO-APIC";
    else if (apic_id() > XAPIC_ID_MAX)
        why = "the boot CPU's APIC id is above 254, where an IO-APIC does not reach";
    if (setup.mode != APIC_NONE) {
        apic_init(why);
        this_cpu()->apic_id = apic_id();
    }
    if (why)
        log("interrupts: by the legacy PICs, since %s", why);
    else
        interrupts_route(ioapic_let);
}
