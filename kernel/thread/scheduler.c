// Which thread runs on which CPU. Each CPU has a queue of threads that are ready (queue.h) and the
// sleepers that it wakes. A CPU with nothing to run takes from the others' queues, then sleeps
// until a waker claims it. There is no tick: the timer is set only for the first sleeper, or for
// the end of a slice while somebody waits for this CPU. Who is woken and had much less of the CPU
// than the current thread runs at once.
//
// A thread's state changes by compare-and-swap alone:
//   RUNNING -> WAITING        its call waits; its registers are saved before
//   WAITING -> READY          whoever wakes it, and alone may then queue it
//   RUNNING -> RUNNING_WOKEN  woken before it could wait: it does not
//   any     -> RUNNING        its CPU, before a call looks at what it may wait for
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/time.h"
#include "kernel/kernel.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/window.h"
#include "kernel/thread/signals.h"
#include "kernel/thread/cputime.h"
#include "kernel/thread/scheduler.h"

#define CREDIT_NS 3000000 // that a sleeper is ahead of all others at most
// that a woken thread had less than the current one, to run before it at once
#define MARGIN_NS 100000
// sleepers that are woken before interrupts and threads have their turn
#define WAKES            128
#define LOAD(at)         __atomic_load_n(at, __ATOMIC_SEQ_CST)
#define STORE(at, value) __atomic_store_n(at, value, __ATOMIC_SEQ_CST)
#define SWAP(at, old, to)                                                                          \
    __atomic_compare_exchange_n(at, old, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

enum { READY, RUNNING, RUNNING_WOKEN, WAITING };

static u64 idle_cpus[CPUS_MAX / 64]; // bit: nobody has claimed it yet
static u32 ready_count;              // threads in all queues

// By the rate of the TSC at first use: nothing here depends on how right that is.
static u64 scheduler_ticks(u64 ns) {
    static u64 per_ms;
    u64 now = __atomic_load_n(&per_ms, __ATOMIC_RELAXED);
    if (!now) {
        now = time_ns_to_tsc(1000000);
        __atomic_store_n(&per_ms, now, __ATOMIC_RELAXED);
    }
    return now * (ns / 1000) / 1000;
}

// ---- queues ----

static struct thread *scheduler_ready_thread(struct sorted_node *node) {
    return THREAD_OF(node, ready);
}

static u64 scheduler_queue_time(struct scheduler *of) {
    lock_take(&of->lock);
    u64 time = queue_now(&of->queue, cpu_time_read(&of->current));
    lock_give(&of->lock);
    return time;
}

// A thread's virtual time is that of the CPU it counts as being on.
static void scheduler_move(struct thread *thread, unsigned cpu) {
    if (thread->cpu == cpu) return;
    u64 from = scheduler_queue_time(scheduler_of(thread->cpu));
    u64 to = scheduler_queue_time(scheduler_of(cpu));
    thread->virtual_time = queue_move(thread->virtual_time, from, to);
    STORE(&thread->cpu, cpu);
}

enum arrival { NEW, WOKEN, BACK, YIELDED };

// Whom it is pushed upon runs on, unless that had much more of the CPU.
static void scheduler_push(unsigned cpu, struct thread *thread, enum arrival how) {
    struct scheduler *to = scheduler_of(cpu);
    scheduler_move(thread, cpu);
    lock_take(&to->lock);
    u64 time = thread->virtual_time;
    u64 current = cpu_time_read(&to->current);
    u64 now = queue_now(&to->queue, current);
    u64 credit = 0;
    if (time < now && how != NEW) credit = scheduler_ticks(CREDIT_NS);
    if (how == YIELDED)
        time = queue_add_last(&to->queue, &thread->ready, time, scheduler_ticks(CREDIT_NS));
    else
        time = queue_add(&to->queue, &thread->ready, time, credit);
    thread->virtual_time = time;
    __atomic_fetch_add(&ready_count, 1, __ATOMIC_SEQ_CST);
    lock_give(&to->lock);
    bool is_running = cpu == this_cpu()->number && this_cpu()->current;
    if (is_running && time < current && current - time > scheduler_ticks(MARGIN_NS))
        to->switch_due = true;
}

static struct thread *scheduler_pop(unsigned cpu) {
    struct scheduler *from = scheduler_of(cpu);
    if (!LOAD(&from->queue.length)) return NULL;
    lock_take(&from->lock);
    queue_now(&from->queue, cpu_time_read(&from->current));
    struct sorted_node *node = queue_take(&from->queue);
    if (node) __atomic_fetch_sub(&ready_count, 1, __ATOMIC_SEQ_CST);
    lock_give(&from->lock);
    if (!node) return NULL;
    return scheduler_ready_thread(node);
}

// From this CPU's queue, else from another one's.
static struct thread *scheduler_find(unsigned me) {
    unsigned count = cpus_online();
    struct thread *thread = scheduler_pop(me);
    for (unsigned i = 1; i < count && !thread && LOAD(&ready_count); i++)
        thread = scheduler_pop((me + i) % count);
    return thread;
}

// ---- waking ----

// Takes an idle CPU, which only one waker can.
static bool scheduler_claim(unsigned cpu) {
    u64 bit = 1ull << cpu % 64;
    u64 *word = &idle_cpus[cpu / 64];
    return LOAD(word) & bit && __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit;
}

// The same with whichever there is, else no_cpu.
static unsigned scheduler_claim_any(unsigned no_cpu) {
    u64 idle;
    for (unsigned word = 0; word * 64 < cpus_online(); word++)
        while ((idle = LOAD(&idle_cpus[word])))
            if (scheduler_claim(word * 64 + (unsigned)__builtin_ctzll(idle)))
                return word * 64 + (unsigned)__builtin_ctzll(idle);
    return no_cpu;
}

// Queues a thread where it ran last if that CPU is idle, else at any idle one, else here. A CPU
// that goes idle shows it and then looks at the count; this counts and then looks who is idle: one
// of the two sees the other. Once it is queued it may run elsewhere, and end.
static void scheduler_ready(struct thread *thread, enum arrival how) {
    unsigned me = this_cpu()->number;
    unsigned cpu = thread->cpu;
    if (!scheduler_claim(cpu)) cpu = scheduler_claim_any(CPUS_MAX);
    if (cpu < CPUS_MAX) {
        scheduler_push(cpu, thread, how);
    } else {
        scheduler_push(me, thread, how);
        cpu = scheduler_claim_any(me);
    }
    if (cpu != me) ipi_send(cpu);
}

// It begins with its maker's time: who makes threads instead of running gets no more by that.
void thread_start(struct thread *thread) {
    thread->cpu = this_cpu()->number;
    thread->virtual_time = cpu_time_read(&scheduler_of(thread->cpu)->current);
    scheduler_ready(thread, NEW);
}

void thread_wake(struct thread *thread) {
    u32 state = WAITING;
    bool is_swapped = false;
    while (!is_swapped && state != READY) {
        u32 woken = state == WAITING ? READY : RUNNING_WOKEN;
        is_swapped = SWAP(&thread->state, &state, woken);
    }
    unsigned cpu = LOAD(&thread->cpu);
    if (state == WAITING)
        scheduler_ready(thread, WOKEN);
    else if (state != READY && cpu != this_cpu()->number)
        ipi_send(cpu);
}

// ---- sleepers ----

static void scheduler_sleep_begin(struct scheduler *own, struct thread *thread) {
    lock_take(&own->timers);
    sorted_add(&own->sleepers, &thread->sleep, thread->deadline, thread->tid);
    if (thread->deadline < own->first) own->first = thread->deadline;
    lock_give(&own->timers);
}

// Of a thread that was woken, before anything else is done with it: its CPU may be about to wake it
// too.
static void scheduler_sleep_end(struct thread *thread) {
    struct sorted *list = sorted_in(&thread->sleep);
    if (!list) return;
    struct scheduler *bed = (struct scheduler *)((u8 *)list - offsetof(struct scheduler, sleepers));
    lock_take(&bed->timers);
    if (sorted_in(&thread->sleep)) sorted_remove(list, &thread->sleep);
    lock_give(&bed->timers);
}

// Until it is taken out a thread gets no further than scheduler_sleep_end().
static void scheduler_wake_sleepers(struct scheduler *own, u64 now) {
    struct sorted_node *node;
    lock_take(&own->timers);
    for (unsigned i = 0; (node = sorted_first(&own->sleepers)) && node->key <= now && i < WAKES;
         i++) {
        thread_wake(THREAD_OF(node, sleep));
        sorted_remove(&own->sleepers, node);
    }
    u64 first = NEVER;
    if (node) first = node->key;
    own->first = first;
    lock_give(&own->timers);
}

// After an interrupt, which may have been the timer's.
static void scheduler_tick(struct scheduler *own) {
    u64 now = 0;
    if (own->armed < NEVER) now = time_now_ns();
    own->armed = NEVER;
    if (now >= own->first) scheduler_wake_sleepers(own, now);
    if (now >= own->watch) own->watch = cpus_watch();
    if (now >= own->alarm) own->alarm = alarm_run(now);
    if (this_cpu()->number == 0) watch_run(now);
    if (own->slice_end && now >= own->slice_end) own->switch_due = own->slice_over = true;
}

// Lets interrupts in. The timer does not come again by itself: without the look behind it, a CPU
// that then sleeps would sleep for ever. There is no look while the timer is not set.
static void scheduler_break(struct scheduler *own) {
    cpu_break();
    scheduler_tick(own);
}

static void scheduler_timer_update(struct scheduler *own) {
    u64 when = MIN(own->first, own->watch);
    when = MIN(when, own->alarm);
    if (this_cpu()->number == 0) when = MIN(when, watch_next());
    u32 waiting = LOAD(&own->queue.length);
    if (!waiting)
        own->slice_end = 0;
    else if (!own->slice_end)
        own->slice_end = time_now_ns() + queue_slice(waiting);
    if (own->slice_end && own->slice_end < when) when = own->slice_end;
    if (when >= own->armed) return;
    own->armed = when;
    timer_set(when);
}

void scheduler_set_alarm(u64 when) { scheduler_of(this_cpu()->number)->alarm = when; }

// Until somebody takes what was sent to the process.
static void scheduler_signals_sent(struct scheduler *own) {
    while (signal_search()) {
        scheduler_timer_update(own); // or the look behind the break would be none
        scheduler_break(own);
    }
}

// ---- switching ----

// Whose slice is over goes to a neighbour's queue when that is shorter, so that long queues spread.
static void scheduler_requeue(struct scheduler *own, struct thread *thread) {
    unsigned me = this_cpu()->number;
    own->neighbour = (own->neighbour + 1) % cpus_online();
    u32 there = LOAD(&scheduler_of(own->neighbour)->queue.length);
    u32 here = LOAD(&own->queue.length);
    bool moves = own->slice_over && there + 1 < here;
    STORE(&thread->state, READY);
    unsigned cpu = me;
    if (moves) cpu = own->neighbour;
    scheduler_push(cpu, thread, own->yields ? YIELDED : BACK);
    if (moves) ipi_send(own->neighbour); // its current thread has a slice from now on
}

// Takes a thread off this CPU. Returns it when it is to run on, since it was woken before it could
// wait.
static struct thread *scheduler_put_down(struct scheduler *own, struct thread *thread) {
    u32 state = RUNNING;
    u64 now = tsc();
    cpu_time_stop(&thread->time, now);
    cpu_time_stop(&own->time, now);
    cpu_time_stop(&own->current, now);
    thread->virtual_time = own->current;
    context_leave(!thread->ended);
    if (thread->ended) {
        thread_free(thread);
        return NULL;
    }
    if ((!thread->waiting && !thread->is_held) || thread->again) {
        scheduler_count(&thread->counts.put_aside, &own->counts.put_aside);
        scheduler_requeue(own, thread);
        return NULL;
    }
    scheduler_count(&thread->counts.waits, &own->counts.waits);
    bool sleeps = thread->waiting && thread->has_deadline && thread->deadline != NEVER;
    if (sleeps) scheduler_sleep_begin(own, thread);
    if (SWAP(&thread->state, &state, WAITING)) return NULL;
    return thread;
}

static void scheduler_pick_up(struct scheduler *own, struct thread *thread) {
    scheduler_sleep_end(thread);
    scheduler_move(thread, this_cpu()->number);
    STORE(&thread->state, RUNNING);
    thread->rseq.is_stale = thread->rseq.at;
    own->slice_end = 0;
    own->switch_due = own->slice_over = own->yields = false;
    context_enter(&thread->context);
    u64 now = tsc();
    STORE(&own->current, thread->virtual_time & ~1ull);
    cpu_time_go(&own->current, now);
    cpu_time_go(&own->time, now);
    cpu_time_go(&thread->time, now);
}

void scheduler_init(struct thread *first) {
    struct scheduler *own = scheduler_of(this_cpu()->number);
    own->lock.rank = LOCK_QUEUE;
    own->timers.rank = LOCK_TIMERS;
    own->first = own->armed = own->alarm = NEVER;
    own->watch = NEVER;
    if (this_cpu()->number == 0) own->watch = cpus_watch();
    if (this_cpu()->time.unknown)
        (void)time_now_ns(); // or tsc() would jump in the midst of a thread's time
    if (first) scheduler_pick_up(own, first);
}

// Interrupts are off until cpu_idle() lets them in and sleeps in one step, so no wake-up is lost
// after the last look.
static void scheduler_idle(struct scheduler *own) {
    u64 bit = 1ull << this_cpu()->number % 64;
    u64 *word = &idle_cpus[this_cpu()->number / 64];
    __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);
    scheduler_break(own);        // a call may have come before, and a turn may clear a frame
    scheduler_timer_update(own); // for both: whose time comes while a frame is cleared, too
    if (!LOAD(&ready_count) && !frames_idle()) cpu_idle();
    cpu_serve();
    scheduler_break(own); // a call may follow; still idle: the first sleeper stays here
    if (signal_is_unasked()) scheduler_signals_sent(own);
    __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
}

