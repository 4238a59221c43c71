// flags: -O1 -fsanitize=thread -pthread
// The scheduler and futexes under ThreadSanitizer: each host thread is a CPU, and runs simulated
// threads of a program step by step. They pass tokens around in a ring of semaphores made of
// futexes, so that one wake-up that is lost stops everything, and one that counts twice shows in
// the sums. Time is simulated: it goes on when all that is left is to wait for it.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define this_cpu   hardware_cpu
#define cpu_number slot_cpu
#include "kernel/cpu/cpus.h"
#undef this_cpu
#undef cpu_number
static struct cpu *this_cpu(void);
static struct cpu *cpu_number(unsigned number);

#include <time.h>
void kernel_log(const char *fmt, ...);
#define log kernel_log // the C library has one of its own
#include "kernel/thread/scheduler.c"
#include "kernel/thread/counts.c"
#include "kernel/process/futex.c"
#include "kernel/process/futex_word.c"
#include "kernel/call/futex.c"
#include "kernel/thread/queue.c"
#undef __unused
#include "kernel/lib/sorted.c"
#undef log

#define CPUS    6
#define THREADS 63 // as many for each semaphore
#define SEMS    7
#define ROUNDS  3000
#define TOKENS  3 // in each semaphore at the beginning
#define STEP_NS 50

enum { CALL_FUTEX = 1, CALL_SLEEP, CALL_YIELD, CALL_EXIT };

struct simulated { // what the program knows of one thread
    struct thread thread;
    u32 random, rounds;
    int step; // 0: wants a token; 1: waits for one; 2: has it
    u64 arg[6];
};

static struct cpu *cpus[CPUS];
static __thread struct cpu *me;
static sem_t interrupts[CPUS];
static u64 timers[CPUS], clock_ns = 1;
static u32 sems[SEMS], aside, ended, wrong;
static u64 waits, wakes;
u64 window_base;

#define ADD(at, n) __atomic_fetch_add(at, n, __ATOMIC_SEQ_CST)
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) fprintf(stderr, "line %d: %s\n", __LINE__, #condition), ADD(&wrong, 1);  \
    } while (0)

// ---- the rest of the kernel ----

static struct cpu *this_cpu(void) { return me; }
static struct cpu *cpu_number(unsigned number) { return cpus[number]; }
unsigned cpus_online(void) { return CPUS; }
u64 cpus_watch(void) { return NEVER; }
u64 watch_next(void) { return NEVER; }
void watch_run(u64 now) { (void)now; }
void cpu_serve(void) { sched_yield(); }
unsigned signals_unasked;
struct lock threads_lock;
struct thread *thread_from(const struct process *of, u32 tid) {
    (void)of, (void)tid;
    return NULL; // nobody asks what a process has used
}
unsigned processes_count(void) { return 1; }
static struct space space;
static struct process process = {.space = &space}; // that gets no signals
bool signal_search(void) { return false; }
u64 alarm_run(u64 now) { return (void)now, NEVER; }
bool frames_idle(void) { return false; }
void ipi_send(unsigned cpu) { sem_post(&interrupts[cpu]); }
u64 tsc(void) { return ADD(&clock_ns, STEP_NS) & ~1ull; }
u64 time_now_ns(void) { return ADD(&clock_ns, STEP_NS); }
u64 time_wall_ns(void) { return time_now_ns() + 1000000; }
u64 time_ns_to_tsc(u64 ns) { return ns; }
void timer_set(u64 deadline) { timers[me->number] = deadline; }
unsigned threads_count(void) { return THREADS; }
void kernel_log(const char *fmt, ...) { (void)fmt; }
u64 space_place(struct space *space, u64 address) {
    (void)space;
    return address;
}
void thread_free(struct thread *thread) {
    if (sorted_in(&thread->by_tid) || sorted_in(&thread->ready)) abort();
    if (sorted_in(&thread->sleep) || sorted_in(&thread->wait) || sorted_in(&thread->waiter.node))
        abort();
    free(thread);
}
void panic(const char *fmt, ...) {
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}
bool lock_try(struct lock *lock) {
    return !__atomic_exchange_n(&lock->taken, true, __ATOMIC_ACQUIRE);
}
void lock_take(struct lock *lock) {
    for (int spins = 0; !lock_try(lock); spins++)
        if (spins > 100) sched_yield();
}
void lock_take_second(struct lock *lock, const struct lock *low) {
    EXPECT(lock > low);
    lock_take(lock);
}
bool copy_from_user(void *to, uaddr from, u64 bytes) {
    EXPECT(bytes == 4);
    *(u32 *)to = LOAD((u32 *)from.at);
    return true;
}
bool user_exchange(uaddr to, u32 *expected, u32 value) {
    (void)__atomic_compare_exchange_n((u32 *)to.at, expected, value, false, __ATOMIC_SEQ_CST,
                                      __ATOMIC_SEQ_CST);
    return true; // no page is missing
}
// All words are the program's own.
bool space_shows_other(struct space *space, u64 address) {
    (void)space;
    return !address;
}
s64 time_get(uaddr from, u64 *ns) {
    *ns = *(u64 *)from.at;
    return 0;
}
bool thread_deadline(struct thread *thread, u64 ns) {
    u64 now = time_now_ns();
    if (!thread->has_deadline) thread->deadline = ns == NEVER ? NEVER : now + ns;
    thread->has_deadline = true;
    return thread->deadline <= now;
}

