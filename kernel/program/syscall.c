// System calls by number. A call nobody built returns -ENOSYS, which programs know how to live with, and is named once
// in the log. All registers but rax (and rcx and r11, which SYSCALL itself overwrites) survive every call.
#include <asm/unistd_64.h>
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/program/calls.h"
#include "kernel/program/names.h"

#define CALL_ENTRY(name) [__NR_##name] = call_##name,
static s64 (*const calls[])(struct thread *, const u64 *) = {CALLS(CALL_ENTRY)};

// Asked for by every glibc program, which does without: not worth a line.
#define EXPECTED(number) ((number) == __NR_rseq || (number) == __NR_set_robust_list)

static const char *name_of(u64 number, int *length)
{
    bool is_new = number >= NAMES_FIRST_NEW && number <= NAMES_LAST;
    *length = 1;
    if (number > NAMES_LAST_OLD && !is_new) return "?";
    u64 skip = is_new ? number - NAMES_FIRST_NEW + NAMES_LAST_OLD + 1 : number;
    const char *name = syscall_names;
    for (; skip; name++) skip -= *name == ' ';
    for (*length = 0; name[*length] != ' '; (*length)++) {
    }
    return name;
}

static s64 unknown(u64 number)
{
    static u64 named[(NAMES_LAST + 64) / 64];
    if (number > NAMES_LAST || EXPECTED(number)) return -ENOSYS;
    u64 bit = 1ull << number % 64;
    if (!(named[number / 64] & bit)) {
        int length;
        const char *name = name_of(number, &length);
        log("the program called %.*s (system call %lu), which is not built: it got ENOSYS", length, name, number);
    }
    named[number / 64] |= bit;
    return -ENOSYS;
}

void syscall_run(struct thread *thread)
{
    struct registers *regs = &thread->context.regs;
    const u64 args[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
    u64 number = regs->rax;
    bool known = number < ARRAY_SIZE(calls) && calls[number];
    s64 result = known ? calls[number](thread, args) : unknown(number);
    thread->waiting = result == CALL_WAITS;
    if (!thread->waiting) regs->rax = (u64)result;
}
