// poll(2) and ppoll(2). The entries are copied in once; their results go out once, when the call
// returns. Which file a number means is looked up at every look, as on Linux.
#include <linux/fcntl.h>
#include <linux/resource.h>
#include "kernel/call/call.h"
#include "kernel/cpu/time.h"

#define PIECE 128 // entries of one execution: each may join a queue

// A file that never waits.
#define ALWAYS (POLL_READS | POLL_WRITES)

// One entry: what is so, or a negative errno. joins: the thread waits for a change before the look,
// so that it misses none.
static s64 poll_look_at(struct thread *thread, struct file *file, u32 wanted, bool joins) {
    const struct file_operations *operations = file->operations;
    if (!operations->poll) return ALWAYS & wanted;
    if (joins && operations->join && !operations->join(file, thread, wanted)) return -ENOMEM;
    return operations->poll(file, wanted);
}

static s64 poll_look(struct thread *thread, const struct pollfd *entry, bool joins) {
    if (entry->fd < 0) return 0;
    struct file *file = files_get(thread->process->files, (u32)entry->fd);
    if (!file) return POLLNVAL;
    u32 wanted = (u16)entry->events | POLLERR | POLLHUP;
    s64 state = poll_look_at(thread, file, wanted, joins);
    file_drop(file);
    return state;
}

// Goes on with the look at all entries, which is made in pieces: 0 at the end, what call_again()
// returns, or a negative errno. With the first entry that is ready the thread joins no more queues.
static s64 poll_look_on(struct thread *thread, u32 count, bool joins) {
    struct record *record = &thread->record;
    u64 end = MIN(record->done + PIECE, count);
    record->stays = end < count;
    for (; record->done < end; record->done++) {
        struct pollfd *entry = record_at(thread, record->done * sizeof *entry);
        s64 state = poll_look(thread, entry, joins && !record->ready);
        if (state < 0) {
            record->stays = false;
            return state;
        }
        entry->revents = (short)state;
        if (state) record->ready++;
    }
    if (!record->stays) return 0;
    return call_again(thread);
}

static s64 poll_put_results(struct thread *thread, u64 to, u32 count) {
    for (u32 i = 0; i < count; i++) {
        const struct pollfd *entry = record_at(thread, i * sizeof *entry);
        u64 at = to + i * sizeof *entry + offsetof(struct pollfd, revents);
        if (!copy_to_user(user(at), &entry->revents, sizeof entry->revents)) return -EFAULT;
    }
    return 0;
}

static s64 poll_copy_entries(struct thread *thread, u64 from, u32 count) {
    if (count > MIN(limit_get(&thread->process->limits, RLIMIT_NOFILE), FILES_MAX)) return -EINVAL;
    s64 error = record_copy(thread, user(from), count * sizeof(struct pollfd));
    if (!error) thread->record.begun = true;
    thread->record.ready = 0;
    return error;
}

static s64 poll_look_or_wait(struct thread *thread, u64 to, u32 count, u64 ns) {
    struct record *record = &thread->record;
    if (record->done == count) record->done = record->ready = 0; // anew
    s64 error = poll_look_on(thread, count, ns != 0);
    if (error) return error;
    s64 ready = record->ready;
    if (!ready && !thread_deadline(thread, ns)) {
        if (thread->interrupted) return -EINTR;
        return CALL_WAITS;
    }
    error = poll_put_results(thread, to, count);
    if (error) return error;
    return ready;
}

// poll(entries, count, timeout in ms)
s64 call_poll(struct thread *thread, const u64 *arg) {
    int timeout = (int)arg[2];
    u64 ns = NEVER;
    if (timeout >= 0) ns = (u32)timeout * 1000000ull;
    if (!thread->record.begun) {
        s64 error = poll_copy_entries(thread, arg[0], (u32)arg[1]);
        if (error) return error;
    }
    return poll_look_or_wait(thread, arg[0], (u32)arg[1], ns);
}

// The first execution of ppoll: 0, or why not. The record then has the timeout (total), when it
// began (index), and the signals that were blocked (before).
static s64 ppoll_begin(struct thread *thread, const u64 *arg) {
    struct record *record = &thread->record;
    u64 blocked;
    record->total = NEVER;
    s64 error = 0;
    if (arg[2]) error = time_get(user(arg[2]), &record->total);
    if (error) return error;
    if (arg[3] && arg[4] != sizeof blocked) return -EINVAL;
    if (arg[3] && !copy_from_user(&blocked, user(arg[3]), sizeof blocked)) return -EFAULT;
    error = poll_copy_entries(thread, arg[0], (u32)arg[1]);
    if (error) return error;
    record->index = time_now_ns();
    record->before = thread->signals_blocked;
    if (arg[3]) signal_block_asked(thread, blocked);
    return 0;
}

// What was blocked before is blocked again: at once, or behind the handler that ends the call.
static void ppoll_end(struct thread *thread, bool interrupted) {
    thread->has_saved = interrupted;
    thread->signals_saved = thread->record.before;
    if (!interrupted) signal_block(thread, thread->record.before);
}

// ppoll(entries, count, timeout, blocked meanwhile, bytes of that). What is left of the timeout is
// written, if it can be.
s64 call_ppoll(struct thread *thread, const u64 *arg) {
    struct record *record = &thread->record;
    if (!record->begun) {
        s64 error = ppoll_begin(thread, arg);
        if (error) return error;
    }
    s64 result = poll_look_or_wait(thread, arg[0], (u32)arg[1], record->total);
    if (result == CALL_WAITS) return CALL_WAITS;
    if (arg[3]) ppoll_end(thread, result == -EINTR);
    if (record->total != NEVER) {
        u64 passed = time_now_ns() - record->index;
        u64 left = 0;
        if (record->total > passed) left = record->total - passed;
        (void)time_put(user(arg[2]), left);
    }
    return result;
}
