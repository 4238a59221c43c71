// Which thread runs on which CPU. Each CPU has a queue of threads that are ready and the sleepers that it wakes. A CPU
// with nothing to run takes from the others' queues, then sleeps until a waker claims it. There is no tick: the timer
// is set only for the first sleeper, or for the end of a slice while somebody waits for this CPU.
//
// A thread's state changes by compare-and-swap alone:
//   RUNNING -> WAITING        its call waits; its registers are saved before
//   WAITING -> READY          whoever wakes it, and alone may then queue it
//   RUNNING -> RUNNING_WOKEN  woken before it could wait: it does not
//   any     -> RUNNING        its CPU, before a call looks at what it may wait for
#define __unused __attribute__((unused)) // tree.h marks its functions with BSD's name for it

#include "kernel/cpu/cpus.h"
#include "kernel/cpu/time.h"
#include "kernel/kernel.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/window.h"
#include "kernel/program/program.h"
#include "kernel/program/promises.h"

#define SLICE_NS          10000000
#define LOAD(at)          __atomic_load_n(at, __ATOMIC_SEQ_CST)
#define STORE(at, value)  __atomic_store_n(at, value, __ATOMIC_SEQ_CST)
#define SWAP(at, old, to) __atomic_compare_exchange_n(at, old, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

enum { READY, RUNNING, RUNNING_WOKEN, WAITING };

RB_HEAD(sleepers, thread);

struct scheduler {
    struct lock lock; // of the queue
    u32 length;
    struct thread *head, *tail;
    struct lock timers; // of the sleepers
    struct sleepers sleepers;
    u64 time; // on this CPU, of all threads
    struct counts counts;
    // For this CPU alone:
    u64 first;        // when the first sleeper wakes, or earlier
    u64 armed, watch; // when the timer comes; when cpus_watch() wants to be called
    u64 alarm;        // when alarm_run() does
    u64 slice_end;    // of the current thread; 0: nobody waits for its CPU
    unsigned neighbour;
    bool switch_due, slice_over;
};
_Static_assert(sizeof(struct scheduler) <= CPU_PROGRAM, "the room that struct cpu has for it");

static u64 idle_cpus[CPUS_MAX / 64]; // bit: nobody has claimed it yet
static u32 ready_count;              // threads in all queues

static int compare(const struct thread *a, const struct thread *b) {
    if (a->deadline != b->deadline) return a->deadline < b->deadline ? -1 : 1;
    return a->tid < b->tid ? -1 : a->tid > b->tid;
}
RB_GENERATE_STATIC(sleepers, thread, by_deadline, compare)

static struct scheduler *scheduler_of(unsigned cpu) { return (struct scheduler *)cpu_number(cpu)->program; }

// ---- time on CPUs: one that runs is (total - TSC at its start) | 1, one that stands is the total, even ----

static u64 time_read(const u64 *time) {
    u64 value, now;
    do value = LOAD(time), now = tsc();
    while (LOAD(time) != value); // stopped meanwhile, perhaps long ago: it would run backwards
    return value & 1 ? (value & ~1ull) + now : value;
}
static void time_go(u64 *time) { STORE(time, (*time - tsc()) | 1); }
static void time_stop(u64 *time) { STORE(time, time_read(time) & ~1ull); }

u64 thread_time(const struct thread *thread) { return time_read(&thread->time); }

u64 program_time(void) {
    u64 sum = 0;
    for (unsigned cpu = 0; cpu < cpus_online(); cpu++) sum += time_read(&scheduler_of(cpu)->time);
    return sum;
}

// ---- counts ----

static void count(u64 *of_thread, u64 *of_cpu) {
    STORE(of_thread, *of_thread + 1);
    STORE(of_cpu, *of_cpu + 1);
}

void count_fault(void) {
    struct thread *thread = (struct thread *)this_cpu()->current;
    if (thread) count(&thread->counts.faults, &scheduler_of(this_cpu()->number)->counts.faults);
}

struct counts program_counts(void) {
    struct counts sum = {0};
    for (unsigned cpu = 0; cpu < cpus_online(); cpu++) {
        const struct counts *counts = &scheduler_of(cpu)->counts;
        sum.faults += LOAD(&counts->faults);
        sum.waits += LOAD(&counts->waits);
        sum.put_aside += LOAD(&counts->put_aside);
    }
    return sum;
}

// ---- queues ----

