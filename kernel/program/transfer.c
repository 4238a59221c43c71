// Calls that move bytes between a file and the program's memory. The file, and where in memory, is settled when the
// call begins; it goes on from there however often it is executed (struct record).
#include <linux/fcntl.h>
#include <linux/uio.h>
#include "kernel/memory/window.h"
#include "kernel/program/program.h"

#define RW_MAX  0x7ffff000ull // bytes of one call, as on Linux
#define IOV_MAX 1024
#define PIECE   65536 // of what is copied directly

// The whole vector, before the first byte moves. What is beyond RW_MAX in all is left for another call.
static s64 check_vectors(struct thread *thread, u64 count) {
    struct record *record = &thread->record;
    record->total = 0;
    for (u64 i = 0; i < count; i++) {
        const struct iovec *part = record_at(thread, i * sizeof *part);
        if ((s64)part->iov_len < 0) return -EINVAL;
        if (!in_user_range((u64)part->iov_base, part->iov_len)) return -EFAULT;
        record->total = MIN(record->total + part->iov_len, RW_MAX);
    }
    return 0;
}

// vectors: arg[1] and arg[2] are a vector, else a buffer. access: what the file must not have been opened for.
static s64 begin(struct thread *thread, const u64 *arg, bool vectors, u32 access) {
    struct record *record = &thread->record;
    s64 error = 0;
    if (record->begun) return 0;
    record->done = record->before = record->index = 0;
    record->reader = (struct tty_reader){0};
    if (!file_get(arg[0], &record->file)) return -EBADF;
    bool allowed = (record->file.flags & O_ACCMODE) != access;
    if (vectors) {
        u32 count = (u32)arg[2]; // although the argument is an unsigned long
        if (count > IOV_MAX) return -EINVAL;
        error = record_copy(thread, arg[1], count * sizeof(struct iovec));
        if (!error) error = check_vectors(thread, count);
    } else {
        record->few[0] = arg[1];
        record->few[1] = arg[2];
        record->total = MIN(arg[2], RW_MAX);
        if (allowed && !in_user_range(arg[1], arg[2])) return -EFAULT;
    }
    if (error) return error;
    if (!allowed) return -EBADF;
    record->begun = true;
    return record->file.kind == FILE_DIRECTORY ? -EISDIR : 0;
}

// Where in the program's memory the call goes on, and how many bytes it has there in one piece.
static u64 next_part(struct thread *thread, u64 *at) {
    struct record *record = &thread->record;
    const struct iovec *part = record_at(thread, record->index * sizeof *part);
    while (record->done - record->before >= part->iov_len) {
        record->before += part->iov_len;
        part = record_at(thread, ++record->index * sizeof *part);
    }
    u64 skip = record->done - record->before;
    *at = (u64)part->iov_base + skip;
    return MIN(part->iov_len - skip, record->total - record->done);
}

// Copies at most bytes between a buffer and the next parts. Returns how many, -EFAULT when there was none.
static s64 copy_parts(struct thread *thread, u8 *buffer, u64 bytes, bool to_user) {
    struct record *record = &thread->record;
    u64 copied = 0, at;
    while (copied < bytes && record->done < record->total) {
        u64 part = MIN(next_part(thread, &at), bytes - copied);
        bool ok = to_user ? copy_to_user(at, buffer + copied, part) : copy_from_user(buffer + copied, at, part);
        if (!ok) return copied ? (s64)copied : -EFAULT;
        copied += part;
        record->done += part;
    }
    return (s64)copied;
}

static s64 read_terminal(struct thread *thread) {
    struct record *record = &thread->record;
    u8 bytes[TTY_RING]; // a line at most
    u64 wanted = MIN(record->total - record->done, sizeof bytes);
    size_t count = terminal_read(&record->reader, bytes, wanted);
    if (count && copy_parts(thread, bytes, count, true) < 0) return record->done ? (s64)record->done : -EFAULT;
    if (record->reader.over || !wanted) return (s64)record->done;
    if (record->file.flags & O_NONBLOCK) return record->done ? (s64)record->done : -EAGAIN;
    thread->has_deadline = true;
    thread->deadline = record->reader.deadline;
    thread->wants = EVENT_INPUT;
    return CALL_WAITS;
}

