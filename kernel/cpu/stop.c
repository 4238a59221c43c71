// How CPUs stop for ever. One CPU ends the machine; the others halt with their registers where its
// report can find them. Whoever is told to stop in vain gets an NMI; only a CPU that is in an NMI
// or a machine check already, or whose hardware is stuck, stays away.
#include "kernel/cpu/panic.h"
#include "kernel/cpu/x86.h"

// since the last CPU stopped: a slow host runs a hundred virtual CPUs on few of its own
#define WAIT_TSC 1000000000ull

static unsigned ender; // 1 + number of the CPU that ends the machine

bool cpus_stopping(void) { return __atomic_load_n(&ender, __ATOMIC_RELAXED); }

bool stop_wanted(void) {
    const struct cpu *cpu = cpu_by_stack();
    unsigned by = __atomic_load_n(&ender, __ATOMIC_ACQUIRE);
    return cpu && by && by != cpu->number + 1;
}

void cpu_stop(const struct registers *regs) {
    struct cpu *cpu = cpu_by_stack();
    if (cpu && !cpu->stopped) {
        cpu->stopped_at = *regs;
        __atomic_store_n(&cpu->stopped, true, __ATOMIC_RELEASE);
    }
    for (;;) __asm__ volatile("cli\n\thlt");
}

void stop_serve(void) {
    if (!stop_wanted()) return;
    const u64 *frame = __builtin_frame_address(0);
    cpu_stop(&(struct registers){
        .rip = frame[1], .cs = KERNEL_CS, .rbp = frame[0], .rsp = (u64)(frame + 2)});
}

static bool stop_by(const struct cpu *me, void (*tell)(unsigned cpu)) {
    unsigned before = 0;
    for (u64 since = rdtsc(); rdtsc() - since < WAIT_TSC; tell = NULL) {
        unsigned left = 0;
        for (unsigned n = 0; n < cpus_online(); n++) {
            if (n == me->number || __atomic_load_n(&cpu_number(n)->stopped, __ATOMIC_ACQUIRE))
                continue;
            if (tell) tell(n);
            left++;
        }
        if (!left) return true;
        if (left != before) since = rdtsc();
        before = left;
        __asm__ volatile("pause");
    }
    return false;
}

// Stops all other CPUs and leaves the log to this one, which ends the machine.
//   at_once: by NMI, even when another CPU is already ending the machine.
//   Else they are asked to, and only a CPU that does not come to the next point where it serves
//   others gets an NMI. The CPU that calls this as the second one stops itself.
// The wait has a bound: a CPU that does not stop is left running.
void cpus_stop(bool at_once) {
    const struct cpu *me = cpu_by_stack();
    unsigned mine = 1;
    if (me) mine = me->number + 1;
    if (at_once) {
        __atomic_store_n(&ender, mine, __ATOMIC_SEQ_CST);
    } else {
        unsigned first = 0;
        bool won = __atomic_compare_exchange_n(&ender, &first, mine, false, __ATOMIC_SEQ_CST,
                                               __ATOMIC_SEQ_CST);
        if (!won && first == mine) return;
        if (!won) stop_serve();
    }
    bool all_stopped = !me; // there are no others yet
    if (me && !at_once) all_stopped = stop_by(me, ipi_send);
    if (!all_stopped) (void)stop_by(me, ipi_nmi);
    log_alone();
}
