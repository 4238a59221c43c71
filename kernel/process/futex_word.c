// What FUTEX_WAKE_OP does to a word: it changes it in one step, and compares what it was.
#include <linux/futex.h>
#include "kernel/process/futex.h"

#define OPERATION(how)  ((how) >> 28 & 7)
#define IS_SHIFT(how)   ((how) >> 31) // the argument is the number of a bit
#define COMPARISON(how) ((how) >> 24 & 15)
#define TRIES           100

// Twelve bits with a sign.
static s32 futex_word_argument(u32 bits) { return (s32)(bits << 20) >> 20; }

static bool futex_word_apply(u32 operation, u32 old, u32 argument, u32 *changed) {
    switch (operation) {
    case FUTEX_OP_SET: *changed = argument; return true;
    case FUTEX_OP_ADD: *changed = old + argument; return true;
    case FUTEX_OP_OR: *changed = old | argument; return true;
    case FUTEX_OP_ANDN: *changed = old & ~argument; return true;
    case FUTEX_OP_XOR: *changed = old ^ argument; return true;
    }
    return false;
}

static s64 futex_word_compare(u32 comparison, s32 old, s32 argument) {
    switch (comparison) {
    case FUTEX_OP_CMP_EQ: return old == argument;
    case FUTEX_OP_CMP_NE: return old != argument;
    case FUTEX_OP_CMP_LT: return old < argument;
    case FUTEX_OP_CMP_LE: return old <= argument;
    case FUTEX_OP_CMP_GT: return old > argument;
    case FUTEX_OP_CMP_GE: return old >= argument;
    }
    return -ENOSYS;
}

// Others may change it all the time: after some tries they have their turn.
s64 futex_word_change(struct thread *thread, u64 address, u32 how) {
    u32 argument = (u32)futex_word_argument(how >> 12 & 0xfff);
    u32 value;
    u32 changed;
    if (IS_SHIFT(how)) argument = 1u << (argument & 31); // as on Linux, which complains
    if (!copy_from_user(&value, user(address), sizeof value)) return -EFAULT;
    for (int i = 0; i < TRIES; i++) {
        u32 old = value;
        if (!futex_word_apply(OPERATION(how), old, argument, &changed)) return -ENOSYS;
        if (!user_exchange(user(address), &value, changed)) return -EFAULT;
        if (value == old)
            return futex_word_compare(COMPARISON(how), (s32)old, futex_word_argument(how & 0xfff));
    }
    return call_again(thread);
}
