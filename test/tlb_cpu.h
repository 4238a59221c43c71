// The shootdown's real code on CPUs of a test. Included once, behind the test's own
//   cpus, me (one of them, with a member cpu), online, PAGES, step(), and forget_page(address),
//   which is INVLPG.
#pragma once

static void forget_everything(void) {
    for (u64 i = 0; i < PAGES; i++) forget_page(i * PAGE_SIZE);
}

#define STEP()           step()
#define this_cpu()       (&me->cpu)
#define cpu_number(n)    (&cpus[n].cpu)
#define invlpg(address)  forget_page(address)
#define read_cr3()       0
#define write_cr3(value) forget_everything()
#include "kernel/cpu/tlb.c"

void panic(const char *fmt, ...) {
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}
unsigned cpus_online(void) { return LOAD(&online); }
