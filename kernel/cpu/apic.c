// The local APIC of each CPU: takes interrupts, sends them to other CPUs, and counts. Register
// offsets are those of xAPIC; the MSR of a register is 800h + offset / 16 (SDM 3A 11.12.1.2).
#include "kernel/cpu/apic.h"

#include "kernel/cpu/cpus.h"
#include "kernel/cpu/x86.h"

#define CPUID_1_ECX_X2APIC (1u << 21)
#define MSR_APIC_BASE      0x1b
#define BASE_X2APIC        (1u << 10)
#define BASE_ON            (1u << 11)
#define MSR_X2APIC         0x800

// In xAPIC the upper half of the command, with the destination, is the register behind it.
enum {
    ID = 0x20,
    VERSION = 0x30,
    PRIORITY = 0x80,
    END = 0xb0,
    SPURIOUS = 0xf0,
    ERRORS = 0x280,
    COMMAND = 0x300
};
enum { TIMER_COUNT = 0x380, TIMER_LEFT = 0x390, TIMER_DIVIDER = 0x3e0 };
// The local vector table; an APIC with fewer entries lacks the last ones.
enum {
    TIMER = 0x320,
    LINT0 = 0x350,
    LINT1 = 0x360,
    ERROR = 0x370,
    PERFORMANCE = 0x340,
    HEAT = 0x330,
    CMCI = 0x2f0
};
static const u16 table[] = {TIMER, LINT0, LINT1, ERROR, PERFORMANCE, HEAT, CMCI};

enum {
    MODE_EXTINT = 7 << 8,
    MODE_SMI = 2 << 8,
    MODE_NMI = 4 << 8,
    MODE_INIT = 5 << 8,
    MODE_SIPI = 6 << 8
};
enum { COMMAND_BUSY = 1 << 12, COMMAND_ASSERT = 1 << 14 };
enum { ACTIVE_LOW = 1 << 13, MASKED = 1 << 16, TSC_DEADLINE = 1 << 18 };
#define SPURIOUS_ON  (1u << 8)
#define DIVIDE_BY_16 0x3
// of the command register: ms, where a command takes less than a microsecond
#define BUSY_READS_MAX 100000

static struct apic_setup apic;

// Decides how the registers are reached, on all CPUs; pure. ecx and edx are those of CPUID leaf 1,
// base is IA32_APIC_BASE as the firmware left it. x2APIC that the firmware switched on stays on:
// memory then shows nothing, and where its lock bit is set the way back is a fault. vmos itself
// switches it on only for CPUs that xAPIC cannot name.
enum apic_mode apic_choose(u32 ecx, u32 edx, u64 base, u32 highest_id) {
    bool has_msrs = ecx & CPUID_1_ECX_X2APIC;
    if (!(edx & CPUID_1_EDX_APIC)) return APIC_NONE;
    if (base & BASE_ON && base & BASE_X2APIC) return APIC_MSRS;
    if (has_msrs && highest_id > XAPIC_ID_MAX) return APIC_MSRS;
    return APIC_MEMORY;
}

// IA32_APIC_BASE of a CPU that has a local APIC; others fault.
u64 apic_base(void) { return rdmsr(MSR_APIC_BASE); }

// Keeps the choice that was made, before the first apic_init().
void apic_set_up(const struct apic_setup *setup) { apic = *setup; }

// APIC_NONE before apic_set_up().
enum apic_mode apic_mode(void) { return apic.mode; }

static u32 apic_get(u32 reg) {
    if (apic.mode == APIC_MSRS) return (u32)rdmsr(MSR_X2APIC + reg / 16);
    return *(const volatile u32 *)(apic.registers + reg);
}

static void apic_set(u32 reg, u32 value) {
    if (apic.mode == APIC_MSRS)
        wrmsr(MSR_X2APIC + reg / 16, value);
    else
        *(volatile u32 *)(apic.registers + reg) = value;
}

// This CPU's id. It is another number than CPUID's where firmware changed it.
u32 apic_id(void) {
    u32 id = apic_get(ID);
    if (apic.mode == APIC_MSRS) return id;
    return id >> 24;
}

// Tells the local APIC that the handler of its latest interrupt is done.
void apic_end_interrupt(void) { apic_set(END, 0); }