static void push(struct scheduler *to, struct thread *thread) {
    lock_take(&to->lock);
    thread->next = NULL;
    *(to->head ? &to->tail->next : &to->head) = thread;
    to->tail = thread;
    STORE(&to->length, to->length + 1);
    __atomic_fetch_add(&ready_count, 1, __ATOMIC_SEQ_CST);
    lock_give(&to->lock);
}

static struct thread *pop(struct scheduler *from) {
    if (!LOAD(&from->length)) return NULL;
    lock_take(&from->lock);
    struct thread *thread = from->head;
    if (thread) {
        from->head = thread->next;
        STORE(&from->length, from->length - 1);
        __atomic_fetch_sub(&ready_count, 1, __ATOMIC_SEQ_CST);
    }
    lock_give(&from->lock);
    return thread;
}

// From this CPU's queue, else from another one's.
static struct thread *find(unsigned me) {
    unsigned count = cpus_online();
    struct thread *thread = pop(scheduler_of(me));
    for (unsigned i = 1; i < count && !thread && LOAD(&ready_count); i++) thread = pop(scheduler_of((me + i) % count));
    return thread;
}

// ---- waking ----

// Takes an idle CPU, which only one waker can.
static bool claim(unsigned cpu) {
    u64 bit = 1ull << cpu % 64, *word = &idle_cpus[cpu / 64];
    return LOAD(word) & bit && __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit;
}

// The same with whichever there is, else no_cpu.
static unsigned claim_any(unsigned no_cpu) {
    u64 idle;
    for (unsigned word = 0; word * 64 < cpus_online(); word++)
        while ((idle = LOAD(&idle_cpus[word])))
            if (claim(word * 64 + (unsigned)__builtin_ctzll(idle))) return word * 64 + (unsigned)__builtin_ctzll(idle);
    return no_cpu;
}

// Queues a thread where it ran last if that CPU is idle, else at any idle one, else here. A CPU that goes idle shows it
// and then looks at the count; this counts and then looks who is idle: one of the two sees the other.
void thread_start(struct thread *thread) {
    unsigned me = this_cpu()->number, cpu = claim(thread->cpu) ? thread->cpu : claim_any(CPUS_MAX);
    push(scheduler_of(cpu < CPUS_MAX ? cpu : me), thread);
    if (cpu == CPUS_MAX) cpu = claim_any(me);
    if (cpu != me) ipi_send(cpu);
}

void thread_wake(struct thread *thread) {
    u32 state = WAITING;
    while (state != READY && !SWAP(&thread->state, &state, state == WAITING ? READY : RUNNING_WOKEN)) {}
    unsigned cpu = LOAD(&thread->cpu);
    if (state == WAITING) thread_start(thread);
    else if (state != READY && cpu != this_cpu()->number) ipi_send(cpu);
}

// ---- sleepers ----

static void sleep_begin(struct scheduler *own, struct thread *thread) {
    lock_take(&own->timers);
    RB_INSERT(sleepers, &own->sleepers, thread);
    thread->bed = own;
    if (thread->deadline < own->first) own->first = thread->deadline;
    lock_give(&own->timers);
}

// Of a thread that was woken, before anything else is done with it: its CPU may be about to wake it too.
static void sleep_end(struct thread *thread) {
    struct scheduler *bed = LOAD(&thread->bed);
    if (!bed) return;
    lock_take(&bed->timers);
    if (thread->bed) RB_REMOVE(sleepers, &bed->sleepers, thread);
    thread->bed = NULL;
    lock_give(&bed->timers);
}

static void wake_sleepers(struct scheduler *own, u64 now) {
    struct thread *thread;
    lock_take(&own->timers);
    while ((thread = RB_MIN(sleepers, &own->sleepers)) && thread->deadline <= now) {
        RB_REMOVE(sleepers, &own->sleepers, thread);
        thread_wake(thread);
        STORE(&thread->bed, NULL); // until then it gets no further than sleep_end()
    }
    own->first = thread ? thread->deadline : NEVER;
    lock_give(&own->timers);
}

// After an interrupt, which may have been the timer's.
static void tick(struct scheduler *own) {
    u64 now = own->armed < NEVER ? time_now_ns() : 0;
    own->armed = NEVER;
    if (now >= own->first) wake_sleepers(own, now);
    if (now >= own->watch) own->watch = cpus_watch();
    if (now >= own->alarm) own->alarm = alarm_run(now);
    if (own->slice_end && now >= own->slice_end) own->switch_due = own->slice_over = true;
}

