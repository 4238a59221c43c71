// kernel/cpu/cpus.c: CPUs that arrive in any order and all at once, as many as there are slots, and
// how the boot CPU looks after those that come late, or never.
#include <pthread.h>
#include <stdlib.h>

#include "test/check.h"
#define log vmos_log // the C library has another
#include "kernel/cpu/x86.h"
#define rdmsr(msr) (EFER_LME | EFER_NXE | 1)
#include "kernel/cpu/cpus.c"

// As ap_start.asm has them: 64 bytes of code, then the values.
__asm__(".section .rodata\n"
        ".globl ap_start, ap_values\n"
        "ap_start: .fill 64, 1, 0x90\n"
        "ap_values: .quad 0\n .long 0, 0, 0x30\n .word 8, 15\n .long 0x38\n .previous");
static u8 wakes[CPUS_MAX];
static unsigned sipis, lines;
static u64 sipi_page;

void ap_enter(void) {}
void cpu_init(unsigned number) { (void)number; }
void cpu_idle(void) {}
void apic_init(bool pics) { (void)pics; }
u32 apic_id(void) { return 0; }
enum apic_mode apic_mode(void) { return APIC_MEMORY; }
void apic_send_sipi(u32 id, paddr page) { (void)id, sipis++, sipi_page = page.at; }
void mtrrs_keep(void) {}
bool mtrrs_adopt(void) { return false; }
void tlb_serve(void) {}
void stop_serve(void) {}
void time_cpu_joined(void) {}
u64 time_now_ns(void) { return 20000000; }
u64 time_tsc_to_ns(u64 ticks) { return ticks; }
void log(const char *fmt, ...) { (void)fmt; }
void log_error(const char *fmt, ...) { (void)fmt, lines++; }
void ipi_send(unsigned cpu) { __atomic_fetch_add(&wakes[cpu], 1, __ATOMIC_RELAXED); }

// ---- check-in ----

static pthread_barrier_t barrier;

static void *arrive_one(void *number) {
    pthread_barrier_wait(&barrier);
    cpus_check_in((unsigned)(size_t)number);
    return NULL;
}

// Numbers first to last - 1 arrive at once, in threads.
static void arrive(unsigned first, unsigned last) {
    static pthread_t threads[CPUS_MAX];
    pthread_barrier_init(&barrier, NULL, last - first);
    for (unsigned i = first; i < last; i++)
        CHECK(!pthread_create(&threads[i], NULL, arrive_one, (void *)(size_t)i));
    for (unsigned i = first; i < last; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
}

static void forget(void) {
    online = 1;
    for (unsigned i = 0; i < CPUS_MAX; i++) arrived[i] = false, wakes[i] = 0;
}

static void in_any_order(void) {
    for (unsigned n = CPUS_MAX - 1; n >= 1; n--) {
        CHECK(cpus_online() == 1);
        cpus_check_in(n);
    }
    CHECK(cpus_online() == CPUS_MAX &&
          wakes[1] == 0); // whoever closes the gap wakes all behind, once
    for (unsigned i = 2; i < CPUS_MAX; i++) CHECK(wakes[i] == 1);
    for (unsigned round = 0; round < 40; round++) {
        forget();
        unsigned last = round ? 2 + (unsigned)rand() % 62 : CPUS_MAX,
                 gap = 1 + (unsigned)rand() % (last - 1);
        arrive(gap + 1, gap + 1 < last ? last : gap + 2);
        CHECK(cpus_online() == 1 || gap == 0);
        arrive(1, gap + 1);
        CHECK(cpus_online() == (gap + 1 < last ? last : gap + 2 < CPUS_MAX ? gap + 2 : CPUS_MAX));
    }
}

// ---- the watch ----

#define MS 1000000ull

// Lets CPUs come at the given ms after the first SIPI (0: never) and calls when asked to, or up to
// delay ms later.
static void watch_over(const unsigned *at_ms, unsigned count, unsigned delay) {
    const u64 first = 5 * MS;
    struct watch w = {.next = first + SECOND_SIPI_NS};
    u64 now = first, next = 0, last_seen = now, again_at = 0;
    unsigned calls = 0, here = 0, seen = 0;
    do {
        now = (next > now ? next : now) + (delay ? (unsigned)rand() % delay * MS : 0);
        here = 0;
        for (unsigned i = 0; i < count; i++) here += at_ms[i] && first + at_ms[i] * MS <= now;
        if (here != seen) last_seen = now;
        seen = here;
        bool send = watch_step(&w, count, here, now);
        next = w.next;
        if (send) {
            CHECK(!again_at && here < count && now - first >= 10 * MS && !w.over);
            again_at = now;
        }
        CHECK(w.over || (next > now && next <= now + 1000 * MS));
    } while (!w.over && ++calls < 4 * count + 10);
    CHECK(w.over);
    CHECK(here == count ||
          (again_at && now - again_at >= 1000 * MS && now - last_seen >= 1000 * MS));
}

static void late_and_never(void) {
    watch_over((unsigned[]){1, 2, 3}, 3, 0);
    watch_over((unsigned[]){1, 500, 1400}, 3, 0); // each within a second of the one before
    watch_over((unsigned[]){0}, 1, 0);
    watch_over((unsigned[]){0, 3, 0}, 3,
               2500); // first looked at seconds later: second SIPIs and a second to come
    for (int round = 0; round < 20000; round++) {
        unsigned at[16], count = 1 + (unsigned)rand() % 16;
        for (unsigned i = 0; i < count; i++)
            at[i] = rand() % 4 ? 1 + (unsigned)rand() % 20 : (unsigned)rand() % 3000;
        watch_over(at, count, (unsigned)rand() % 2 * 300);
    }
}

// Neighbours in one line; second SIPIs only to those who are missing.
static void names(void) {
    static const u32 ids[] = {2, 3, 4, 9, 6, 7, 300};
    woken = ids, woken_count = 7, came[0] = came[4] = true;
    cpus_say_how_many();
    cpus_say_how_many();
    CHECK(lines == 4); // 3 to 4, 9, 7, 300
    CHECK(cpus_note_arrival(300) && !cpus_note_arrival(5) && came[6] && came_count == 1);
    watch = (struct watch){.next = 10 * MS};
    cpus_watch();
    CHECK(sipis == 4);
}

// The page may be any below 1 MiB: what is copied there knows its own address, and second SIPIs go
// there, too.
static void page_of_cpus(void) {
    static u8 page[PAGE_SIZE];
    static const u32 ids[] = {7, 8};
    cpus_wake(ids, 2, &(struct cpus_way){page, {0x9e000}, {0x12345000}, {0x123456789000}});
    struct ap_values *values = (struct ap_values *)(page + 64);
    CHECK(page[0] == 0x90 && page[63] == 0x90 && values->entry == (u64)ap_enter);
    CHECK(values->root == 0x12345000 && values->efer == (EFER_LME | EFER_NXE));
    CHECK(values->jump == 0x9e030 && values->gdt == 0x9e038);
    CHECK(values->jump_cs == KERNEL_CS && values->gdt_limit == 15);
    CHECK(cpus_root.at == 0x123456789000 && sipis == 2 && sipi_page == 0x9e000);
    sipi_page = 0;
    watch.next = 10 * MS;
    cpus_watch();
    CHECK(sipis == 4 && sipi_page == 0x9e000);
    sipis = 0;
}

int main(void) {
    page_of_cpus();
    in_any_order();
    late_and_never();
    names();
    return check_done("cpus");
}
