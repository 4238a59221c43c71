// Restartable sequences (rseq(2)): a structure of the program's, in which the kernel tells on which
// CPU a thread runs, and by which a short sequence of instructions that was interrupted begins anew
// at its abort address. The structure is brought up to date before the thread returns to the
// program, after it was off its CPU, and before a handler of a signal runs.
#include <linux/rseq.h>
#include "kernel/process/program.h"

#define FLAGS_KNOWN RSEQ_FLAG_UNREGISTER

// Linux's struct rseq as of 6.3; <linux/rseq.h> may be older.
struct rseq_ids {
    u32 cpu_start, cpu; // at the start
    u64 sequence;       // struct rseq_cs of the sequence that runs, or 0
    u32 flags;
    u32 node;
    u32 number; // of the thread among those that run: below the number of CPUs
};

static bool rseq_put_ids(const struct thread *thread, u32 cpu_start, u32 cpu) {
    const u32 node_and_number[2] = {0, cpu_start};
    const u32 cpus[2] = {cpu_start, cpu};
    u64 at = thread->rseq.at;
    return copy_to_user(user(at), cpus, sizeof cpus) &&
           copy_to_user(user(at + offsetof(struct rseq_ids, node)), node_and_number,
                        sizeof node_and_number);
}

// Whether a sequence is one that Linux takes.
static bool rseq_is_valid(const struct thread *thread, const struct rseq_cs *sequence) {
    u32 signature;
    u64 end = sequence->start_ip + sequence->post_commit_offset;
    if (sequence->version || sequence->flags || sequence->abort_ip >= USER_END) return false;
    if (end < sequence->start_ip || end > USER_END) return false;
    if (sequence->abort_ip - sequence->start_ip < sequence->post_commit_offset) return false;
    if (!copy_from_user(&signature, user(sequence->abort_ip - sizeof signature), sizeof signature))
        return false;
    return signature == thread->rseq.signature;
}

// If the thread is inside a sequence, it goes to the abort address. False: the program's structures
// cannot be read or written, or are wrong.
static bool rseq_abort(struct thread *thread) {
    struct registers *regs = &thread->context.regs;
    struct rseq_cs sequence;
    const u64 none = 0;
    u64 at;
    u64 pointer = thread->rseq.at + offsetof(struct rseq_ids, sequence);
    if (!copy_from_user(&at, user(pointer), sizeof at)) return false;
    if (!at) return true;
    if (!copy_from_user(&sequence, user(at), sizeof sequence)) return false;
    if (!rseq_is_valid(thread, &sequence) || !copy_to_user(user(pointer), &none, sizeof none))
        return false;
    bool is_inside = regs->rip - sequence.start_ip < sequence.post_commit_offset;
    if (is_inside) regs->rip = sequence.abort_ip;
    return true;
}

bool rseq_update(struct thread *thread) {
    thread->rseq.is_stale = false;
    thread->faults = thread->counts.faults;
    return rseq_abort(thread) && rseq_put_ids(thread, thread->cpu, thread->cpu);
}

static s64 rseq_unregister(struct thread *thread, const struct rseq_kept *asked) {
    struct rseq_kept *kept = &thread->rseq;
    if (!kept->at || asked->at != kept->at || asked->bytes != kept->bytes) return -EINVAL;
    if (asked->signature != kept->signature) return -EPERM;
    if (!rseq_put_ids(thread, 0, (u32)-1)) return -EFAULT;
    *kept = (struct rseq_kept){0};
    return 0;
}

s64 rseq_register(struct thread *thread, const struct rseq_kept *asked, u32 flags) {
    struct rseq_kept *kept = &thread->rseq;
    if (flags & ~(u32)FLAGS_KNOWN) return -EINVAL;
    if (flags & RSEQ_FLAG_UNREGISTER) return rseq_unregister(thread, asked);
    if (kept->at) {
        if (asked->at != kept->at || asked->bytes != kept->bytes) return -EINVAL;
        if (asked->signature != kept->signature) return -EPERM;
        return -EBUSY;
    }
    if (!asked->at || asked->at % RSEQ_BYTES || asked->bytes < RSEQ_BYTES) return -EINVAL;
    const u64 none = 0;
    if (!in_user_range(user(asked->at), asked->bytes)) return -EFAULT;
    // As Linux since 6.15: what stood there before is no sequence.
    if (!copy_to_user(user(asked->at + offsetof(struct rseq_ids, sequence)), &none, sizeof none))
        return -EFAULT;
    *kept = *asked;
    kept->is_stale = true;
    return 0;
}
