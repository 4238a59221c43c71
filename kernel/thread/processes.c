// All processes: by their numbers, by their groups, and each with its children.
#include <linux/signal.h>
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/promises.h"
#include "kernel/memory/window.h"
#include "kernel/thread/thread.h"

#define OF(node, member) ((struct process *)((u8 *)(node)-offsetof(struct process, member)))

static struct sorted processes; // by their ids
static struct sorted members;   // by group and id
static unsigned count;

static const struct wait_queue queue = WAIT_QUEUE;

struct process *process_make(struct process *parent) {
    paddr page = promises_page(OWNER_THREADS, false);
    if (!page.at) return NULL;
    _Static_assert(sizeof(struct process) <= PAGE_SIZE, "it has a page");
    struct process *process = window(page);
    *process = (struct process){.changed = queue, .goes_on = queue, .released = queue};
    alarms_init(process);
    process->handlers = &process->own_handlers;
    process->handlers->users = process->holds = 1;
    lock_take(&threads_lock);
    process->id = thread_number();
    process->group = process->session = process->id;
    process->parent = parent;
    process->kept = (struct kept){.dumpable = 1, .umask = 022};
    if (parent) {
        process->group = parent->group;
        process->session = parent->session;
        process->parent_id = parent->id;
        sorted_add(&parent->children, &process->child, process->id, 0);
    }
    sorted_add(&processes, &process->by_id, process->id, 0);
    sorted_add(&members, &process->member, process->group, process->id);
    count++;
    lock_give(&threads_lock);
    return process;
}

struct process *process_from(u32 id) {
    struct sorted_node *node = sorted_from(&processes, id, 0);
    if (!node) return NULL;
    return OF(node, by_id);
}

struct process *process_find(u32 id) {
    struct process *process = process_from(id);
    if (process && process->id == id) return process;
    return NULL;
}

struct process *process_of(u32 id) {
    const struct thread *thread = thread_find(id);
    if (thread) return thread->process;
    return process_find(id);
}

struct process *process_member(u32 group, u32 from) {
    struct sorted_node *node = sorted_from(&members, group, from);
    if (!node || node->key != group) return NULL;
    return OF(node, member);
}

struct process *process_child(const struct process *process, u32 from) {
    struct sorted_node *node = sorted_from(&process->children, from, 0);
    if (!node) return NULL;
    return OF(node, child);
}

void process_set_group(struct process *process, u32 group) {
    process->group = group;
    sorted_move(&members, &members, &process->member, group, process->id);
}

void process_adopt(struct process *child, struct process *parent) {
    struct sorted *before = sorted_in(&child->child);
    child->parent = parent;
    __atomic_store_n(&child->parent_id, parent->id, __ATOMIC_RELAXED);
    sorted_move(before, &parent->children, &child->child, child->id, 0);
}

void process_remove(struct process *process) {
    sorted_remove(&processes, &process->by_id);
    sorted_remove(&members, &process->member);
    if (process->parent) sorted_remove(&process->parent->children, &process->child);
    count--;
    process_drop(process);
}

// Returns the process that has the handlers, which the other one had, too.
static struct process *process_leave_handlers(struct process *process) {
    struct handlers *handlers = process->handlers;
    if (handlers == &process->own_handlers) return NULL;
    process->handlers = &process->own_handlers;
    handlers->users--;
    return OF(handlers, own_handlers);
}

void process_drop(struct process *process) {
    while (process && !--process->holds) {
        struct process *other = process_leave_handlers(process);
        promises_give(OWNER_THREADS, window_physical(process), false);
        process = other;
    }
}

// They lie with the process that had them first, which therefore stays.
void process_share_handlers(struct process *process, struct process *from) {
    process->handlers = from->handlers;
    process->handlers->users++;
    OF(process->handlers, own_handlers)->holds++;
}

void process_reset_handlers(struct process *process) {
    for (int signal = 1; signal <= SIGNALS; signal++) {
        struct signal_action *action = &process->handlers->actions[signal];
        bool is_ignored = action->handler == (u64)SIG_IGN;
        *action = (struct signal_action){0};
        if (is_ignored) action->handler = (u64)SIG_IGN;
    }
}

bool process_own_handlers(struct process *process) {
    if (process->own_handlers.users > 1) return false;
    if (process->handlers == &process->own_handlers) return true;
    memcpy(process->own_handlers.actions, process->handlers->actions,
           sizeof process->own_handlers.actions);
    process_drop(process_leave_handlers(process));
    return true;
}

unsigned processes_count(void) { return __atomic_load_n(&count, __ATOMIC_RELAXED); }
