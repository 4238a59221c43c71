// Signals: what the program asked for, what is pending, and the default actions. Handlers of the program's own are not
// built; asking for one is refused with ENOSYS rather than taken and never called.
#include <asm/signal.h>
#include "kernel/kernel.h"
#include "kernel/program/calls.h"
#include "kernel/program/program.h"

#define SIGNALS     64
#define BIT(signal) (1ull << ((signal)-1))
#define UNMASKABLE  (BIT(SIGKILL) | BIT(SIGSTOP))
// Ignored by default; stopping is ignored too, since nobody could continue the program.
#define HARMLESS                                                                                                       \
    (BIT(SIGCHLD) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGCONT) | BIT(SIGSTOP) | BIT(SIGTSTP) | BIT(SIGTTIN) |          \
     BIT(SIGTTOU))

struct action { // struct kernel_sigaction
    u64 handler, flags, restorer, mask;
};
static struct action actions[SIGNALS + 1];

static bool ignored(int signal) {
    u64 handler = actions[signal].handler;
    return handler == (u64)SIG_IGN || (handler == (u64)SIG_DFL && BIT(signal) & HARMLESS);
}

void signal_send(struct thread *thread, int signal) {
    if (!ignored(signal)) thread->signals_pending |= BIT(signal);
}

void signal_deliver(struct thread *thread) {
    if (signal_due(thread)) program_killed(__builtin_ctzll(signal_due(thread)) + 1);
}

// rt_sigaction(signal, new, old, bytes of a mask)
CALL(rt_sigaction) {
    u64 signal = arg[0];
    struct action wanted;
    if (arg[3] != sizeof(u64) || !signal || signal > SIGNALS) return -EINVAL;
    if (arg[1] && (BIT(signal) & UNMASKABLE)) return -EINVAL;
    if (arg[1] && !copy_from_user(&wanted, arg[1], sizeof wanted)) return -EFAULT;
    if (arg[1] && wanted.handler != (u64)SIG_DFL && wanted.handler != (u64)SIG_IGN) return -ENOSYS;
    if (arg[2] && !copy_to_user(arg[2], &actions[signal], sizeof wanted)) return -EFAULT;
    if (!arg[1]) return 0;
    actions[signal] = wanted;
    if (ignored((int)signal)) thread->signals_pending &= ~BIT(signal);
    return 0;
}

// rt_sigprocmask(how, new, old, bytes of a mask)
CALL(rt_sigprocmask) {
    u64 set, old = thread->signals_blocked;
    if (arg[3] != sizeof set) return -EINVAL;
    if (arg[1]) {
        if (!copy_from_user(&set, arg[1], sizeof set)) return -EFAULT;
        if (arg[0] > SIG_SETMASK) return -EINVAL;
        u64 blocked = arg[0] == SIG_BLOCK ? old | set : arg[0] == SIG_UNBLOCK ? old & ~set : set;
        thread->signals_blocked = blocked & ~UNMASKABLE;
    }
    return arg[2] && !copy_to_user(arg[2], &old, sizeof old) ? -EFAULT : 0;
}

// A signal to oneself; nobody else is there.
static s64 send(struct thread *thread, u64 signal, bool is_me) {
    if (signal > SIGNALS) return -EINVAL;
    if (!is_me) return -ESRCH;
    if (signal) signal_send(thread, (int)signal);
    return 0;
}

CALL(kill) {
    int target = (int)arg[0]; // 0: one's group; -1: everybody
    return send(thread, arg[1], target == thread->id || target == 0 || target == -1 || target == -thread->id);
}
CALL(tkill) { return send(thread, arg[1], (int)arg[0] == thread->id); }
CALL(tgkill) { return send(thread, arg[2], (int)arg[0] == 1 && (int)arg[1] == thread->id); }
