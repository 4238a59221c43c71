// flags: -O1 -fsanitize=thread -pthread
// Time read by threads that are CPUs, under ThreadSanitizer, from before its rate is known until it
// is for good: none sees an earlier time than another one has seen before, whether the TSCs agree
// or not.
#include <pthread.h>

#include "test/time_machine.h"

#define READS 8000

static u64 seen;
static int backwards;

static void *work(void *cpu) {
    here = cpu;
    seed = here->cpu.number;
    if (here != cpus) time_cpu_joined();
    for (int i = 0; i < READS; i++) {
        u64 before = __atomic_load_n(&seen, __ATOMIC_SEQ_CST), now = time_now_ns();
        if (now < before) __atomic_fetch_add(&backwards, 1, __ATOMIC_RELAXED);
        while (now > before && !__atomic_compare_exchange_n(&seen, &before, now, true,
                                                            __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {}
        if (i % 16 == 0) advance(PS / 500); // 1 s in all from each
    }
    return NULL;
}

static void run(bool equal, u64 stated) {
    pthread_t threads[CPUS];
    switch_on(2000000000, 5);
    set_leaf(0, 7, 0, 0, 0);
    set_leaf(7, 0, equal ? 1 << 1 : 0, 0, 0);
    set_leaf(0x80000000, 0x80000008, 0, 0, 0);
    set_leaf(0x80000007, 0, 0, 0, 1 << 8);
    if (stated) {
        set_leaf(1, 0, 0, CPUID_1_ECX_HYPERVISOR, 0);
        set_leaf(0x40000000, 0x40000010, HYPERVISOR_KVM, 0, 0);
        set_leaf(0x40000010, (u32)(stated / 1000), 0, 0, 0);
    }
    for (int i = 1; i < CPUS; i++) *(equal ? &cpus[i].adjust : &cpus[i].tsc) += (u64)i * 3000000;
    seen = backwards = 0;
    begin_time(REFERENCE_PM_TIMER);
    for (int i = 0; i < CPUS; i++) pthread_create(&threads[i], NULL, work, &cpus[i]);
    for (int i = 0; i < CPUS; i++) pthread_join(threads[i], NULL);
    CHECK(backwards == 0);
    for (int i = 0; i < 8; i++) { // what the others disturbed is measured again
        advance(PS / 8);
        time_now_ns();
    }
    CHECK(time_page.clock.refine_at == UINT64_MAX && error_of(hz) < 20e-6);
    CHECK(!latest == equal);
}

int main(void) {
    slowest_read = 2000000;
    yields = 7;
    for (int i = 0; i < 2; i++) {
        run(i, 0);
        run(i, 2000000000);
        run(i, 2050000000);
    }
    for (int i = 0; i < 12; i++) run(i > 1, 1950000000);
    return check_done("time_threads");
}
