// See apic.h. Register offsets are those of xAPIC; the MSR of a register is 800h + offset / 16 (SDM 3A 11.12.1.2).
#include "kernel/cpu/apic.h"

#include "kernel/cpu/cpus.h"
#include "kernel/cpu/x86.h"

#define CPUID_1_EDX_APIC   (1u << 9)
#define CPUID_1_ECX_X2APIC (1u << 21)
#define MSR_APIC_BASE      0x1b
#define BASE_X2APIC        (1u << 10)
#define BASE_ON            (1u << 11)
#define MSR_X2APIC         0x800

#define REG_ID         0x20
#define REG_VERSION    0x30
#define REG_PRIORITY   0x80
#define REG_EOI        0xb0
#define REG_SPURIOUS   0xf0
#define REG_ERRORS     0x280
#define REG_LVT_CMCI   0x2f0
#define REG_COMMAND    0x300 // in xAPIC the upper half, with the destination, is the register behind it
#define REG_LVT_TIMER  0x320
#define REG_LVT_HEAT   0x330
#define REG_LVT_PERF   0x340
#define REG_LVT_LINT0  0x350
#define REG_LVT_LINT1  0x360
#define REG_LVT_ERROR  0x370
#define REG_COUNT      0x380
#define REG_COUNT_LEFT 0x390
#define REG_DIVIDER    0x3e0

#define SPURIOUS_ON      (1u << 8)
#define MODE_NMI         (4u << 8)
#define MODE_INIT        (5u << 8)
#define MODE_SIPI        (6u << 8)
#define MODE_EXTINT      (7u << 8)
#define COMMAND_BUSY     (1u << 12)
#define COMMAND_ASSERT   (1u << 14)
#define LVT_ACTIVE_LOW   (1u << 13)
#define LVT_MASKED       (1u << 16)
#define LVT_TSC_DEADLINE (1u << 18)
#define DIVIDE_BY_16     0x3
#define BUSY_READS_MAX   100000 // of the command register: ms, where a command takes less than a microsecond

static struct apic_setup apic;

enum apic_mode apic_choose(u32 ecx, u32 edx, u64 base, u32 highest_id) {
    if (!(edx & CPUID_1_EDX_APIC)) return APIC_NONE;
    if (base & BASE_ON && base & BASE_X2APIC) return APIC_MSRS;
    return highest_id > XAPIC_ID_MAX && ecx & CPUID_1_ECX_X2APIC ? APIC_MSRS : APIC_MEMORY;
}

u64 apic_base(void) { return cpuid(1, 0).edx & CPUID_1_EDX_APIC ? rdmsr(MSR_APIC_BASE) : 0; }
void apic_set_up(const struct apic_setup *setup) { apic = *setup; }
enum apic_mode apic_mode(void) { return apic.mode; }

static u32 get(u32 reg) {
    if (apic.mode == APIC_MSRS) return (u32)rdmsr(MSR_X2APIC + reg / 16);
    return *(const volatile u32 *)(apic.registers + reg);
}

static void set(u32 reg, u32 value) {
    if (apic.mode == APIC_MSRS) wrmsr(MSR_X2APIC + reg / 16, value);
    else *(volatile u32 *)(apic.registers + reg) = value;
}

u32 apic_id(void) { return apic.mode == APIC_MSRS ? get(REG_ID) : get(REG_ID) >> 24; }
void apic_end_interrupt(void) { set(REG_EOI, 0); }

// A masked entry gets a vector all the same: one below 16 counts as an error as soon as it is written (SDM 3A 11.5.3).
void apic_init(bool pics) {
    static const u16 local[] = {REG_LVT_TIMER, REG_LVT_LINT0, REG_LVT_LINT1, REG_LVT_ERROR,
                                REG_LVT_PERF,  REG_LVT_HEAT,  REG_LVT_CMCI};
    u64 base = rdmsr(MSR_APIC_BASE);
    if (!(base & BASE_ON)) wrmsr(MSR_APIC_BASE, base |= BASE_ON);
    if (apic.mode == APIC_MSRS && !(base & BASE_X2APIC)) wrmsr(MSR_APIC_BASE, base | BASE_X2APIC); // in a second step
    u32 entries = (get(REG_VERSION) >> 16 & 0xff) + 1;
    for (u32 i = 0; i < entries && i < ARRAY_SIZE(local); i++) set(local[i], LVT_MASKED | VECTOR_SPURIOUS);
    set(REG_SPURIOUS, SPURIOUS_ON | VECTOR_SPURIOUS);
    set(REG_PRIORITY, 0);
    if (pics) set(REG_LVT_LINT0, MODE_EXTINT);
    set(apic.nmi_lint == 0 ? REG_LVT_LINT0 : REG_LVT_LINT1, MODE_NMI | (apic.nmi_low ? LVT_ACTIVE_LOW : 0));
    set(REG_ERRORS, 0); // the first write latches, the second leaves nothing
    set(REG_ERRORS, 0);
}

// x2APIC has no busy bit, and its write waits for no store before it: what the receiver is to read must be out.
static void send(u32 id, u32 command) {
    if (apic.mode == APIC_MSRS) {
        __asm__ volatile("mfence\n\tlfence" ::: "memory");
        wrmsr(MSR_X2APIC + REG_COMMAND / 16, (u64)id << 32 | command);
        return;
    }
    for (int i = 0; i < BUSY_READS_MAX && get(REG_COMMAND) & COMMAND_BUSY; i++) __asm__ volatile("pause");
    set(REG_COMMAND + 16, id << 24);
    set(REG_COMMAND, command);
}

void apic_send_init(u32 id) { send(id, MODE_INIT | COMMAND_ASSERT); }
void apic_send_sipi(u32 id, u64 page) { send(id, MODE_SIPI | COMMAND_ASSERT | (u32)(page / PAGE_SIZE)); }
void ipi_send(unsigned cpu, u8 vector) { send(cpu_number(cpu)->apic_id, COMMAND_ASSERT | vector); }
void ipi_nmi(unsigned cpu) { send(cpu_number(cpu)->apic_id, MODE_NMI | COMMAND_ASSERT); }

// The fence: a write to IA32_TSC_DEADLINE could overtake that of the entry in memory (SDM 3A 11.5.4.1).
void apic_timer_init(bool tsc_deadline) {
    set(REG_DIVIDER, DIVIDE_BY_16);
    set(REG_LVT_TIMER, (tsc_deadline ? LVT_TSC_DEADLINE : 0) | VECTOR_TIMER);
    __asm__ volatile("mfence" ::: "memory");
}

void apic_timer_start(u32 count) { set(REG_COUNT, count); }
u32 apic_timer_left(void) { return get(REG_COUNT_LEFT); }
