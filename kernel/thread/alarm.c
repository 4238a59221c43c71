// The processes' timers of real time: alarm, setitimer and getitimer. A CPU that sets one watches
// all from then on, until none is set; when one is over, its process gets SIGALRM. As on Linux an
// interval begins anew only when the signal is taken, so that a short one keeps no CPU.
#include <asm/siginfo.h>
#include <asm/signal.h>
#include "kernel/cpu/time.h"
#include "kernel/thread/signals.h"

#define LEAST_NS 1000 // of a timer that is about to ring

static struct lock lock = {.rank = LOCK_ALARM};
static struct sorted set; // by time_now_ns() when the signal comes

// The first one whose time has come, which is no longer set; NULL: none. next: when the next one's
// does.
static struct process *alarm_take(u64 now, u64 *next) {
    struct process *process = NULL;
    lock_take(&lock);
    struct sorted_node *node = sorted_first(&set);
    if (node && node->key <= now) {
        process = (struct process *)((u8 *)node - offsetof(struct process, alarm.node));
        sorted_remove(&set, node);
        node = sorted_first(&set);
    }
    *next = NEVER;
    if (node) *next = node->key;
    lock_give(&lock);
    return process;
}

u64 alarm_run(u64 now) {
    u64 next;
    struct process *process = alarm_take(now, &next);
    if (process) (void)signal_send(process, SIGALRM);
    return next;
}

struct timer alarm_set(struct process *process, const struct timer *wanted) {
    struct alarm *alarm = &process->alarm;
    u64 now = time_now_ns();
    lock_take(&lock);
    struct timer before = {.interval = alarm->interval};
    if (sorted_in(&alarm->node)) {
        before.left = LEAST_NS;
        if (alarm->node.key > now) before.left = alarm->node.key - now;
    }
    if (wanted) {
        alarm->interval = wanted->interval;
        if (sorted_in(&alarm->node)) sorted_remove(&set, &alarm->node);
        if (wanted->left)
            sorted_add(&set, &alarm->node, now + MIN(wanted->left, NEVER - 1 - now), (u64)alarm);
        const struct sorted_node *first = sorted_first(&set);
        u64 next = NEVER;
        if (first) next = first->key;
        scheduler_set_alarm(next);
    }
    lock_give(&lock);
    return before;
}

// Times that have passed since then are left out.
void alarm_again(struct process *process) {
    struct alarm *alarm = &process->alarm;
    u64 now = time_now_ns();
    lock_take(&lock);
    if (alarm->interval && !sorted_in(&alarm->node)) {
        u64 next = alarm->node.key + alarm->interval;
        if (next <= now) next += ROUND_UP(now + 1 - next, alarm->interval);
        sorted_add(&set, &alarm->node, MIN(next, NEVER - 1), (u64)alarm);
        scheduler_set_alarm(sorted_first(&set)->key);
    }
    lock_give(&lock);
}
