// Waiting for what becomes of children: wait4(2) and waitid(2).
#include <linux/signal.h>
#include <linux/wait.h>
#include "kernel/call/call.h"
#include "kernel/thread/signals.h"

#define SECOND       1000000000ull
#define WAITID_BYTES 32   // of siginfo_t that waitid(2) stores, as far as status
#define LOOKS        2000 // at children in one execution

#define W4_OPTIONS (WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL)
#define WID_OPTIONS                                                                                \
    (WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL)

struct wanted {
    u32 kind;   // P_ALL, P_PID or P_PGID
    u32 number; // of the process or the group
    u32 which;  // as waitid has them
};

// What was found, told without the lock.
struct found {
    u32 id;
    enum event event;
    s32 status;
    struct usage usage;
};

static bool wait_is_meant(const struct process *child, const struct wanted *wanted) {
    bool is_other = child->exit_signal != SIGCHLD; // made by clone(2) with another signal
    if (!(wanted->which & __WALL) && is_other != !!(wanted->which & __WCLONE)) return false;
    if (wanted->kind == P_PID) return child->id == wanted->number;
    if (wanted->kind == P_PGID) return child->group == wanted->number;
    return true;
}

static bool wait_is_wanted(const struct process *child, u32 which) {
    switch (child->event) {
    case EVENT_NONE: return false;
    case EVENT_ENDED: return child->is_dead && which & WEXITED;
    case EVENT_STOPPED: return which & WSTOPPED;
    case EVENT_CONTINUED: return which & WCONTINUED;
    }
    return false;
}

// Under the lock. What was told once is not told again, and a child that has ended is gone.
static void wait_take(struct process *parent, struct process *child, u32 which,
                      struct found *found) {
    found->id = child->id;
    found->event = child->event;
    found->status = child->status;
    found->usage = usage_sum(&child->ended, &child->of_children);
    if (which & WNOWAIT) return;
    child->event = EVENT_NONE;
    if (found->event != EVENT_ENDED) return;
    parent->of_children = usage_sum(&parent->of_children, &found->usage);
    process_remove(child);
}

// Looks at some children, from one on. -ECHILD: none is meant; CALL_WAITS: of those that are there
// is nothing to tell; else 0, and there is (found->id), or more are to be looked at from *next on.
static s64 wait_look(struct process *parent, const struct wanted *wanted, u32 *next, bool *has_any,
                     struct found *found) {
    struct process *child = process_child(parent, *next);
    if (wanted->kind == P_PID) child = process_child(parent, wanted->number);
    for (int looks = 0; child && looks < LOOKS; looks++) {
        bool is_meant = wait_is_meant(child, wanted);
        *has_any |= is_meant;
        if (is_meant && wait_is_wanted(child, wanted->which)) {
            wait_take(parent, child, wanted->which, found);
            return 0;
        }
        *next = child->id + 1;
        child = process_child(parent, *next);
        if (wanted->kind == P_PID) child = NULL;
    }
    if (child) return 0;
    if (*has_any) return CALL_WAITS;
    return -ECHILD;
}

// 0, with what was found, or found->id 0: nothing yet (WNOHANG); CALL_WAITS; or a negative errno.
// Between pieces a child that was looked at may change: then it wakes the thread, which begins
// anew.
static s64 wait_for_child(struct thread *thread, const struct wanted *wanted, struct found *found) {
    struct process *parent = thread->process;
    struct record *record = &thread->record;
    u32 next = (u32)record->index;
    bool has_any = record->before;
    *found = (struct found){0};
    lock_take(&threads_lock);
    s64 result = wait_look(parent, wanted, &next, &has_any, found);
    lock_give(&threads_lock);
    bool is_more = !result && !found->id;
    record->index = is_more ? next : 0;
    record->before = is_more && has_any;
    if (is_more) return call_again(thread);
    if (result == CALL_WAITS && wanted->which & WNOHANG) return 0;
    if (result == CALL_WAITS) return wait_for(thread, &parent->changed);
    return result;
}

static s64 wait_tell_usage(u64 at, const struct found *found) {
    if (!at || !found->id) return 0;
    return usage_tell(at, &found->usage);
}

static void wait_begin(struct thread *thread) {
    struct record *record = &thread->record;
    if (!record->begun) record->index = record->before = 0;
    record->begun = true;
}

// wait4(int process, status, options, usage)
s64 call_wait4(struct thread *thread, const u64 *arg) {
    s32 pid = (s32)arg[0];
    u32 which = (u32)arg[2];
    struct wanted wanted = {.kind = P_ALL, .which = which | WEXITED};
    struct found found;
    if (which & ~(u32)W4_OPTIONS) return -EINVAL;
    if (pid == -2147483647 - 1) return -ESRCH;
    if (pid > 0) wanted = (struct wanted){P_PID, (u32)pid, wanted.which};
    if (pid == 0) wanted = (struct wanted){P_PGID, thread->process->group, wanted.which};
    if (pid < -1) wanted = (struct wanted){P_PGID, (u32)-pid, wanted.which};
    wait_begin(thread);
    s64 error = wait_for_child(thread, &wanted, &found);
    if (error) return error;
    if (found.id && arg[1] && !copy_to_user(user(arg[1]), &found.status, sizeof found.status))
        return -EFAULT;
    error = wait_tell_usage(arg[3], &found);
    if (error) return error;
    return found.id;
}

// waitid(kind, number, info, options, usage)
s64 call_waitid(struct thread *thread, const u64 *arg) {
    static const u32 states = WEXITED | WSTOPPED | WCONTINUED;
    struct wanted wanted = {(u32)arg[0], (u32)arg[1], (u32)arg[3]};
    struct found found;
    struct signal_info info = {0};
    if (wanted.which & ~(u32)WID_OPTIONS || !(wanted.which & states)) return -EINVAL;
    if (wanted.kind > P_PGID) return -EINVAL;
    if (wanted.kind == P_PID && (s32)wanted.number <= 0) return -EINVAL;
    if (wanted.kind == P_PGID && (s32)wanted.number < 0) return -EINVAL;
    if (wanted.kind == P_PGID && !wanted.number) wanted.number = thread->process->group;
    wait_begin(thread);
    s64 error = wait_for_child(thread, &wanted, &found);
    if (error) return error;
    if (found.id) {
        process_describe(found.id, found.event, found.status, &info);
        info.signal = SIGCHLD;
    }
    if (arg[2] && !copy_to_user(user(arg[2]), &info, WAITID_BYTES)) return -EFAULT;
    return wait_tell_usage(arg[4], &found);
}
