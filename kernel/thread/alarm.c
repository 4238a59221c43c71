// Timers of processes: alarm and setitimer have three, timer_create more. A CPU that sets one
// watches all from then on, until none is set; when one is over, its process or thread gets the
// signal. As on Linux an interval begins anew only when the signal is taken, so that a short one
// keeps no CPU; what has passed by then is told as overruns.
//
// A timer of CPU time is looked at when it can be over at the earliest, if all CPUs ran for it;
// what is left then is at most halved, and so on until it is little.
#include <asm/siginfo.h>
#include <asm/signal.h>
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/time.h"
#include "kernel/lib/string.h"
#include "kernel/memory/promises.h"
#include "kernel/memory/window.h"
#include "kernel/thread/signals.h"

#define LEAST_NS    1000    // of a timer that is about to ring
#define CPU_STEP_NS 1000000 // between two looks at a CPU clock
#define RUNS        16      // timers that one look deals with
#define PER_PAGE    (PAGE_SIZE / sizeof(struct alarm))

static struct lock lock = {.rank = LOCK_ALARM};
static struct sorted set; // by time_now_ns() when they are to be looked at

// What the timer's clock shows; of a thread that has ended it stands still.
static u64 alarm_clock(const struct alarm *alarm, u64 now) {
    u64 ticks = 0;
    if (alarm->clock == ALARM_REAL) return now;
    if (alarm->clock == ALARM_PROCESS) return time_tsc_to_ns(process_usage(alarm->process).ticks);
    lock_take(&threads_lock);
    const struct thread *thread = thread_find(alarm->clock_tid);
    if (thread) ticks = thread_time(thread);
    lock_give(&threads_lock);
    return time_tsc_to_ns(ticks);
}

static void alarm_unset(struct alarm *alarm) {
    if (sorted_in(&alarm->node)) sorted_remove(&set, &alarm->node);
}

// From here on this CPU looks for the first one.
static void alarm_watch(void) {
    const struct sorted_node *first = sorted_first(&set);
    u64 next = NEVER;
    if (first) next = first->key;
    scheduler_set_alarm(next);
}

// It is to ring when its clock shows at.
static void alarm_put(struct alarm *alarm, u64 at, u64 now) {
    u64 when = at;
    if (alarm->clock != ALARM_REAL) {
        u64 left = at - MIN(at, alarm_clock(alarm, now));
        u64 cpus = 1;
        if (alarm->clock == ALARM_PROCESS) cpus = cpus_expected();
        when = now + MAX(left / cpus, CPU_STEP_NS);
    }
    alarm->at = at;
    sorted_add(&set, &alarm->node, MIN(when, NEVER - 1), (u64)alarm);
}

// Whom a timer that has rung tells; process 0: nobody.
struct ring {
    u32 process, tid;
    struct signal_info info;
};

// Of a signal that is ignored nothing is left to be taken.
static void alarm_ring(struct alarm *alarm, u64 now, struct ring *ring) {
    bool tells = !alarm->is_silent && !signal_ignored(alarm->process, alarm->info.signal);
    alarm->is_sent = tells;
    if (tells) *ring = (struct ring){alarm->process->id, alarm->tid, alarm->info};
    if (tells || !alarm->interval) return;
    u64 passed = alarm_clock(alarm, now) - alarm->at;
    alarm_put(alarm, alarm->at + ROUND_DOWN(passed, alarm->interval) + alarm->interval, now);
}

// The next one whose time has come. False: there is none.
static bool alarm_step(u64 now, struct ring *ring) {
    struct sorted_node *node = sorted_first(&set);
    if (!node || node->key > now) return false;
    struct alarm *alarm = (struct alarm *)((u8 *)node - offsetof(struct alarm, node));
    sorted_remove(&set, node);
    if (alarm_clock(alarm, now) < alarm->at)
        alarm_put(alarm, alarm->at, now);
    else
        alarm_ring(alarm, now, ring);
    return true;
}

static void alarm_tell(const struct ring *ring) {
    lock_take(&threads_lock);
    struct process *process = process_find(ring->process);
    struct thread *to = NULL;
    if (ring->tid) to = thread_find(ring->tid);
    bool is_there = process && (!ring->tid || (to && to->process == process));
    if (is_there) (void)signal_put_to(process, to, &ring->info);
    lock_give(&threads_lock);
    (void)signal_search();
}

u64 alarm_run(u64 now) {
    u64 next = NEVER;
    bool is_more = true;
    for (int i = 0; is_more && i < RUNS; i++) {
        struct ring ring = {0};
        lock_take(&lock);
        is_more = alarm_step(now, &ring);
        const struct sorted_node *first = sorted_first(&set);
        next = NEVER;
        if (first) next = first->key;
        lock_give(&lock);
        if (ring.process) alarm_tell(&ring);
    }
    return next;
}

// ---- what the program does with one ----

