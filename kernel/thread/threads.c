// The threads of all processes: made by clone, known by their tids, ended by exit. Those of one
// process share everything but registers, blocked signals and their tid.
#include "kernel/cpu/cpus.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/window.h"
#include "kernel/thread/thread.h"
#include "kernel/memory/promises.h"

#define TID_MAX      0x3fffffff // what fits into a futex word beside its two flags
#define XSTATE_ALIGN 64

const struct thread_hooks *thread_hooks;
struct lock threads_lock = {.rank = LOCK_THREADS};
static struct sorted tids;
static u32 latest;
static unsigned count;

// Its memory goes. What still had a link to it would reach into the next owner's.
void thread_free(struct thread *thread) {
    ASSERT(!sorted_in(&thread->by_tid) && !sorted_in(&thread->ready));
    ASSERT(!sorted_in(&thread->sleep) && !sorted_in(&thread->wait));
    ASSERT(!sorted_in(&thread->waiter.node) && !thread->record.file);
    ASSERT(!thread->signals_queue.first);
    thread_hooks->gone(thread);
    promises_give(OWNER_THREADS, window_physical(thread), false);
}

struct thread *thread_find(u32 tid) {
    struct sorted_node *node = sorted_from(&tids, tid, 0);
    if (node && node->key == tid) return THREAD_OF(node, by_tid);
    return NULL;
}

bool thread_exists(u32 tid) {
    lock_take(&threads_lock);
    bool exists = thread_find(tid);
    lock_give(&threads_lock);
    return exists;
}

struct thread *thread_from(const struct process *process, u32 tid) {
    struct sorted_node *node = sorted_from(&process->threads, tid, 0);
    if (!node) return NULL;
    return THREAD_OF(node, in_process);
}

unsigned threads_count(void) { return __atomic_load_n(&count, __ATOMIC_RELAXED); }

struct thread *thread_make(struct process *process, const struct thread *like) {
    paddr page = promises_page(OWNER_THREADS, false);
    u64 bytes = ROUND_UP(fpu_state_size(), XSTATE_ALIGN);
    struct thread *thread = window(page);
    if (!page.at) return NULL;
    ASSERT(sizeof *thread + bytes <= PAGE_SIZE);
    *thread =
        (struct thread){.context.xstate = (u8 *)thread + PAGE_SIZE - bytes, .process = process};
    fpu_state_init(thread->context.xstate);
    if (like) {
        thread->context.regs = like->context.regs;
        thread->context.tlb = like->context.tlb;
        segments_read(&thread->context.segments);
        thread->signals_blocked = like->signals_blocked;
        thread->priority = like->priority;
        thread->timer_slack = like->timer_slack;
        memcpy(thread->name, like->name, THREAD_NAME);
        thread->cpu = like->cpu;
        fpu_save(thread->context.xstate);
    }
    lock_take(&threads_lock);
    thread->tid = process->id; // its first thread has its number
    if (sorted_first(&process->threads)) thread->tid = thread_number();
    sorted_add(&tids, &thread->by_tid, thread->tid, 0);
    sorted_add(&process->threads, &thread->in_process, thread->tid, 0);
    process->holds++;
    count++;
    lock_give(&threads_lock);
    return thread;
}

u32 thread_number(void) {
    do latest = latest % TID_MAX + 1;
    while (thread_find(latest) || process_find(latest) || process_member(latest, 0));
    return latest;
}

bool thread_leave(struct thread *thread) {
    lock_take(&threads_lock);
    sorted_remove(&tids, &thread->by_tid);
    sorted_remove(&thread->process->threads, &thread->in_process);
    usage_add(&thread->process->ended, thread);
    count--;
    bool is_last = !sorted_first(&thread->process->threads);
    lock_give(&threads_lock);
    return is_last;
}

void thread_rename(struct thread *thread, u32 tid) {
    sorted_remove(&tids, &thread->by_tid);
    sorted_remove(&thread->process->threads, &thread->in_process);
    thread->tid = tid;
    sorted_add(&tids, &thread->by_tid, tid, 0);
    sorted_add(&thread->process->threads, &thread->in_process, tid, 0);
}

s64 thread_tell_cpu(const struct thread *thread, uaddr cpu_at, uaddr node_at) {
    u32 cpu = thread->cpu;
    u32 node = 0;
    if (cpu_at.at && !copy_to_user(cpu_at, &cpu, sizeof cpu)) return -EFAULT;
    if (!node_at.at) return 0;
    return put_user(node_at, &node, sizeof node);
}
