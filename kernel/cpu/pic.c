// The two 8259A interrupt controllers (Intel 8259A data sheet): moved away from the exceptions,
// everything masked but what somebody handles on a machine without IO-APIC. They end each interrupt
// themselves when the CPU takes it: handlers run with interrupts off, so none can nest, and the
// interrupt 7 or 15 of a line that fell back too soon needs no special treatment.
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/x86.h"

#define PIC1           0x20 // lines 0-7
#define PIC2           0xa0 // lines 8-15, through line 2 of the first
#define PIC_DATA       1    // offset of the data port
#define ICW1_INIT_ICW4 0x11
#define ICW4_8086_AEOI 0x03

static u16 masked = (u16) ~(1u << LINE_CASCADE);

static void pic_write_masks(void) {
    outb(PIC1 + PIC_DATA, (u8)masked);
    outb(PIC2 + PIC_DATA, masked >> 8);
}

// The four initialisation words. Slow old controllers want a moment between two writes; port 80h
// (POST codes) takes about a microsecond.
static void pic_init_one(u16 port, u8 vector, u8 cascade) {
    const u8 words[] = {ICW1_INIT_ICW4, vector, cascade, ICW4_8086_AEOI};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        outb(port, words[i]);
        outb(0x80, 0);
        if (i == 0) port += PIC_DATA; // where the others go
    }
}

void pic_init(void) {
    pic_init_one(PIC1, VECTOR_LINES, 1u << LINE_CASCADE); // a second one is on this line
    pic_init_one(PIC2, VECTOR_LINES + 8, LINE_CASCADE);   // it is the second, on that line
    pic_write_masks();
}

void pic_let(unsigned line) {
    masked &= ~(1u << line);
    pic_write_masks();
}