// After a call stopped at a break point: whether it goes on at once, since no other thread's turn
// has come.
static bool scheduler_goes_on(struct scheduler *own) {
    scheduler_break(own);
    scheduler_timer_update(own);
    return !own->switch_due;
}

void schedule(struct context *context) {
    struct scheduler *own = scheduler_of(this_cpu()->number);
    struct thread *thread = (struct thread *)context;
    if (thread && thread->context.regs.vector >= EXCEPTIONS &&
        thread->context.regs.vector < VECTOR_SYSCALL)
        scheduler_tick(own);
    if (signal_is_unasked()) scheduler_signals_sent(own);
    for (;;) {
        if (thread && !thread->ended && signal_is_due(thread)) {
            thread_hooks->signal(thread);
            bool is_more = !thread->waiting && !thread->is_held && signal_is_due(thread);
            if (is_more && scheduler_goes_on(own)) continue;
        }
        bool goes_on = thread && !thread->ended && !thread->waiting && !thread->is_held;
        if (goes_on && !own->switch_due) break;
        if (thread && thread->again && scheduler_goes_on(own)) {
            thread_hooks->call(thread);
            continue;
        }
        if (thread) thread = scheduler_put_down(own, thread);
        if (thread) scheduler_break(own); // its call goes on at once
        while (!thread) {
            thread = scheduler_find(this_cpu()->number);
            if (!thread) scheduler_idle(own);
        }
        scheduler_pick_up(own, thread);
        if (thread->waiting) thread_hooks->call(thread);
    }
    scheduler_timer_update(own);
}

void scheduler_yield(void) {
    struct scheduler *own = scheduler_of(this_cpu()->number);
    own->switch_due = own->yields = LOAD(&own->queue.length);
}
