// See program.h. Starts the one thread, schedules what runs next and what the CPU does when nothing can run, and finds
// system calls by number. A call nobody built returns -ENOSYS, which programs know how to live with, and is named once
// in the log. All registers but rax (and rcx and r11, which SYSCALL itself overwrites) survive every call.
#include "kernel/program/program.h"

#include <asm/unistd_64.h>
#include "kernel/cpu/cpus.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/time.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/window.h"
#include "kernel/program/start.h"

struct program program;
static struct thread first;

bool thread_deadline(struct thread *thread, u64 ns_from_now) {
    u64 now = time_now_ns();
    if (!thread->has_deadline) {
        thread->has_deadline = true;
        thread->deadline = ns_from_now > NEVER - now ? NEVER : now + ns_from_now;
    }
    return thread->deadline <= now;
}

static void typed(int signal) {
    first.woken = true;
    if (signal) signal_send(&first, signal);
}

static CALL(returns_0) { return 0; }
static CALL(returns_1) { return 1; }
static CALL(no_link) { return -ENOENT; }

#define CALL_ENTRY(name) [__NR_##name] = call_##name,
static s64 (*const calls[])(struct thread *, const u64 *) = {
    // clang-format off
    CALLS(CALL_ENTRY)
    [__NR_lstat] = call_stat, [__NR_exit_group] = call_exit, // there are no links, and one thread
    [__NR_readlink] = call_no_link, [__NR_readlinkat] = call_no_link,
    [__NR_sched_yield] = call_returns_0,
    [__NR_getpid] = call_returns_1, [__NR_gettid] = call_returns_1, [__NR_set_tid_address] = call_returns_1,
    [__NR_getpgrp] = call_returns_1, [__NR_getpgid] = call_returns_1, [__NR_getsid] = call_returns_1,
    [__NR_getppid] = call_returns_0, [__NR_getuid] = call_returns_0, [__NR_geteuid] = call_returns_0,
    [__NR_getgid] = call_returns_0, [__NR_getegid] = call_returns_0,
    // clang-format on
};

// All x86-64 names in the order of their numbers, each with its NUL, empty where a number has no call: build.sh makes
// them of <asm/unistd_64.h>.
static const char names[] =
#include "out/names.inc"
    ;
#define NUMBERS 512 // none is higher

static s64 unknown(u64 number) {
    static bool named[NUMBERS + 1]; // the last one for all that are no number of a call
    // Every glibc program asks for these two first and does without: not worth a line.
    if (number == __NR_rseq || number == __NR_set_robust_list) return -ENOSYS;
    bool *is_named = &named[number < NUMBERS ? number : NUMBERS];
    if (*is_named) return -ENOSYS;
    *is_named = true;
    const char *name = names;
    for (u64 i = 0; i < number && name < names + sizeof names - 1; i++) name += strlen(name) + 1;
    log("the program called %s (system call %lu), which is not built: it got ENOSYS", *name ? name : "?", number);
    return -ENOSYS;
}

// Executes the call in thread's registers, for the first time or anew.
static void syscall_run(struct thread *thread) {
    struct registers *regs = &thread->context.regs;
    const u64 args[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9}, number = regs->rax;
    s64 result = number < ARRAY_SIZE(calls) && calls[number] ? calls[number](thread, args) : unknown(number);
    thread->waiting = result == CALL_WAITS;
    if (!thread->waiting) regs->rax = (u64)result;
}

static void begin_call(struct context *context) {
    struct thread *thread = (struct thread *)context;
    thread->has_deadline = false;
    syscall_run(thread);
}

// Interrupts are off until cpu_idle() lets them in and sleeps in one step, so no wake-up is lost between the question
// whether there is anything to do and the sleep.
static void idle_until_woken(struct thread *thread) {
    u64 since = time_now_ns();
    bool limited = thread->has_deadline && thread->deadline != NEVER;
    while (!thread->woken && !signal_due(thread) && !(limited && thread->deadline <= time_now_ns())) {
        if (frames_idle()) continue;
        u64 watch = cpus_watch(), until = limited && thread->deadline < watch ? thread->deadline : watch;
        if (until != NEVER) timer_set(until);
        cpu_idle();
    }
    thread->woken = false;
    program.idle_ns += time_now_ns() - since;
}

// Before every return to the program: a fatal signal ends it here, also when it never makes a call, and a thread whose
// call waits does not return before the call, executed anew, has its result.
static void schedule(struct context *context) {
    struct thread *thread = (struct thread *)context;
    signal_deliver(thread);
    while (thread->waiting) {
        idle_until_woken(thread);
        signal_deliver(thread);
        syscall_run(thread);
    }
}

static bool copy_fault(const struct fault *fault) { return !space_fault(fault->address, fault->error); }

static const struct trap_hooks hooks = {begin_call, program_fault, copy_fault, schedule};

// The words of the command line part that are not the program's. True when its output is a terminal.
static bool read_words(const struct boot_info *boot) {
    const char *command = window(boot->command.start), *word;
    u64 offset = 0, length;
    bool tty = false;
    while ((word = command_word(command, boot->command.length, &offset, &length))) {
        const char *value = command_value(word, length, "tty");
        if (value) tty = length == sizeof "tty=1" - 1 && *value == '1';
        else if (!command_value(word, length, "arg") && !command_value(word, length, "env"))
            log("the image's command line has a word nobody knows, ignored: %.*s", (int)(length < 80 ? length : 80),
                word);
    }
    return tty;
}

void program_run(struct boot_info *boot) {
    u64 xstate = page_alloc();
    if (!xstate) unfit("no memory is left for the program's vector registers");
    first.context.xstate = window(xstate);
    fpu_state_size(); // panics when one page is too small
    fpu_state_init(first.context.xstate);
    traps_init(&hooks);
    program_load(boot, &first.context.regs);
    files_init(boot, read_words(boot), typed);
    context_switch(&first.context);
    boot->tsc[STAGE_PROGRAM] = tsc();
    context_resume();
}
