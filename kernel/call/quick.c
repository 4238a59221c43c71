// Calls that are done before anything is saved (traps.asm): numbers of the caller, and a futex for
// which nobody waits.
#include <asm/unistd_64.h>
#include <linux/futex.h>
#include "kernel/call/call.h"

// A wake-up of nobody: of private words, for which no memory has to be looked at.
static s64 quick_futex(const struct thread *thread, const struct quick *quick) {
    u64 word = quick->rdi;
    bool is_wake = (u32)quick->rsi == (FUTEX_WAKE | FUTEX_PRIVATE_FLAG);
    if (!is_wake || word % sizeof(u32) || word >= USER_END) return QUICK_NOT;
    if (!futex_has_nobody(thread->process->space, word)) return QUICK_NOT;
    return 0;
}

static s64 quick_call(struct context *context, const struct quick *quick) {
    struct thread *thread = (struct thread *)context;
    switch ((u32)quick->rax) {
    case __NR_futex: return quick_futex(thread, quick);
    case __NR_getpid: return thread->process->id;
    case __NR_gettid: return thread->tid;
    case __NR_getppid: return __atomic_load_n(&thread->process->parent_id, __ATOMIC_RELAXED);
    case __NR_getpgrp: return thread->process->group;
    case __NR_getuid: return thread->process->credentials.users.real;
    case __NR_geteuid: return thread->process->credentials.users.effective;
    case __NR_getgid: return thread->process->credentials.groups.real;
    case __NR_getegid: return thread->process->credentials.groups.effective;
    }
    return QUICK_NOT;
}

static const u16 numbers[] = {__NR_futex,  __NR_getpid,  __NR_gettid, __NR_getppid, __NR_getpgrp,
                              __NR_getuid, __NR_geteuid, __NR_getgid, __NR_getegid};

void calls_init(void) {
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        quick_calls[numbers[i] / 64] |= 1ull << numbers[i] % 64;
}

const struct calls calls_of_program = {calls_dispatch, quick_call};
