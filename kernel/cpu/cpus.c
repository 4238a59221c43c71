// See cpus.h.
#include "kernel/cpu/cpus.h"

unsigned cpus_online(void) { return 1; }

unsigned cpus_expected(void) { return 1; }

void cpus_set_join(void (*run)(void)) { (void)run; }

void ipi_send(unsigned cpu, u8 vector) {
    (void)cpu;
    (void)vector;
}

void ipi_nmi(unsigned cpu) { (void)cpu; }

void cpu_serve(void) {}

u64 cpus_watch(void) { return UINT64_MAX; }
