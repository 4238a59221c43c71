// System calls by number. A call nobody built returns -ENOSYS, which programs know how to live with, and is named once
// in the log. All registers but rax (and rcx and r11, which SYSCALL itself overwrites) survive every call.
#include <asm/unistd_64.h>
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/program/calls.h"

#define CALL_ENTRY(name) [__NR_##name] = call_##name,
static s64 (*const calls[])(struct thread *, const u64 *) = {CALLS(CALL_ENTRY)};

// All x86-64 names in the order of their numbers, each with its NUL, empty where a number has no call: build.sh makes
// them of <asm/unistd_64.h>.
static const char names[] =
#include "out/names.inc"
    ;
#define NUMBERS 512 // none is higher

static s64 unknown(u64 number) {
    static u64 named[NUMBERS / 64];
    // Every glibc program asks for these two first and does without: not worth a line.
    if (number >= NUMBERS || number == __NR_rseq || number == __NR_set_robust_list) return -ENOSYS;
    if (named[number / 64] & 1ull << number % 64) return -ENOSYS;
    named[number / 64] |= 1ull << number % 64;
    const char *name = names;
    for (u64 i = 0; i < number && name < names + sizeof names - 1; i++) name += strlen(name) + 1;
    log("the program called %s (system call %lu), which is not built: it got ENOSYS", *name ? name : "?", number);
    return -ENOSYS;
}

void syscall_run(struct thread *thread) {
    struct registers *regs = &thread->context.regs;
    const u64 args[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
    u64 number = regs->rax;
    bool known = number < ARRAY_SIZE(calls) && calls[number];
    s64 result = known ? calls[number](thread, args) : unknown(number);
    thread->waiting = result == CALL_WAITS;
    if (!thread->waiting) regs->rax = (u64)result;
}
