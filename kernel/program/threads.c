// The threads of the program: made by clone, known by their tids, ended by exit. All share
// everything but registers, blocked signals and their tid.
#include <linux/sched.h>
#include "kernel/call/call.h"
#include "kernel/cpu/cpus.h"
#include "kernel/device/devices.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/window.h"
#include "kernel/program/program.h"
#include "kernel/program/promises.h"

#define TID_MAX      0x3fffffff // what fits into a futex word beside its two flags
#define XSTATE_ALIGN 64
// What every thread has, and what means nothing between threads, which share everything here.
#define CLONE_NEEDED     (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define CLONE_SHARED     (CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_IO)
#define CLONE_OF_PARENTS (CLONE_PARENT | CLONE_PTRACE | CLONE_UNTRACED | CLONE_DETACHED | CSIGNAL)
#define CLONE_TIDS       (CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)
#define CLONE_BUILT      (CLONE_SETTLS | CLONE_TIDS)
#define CLONE_KNOWN      (CLONE_NEEDED | CLONE_SHARED | CLONE_OF_PARENTS | CLONE_BUILT)

struct lock threads_lock;
static struct sorted tids;
static u32 latest;
static unsigned count;

// Its memory goes. What still had a link to it would reach into the next owner's.
void thread_free(struct thread *thread) {
    ASSERT(!sorted_in(&thread->by_tid) && !sorted_in(&thread->ready));
    ASSERT(!sorted_in(&thread->sleep) && !sorted_in(&thread->wait));
    ASSERT(!sorted_in(&thread->waiter.node) && !thread->record.file);
    promises_give(OWNER_THREADS, window_physical(thread), false);
}

struct thread *thread_find(u32 tid) {
    struct sorted_node *node = sorted_from(&tids, tid, 0);
    return node && node->key == tid ? THREAD_OF(node, by_tid) : NULL;
}
struct thread *thread_from(u32 tid) {
    struct sorted_node *node = sorted_from(&tids, tid, 0);
    return node ? THREAD_OF(node, by_tid) : NULL;
}
struct thread *thread_after(struct thread *thread) {
    struct sorted_node *node = thread ? sorted_next(&thread->by_tid) : sorted_first(&tids);
    return node ? THREAD_OF(node, by_tid) : NULL;
}
unsigned threads_count(void) { return __atomic_load_n(&count, __ATOMIC_RELAXED); }

struct thread *thread_make(const struct thread *like) {
    u64 page = space_page(OWNER_THREADS), bytes = ROUND_UP(fpu_state_size(), XSTATE_ALIGN);
    struct thread *thread = window(page);
    if (!page) return NULL;
    ASSERT(sizeof *thread + bytes <= PAGE_SIZE);
    *thread = (struct thread){.context.xstate = (u8 *)thread + PAGE_SIZE - bytes};
    fpu_state_init(thread->context.xstate);
    if (like) {
        thread->context.regs = like->context.regs;
        segments_read(&thread->context.segments);
        thread->signals_blocked = like->signals_blocked;
        thread->priority = like->priority;
        thread->timer_slack = like->timer_slack;
        memcpy(thread->name, like->name, THREAD_NAME);
        thread->cpu = like->cpu;
        fpu_save(thread->context.xstate);
    }
    lock_take(&threads_lock);
    do thread->tid = latest = latest % TID_MAX + 1;
    while (thread_find(thread->tid));
    sorted_add(&tids, &thread->by_tid, thread->tid, 0);
    count++;
    lock_give(&threads_lock);
    return thread;
}

// As Linux: what contradicts itself.
static bool clone_makes_sense(u64 flags) {
    bool is_thread = flags & CLONE_THREAD;
    if (is_thread && !(flags & CLONE_SIGHAND)) return false;
    if (flags & CLONE_SIGHAND && !(flags & CLONE_VM)) return false;
    if (flags & CLONE_FS && flags & (CLONE_NEWNS | CLONE_NEWUSER)) return false;
    return !(is_thread && flags & (CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD));
}