// xstate says whether the registers are stored, and so that no thread runs twice at a time.
static char stored, loaded;
void context_enter(struct context *context) {
    EXPECT(context->xstate == &stored);
    context->xstate = &loaded;
    me->current = context;
}
void context_leave(bool save) {
    EXPECT(me->current->xstate == &loaded);
    if (save) me->current->xstate = &stored;
    me->current = NULL;
}

static bool interrupted_within(u64 ns) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    ns += (u64)until.tv_nsec;
    until = (struct timespec){until.tv_sec + (s64)(ns / 1000000000), (s64)(ns % 1000000000)};
    return sem_timedwait(&interrupts[me->number], &until) == 0;
}

// Whoever claimed this CPU interrupts it. Without an interrupt for a while, time goes on to the
// timer's.
void cpu_idle(void) {
    u64 *timer = &timers[me->number];
    if (LOAD(&ended) == THREADS) pthread_exit(NULL);
    if (interrupted_within(2000000)) return;
    if (!(LOAD(&idle_cpus[0]) >> me->number & 1)) EXPECT(interrupted_within(1000000000));
    if (*timer == NEVER) return;
    for (u64 now = LOAD(&clock_ns); now < *timer && !SWAP(&clock_ns, &now, *timer);) {}
    *timer = NEVER;
}

void cpu_break(void) {}
s64 refused(const char *call, const char *option, u64 value, const char *missing, s64 error) {
    EXPECT(!call || !option || !value || !missing); // nobody asks for that here
    return error;
}
s64 call_again(struct thread *thread) {
    (void)thread;
    EXPECT(false); // there are not so many
    return CALL_WAITS;
}

// ---- the program ----

static void start(u32 tid, u32 random) {
    struct simulated *made = calloc(1, sizeof *made);
    made->thread = (struct thread){
        .process = &process, .tid = tid, .cpu = me->number, .context.xstate = &stored};
    made->random = random;
    thread_start(&made->thread);
}

void syscall_run(struct thread *thread) {
    struct simulated *own = (struct simulated *)thread;
    s64 result = 0;
    switch (thread->context.regs.rax) {
    case CALL_FUTEX: result = call_futex(thread, own->arg); break;
    case CALL_SLEEP: result = thread_deadline(thread, own->arg[0]) ? 0 : CALL_WAITS; break;
    case CALL_YIELD: scheduler_yield(); break;
    default:
        thread->ended = true;
        if (ADD(&ended, 1) == THREADS - 1)
            for (unsigned cpu = 0; cpu < CPUS; cpu++) sem_post(&interrupts[cpu]);
    }
    thread->waiting = result == CALL_WAITS;
    if (!thread->waiting) thread->context.regs.rcx = (u64)result;
}

const struct thread_hooks *thread_hooks = &(const struct thread_hooks){.call = syscall_run};

static s64 call(struct simulated *own, u64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
    u64 arg[6] = {a, b, c, d, e, f};
    own->thread.context.regs.rax = number;
    own->thread.has_deadline = own->thread.record.begun = false;
    own->thread.record.done = 0;
    memcpy(own->arg, arg, sizeof arg);
    syscall_run(&own->thread);
    return (s64)own->thread.context.regs.rcx;
}

