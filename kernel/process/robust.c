// Robust futexes (Linux's Documentation/locking/robust-futexes.rst): a thread keeps a list of the
// locks it holds, in its own memory. When it ends, each word there that still has its tid gets
// FUTEX_OWNER_DIED, and one waiter is woken. The list is whatever the program made of it: a circle,
// garbage, or changed meanwhile by other threads.
#include <linux/futex.h>
#include "kernel/cpu/trap.h"
#include "kernel/process/futex.h"

#define ENTRIES_MAX 2048 // as Linux's ROBUST_LIST_LIMIT
#define PIECE       64   // entries of one execution of the call
#define TRIES_MAX   100  // of an exchange that other threads spoil
#define IS_PI       1ull // in the lowest bit of a pointer: the lock inherits priorities

static u64 robust_address_of(u64 pointer) { return pointer & ~IS_PI; }

// One lock of a thread that ends. May be just being taken or given back: then it is not in the
// list, and nobody may own it. False: there is no such word, and the walk ends.
static bool robust_lock_died(const struct thread *thread, u64 pointer, bool pending) {
    struct space *space = thread->process->space;
    u64 word = robust_address_of(pointer) + thread->robust.futex_offset;
    u32 value;
    if (word % sizeof value || !copy_from_user(&value, user(word), sizeof value)) return false;
    for (int i = 0; i < TRIES_MAX; i++) {
        u32 owner = value & FUTEX_TID_MASK;
        if (pending && !(pointer & IS_PI) && !owner) futex_wake_one(futex_key(space, word, 0));
        if (owner != thread->tid) return true;
        u32 seen = value;
        if (!user_exchange(user(word), &seen, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
            return false;
        if (seen == value) {
            if (!(pointer & IS_PI) && value & FUTEX_WAITERS)
                futex_wake_one(futex_key(space, word, 0));
            return true;
        }
        value = seen;
    }
    return true;
}

bool robust_walk(struct thread *thread) {
    struct robust *robust = &thread->robust;
    if (!robust->head) return true;
    if (!thread->record.done &&
        !copy_from_user(&robust->next, user(robust->head), ROBUST_HEAD_BYTES))
        return true;
    for (u64 end = thread->record.done + PIECE;
         robust_address_of(robust->next) != robust->head && thread->record.done < ENTRIES_MAX;) {
        if (thread->record.done == end) return false;
        u64 entry = robust->next;
        bool readable = copy_from_user(&robust->next, user(robust_address_of(entry)), sizeof entry);
        bool is_pending = robust_address_of(entry) == robust_address_of(robust->pending);
        if (!is_pending && !robust_lock_died(thread, entry, false)) return true;
        if (!readable) return true;
        thread->record.done++;
        if (call_faulted(thread)) end = thread->record.done;
    }
    if (robust_address_of(robust->pending)) robust_lock_died(thread, robust->pending, true);
    return true;
}