// clone(flags, stack, tid for the parent, tid for the child, TLS). Without CLONE_FS or CLONE_FILES,
// too, the threads have one directory and one table of files.
s64 call_clone(struct thread *thread, const u64 *arg) {
    u64 flags = (u32)arg[0];
    if (!clone_makes_sense(flags)) return -EINVAL;
    if ((flags & CLONE_NEEDED) != CLONE_NEEDED || flags & ~(u64)CLONE_KNOWN)
        return refused("clone", "flags", flags, "only threads are built", -ENOSYS);
    if (flags & CLONE_SETTLS && arg[4] >= USER_END) return -EPERM;
    struct thread *child = thread_make(thread);
    if (!child) return -ENOMEM;
    u32 tid = child->tid;
    child->context.regs.rax = 0;
    if (arg[1]) child->context.regs.rsp = arg[1];
    if (flags & CLONE_SETTLS) {
        child->context.segments.fs_base = arg[4];
        child->context.segments.selectors.fs = 0;
    }
    if (flags & CLONE_CHILD_CLEARTID) child->clear_tid = arg[3];
    // As on Linux, a place that cannot be written is left alone.
    if (flags & CLONE_PARENT_SETTID) put_user(arg[2], &tid, sizeof tid);
    if (flags & CLONE_CHILD_SETTID) put_user(arg[3], &tid, sizeof tid);
    thread_start(child);
    return tid;
}

s64 call_gettid(struct thread *thread, const u64 *arg) { return thread->tid; }

s64 call_set_tid_address(struct thread *thread, const u64 *arg) {
    thread->clear_tid = arg[0];
    return thread->tid;
}

// The memory of a thread goes when its CPU has left it. Its stack may be gone already. Who leaves
// takes no signal: one to all is another's.
s64 call_exit(struct thread *thread, const u64 *arg) {
    u32 zero = 0;
    signal_block(thread, ~0ull);
    if (!robust_walk(thread)) return call_again(thread);
    if (thread->clear_tid && copy_to_user(thread->clear_tid, &zero, sizeof zero))
        futex_wake_one(futex_key(thread->clear_tid, 0));
    lock_take(&threads_lock);
    sorted_remove(&tids, &thread->by_tid);
    bool last = --count == 0;
    lock_give(&threads_lock);
    if (last) call_exit_group(thread, arg);
    thread->ended = true;
    return 0;
}

s64 call_exit_group(struct thread *thread, const u64 *arg) {
    program_ends();
    power_end((int)(arg[0] & 255));
}

// sched_getaffinity(thread, bytes, mask): all CPUs, also those that are still to come, since
// programs ask once. Returns how many bytes it wrote.
s64 call_sched_getaffinity(struct thread *thread, const u64 *arg) {
    unsigned cpus = cpus_expected();
    u64 mask[CPUS_MAX / 64] = {0}, bytes = ROUND_UP(cpus, 64) / 8;
    if ((u32)arg[1] < bytes || (u32)arg[1] % sizeof mask[0]) return -EINVAL;
    lock_take(&threads_lock);
    bool exists = !(u32)arg[0] || thread_find((u32)arg[0]);
    lock_give(&threads_lock);
    if (!exists) return -ESRCH;
    for (unsigned cpu = 0; cpu < cpus; cpu++) mask[cpu / 64] |= 1ull << cpu % 64;
    return copy_to_user(arg[2], mask, bytes) ? (s64)bytes : -EFAULT;
}

// getcpu(cpu, node)
s64 call_getcpu(struct thread *thread, const u64 *arg) {
    u32 cpu = thread->cpu, node = 0;
    if (arg[0] && !copy_to_user(arg[0], &cpu, sizeof cpu)) return -EFAULT;
    return arg[1] ? put_user(arg[1], &node, sizeof node) : 0;
}
