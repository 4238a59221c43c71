// The terminal as an open file: its reads and writes, and who waits for it. Where standard input
// comes with the image, output may look like the writing end of a pipe instead.
#include <asm/siginfo.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include "kernel/file/file.h"
#include "kernel/file/files.h"
#include "kernel/file/transfer.h"
#include "kernel/thread/signals.h"

static struct wait_queue input = WAIT_QUEUE;  // there is more to read, or another way to read it
static struct wait_queue output = WAIT_QUEUE; // there is room for a piece, or all has left

static struct process *owner;

void terminal_file_init(struct process *process) { owner = process; }

void terminal_input_happened(int signal) {
    wait_wake(&input);
    if (signal) (void)signal_send(owner, signal);
}

void terminal_output_happened(void) { wait_wake(&output); }

// What can be stored is known before anything is taken, since what is taken nobody else gets.
static s64 terminal_file_read(struct thread *thread) {
    struct record *record = &thread->record;
    u8 bytes[TTY_RING]; // a line at most
    u64 wanted = MIN(record->total - record->done, sizeof bytes);
    s64 room = transfer_room(thread, &wanted);
    if (room < 0) return room;
    if (wanted && !room && terminal_readable()) return transfer_stop(thread, -EFAULT);
    if (room || !wanted) {
        size_t count = terminal_read(&record->reader, bytes, (size_t)room);
        u64 copied = transfer_copy(thread, bytes, count, COPY_OUT);
        record->done += copied;
        if (copied < count) return transfer_stop(thread, -EFAULT);
    }
    if (record->reader.over || !wanted) return (s64)record->done;
    if (record->flags & O_NONBLOCK) return transfer_stop(thread, -EAGAIN);
    thread->has_deadline = true;
    thread->deadline = record->reader.deadline;
    return wait_for(thread, &input);
}

static s64 terminal_wait_for_room(struct thread *thread) {
    terminal_show_later();
    if (thread->record.flags & O_NONBLOCK) return transfer_stop(thread, -EAGAIN);
    return wait_for(thread, &output);
}

// As on Linux's pipes a piece is written as a whole, or not when a part of it is not there.
static s64 terminal_file_write(struct thread *thread) {
    struct record *record = &thread->record;
    u8 bytes[TERMINAL_PIECE];
    for (u64 rounds = 0; record->done < record->total; rounds += terminal_rounds()) {
        if (rounds >= CALL_INSTRUCTIONS) return call_again(thread);
        if (!terminal_writable()) return terminal_wait_for_room(thread);
        u64 wanted = MIN(record->total - record->done, sizeof bytes);
        u64 count = transfer_copy(thread, bytes, wanted, COPY_IN);
        if (call_faulted(thread)) return call_again(thread);
        if (count < wanted) {
            terminal_show_later();
            return transfer_stop(thread, -EFAULT);
        }
        u64 taken = terminal_write(bytes, count);
        record->done += taken;
        if (taken < count) return call_again(thread);
    }
    if (terminal_shown()) return (s64)record->done;
    return call_again(thread);
}

static u32 terminal_poll(const struct file *file, u32 wanted) {
    u32 state = 0;
    if (wanted & POLL_WRITES && terminal_writable()) state |= POLL_WRITES;
    if (file_access(file) != O_WRONLY && terminal_readable()) state |= POLL_READS;
    return state & wanted;
}

static bool terminal_join(struct file *file, struct thread *thread, u32 wanted) {
    bool reads = wanted & POLL_READS && file_access(file) != O_WRONLY;
    if (reads && !file_wait_join(file, thread, &input)) return false;
    return !(wanted & POLL_WRITES) || file_wait_join(file, thread, &output);
}

static s64 terminal_file_ioctl(struct thread *thread, u32 request, u64 arg) {
    struct termios2 *settings = record_at(thread, 0);
    u64 bytes = terminal_settings(request);
    _Static_assert(sizeof *settings <= sizeof thread->record.few, "it is copied in there");
    if (!thread->record.begun && bytes) {
        s64 error = record_copy(thread, user(arg), bytes);
        if (error) return error;
    }
    s64 result = terminal_ioctl(request, arg, settings);
    if (result == -ENOTTY)
        return refused("ioctl", "request", request, "the terminal has no such one", -ENOTTY);
    if (result != TERMINAL_WAITS) return result;
    thread->record.begun = true;
    return wait_for(thread, &output);
}

const struct file_operations terminal_operations = {
    .kind = FILE_TERMINAL,
    .mode = S_IFCHR | 0620,
    .device = 4 << 8 | 64, // ttyS0
    .block = 1024,
    .read = terminal_file_read,
    .write = terminal_file_write,
    .poll = terminal_poll,
    .join = terminal_join,
    .ioctl = terminal_file_ioctl,
};

// At its other end nothing waits to be read.
static u64 output_left(const struct file *file) {
    (void)file;
    return 0;
}

const struct file_operations output_operations = {
    .kind = FILE_TERMINAL,
    .mode = S_IFIFO | 0600,
    .block = PAGE_SIZE,
    .write = terminal_file_write,
    .poll = terminal_poll,
    .join = terminal_join,
    .left = output_left,
};
