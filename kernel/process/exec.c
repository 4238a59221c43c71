// Another program in the place of the one that runs (execve(2)); as long as there are no files that
// is the image's own. First everything is made that can fail: the strings are read, and the new
// memory is there. Then the other threads end, this one becomes the first, and goes over to the
// new memory.
#include <linux/auxvec.h>
#include <linux/signal.h>
#include "kernel/cpu/cpus.h"
#include "kernel/file/files.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/promises.h"
#include "kernel/memory/window.h"
#include "kernel/process/arguments.h"
#include "kernel/process/credentials.h"
#include "kernel/process/program.h"

enum step {
    READS,
    LOADS,
    ENDS_OTHERS,
    GIVES_LOCKS,
    LEAVES_MEMORY,
    STORES_STRINGS,
    STORES_BEGINS,
    CLOSES,
    GIVES_UP
};

// What the call has; in a page of its own while it is under way.
struct exec {
    struct arguments arguments;
    u64 entry, sp;        // which the program starts with
    struct space *space;  // the new one
    struct space *before; // the old one, if nobody else uses it
    u64 strings, at;      // where the strings are in the new memory; where the next bytes go
    s64 error;
};

static struct exec *exec_state(const struct thread *thread) {
    return (struct exec *)thread->record.few[0];
}

static struct exec *exec_new_state(void) {
    paddr page = promises_page(OWNER_THREADS, false);
    if (!page.at) return NULL;
    struct exec *exec = window(page);
    *exec = (struct exec){0};
    return exec;
}

static void exec_give_state(struct exec *exec) {
    promises_give(OWNER_THREADS, window_physical(exec), false);
}

static s64 exec_read(struct thread *thread, struct exec *exec, const u64 vectors[2]) {
    s64 result = arguments_read(thread, &exec->arguments, vectors);
    if (result) return result;
    if (!arguments_add(&exec->arguments, EXEC_PATH)) return -ENOMEM;
    return 0;
}

static s64 exec_load(struct thread *thread, struct exec *exec) {
    exec->space = space_new();
    if (!exec->space) return -ENOMEM;
    exec->space->owner = thread->process->id;
    exec->entry = load_space(exec->space, &thread->process->image);
    if (!exec->entry) return -ENOMEM;
    return 0;
}

// Whether this thread is the last of its process. It waits for those that are to end.
static s64 exec_end_others(struct thread *thread) {
    struct process *process = thread->process;
    lock_take(&threads_lock);
    bool is_other = process->halts & HALT_EXECUTES && process->executor != thread->tid;
    bool has_own = process_own_handlers(process);
    bool is_alone = false;
    if (!is_other && has_own && !(process->halts & HALT_DIES)) {
        if (!(process->halts & HALT_EXECUTES)) process->woken = 0;
        process->halts |= HALT_EXECUTES;
        process->executor = thread->tid;
        const struct thread *first = thread_from(process, 0);
        is_alone = first == thread && !thread_from(process, thread->tid + 1);
        if (!is_alone && !process_wake_dying(process)) {
            lock_give(&threads_lock);
            return call_again(thread);
        }
    }
    bool dies = is_other || process->halts & HALT_DIES || thread->interrupted;
    lock_give(&threads_lock);
    if (dies) return -EINTR;
    if (!has_own)
        return refused("execve", "CLONE_SIGHAND", process->id, "others have its handlers", -EAGAIN);
    thread->is_deaf = !is_alone;
    if (!is_alone) return wait_for(thread, &process->released);
    return 0;
}

// From here on nothing can fail but for want of memory, which ends the process.
static void exec_go_over(struct thread *thread, struct exec *exec) {
    struct process *process = thread->process;
    struct space *before = process->space;
    alarms_end(process, false);
    lock_take(&threads_lock);
    if (thread->tid != process->id) thread_rename(thread, process->id);
    process->halts &= ~HALT_EXECUTES;
    process->executor = 0;
    process->space = exec->space;
    process_reset_handlers(process);
    process->kept.dumpable = 1;
    process->kept.barriers = 0;
    credentials_execute(&process->credentials);
    lock_give(&threads_lock);
    thread->context.tlb = &exec->space->tlb;
    (void)tlb_leave();
    tlb_enter(thread->context.tlb);
    thread->signal_stack = (struct signal_stack){0};
    thread->rseq = (struct rseq_kept){0};
    thread->robust = (struct robust){0};
    thread->clear_tid = 0;
    memset(thread->name, 0, sizeof thread->name);
    memcpy(thread->name, EXEC_NAME, sizeof EXEC_NAME);
    __atomic_store_n(&process->has_executed, true, __ATOMIC_SEQ_CST);
    wait_wake(&process->released);
    if (space_leave(before)) {
        space_end(before);
        exec->before = before;
    }
}

static s64 exec_leave_memory(struct thread *thread, struct exec *exec) {
    if (thread->process->space != exec->space) exec_go_over(thread, exec);
    if (!exec->before) return 0;
    if (!space_empty(exec->before)) return call_again(thread);
    return 0;
}

