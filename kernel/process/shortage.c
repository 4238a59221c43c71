// What is done when memory runs out: shared frames that nobody has any more come back; then the
// youngest of the processes that were promised nothing, since they began as a copy of another one,
// is ended, so that the older ones keep what they were promised.
#include <linux/signal.h>
#include "kernel/kernel.h"
#include "kernel/process/program.h"
#include "kernel/space/collector.h"

// True: it dies, now or already.
static bool shortage_end_youngest(void) {
    bool is_new = false;
    u32 id = space_youngest_owner();
    if (!id) return false;
    lock_take(&threads_lock);
    struct process *process = process_find(id);
    if (process && process->parent && !process->is_dead) {
        is_new = !(process->halts & HALT_DIES);
        process_die(process, SIGKILL);
        struct thread *first = thread_from(process, 0);
        if (first) thread_wake(first); // it wakes the others
    } else {
        process = NULL;
    }
    lock_give(&threads_lock);
    if (is_new)
        log_error("memory ran out: process %u, the youngest that has memory in common with its "
                  "parent, was killed",
                  id);
    return process;
}

bool shortage_help(bool ends_some) {
    if (collector_is_due(true)) {
        (void)collector_step();
        return true;
    }
    if (!ends_some || !shortage_end_youngest()) return false;
    scheduler_yield();
    return true;
}
