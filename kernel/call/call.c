// See call.h: the table of system calls.
#include "kernel/call/call.h"

#include <asm/unistd_64.h>
#include "kernel/kernel.h"
#include "kernel/lib/string.h"

static s64 call_returns_0(struct thread *thread, const u64 *arg) { return 0; }
static s64 call_returns_1(struct thread *thread, const u64 *arg) { return 1; }

#define CALL_ENTRY(name) [__NR_##name] = call_##name,
static s64 (*const calls[])(struct thread *, const u64 *) = {
    // clang-format off
    CALLS(CALL_ENTRY)
    [__NR_lstat] = call_stat, // there are no links
    [__NR_getpid] = call_returns_1, [__NR_getpgrp] = call_returns_1,
    [__NR_getppid] = call_returns_0,
    [__NR_getuid] = call_returns_0, [__NR_geteuid] = call_returns_0,
    [__NR_getgid] = call_returns_0, [__NR_getegid] = call_returns_0,
    [__NR_setfsuid] = call_returns_0, [__NR_setfsgid] = call_returns_0, // what it was before
    [__NR_sync] = call_returns_0, // nothing is kept that could be written
    // clang-format on
};

// All x86-64 names in the order of their numbers, each with its NUL, empty where a number has no
// call: build.sh makes them of <asm/unistd_64.h>.
static const char names[] =
#include "out/names.inc"
    ;
#define NUMBERS 512 // none is higher

static __attribute__((noinline)) s64 calls_unknown(u32 number) {
    static bool named[NUMBERS + 1]; // the last one for all that are no number of a call
    // Every glibc program, or every one with threads, asks for these first and does without: not
    // worth a line.
    if (number == __NR_rseq || number == __NR_clone3) return -ENOSYS;
    if (__atomic_exchange_n(&named[number < NUMBERS ? number : NUMBERS], true, __ATOMIC_RELAXED))
        return -ENOSYS;
    const char *name = names;
    for (u32 i = 0; i < number && name < names + sizeof names - 1; i++) name += strlen(name) + 1;
    log("the program called %s (system call %u), which is not built: it got ENOSYS",
        *name ? name : "?", number);
    return -ENOSYS;
}

// The number is EAX, as on Linux: what stands in the upper half of RAX does not matter.
s64 calls_dispatch(struct thread *thread, u32 number, const u64 *arg) {
    if (number < ARRAY_SIZE(calls) && calls[number]) return calls[number](thread, arg);
    // Its number is so far behind the others that the table would be a third longer.
    return number == __NR_faccessat2 ? call_faccessat2(thread, arg) : calls_unknown(number);
}
