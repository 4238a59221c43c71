// futex(2).
#include <linux/futex.h>
#include "kernel/call/call.h"

// REQUEUE(word, operation, how many are woken, how many are moved, to which word, value), or with
// the value compared.
static s64 futex_call_requeue(struct thread *thread, const u64 *arg, u32 operation) {
    int wakes = (int)arg[2];
    int moves = (int)arg[3];
    if (wakes < 0 || moves < 0) return -EINVAL;
    struct futex_requeue how = {
        .word = arg[0], .to = arg[4], .operation = operation, .expected = (u32)arg[5]};
    how.compares = (operation & FUTEX_CMD_MASK) == FUTEX_CMP_REQUEUE;
    how.wakes = (u32)wakes;
    how.moves = (u32)moves;
    return futex_requeue(thread, &how);
}

// WAKE_OP(word, operation, how many are woken, how many at word 2, word 2, what becomes of that).
static s64 futex_call_wake_op(struct thread *thread, const u64 *arg, u32 operation) {
    struct futex_wake_op how = {
        .word = arg[0], .other = arg[4], .operation = operation, .change = (u32)arg[5]};
    how.wakes = (u32)MAX((int)arg[2], 1);
    how.other_wakes = (u32)MAX((int)arg[3], 1);
    return futex_wake_op(thread, &how);
}

#define ONE(command) (1u << (command))
// who may ask for it
#define WALL_CLOCK (ONE(FUTEX_WAIT_BITSET) | ONE(FUTEX_WAIT_REQUEUE_PI) | ONE(FUTEX_LOCK_PI2))
#define TIMED      (WALL_CLOCK | ONE(FUTEX_WAIT) | ONE(FUTEX_LOCK_PI))

static bool futex_is_of(u32 command, u32 set) {
    return command <= FUTEX_LOCK_PI2 && set >> command & 1;
}

// futex(word, operation, value, timeout or count, word 2, bits or value). As on Linux the timeout
// comes first of all.
s64 call_futex(struct thread *thread, const u64 *arg) {
    u32 operation = (u32)arg[1];
    u32 command = operation & (u32)FUTEX_CMD_MASK;
    bool has_bits = command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET;
    u32 bits = ~0u;
    if (has_bits) bits = (u32)arg[5];
    u64 ns = NEVER;
    if (arg[3] && !thread->has_deadline && futex_is_of(command, TIMED)) {
        s64 error = time_get(user(arg[3]), &ns);
        if (error) return error;
    }
    if (operation & FUTEX_CLOCK_REALTIME && !futex_is_of(command, WALL_CLOCK)) return -ENOSYS;
    if (!bits) return -EINVAL;
    switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        return futex_wait(thread, &(struct futex_wait){arg[0], ns, operation, (u32)arg[2], bits});
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET: {
        int count = MAX((int)arg[2], 1);
        return futex_wake(thread, arg[0], operation, (u32)count, bits);
    }
    case FUTEX_WAKE_OP: return futex_call_wake_op(thread, arg, operation);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE: return futex_call_requeue(thread, arg, operation);
    }
    if (command == FUTEX_FD || command > FUTEX_LOCK_PI2) return -ENOSYS; // on Linux, too
    return refused("futex", "operation", command, "only WAIT, WAKE, WAKE_OP and REQUEUE are built",
                   -ENOSYS);
}
