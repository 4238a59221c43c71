// The shootdown's real code on CPUs of a test. Included once, behind the test's own
//   cpus, me (one of them, with members cpu and root, which is CR3), online, PAGES, step(), and
//   forget_page(address), which is INVLPG, and walk_early(), which walks some table that the CPU
//   was not asked for, as it may from the moment on in which CR3 is written.
#pragma once

static void load_root(u64 root) {
    step();
    me->root = root;
    for (u64 i = 0; i < PAGES; i++) forget_page(i * PAGE_SIZE);
    walk_early();
}

#define STEP()           step()
#define this_cpu()       (&me->cpu)
#define cpu_number(n)    (&cpus[n].cpu)
#define invlpg(address)  forget_page(address)
#define read_cr3()       (me->root)
#define write_cr3(value) load_root(value)
#include "kernel/cpu/tlb.c"

void panic(const char *fmt, ...) {
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}
unsigned cpus_online(void) { return LOAD(&online); }
