// The process's timer of real time: alarm, setitimer and getitimer. One CPU, the one that set it
// last, watches it; when it is over, the process gets SIGALRM. As on Linux an interval begins anew
// only when the signal is taken, which without handlers is the end of the program.
#include <asm/signal.h>
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/time.h"
#include "kernel/program/program.h"

#define LEAST_NS 1000 // of a timer that is about to ring

static struct lock lock = {.rank = LOCK_ALARM}; // outside the threads'
static u64 due = NEVER;                         // time_now_ns() when the signal comes
static u64 interval;
static unsigned watcher; // CPU

u64 alarm_run(u64 now) {
    lock_take(&lock);
    bool rings = due <= now;
    if (rings) due = NEVER;
    u64 next = watcher == this_cpu()->number ? due : NEVER;
    lock_give(&lock);
    if (rings) signal_send(0, SIGALRM);
    return next;
}

struct timer alarm_set(const struct timer *wanted) {
    u64 now = time_now_ns();
    lock_take(&lock);
    struct timer before = {.interval = interval};
    if (due != NEVER) before.left = due > now ? due - now : LEAST_NS;
    if (wanted) {
        interval = wanted->interval;
        due = NEVER;
        if (wanted->left) due = now + MIN(wanted->left, NEVER - 1 - now);
        watcher = this_cpu()->number;
        scheduler_set_alarm(due);
    }
    lock_give(&lock);
    return before;
}
