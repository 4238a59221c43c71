// See program.h. Starts the one thread, and schedules: what runs next, and what the CPU does when nothing can run.
#include "kernel/program/program.h"

#include "kernel/cpu/fpu.h"
#include "kernel/cpu/time.h"
#include "kernel/kernel.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/window.h"
#include "kernel/program/start.h"
#include "kernel/program/thread.h"

struct program program;
static struct thread first;
static u64 idle_ns;

u64 thread_idle_ns(void) { return idle_ns; }

bool thread_deadline(struct thread *thread, u64 ns_from_now) {
    u64 now = time_now_ns();
    if (!thread->has_deadline) {
        thread->has_deadline = true;
        thread->deadline = ns_from_now > NEVER - now ? NEVER : now + ns_from_now;
    }
    return thread->deadline <= now;
}

static void wake(void) { first.woken = true; }
static void signal_from_terminal(int signal) { signal_send(&first, signal); }

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
        if (limited) timer_set(thread->deadline);
        cpu_idle();
    }
    thread->woken = false;
    idle_ns += time_now_ns() - since;
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

static const struct trap_hooks hooks = {begin_call, program_fault, program_copy_fault, schedule};

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
    first.id = 1;
    first.context.xstate = window(xstate);
    fpu_state_size(); // panics when one page is too small
    fpu_state_init(first.context.xstate);
    traps_init(&hooks);
    program_load(boot, &first.context.regs);
    files_init(boot, &(struct file_events){wake, signal_from_terminal}, read_words(boot));
    context_switch(&first.context);
    boot->tsc[STAGE_PROGRAM] = tsc();
    context_resume();
}