// One step of a thread, which makes at most one call that can wait, as its last.
static void step(struct simulated *own) {
    u32 tid = own->thread.tid, *sem = &sems[tid % SEMS], *next = &sems[(tid + 1) % SEMS],
        value = LOAD(sem);
    u64 ns = 1000;
    own->random = own->random * 1103515245 + 12345;
    u32 draw = own->random >> 16 & 15;
    if (own->step == 1) {
        s64 result = (s64)own->thread.context.regs.rcx;
        EXPECT(result == 0 || result == -EAGAIN || result == -ETIMEDOUT);
        if (result == 0) ADD(&waits, 1);
        own->step = 0;
    } else if (own->step == 0 &&
               value ==
                   0) { // a sleeper can be taken to another word, and is woken there all the same
        static u64 short_ns = 1000;
        own->step = 1;
        bool timed = draw < 4;
        call(own, CALL_FUTEX, (u64)sem, FUTEX_WAIT, 0, timed ? (u64)&short_ns : 0, 0, 0);
    } else if (own->step == 0) {
        if (SWAP(sem, &value, value - 1)) own->step = 2;
    } else {
        ADD(next, 1);
        own->step = 0;
        if (draw < 3) { // all of them, by a detour
            s64 moved = call(own, CALL_FUTEX, (u64)next, FUTEX_REQUEUE, 0, 1000, (u64)&aside, 0);
            s64 woken = call(own, CALL_FUTEX, (u64)&aside, FUTEX_WAKE, 1000, 0, 0, 0);
            EXPECT(moved >= 0 && woken >= 0);
            ADD(&wakes, (u64)woken);
        } else {
            s64 woken = call(own, CALL_FUTEX, (u64)next, FUTEX_WAKE_BITSET, 1, 0, 0, 1u << draw);
            EXPECT(woken >= 0 && woken <= 1);
            ADD(&wakes, (u64)woken);
        }
        if (own->rounds++ == ROUNDS)
            call(own, CALL_EXIT, 0, 0, 0, 0, 0, 0);
        else if (draw == 5)
            call(own, CALL_YIELD, 0, 0, 0, 0, 0, 0);
        else if (draw == 6)
            call(own, CALL_SLEEP, ns, 0, 0, 0, 0, 0);
    }
}

static void *run_cpu(void *cpu) {
    me = cpu;
    scheduler_init(NULL);
    if (me->number == 0)
        for (u32 tid = 1; tid <= THREADS; tid++) start(tid, tid * 7919);
    schedule(NULL);
    for (u32 turn = 0;; turn++) {
        struct thread *thread = (struct thread *)me->current;
        EXPECT(LOAD(&thread->state) != READY && LOAD(&thread->state) != WAITING &&
               !thread->waiting && !thread->ended);
        bool timer = timers[me->number] <= LOAD(&clock_ns);
        thread->context.regs.vector = timer ? VECTOR_TIMER : VECTOR_SYSCALL;
        if (timer)
            timers[me->number] = NEVER;
        else
            step((struct simulated *)thread);
        schedule(&thread->context);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[CPUS];
    for (int i = 0; i < SEMS; i++) sems[i] = TOKENS;
    for (unsigned i = 0; i < CPUS; i++) {
        cpus[i] = aligned_alloc(64, ROUND_UP(sizeof(struct cpu), 64));
        memset(cpus[i], 0, sizeof(struct cpu));
        cpus[i]->number = i;
        timers[i] = NEVER;
        sem_init(&interrupts[i], 0, 0);
    }
    for (unsigned i = 0; i < CPUS; i++) pthread_create(&threads[i], NULL, run_cpu, cpus[i]);
    for (unsigned i = 0; i < CPUS; i++) pthread_join(threads[i], NULL);
    u32 tokens = 0;
    for (int i = 0; i < SEMS; i++) tokens += sems[i];
    EXPECT(ready_count == 0 && waits == wakes);
    for (unsigned i = 0; i < CPUS; i++)
        EXPECT(!sorted_first(&scheduler_of(i)->queue.ready) &&
               !sorted_first(&scheduler_of(i)->sleepers));
    for (size_t i = 0; i < ARRAY_SIZE(buckets); i++) EXPECT(!sorted_first(&buckets[i].waiters));
    printf("scheduler: %u threads on %u CPUs, %lu waits, %u tokens left, %u wrong\n", THREADS, CPUS,
           waits, tokens, wrong);
    return wrong || tokens != SEMS * TOKENS;
}