static void timer_update(struct scheduler *own) {
    u64 when = own->first < own->watch ? own->first : own->watch;
    if (own->alarm < when) when = own->alarm;
    if (!LOAD(&own->length)) own->slice_end = 0;
    else if (!own->slice_end) own->slice_end = time_now_ns() + SLICE_NS;
    if (own->slice_end && own->slice_end < when) when = own->slice_end;
    if (when < own->armed) timer_set(own->armed = when);
}

void scheduler_set_alarm(u64 when) { scheduler_of(this_cpu()->number)->alarm = when; }

// ---- switching ----

// Whose slice is over goes to the end of the queue; of a neighbour's when that is shorter, so that long queues spread.
static void requeue(struct scheduler *own, struct thread *thread) {
    own->neighbour = (own->neighbour + 1) % cpus_online();
    struct scheduler *to = scheduler_of(own->neighbour);
    bool moves = own->slice_over && LOAD(&to->length) + 1 < LOAD(&own->length);
    STORE(&thread->state, READY);
    push(moves ? to : own, thread);
    if (moves) ipi_send(own->neighbour); // its current thread has a slice from now on
}

// Takes a thread off this CPU. Returns it when it is to run on, since it was woken before it could wait.
static struct thread *put_down(struct scheduler *own, struct thread *thread) {
    u32 state = RUNNING;
    time_stop(&thread->time);
    time_stop(&own->time);
    context_leave(!thread->ended);
    if (thread->ended) {
        promises_give(OWNER_THREADS, window_physical(thread), false);
        return NULL;
    }
    bool waits = thread->waiting && !thread->again;
    count(waits ? &thread->counts.waits : &thread->counts.put_aside,
          waits ? &own->counts.waits : &own->counts.put_aside);
    if (!waits) return requeue(own, thread), NULL;
    if (thread->has_deadline && thread->deadline != NEVER) sleep_begin(own, thread);
    return SWAP(&thread->state, &state, WAITING) ? NULL : thread;
}

static void pick_up(struct scheduler *own, struct thread *thread) {
    sleep_end(thread);
    STORE(&thread->cpu, this_cpu()->number);
    STORE(&thread->state, RUNNING);
    own->slice_end = 0;
    own->switch_due = own->slice_over = false;
    context_enter(&thread->context);
    time_go(&own->time);
    time_go(&thread->time);
}

void scheduler_init(struct thread *first) {
    struct scheduler *own = scheduler_of(this_cpu()->number);
    own->first = own->armed = own->alarm = NEVER;
    own->watch = this_cpu()->number == 0 ? cpus_watch() : NEVER;
    if (this_cpu()->time.unknown) (void)time_now_ns(); // or tsc() would jump in the midst of a thread's time
    if (first) pick_up(own, first);
}

// Interrupts are off until cpu_idle() lets them in and sleeps in one step, so no wake-up is lost after the last look.
static void idle(struct scheduler *own) {
    u64 bit = 1ull << this_cpu()->number % 64, *word = &idle_cpus[this_cpu()->number / 64];
    __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);
    if (!LOAD(&ready_count) && !frames_idle()) {
        timer_update(own);
        cpu_idle();
    }
    cpu_serve();
    tick(own); // still idle: the first sleeper stays here
    __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
}

// After a call stopped at a break point: whether it goes on at once, since no other thread's turn has come.
static bool goes_on(struct scheduler *own) {
    cpu_break();
    tick(own);
    timer_update(own);
    return !own->switch_due;
}

void schedule(struct context *context) {
    struct scheduler *own = scheduler_of(this_cpu()->number);
    struct thread *thread = (struct thread *)context;
    if (thread && thread->context.regs.vector >= EXCEPTIONS && thread->context.regs.vector < VECTOR_SYSCALL) tick(own);
    for (;;) {
        if (thread && !thread->ended) signal_deliver(thread);
        if (thread && thread->again && goes_on(own)) {
            syscall_run(thread);
            continue;
        }
        if (thread && !thread->ended && !thread->waiting && !own->switch_due) break;
        if (thread) thread = put_down(own, thread);
        while (!thread && !(thread = find(this_cpu()->number))) idle(own);
        pick_up(own, thread);
        if (thread->waiting) syscall_run(thread);
    }
    timer_update(own);
}

CALL(sched_yield) {
    struct scheduler *own = scheduler_of(this_cpu()->number);
    own->switch_due = LOAD(&own->length);
    return 0;
}
