// poll(2) and ppoll(2). The entries are copied in once; their results go out once, when the call
// returns. Which file a number means is looked up at every look, as on Linux.
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/resource.h>
#include "kernel/call/call.h"
#include "kernel/cpu/time.h"

// of Linux's pipes: with so much left of it, standard input is still being written
#define PIPE_BYTES 65536

// A file that never waits.
#define ALWAYS (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

static u32 poll_input_state(const struct file *file) {
    u64 left = program.boot->input.length - file_offset(file);
    u32 state = left ? POLLIN | POLLRDNORM : 0;
    if (left <= PIPE_BYTES) state |= POLLHUP;
    return state;
}

static u32 poll_terminal_state(const struct file *file, u8 *events, u32 wanted) {
    const u32 reads = POLLIN | POLLRDNORM, writes = POLLOUT | POLLWRNORM;
    u32 access = file->flags & O_ACCMODE, state = 0;
    if (wanted & writes && terminal_writable())
        state = writes;
    else if (wanted & writes)
        *events |= EVENT_OUTPUT;
    if (access != O_WRONLY && terminal_readable()) state |= reads;
    if (access != O_WRONLY && wanted & reads) *events |= EVENT_INPUT;
    return state;
}

// events: becomes what could change it.
static u32 poll_look(const struct pollfd *entry, u8 *events) {
    struct file file;
    u32 wanted = (u16)entry->events | POLLERR | POLLHUP, state = ALWAYS;
    if (entry->fd < 0) return 0;
    if (!file_get((u32)entry->fd, &file)) return POLLNVAL;
    if (file.kind == FILE_INPUT) state = poll_input_state(&file);
    if (file.kind == FILE_TERMINAL) state = poll_terminal_state(&file, events, wanted);
    return state & wanted;
}

static s64 poll_look_at_all(struct thread *thread, u32 count, u8 *events) {
    s64 ready = 0;
    for (u32 i = 0; i < count; i++) {
        struct pollfd *entry = record_at(thread, i * sizeof *entry);
        entry->revents = (short)poll_look(entry, events);
        if (entry->revents) ready++;
    }
    return ready;
}

static s64 poll_put_results(struct thread *thread, u64 to, u32 count) {
    for (u32 i = 0; i < count; i++) {
        const struct pollfd *entry = record_at(thread, i * sizeof *entry);
        u64 at = to + i * sizeof *entry + offsetof(struct pollfd, revents);
        if (!copy_to_user(at, &entry->revents, sizeof entry->revents)) return -EFAULT;
    }
    return 0;
}

static s64 poll_copy_entries(struct thread *thread, u64 from, u32 count) {
    if (count > MIN(limit_get(RLIMIT_NOFILE), FILES_MAX)) return -EINVAL;
    s64 error = record_copy(thread, from, count * sizeof(struct pollfd));
    if (!error) thread->record.begun = true;
    return error;
}

static s64 poll_look_or_wait(struct thread *thread, u64 to, u32 count, u64 ns) {
    u8 events = 0;
    s64 ready = poll_look_at_all(thread, count, &events);
    if (!ready && !thread_deadline(thread, ns)) {
        thread->wants = events;
        return CALL_WAITS;
    }
    s64 error = poll_put_results(thread, to, count);
    return error ? error : ready;
}

// poll(entries, count, timeout in ms)
s64 call_poll(struct thread *thread, const u64 *arg) {
    int timeout = (int)arg[2];
    if (!thread->record.begun) {
        s64 error = poll_copy_entries(thread, arg[0], (u32)arg[1]);
        if (error) return error;
    }
    return poll_look_or_wait(thread, arg[0], (u32)arg[1],
                             timeout < 0 ? NEVER : (u32)timeout * 1000000ull);
}

// The first execution of ppoll: 0, or why not. The record then has the timeout (total), when it
// began (index), and the signals that were blocked (before).
static s64 ppoll_begin(struct thread *thread, const u64 *arg) {
    struct record *record = &thread->record;
    u64 blocked;
    record->total = NEVER;
    s64 error = arg[2] ? time_get(arg[2], &record->total) : 0;
    if (error) return error;
    if (arg[3] && arg[4] != sizeof blocked) return -EINVAL;
    if (arg[3] && !copy_from_user(&blocked, arg[3], sizeof blocked)) return -EFAULT;
    error = poll_copy_entries(thread, arg[0], (u32)arg[1]);
    if (error) return error;
    record->index = time_now_ns();
    record->before = thread->signals_blocked;
    if (arg[3]) signal_block_asked(thread, blocked);
    return 0;
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
    if (arg[3]) signal_block(thread, record->before);
    if (record->total != NEVER) {
        u64 passed = time_now_ns() - record->index;
        u64 left = record->total > passed ? record->total - passed : 0;
        (void)time_put(arg[2], left);
    }
    return result;
}