// Times that have passed since then are left out, but for one that is silent.
static struct timer alarm_left(const struct alarm *alarm, u64 now) {
    struct timer timer = {.interval = alarm->interval};
    if (!sorted_in(&alarm->node)) return timer;
    timer.left = LEAST_NS;
    u64 shows = alarm_clock(alarm, now);
    if (alarm->at > shows) timer.left = alarm->at - shows;
    return timer;
}

struct timer alarm_set(struct alarm *alarm, const struct timer *wanted, bool is_absolute) {
    u64 now = time_now_ns();
    lock_take(&lock);
    struct timer before = alarm_left(alarm, now);
    if (wanted) {
        u64 from = 0;
        if (!is_absolute) from = alarm_clock(alarm, now);
        alarm_unset(alarm);
        alarm->interval = wanted->interval;
        alarm->is_sent = false;
        alarm->overrun = 0;
        if (wanted->left) alarm_put(alarm, from + MIN(wanted->left, NEVER - 1 - from), now);
        alarm_watch();
    }
    lock_give(&lock);
    return before;
}

// The timer that has sent a signal; NULL: none has.
static struct alarm *alarm_of(struct process *process, const struct signal_info *info) {
    if (info->code == SI_TIMER) return alarm_find(process, (u32)info->data[0]);
    if (info->signal == SIGALRM) return &process->alarms[0];
    if (info->signal == SIGVTALRM) return &process->alarms[1];
    if (info->signal == SIGPROF) return &process->alarms[2];
    return NULL;
}

void alarm_taken(struct process *process, struct signal_info *info) {
    u64 now = time_now_ns();
    lock_take(&lock);
    struct alarm *alarm = alarm_of(process, info);
    if (alarm && alarm->is_sent) {
        alarm->is_sent = false;
        alarm->overrun = 0;
        u64 next = alarm->at + alarm->interval;
        u64 shows = alarm_clock(alarm, now);
        if (alarm->interval && next <= shows) {
            alarm->overrun = (s32)MIN((shows - next) / alarm->interval + 1, 0x7fffffff);
            next += (shows - next) / alarm->interval * alarm->interval + alarm->interval;
        }
        if (alarm->interval && !sorted_in(&alarm->node)) alarm_put(alarm, next, now);
        alarm_watch();
        if (info->code == SI_TIMER) info->data[0] |= (u64)alarm->overrun << 32;
    }
    lock_give(&lock);
}

// ---- those of timer_create ----

void alarms_init(struct process *process) {
    static const s32 signals[ALARMS] = {SIGALRM, SIGVTALRM, SIGPROF};
    for (int i = 0; i < ALARMS; i++) {
        struct alarm *alarm = &process->alarms[i];
        *alarm = (struct alarm){.process = process, .clock = i ? ALARM_PROCESS : ALARM_REAL};
        alarm->info = (struct signal_info){.signal = signals[i], .code = SI_KERNEL};
    }
}

struct alarm *alarm_find(const struct process *process, u32 number) {
    if (number / PER_PAGE >= ALARM_PAGES || !process->alarm_pages[number / PER_PAGE].at)
        return NULL;
    struct alarm *alarm = window(process->alarm_pages[number / PER_PAGE]);
    alarm += number % PER_PAGE;
    if (!alarm->process) return NULL;
    return alarm;
}

// A place that is free, in a page that may be a new one; ALARM_PAGES pages at most.
static s64 alarm_place(struct process *process, struct alarm **alarm) {
    for (u32 page = 0; page < ALARM_PAGES; page++) {
        paddr *at = &process->alarm_pages[page];
        if (!at->at) {
            *at = promises_page(OWNER_THREADS, false);
            if (!at->at) return -EAGAIN;
            memset(window(*at), 0, PAGE_SIZE);
        }
        struct alarm *all = window(*at);
        for (u32 i = 0; i < PER_PAGE; i++) {
            *alarm = all + i;
            if (!all[i].process) return (s64)(page * PER_PAGE + i);
        }
    }
    return -EAGAIN;
}

s64 alarm_make(struct process *process, const struct alarm *like) {
    struct alarm *alarm;
    lock_take(&lock);
    s64 number = alarm_place(process, &alarm);
    if (number >= 0) {
        *alarm = *like;
        alarm->process = process;
        alarm->info.data[0] = (u32)number;
    }
    lock_give(&lock);
    return number;
}

void alarm_delete(struct alarm *alarm) {
    lock_take(&lock);
    alarm_unset(alarm);
    *alarm = (struct alarm){0};
    lock_give(&lock);
}

void alarms_end(struct process *process, bool all) {
    lock_take(&lock);
    for (int i = 0; all && i < ALARMS; i++) alarm_unset(&process->alarms[i]);
    for (u32 page = 0; page < ALARM_PAGES; page++) {
        paddr at = process->alarm_pages[page];
        struct alarm *alarms = window(at);
        for (u32 i = 0; at.at && i < PER_PAGE; i++) alarm_unset(alarms + i);
        if (at.at) promises_give(OWNER_THREADS, at, false);
        process->alarm_pages[page].at = 0;
    }
    lock_give(&lock);
}
