// See cpus.h.
#include "kernel/cpu/cpus.h"

#include "kernel/cpu/tlb.h"

unsigned cpus_online(void) { return 1; }

void ipi_send(unsigned cpu, u8 vector) {
    (void)cpu;
    (void)vector;
}

void ipi_nmi(unsigned cpu) { (void)cpu; }

void cpu_serve(void) { tlb_serve(); }

u64 cpus_watch(void) { return UINT64_MAX; }
