// Every vector above the exceptions: who handles it, and how it ends.
#include "kernel/cpu/apic.h"
#include "kernel/cpu/cpus.h"
#include "kernel/kernel.h"

static void (*handlers[LINES])(void);
static void (*let_line)(unsigned line) = pic_let;
static u32 ignored[256];

// For what only wakes.
static void interrupt_nothing(void) {}

void interrupts_route(void (*let)(unsigned line)) { let_line = let; }

// Lets an ISA line, 0-15, interrupt the boot CPU; the handler (NULL: it only wakes) runs with
// interrupts off and acknowledges nothing itself. To be called before the device can raise its
// line: an IO-APIC forgets what comes before.
void interrupt_set(unsigned line, void (*handler)(void)) {
    ASSERT(line < LINES && line != LINE_CASCADE);
    if (!handler) handler = interrupt_nothing;
    __atomic_store_n(&handlers[line], handler, __ATOMIC_RELEASE);
    let_line(line);
}

u32 interrupts_ignored(u8 vector) { return __atomic_load_n(&ignored[vector], __ATOMIC_RELAXED); }

static void interrupt_ignore(u64 vector) {
    u32 before = __atomic_fetch_add(&ignored[vector], 1, __ATOMIC_RELAXED);
    if (before) return;
    if (vector == VECTOR_SPURIOUS)
        log("interrupt without a cause on CPU %u: ignored", this_cpu()->number);
    else
        log("interrupt on vector %#lx, which no device has, on CPU %u: ignored", vector,
            this_cpu()->number);
}

// What an interrupt does. A local APIC holds further interrupts of the same class back until it is
// told that this one ended. It must not be told of a spurious one, which it does not know (SDM 3A
// 11.9). It does not know those that came from the PICs either; but there an end too many does no
// harm, since no other interrupt can be going on.
void interrupt(u64 vector) {
    void (*handler)(void) = NULL;
    if (vector == VECTOR_TIMER)
        handler = interrupt_nothing;
    else if (vector == VECTOR_IPI)
        handler = cpu_serve;
    else if (vector - VECTOR_LINES < LINES)
        handler = __atomic_load_n(&handlers[vector - VECTOR_LINES], __ATOMIC_ACQUIRE);
    if (handler)
        handler();
    else
        interrupt_ignore(vector);
    if (apic_mode() != APIC_NONE && vector != VECTOR_SPURIOUS) apic_end_interrupt();
}