// Switches this CPU's APIC on, in the mode that was chosen. x2APIC goes off only together with all
// of the APIC, and on in a second step behind it (SDM 3A 11.12.5).
static void apic_switch_on(void) {
    u64 base = rdmsr(MSR_APIC_BASE);
    // Firmware can forget x2APIC on the other CPUs.
    bool is_other_mode = apic.mode == APIC_MEMORY && base & BASE_X2APIC;
    if (is_other_mode) {
        base &= ~(u64)(BASE_ON | BASE_X2APIC);
        wrmsr(MSR_APIC_BASE, base);
    }
    if (!(base & BASE_ON)) {
        base |= BASE_ON;
        wrmsr(MSR_APIC_BASE, base);
    }
    if (apic.mode == APIC_MSRS && !(base & BASE_X2APIC)) wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
}

// Makes this CPU's APIC ready: on, everything masked but the pin for NMIs and, with pics, the one
// for the legacy PICs. A masked entry gets a vector all the same: one below 16 counts as an error
// as soon as it is written (SDM 3A 11.5.3). An SMI is the firmware's, which cools the CPU.
void apic_init(bool pics) {
    apic_switch_on();
    u32 entries = (apic_get(VERSION) >> 16 & 0xff) + 1;
    for (u32 i = 0; i < entries && i < ARRAY_SIZE(table); i++)
        if ((apic_get(table[i]) & MODE_EXTINT) != MODE_SMI)
            apic_set(table[i], MASKED | VECTOR_SPURIOUS);
    apic_set(SPURIOUS, SPURIOUS_ON | VECTOR_SPURIOUS);
    apic_set(PRIORITY, 0);
    if (pics) apic_set(LINT0, MODE_EXTINT);
    u32 nmi = MODE_NMI;
    if (apic.nmi_low) nmi |= ACTIVE_LOW;
    u32 nmi_pin = LINT1;
    if (apic.nmi_lint == 0) nmi_pin = LINT0;
    apic_set(nmi_pin, nmi);
    apic_set(ERRORS, 0); // the first write latches, the second leaves nothing
    apic_set(ERRORS, 0);
}

// x2APIC has no busy bit, and its write waits for no store before it: what the receiver is to read
// must be out.
static void apic_send(u32 id, u32 command) {
    if (apic.mode == APIC_MSRS) {
        __asm__ volatile("mfence\n\tlfence" ::: "memory");
        wrmsr(MSR_X2APIC + COMMAND / 16, (u64)id << 32 | command);
        return;
    }
    for (int i = 0; i < BUSY_READS_MAX && apic_get(COMMAND) & COMMAND_BUSY; i++)
        __asm__ volatile("pause");
    apic_set(COMMAND + 16, id << 24);
    apic_set(COMMAND, command);
}

// Makes the CPU with that APIC id wait for a SIPI (SDM 3A 9.4.4).
void apic_send_init(u32 id) { apic_send(id, MODE_INIT | COMMAND_ASSERT); }

// Lets a CPU that waits for it begin in real mode at page, a physical address below 1 MiB.
void apic_send_sipi(u32 id, paddr page) {
    apic_send(id, MODE_SIPI | COMMAND_ASSERT | (u32)(page.at / PAGE_SIZE));
}

// Wakes CPU number cpu, and makes it serve: see cpu_serve().
void ipi_send(unsigned cpu) { apic_send(cpu_number(cpu)->apic_id, COMMAND_ASSERT | VECTOR_IPI); }

// Sends CPU number cpu an NMI, which it takes also with interrupts off.
void ipi_nmi(unsigned cpu) { apic_send(cpu_number(cpu)->apic_id, MODE_NMI | COMMAND_ASSERT); }

// Makes this CPU's timer interrupt on VECTOR_TIMER: when a count comes to 0, counted at a 16th of
// the bus or crystal clock, or with tsc_deadline (CPUID.1:ECX bit 24) when the TSC reaches
// IA32_TSC_DEADLINE. Writes to that MSR take effect from here on: without the fence one could
// overtake the write of the entry in memory (SDM 3A 11.5.4.1).
void apic_timer_init(bool tsc_deadline) {
    u32 entry = VECTOR_TIMER;
    if (tsc_deadline) entry |= TSC_DEADLINE;
    apic_set(TIMER_DIVIDER, DIVIDE_BY_16);
    apic_set(TIMER, entry);
    __asm__ volatile("mfence" ::: "memory");
}

// One interrupt when the count has come to 0; a count of 0 stops the timer.
void apic_timer_start(u32 count) { apic_set(TIMER_COUNT, count); }

// What is left of the count.
u32 apic_timer_left(void) { return apic_get(TIMER_LEFT); }