// Where everything goes on the stack: from the stack pointer upwards the number
// of arguments, the two vectors, the auxiliary vector, random bytes, the strings.
static s64 exec_begin_stack(struct thread *thread, struct exec *exec) {
    const u64 end = STACK_END - 16; // zeroes
    exec->strings = end - exec->arguments.strings.bytes;
    static const char platform[] = "x86_64";
    u64 random = ROUND_DOWN(exec->strings - sizeof platform - 16, 16);
    u64 name = exec->strings + exec->arguments.begin;
    const u64 own[] = {AT_RANDOM, random, AT_PLATFORM, random + 16, AT_EXECFN, name, AT_NULL, 0};
    u64 bytes[2];
    u64 auxv[LOAD_AUXV];
    u64 words = load_auxv(thread->process, auxv);
    u64 vectors = 8 + exec->arguments.begins.bytes;
    u64 sp = ROUND_DOWN(random - vectors - 8 * words - sizeof own, 16);
    random_bytes(bytes, sizeof bytes);
    exec->at = exec->strings;
    bool is_stored = copy_to_user(user(random), bytes, sizeof bytes) &&
                     copy_to_user(user(random + 16), platform, sizeof platform) &&
                     copy_to_user(user(sp), &exec->arguments.count, 8) &&
                     copy_to_user(user(sp + vectors), auxv, 8 * words) &&
                     copy_to_user(user(sp + vectors + 8 * words), own, sizeof own);
    if (!is_stored) return -ENOMEM;
    exec->sp = sp;
    return 0;
}

static s64 exec_store_strings(struct thread *thread, struct exec *exec) {
    const void *bytes;
    if (!exec->strings) {
        s64 error = exec_begin_stack(thread, exec);
        if (error) return error;
    }
    u64 count = chain_take(&exec->arguments.strings, &bytes);
    if (!count) {
        exec->at = exec->sp + 8;
        return 0;
    }
    if (!copy_to_user(user(exec->at), bytes, count)) return -ENOMEM;
    exec->at += count;
    return call_again(thread);
}

static s64 exec_store_begins(struct thread *thread, struct exec *exec) {
    const void *bytes;
    u64 count = chain_take(&exec->arguments.begins, &bytes);
    u64 *pointer = (u64 *)bytes;
    if (!count) return 0;
    for (u64 i = 0; i < count / 8; i++)
        pointer[i] = pointer[i] == ARGUMENT_NONE ? 0 : exec->strings + pointer[i];
    if (!copy_to_user(user(exec->at), bytes, count)) return -ENOMEM;
    exec->at += count;
    return call_again(thread);
}

// Of a table that others have, too, it gets a copy.
static s64 exec_close(struct thread *thread) {
    struct process *process = thread->process;
    if (process->files->users > 1) {
        struct files *own = files_copy(process->files);
        if (!own) return -ENOMEM;
        (void)files_leave(process);
        process->files = own;
    }
    thread->record.done = files_close_for_exec(process->files, (u32)thread->record.done);
    if (thread->record.done < FILES_MAX) return call_again(thread);
    return 0;
}

// The call ends: its memory goes.
static s64 exec_end(struct thread *thread, struct exec *exec) {
    chain_end(&exec->arguments.strings);
    chain_end(&exec->arguments.begins);
    if (exec->error && exec->space && exec->space != thread->process->space) {
        if (!space_empty(exec->space)) return call_again(thread);
    }
    s64 result = exec->error;
    if (!result) { // not before: the call is executed anew by its registers
        context_begin(&thread->context, exec->entry, exec->sp);
        result = CALL_DONE;
    }
    exec_give_state(exec);
    return result;
}

static s64 exec_step(struct thread *thread, struct exec *exec, const u64 vectors[2]) {
    switch ((enum step)thread->record.index) {
    case READS: return exec_read(thread, exec, vectors);
    case LOADS: return exec_load(thread, exec);
    case ENDS_OTHERS: return exec_end_others(thread);
    case GIVES_LOCKS:
        if (!exit_give_locks(thread)) return call_again(thread);
        return 0;
    case LEAVES_MEMORY: return exec_leave_memory(thread, exec);
    case STORES_STRINGS: return exec_store_strings(thread, exec);
    case STORES_BEGINS: return exec_store_begins(thread, exec);
    case CLOSES: return exec_close(thread);
    case GIVES_UP: break;
    }
    return 0;
}

s64 exec_program(struct thread *thread, const u64 vectors[2]) {
    struct record *record = &thread->record;
    if (!record->begun) {
        record->few[0] = (u64)exec_new_state();
        if (!record->few[0]) return -ENOMEM;
        record->begun = true;
        record->index = READS;
        record->done = 0;
    }
    struct exec *exec = exec_state(thread);
    while (record->index < GIVES_UP) {
        s64 result = exec_step(thread, exec, vectors);
        if (result == CALL_WAITS) return result;
        record->index++;
        if (!result) continue;
        exec->error = result;
        if (record->index > LEAVES_MEMORY)
            signal_kill(thread, SIGKILL); // there is nowhere to return
        record->index = GIVES_UP;
    }
    return exec_end(thread, exec);
}
