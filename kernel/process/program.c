// Starts the first thread and executes system calls. All registers but rax (and rcx
// and r11, which SYSCALL itself overwrites) survive every call.
#include "kernel/process/program.h"

#include "kernel/cpu/cpus.h"
#include "kernel/cpu/time.h"
#include "kernel/file/file.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
#include "kernel/file/files.h"
#include "kernel/process/credentials.h"
#include "kernel/process/futex.h"
#include "kernel/space/collector.h"

static program_call dispatch;

#define LEAVES 256 // queues that a thread leaves at once

void program_ends(void) {
    static bool ending;
    while (__atomic_exchange_n(&ending, true, __ATOMIC_RELAXED)) cpu_serve();
}

// A new process's thread begins with what clone(2) has left to it; the last call of a thread is not
// the program's own.
static s64 syscall_of_kernel(struct thread *thread) {
    u32 tid = thread->tid;
    if (thread->leaving != THREAD_BORN) return exit_step(thread);
    thread->leaving = 0;
    (void)put_user(user(thread->record.few[0]), &tid, sizeof tid);
    return 0;
}

static s64 syscall_dispatch(struct thread *thread) {
    const struct registers *regs = &thread->context.regs;
    const u64 args[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
    if (thread->leaving) return syscall_of_kernel(thread);
    return dispatch(thread, (u32)regs->rax, args);
}

// False: it waits.
static bool syscall_execute(struct thread *thread) {
    struct registers *regs = &thread->context.regs;
    thread->looks_again = thread->is_short = false;
    thread->faults = thread->counts.faults;
    s64 result = syscall_dispatch(thread);
    // What happens from here on wakes it, what happened is there now.
    if (result == CALL_WAITS && thread->looks_again) result = syscall_dispatch(thread);
    bool is_short =
        (result == -ENOMEM || (result == -EFAULT && thread->is_short)) && !thread->record.begun;
    if (is_short && shortage_help(thread->is_short)) result = call_again(thread);
    bool is_ended = result == CALL_WAITS && thread->interrupted && !thread->again;
    if (is_ended) result = thread->on_signal;
    thread->waiting = result == CALL_WAITS;
    if (thread->waiting) return false;
    if (sorted_in(&thread->waiter.node)) (void)wait_leave(thread, LEAVES);
    if (sorted_in(&thread->wait)) futex_waits(thread, true);
    if (thread->record.file) file_drop(thread->record.file);
    thread->record.file = NULL;
    if (thread->record.page_count) record_give_pages(thread);
    thread->interrupted = false;
    // A handler decides; without one it is made anew after all.
    thread->restarts = is_ended && (result == CALL_RESTARTS || result == -EINTR);
    if (result != CALL_DONE && !thread->restarts) regs->rax = (u64)result;
    return true;
}

// What a call leaves behind is cleared away in pieces before it goes on or returns: queues in which
// it waits no longer, and shared memory that nobody shows any more, whoever unmapped it. False:
// there was nothing more.
static bool syscall_clear(struct thread *thread) {
    struct space *space = thread->process->space;
    bool waits = sorted_in(&thread->waiter.node) && !thread->record.stays;
    if (waits && !wait_leave(thread, LEAVES)) return true;
    bool collects = space && space->areas.left;
    if (collects) (void)space_collect(space);
    if (!collects && collector_is_due(false)) (void)collector_step();
    return collects;
}

static void syscall_run(struct thread *thread) {
    thread->waiting = thread->again = syscall_clear(thread);
    if (thread->again || (!thread->is_done && !syscall_execute(thread))) return;
    const struct space *space = thread->process->space;
    bool is_more = sorted_in(&thread->waiter.node) || (space && space->areas.left);
    thread->waiting = thread->again = thread->is_done = is_more;
}

static void syscall_begin(struct context *context) {
    struct thread *thread = (struct thread *)context;
    thread->has_deadline = thread->interrupted = false;
    thread->on_signal = -EINTR;
    thread->record.begun = false;
    thread->record.done = 0;
    thread->record.taken = (struct taken){0};
    syscall_run(thread);
}

static bool program_copy_fault(const struct fault *fault) {
    struct thread *thread = (struct thread *)this_cpu()->current;
    struct fault wanted = *fault;
    if (!thread) return false; // nobody's memory: the kernel's own fault
    if (call_faulted(thread)) wanted.error |= FAULT_SMALL;
    const char *why = fault_handle(thread, 0, &wanted);
    thread->is_short = why == space_no_memory;
    return !why;
}

// Its CPU has left it, and uses its memory no longer.
static void program_thread_gone(struct thread *thread) {
    lock_take(&threads_lock);
    process_drop(thread->process);
    lock_give(&threads_lock);
}

static const struct thread_hooks hooks_of_threads = {syscall_run, signal_deliver, file_drop,
                                                     program_thread_gone};
static struct trap_hooks hooks = {.syscall = syscall_begin,
                                  .fault = program_fault,
                                  .user_copy_fault = program_copy_fault,
                                  .after = schedule};

// A CPU that has arrived.
static void program_join(void) {
    scheduler_init(NULL);
    schedule(NULL);
    context_resume();
}

// What its first argument is behind the last '/', as far as a name can be.
static void program_name_thread(struct thread *thread, const struct boot_part *command) {
    const char *text = window((paddr){command->start});
    const char *value = NULL;
    u64 offset = 0;
    u64 length;
    for (const char *word;
         !value && (word = command_word(text, command->length, &offset, &length));) {
        value = command_value(word, length, "arg");
        if (value) length -= (u64)(value - word);
    }
    u64 start = 0;
    if (value) start = length;
    while (start && value[start - 1] != '/') start--;
    if (value) memcpy(thread->name, value + start, MIN(length - start, THREAD_NAME - 1));
}

void program_run(struct boot_info *boot, const struct calls *calls) {
    dispatch = calls->call;
    hooks.quick = calls->quick;
    tlb_first.root = tables_root();
    tables_set_root(tlb_first.root);
    struct process *process = process_make(NULL);
    if (process) process->space = space_new();
    struct thread *first = NULL;
    if (process && process->space) first = thread_make(process, NULL);
    if (!first) unfit("no memory is left for the program's registers");
    limits_init(&process->limits, NULL);
    credentials_init(&process->credentials);
    first->context.tlb = &process->space->tlb;
    tlb_enter(first->context.tlb);
    thread_hooks = &hooks_of_threads;
    traps_init(&hooks);
    this_cpu()->current = &first->context; // whose memory user copies are to
    random_init();
    program_load(boot, first);
    program_name_thread(first, &boot->command);
    files_init(process, boot, options.tty);
    boot->tsc[STAGE_PROGRAM] = tsc();
    if (options.timeline) timeline_log();
    futex_init();
    scheduler_init(first);
    cpus_set_join(program_join);
    context_resume();
}
