// The two 8259A interrupt controllers (Intel 8259A data sheet): moved away from the exceptions, everything masked but
// what somebody handles.
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"

#define PIC1           0x20 // lines 0-7
#define PIC2           0xa0 // lines 8-15, through line 2 of the first
#define PIC_DATA       1    // offset of the data port
#define ICW1_INIT_ICW4 0x11
#define ICW4_8086      0x01
#define OCW2_EOI       0x20
#define OCW3_READ_ISR  0x0b
#define PIC_LINES      16
#define CASCADE        2

static void (*handlers[PIC_LINES])(void);
static u16 masked = 0xffff;

static void write_masks(void) {
    outb(PIC1 + PIC_DATA, (u8)masked);
    outb(PIC2 + PIC_DATA, masked >> 8);
}

// The four initialisation words of both. Slow old controllers want a moment between two writes; port 80h (POST codes)
// takes about a microsecond.
void pic_init(void) {
    static const u8 words[][2] = {{PIC1, ICW1_INIT_ICW4},
                                  {PIC1 + PIC_DATA, PIC_VECTOR},
                                  {PIC1 + PIC_DATA, 1u << CASCADE}, // a second one is on this line
                                  {PIC1 + PIC_DATA, ICW4_8086},
                                  {PIC2, ICW1_INIT_ICW4},
                                  {PIC2 + PIC_DATA, PIC_VECTOR + 8},
                                  {PIC2 + PIC_DATA, CASCADE}, // it is the second, on that line
                                  {PIC2 + PIC_DATA, ICW4_8086}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        outb(words[i][0], words[i][1]);
        outb(0x80, 0);
    }
    write_masks();
}

void interrupt_set(unsigned line, void (*handler)(void)) {
    ASSERT(line < PIC_LINES && line != CASCADE);
    handlers[line] = handler;
    masked &= ~(1u << line);
    if (line >= 8) masked &= ~(1u << CASCADE);
    write_masks();
}

// A line that fell back before the CPU asked gives 7 or 15 without being in service: it must not be acknowledged, but
// the first controller does not know that about the second's.
static bool spurious(unsigned line) {
    u16 port = line < 8 ? PIC1 : PIC2;
    if (line % 8 != 7) return false;
    outb(port, OCW3_READ_ISR);
    if (inb(port) & 1u << 7) return false;
    if (line >= 8) outb(PIC1, OCW2_EOI);
    return true;
}

void pic_interrupt(unsigned line) {
    if (line >= PIC_LINES) panic("interrupt on vector %#x, which no device has", line + PIC_VECTOR);
    if (spurious(line)) return;
    if (line >= 8) outb(PIC2, OCW2_EOI);
    outb(PIC1, OCW2_EOI);
    if (handlers[line]) handlers[line]();
}