static s64 wait_for_room(struct thread *thread) {
    struct record *record = &thread->record;
    terminal_show_later();
    if (record->file.flags & O_NONBLOCK) return record->done ? (s64)record->done : -EAGAIN;
    thread->wants = EVENT_OUTPUT;
    return CALL_WAITS;
}

static s64 write_terminal(struct thread *thread) {
    struct record *record = &thread->record;
    u8 bytes[TERMINAL_PIECE];
    for (u64 rounds = 0; record->done < record->total; rounds += terminal_rounds()) {
        if (rounds >= CALL_INSTRUCTIONS) return call_again(thread);
        if (!terminal_writable()) return wait_for_room(thread);
        u64 done = record->done, index = record->index, before = record->before;
        s64 count = copy_parts(thread, bytes, sizeof bytes, false);
        if (count < 0) terminal_show_later();
        if (count < 0) return record->done ? (s64)record->done : count;
        u64 taken = terminal_write(bytes, (size_t)count);
        if (taken == (u64)count) continue;
        record->done = done + taken;
        record->index = index; // from there on next_part() finds the place
        record->before = before;
        return call_again(thread);
    }
    return terminal_shown() ? (s64)record->done : call_again(thread);
}

// At the file's offset, which may move under several that read at once: who comes second looks again.
static s64 copy_piece(struct thread *thread, u64 at, u64 bytes, bool write) {
    struct file *file = &thread->record.file;
    u64 offset = file_offset(file);
    s64 count = 0;
    if (file->kind == FILE_ZERO) return write || clear_user(at, bytes) ? (s64)bytes : -EFAULT;
    if (file->kind == FILE_FRAMEBUFFER) {
        count = fb0_copy(at, bytes, offset, write);
    } else if (file->kind == FILE_TEXT) {
        count = text_read(file->node - NODE_TEXT, at, bytes, offset);
    } else {
        const struct boot_part *input = &program.boot->input;
        count = (s64)MIN(bytes, input->length - offset);
        if (!copy_to_user(at, window(input->start + offset), (u64)count)) return -EFAULT;
    }
    return count > 0 && !file_advance(file, offset, (u64)count) ? CALL_WAITS : count;
}

static s64 copy_pieces(struct thread *thread, bool write) {
    struct record *record = &thread->record;
    for (u64 at, copied = 0; record->done < record->total;) {
        u64 bytes = MIN(next_part(thread, &at), PIECE);
        s64 count = copied < PIECE ? copy_piece(thread, at, bytes, write) : CALL_WAITS;
        if (count == CALL_WAITS) return call_again(thread);
        if (count < 0) return record->done ? (s64)record->done : count;
        record->done += (u64)count;
        copied += (u64)count;
        if ((u64)count < bytes) break;
    }
    return (s64)record->done;
}

static s64 read(struct thread *thread, const u64 *arg, bool vectors) {
    s64 error = begin(thread, arg, vectors, O_WRONLY);
    if (error) return error;
    return thread->record.file.kind == FILE_TERMINAL ? read_terminal(thread) : copy_pieces(thread, false);
}

static s64 write(struct thread *thread, const u64 *arg, bool vectors) {
    s64 error = begin(thread, arg, vectors, O_RDONLY);
    if (error) return error;
    return thread->record.file.kind == FILE_TERMINAL ? write_terminal(thread) : copy_pieces(thread, true);
}

CALL(read) { return read(thread, arg, false); }
CALL(write) { return write(thread, arg, false); }
CALL(readv) { return read(thread, arg, true); }
CALL(writev) { return write(thread, arg, true); }
