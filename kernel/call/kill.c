// Sending signals, and to whom: a process, the members of a group, all of them, or a thread.
#include <asm/siginfo.h>
#include <linux/signal.h>
#include "kernel/call/call.h"
#include "kernel/process/credentials.h"

#define EVERYBODY 0  // instead of a group
#define MOST      64 // that are sent one at once

static struct signal_info kill_info(const struct thread *thread, int signal, s32 code) {
    struct signal_info info = {.signal = signal, .code = code};
    // The sender, and its user.
    info.data[0] = thread->process->id | (u64)thread->process->credentials.users.real << 32;
    return info;
}

// SIGCONT reaches everybody of the session.
static bool kill_may(const struct process *from, const struct process *to, int signal) {
    if (signal == SIGCONT && from->session == to->session) return true;
    return from == to || credentials_may_signal(&from->credentials, &to->credentials);
}

static bool kill_is_signal(int signal) { return signal >= 0 && signal <= SIGNALS; }

// To a process that there is; under the lock.
static s64 kill_process(const struct thread *thread, struct process *process,
                        const struct signal_info *info) {
    if (!kill_is_signal(info->signal)) return -EINVAL;
    if (!kill_may(thread->process, process, info->signal)) return -EPERM;
    if (!info->signal) return 0;
    return signal_put_to(process, NULL, info);
}

static s64 kill_one(const struct thread *thread, u32 pid, const struct signal_info *info) {
    s64 error = -ESRCH;
    lock_take(&threads_lock);
    struct process *process = process_of(pid);
    if (process) error = kill_process(thread, process, info);
    lock_give(&threads_lock);
    (void)signal_search();
    return error;
}

// All but the first and the sender's own.
static struct process *kill_next(struct thread *thread, u32 group, u32 from) {
    if (group != EVERYBODY) return process_member(group, from);
    struct process *process = process_from(from);
    while (process && (!process->parent || process == thread->process))
        process = process_from(process->id + 1);
    return process;
}

// In pieces: the record has whom to go on with, and whether there was anybody.
static s64 kill_many(struct thread *thread, u32 group, const struct signal_info *info) {
    struct record *record = &thread->record;
    if (!record->begun) record->index = record->done = record->before = 0;
    record->begun = true;
    s64 error = 0;
    lock_take(&threads_lock);
    struct process *process = kill_next(thread, group, (u32)record->index);
    for (int i = 0; process && i < MOST && !error; i++) {
        error = kill_process(thread, process, info);
        if (error != -EPERM) record->done = 1;
        if (error == -EPERM) record->before = 1;
        if (error == -EPERM) error = 0;
        record->index = process->id + 1;
        process = kill_next(thread, group, (u32)record->index);
    }
    lock_give(&threads_lock);
    (void)signal_search();
    if (error) return error;
    if (process) return call_again(thread);
    if (!record->done && record->before) return -EPERM;
    if (!record->done) return -ESRCH;
    return 0;
}

// kill(int process, int signal). A thread's number stands for its process.
s64 call_kill(struct thread *thread, const u64 *arg) {
    s32 pid = (s32)arg[0];
    const struct signal_info info = kill_info(thread, (int)arg[1], SI_USER);
    if (pid > 0) return kill_one(thread, (u32)pid, &info);
    if (pid == 0) return kill_many(thread, thread->process->group, &info);
    if (pid == -1) return kill_many(thread, EVERYBODY, &info);
    return kill_many(thread, (u32)-pid, &info);
}

// To a thread, of that process or (0) of any.
static s64 kill_thread(const struct thread *thread, u32 pid, u32 tid,
                       const struct signal_info *info) {
    s64 error = -ESRCH;
    lock_take(&threads_lock);
    struct thread *to = thread_find(tid);
    if (to && (!pid || to->process->id == pid)) {
        error = 0;
        if (!kill_is_signal(info->signal))
            error = -EINVAL;
        else if (!kill_may(thread->process, to->process, info->signal))
            error = -EPERM;
        else if (info->signal)
            error = signal_put_to(to->process, to, info);
    }
    lock_give(&threads_lock);
    return error;
}

// tkill(int thread, int signal)
s64 call_tkill(struct thread *thread, const u64 *arg) {
    const struct signal_info info = kill_info(thread, (int)arg[1], SI_TKILL);
    if ((s32)arg[0] <= 0) return -EINVAL;
    return kill_thread(thread, 0, (u32)arg[0], &info);
}

// tgkill(int process, int thread, int signal)
s64 call_tgkill(struct thread *thread, const u64 *arg) {
    const struct signal_info info = kill_info(thread, (int)arg[2], SI_TKILL);
    if ((s32)arg[0] <= 0 || (s32)arg[1] <= 0) return -EINVAL;
    return kill_thread(thread, (u32)arg[0], (u32)arg[1], &info);
}

// What the program tells with a signal: others may be told only what the kernel never says.
static s64 kill_told(const struct thread *thread, u32 pid, u64 from, int signal,
                     struct signal_info *info) {
    if (!copy_from_user(info, user(from), sizeof *info)) return -EFAULT;
    info->signal = signal;
    bool is_kernels = info->code >= 0 || info->code == SI_TKILL;
    if (is_kernels && pid != thread->process->id) return -EPERM;
    return 0;
}

// rt_sigqueueinfo(int process, int signal, info)
s64 call_rt_sigqueueinfo(struct thread *thread, const u64 *arg) {
    struct signal_info info;
    s64 error = kill_told(thread, (u32)arg[0], arg[2], (int)arg[1], &info);
    if (error) return error;
    return kill_one(thread, (u32)arg[0], &info);
}

// rt_tgsigqueueinfo(int process, int thread, int signal, info)
s64 call_rt_tgsigqueueinfo(struct thread *thread, const u64 *arg) {
    struct signal_info info;
    if ((s32)arg[0] <= 0 || (s32)arg[1] <= 0) return -EINVAL;
    s64 error = kill_told(thread, (u32)arg[0], arg[3], (int)arg[2], &info);
    if (error) return error;
    return kill_thread(thread, (u32)arg[0], (u32)arg[1], &info);
}
