// Sending signals.
#include <asm/siginfo.h>
#include <linux/signal.h>
#include "kernel/call/call.h"

// kill(int process, int signal). The only process is number 1, in group 1; -1 means all others, and
// there are none.
s64 call_kill(struct thread *thread, const u64 *arg) {
    int pid = (int)arg[0];
    bool is_ours = pid == 0 || pid == 1;
    if (pid > 1) is_ours = thread_exists((u32)pid); // a thread's number stands for its process
    if (!is_ours) return -ESRCH;
    return signal_send(thread->process, 0, (int)arg[1], SI_USER);
}

// tkill(int thread, int signal)
s64 call_tkill(struct thread *thread, const u64 *arg) {
    if ((int)arg[0] <= 0) return -EINVAL;
    return signal_send(thread->process, (u32)arg[0], (int)arg[1], SI_TKILL);
}

// tgkill(int process, int thread, int signal)
s64 call_tgkill(struct thread *thread, const u64 *arg) {
    if ((int)arg[0] <= 0 || (int)arg[1] <= 0) return -EINVAL;
    if ((int)arg[0] != 1) return -ESRCH;
    return call_tkill(thread, arg + 1);
}

// What the program tells with a signal, to itself: Linux lets others be told only what the kernel
// never says.
static s64 sigqueueinfo(struct thread *thread, u32 tid, int signal, u64 from) {
    struct signal_info info;
    if (!copy_from_user(&info, user(from), sizeof info)) return -EFAULT;
    info.signal = signal;
    return signal_send_told(thread->process, tid, &info);
}

// rt_sigqueueinfo(int process, int signal, info)
s64 call_rt_sigqueueinfo(struct thread *thread, const u64 *arg) {
    int pid = (int)arg[0];
    bool is_ours = pid == 1 || (pid > 1 && thread_exists((u32)pid));
    if (!is_ours) return -ESRCH;
    return sigqueueinfo(thread, 0, (int)arg[1], arg[2]);
}

// rt_tgsigqueueinfo(int process, int thread, int signal, info)
s64 call_rt_tgsigqueueinfo(struct thread *thread, const u64 *arg) {
    if ((int)arg[0] <= 0 || (int)arg[1] <= 0) return -EINVAL;
    if ((int)arg[0] != 1) return -ESRCH;
    return sigqueueinfo(thread, (u32)arg[1], (int)arg[2], arg[3]);
}
