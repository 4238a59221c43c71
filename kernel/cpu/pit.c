// The 8254 (Intel 8254 data sheet). Channel 0 is used as a one-shot of at most 54.9 ms, armed again until its deadline
// is reached; whatever the BIOS left it doing is masked at the interrupt controller.
#include "kernel/cpu/pit.h"
#include "kernel/cpu/time.h"
#include "kernel/cpu/trap.h"
#include "kernel/cpu/x86.h"

#define PIT_CHANNEL0   0x40
#define PIT_CHANNEL2   0x42
#define PIT_COMMAND    0x43
#define PIT_ONE_SHOT0  0x30 // channel 0, both bytes, mode 0: the line rises when the count is done
#define PIT_ROUND2     0xb4 // channel 2, both bytes, mode 2: counts down, again and again
#define PIT_LATCH2     0x80
#define PIT_LINE       0
#define PIT_LONGEST_NS 54900000

#define PORT_B         0x61
#define PORT_B_GATE2   (1u << 0)
#define PORT_B_SPEAKER (1u << 1)

static u64 deadline;

void pit_counter_start(void) {
    outb(PORT_B, (inb(PORT_B) & 0x0f & ~PORT_B_SPEAKER) | PORT_B_GATE2); // the upper half cannot be written
    outb(PIT_COMMAND, PIT_ROUND2);
    outb(PIT_CHANNEL2, 0); // 65536
    outb(PIT_CHANNEL2, 0);
}

u16 pit_counter_read(void) {
    outb(PIT_COMMAND, PIT_LATCH2);
    u16 low = inb(PIT_CHANNEL2);
    return (u16)(inb(PIT_CHANNEL2) << 8 | low);
}

static void arm(u64 now) {
    u64 ns = deadline > now ? deadline - now : 0;
    u64 count = ns < PIT_LONGEST_NS ? ns * PIT_HZ / 1000000000 + 2 : 0xffff; // never early; 0 would be 65536
    outb(PIT_COMMAND, PIT_ONE_SHOT0);
    outb(PIT_CHANNEL0, (u8)count);
    outb(PIT_CHANNEL0, (u8)(count >> 8));
}

static void expired(void) {
    u64 now = time_now_ns();
    if (now < deadline) arm(now);
}

void timer_set(u64 deadline_ns) {
    static bool connected;
    deadline = deadline_ns;
    arm(time_now_ns());
    if (!connected) interrupt_set(PIT_LINE, expired);
    connected = true;
}
