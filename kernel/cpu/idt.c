// The interrupt descriptor table (Intel SDM 3A 6.14.1): every vector has a stub in traps.asm and an interrupt stack.
#include "kernel/cpu/cpu.h"

#define GATE_INTERRUPT    0x8e // present, DPL 0, 64-bit interrupt gate: IF goes off
#define GATE_DPL3         0x60 // the program may use it by INT n
#define VECTOR_BREAKPOINT 3

struct gate {
    u16 offset0, selector;
    u8 ist, type;
    u16 offset16;
    u32 offset32, zero;
};
_Static_assert(sizeof(struct gate) == 16, "Intel SDM 3A 6.14.1");

static struct gate idt[256];

static enum ist ist_of(unsigned vector)
{
    switch (vector) {
    case 1:
        return IST_DEBUG;
    case 2:
        return IST_NMI;
    case 8:
        return IST_DOUBLE_FAULT;
    case 14:
        return IST_PAGE_FAULT;
    case 18:
        return IST_MACHINE_CHECK;
    default:
        return vector < 32 ? IST_EXCEPTION : IST_INTERRUPT;
    }
}

// INT n of the program gives #GP, as on Linux, but for INT3.
void idt_init(void)
{
    for (unsigned vector = 0; vector < 256; vector++) {
        u64 stub = (u64)trap_stubs + vector * TRAP_STUB_SIZE;
        idt[vector] = (struct gate){.offset0 = (u16)stub,
                                    .selector = KERNEL_CS,
                                    .ist = ist_of(vector),
                                    .type = GATE_INTERRUPT | (vector == VECTOR_BREAKPOINT ? GATE_DPL3 : 0),
                                    .offset16 = (u16)(stub >> 16),
                                    .offset32 = (u32)(stub >> 32)};
    }
}

void idt_load(void)
{
    struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) idtr = {sizeof(idt) - 1, (u64)idt};
    __asm__ volatile("lidt %0" ::"m"(idtr));
}
