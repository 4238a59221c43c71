// Calls that move bytes between a file and the program's memory. The file, and where in memory, is
// settled when the call begins; it goes on from there however often it is executed (struct record).
#include <linux/fcntl.h>
#include <linux/uio.h>
#include "kernel/call/call.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
#include "kernel/program/program.h"

#define RW_MAX  0x7ffff000ull // bytes of one call, as on Linux
#define IOV_MAX 1024
#define PIECE   65536 // of what is copied directly

// The whole vector, before the first byte moves. What is beyond RW_MAX in all is left for another
// call.
static s64 transfer_check_vectors(struct thread *thread, u64 count) {
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

enum {
    VECTORS = 1,
    AT = 2
}; // arg[1] and arg[2] are a vector, else a buffer; arg[3] is where in the file

// Linux's files in /proc are not written to at a place, either.
static bool transfer_can_seek(const struct file *file, u32 access) {
    if (file->kind == FILE_TEXT) return access == O_WRONLY;
    return file->kind != FILE_TERMINAL && file->kind != FILE_INPUT;
}

// access: what the file must not have been opened for.
static s64 transfer_begin(struct thread *thread, const u64 *arg, u32 how, u32 access) {
    struct record *record = &thread->record;
    s64 error = 0;
    u64 bytes = arg[2];
    if (record->begun) return 0;
    record->done = record->before = record->index = 0;
    record->reader = (struct tty_reader){.deadline = NEVER};
    if (how & AT && (s64)arg[3] < 0) return -EINVAL;
    if (!file_get(arg[0], &record->file)) return -EBADF;
    if (how & AT) {
        if (!transfer_can_seek(&record->file, access)) return -ESPIPE;
        record->file.number = FILES_MAX; // no entry of the table: the offset is this call's alone
        record->file.offset = arg[3];
    }
    bool allowed = (record->file.flags & O_ACCMODE) != access;
    if (how & VECTORS) {
        u32 count = (u32)arg[2]; // although the argument is an unsigned long
        if (count > IOV_MAX) return -EINVAL;
        error = record_copy(thread, arg[1], count * sizeof(struct iovec));
        if (!error) error = transfer_check_vectors(thread, count);
        bytes = record->total;
    } else {
        record->few[0] = arg[1];
        record->few[1] = arg[2];
        record->total = MIN(arg[2], RW_MAX);
        if (allowed && !in_user_range(arg[1], arg[2])) return -EFAULT;
    }
    if (error) return error;
    if (!allowed) return -EBADF;
    if ((s64)(record->file.offset + bytes) < 0) return -EINVAL;
    record->begun = true;
    return record->file.kind == FILE_DIRECTORY ? -EISDIR : 0;
}

// Where in the program's memory the call goes on, and how many bytes it has there in one piece,
// which crosses no large page's border: so a copy makes one at most.
static u64 transfer_next_part(struct thread *thread, u64 *at) {
    struct record *record = &thread->record;
    const struct iovec *part = record_at(thread, record->index * sizeof *part);
    while (record->done - record->before >= part->iov_len) {
        record->before += part->iov_len;
        part = record_at(thread, ++record->index * sizeof *part);
    }
    u64 skip = record->done - record->before;
    *at = (u64)part->iov_base + skip;
    u64 bytes = MIN(part->iov_len - skip, record->total - record->done);
    return MIN(bytes, LEVEL_BYTES(LEVEL_2M) - *at % LEVEL_BYTES(LEVEL_2M));
}

// How a call ends that cannot go on: with what is done, else with an error.
static s64 transfer_stop(const struct thread *thread, s64 error) {
    return thread->record.done ? (s64)thread->record.done : error;
}

enum copy { COPY_IN, COPY_OUT, COPY_NOTHING };

// Copies at most bytes between a buffer and the next parts, or only tries whether they can be
// written to. Returns how many it could before memory ended or, unless it is to the program, a page
// had to be made: with that there the call is executed anew.
static u64 transfer_copy_parts(struct thread *thread, u8 *buffer, u64 bytes, enum copy what) {
    struct record *record = &thread->record;
    u64 copied = 0;
    u64 at;
    u32 same = 0;
    while (copied < bytes && record->done < record->total &&
           (what == COPY_OUT || !call_faulted(thread))) {
        u64 part = MIN(transfer_next_part(thread, &at), bytes - copied);
        bool ok = true;
        if (what == COPY_OUT) ok = copy_to_user(at, buffer + copied, part);
        if (what == COPY_IN) ok = copy_from_user(buffer + copied, at, part);
        if (what == COPY_NOTHING) {
            part = MIN(part, PAGE_SIZE - at % PAGE_SIZE);
            ok =
                user_exchange(ROUND_DOWN(at, sizeof same), &same, same); // whatever it is, it stays
        }
        if (!ok) break;
        copied += part;
        record->done += part;
    }
    return copied;
}

// Back to where the call was; from there on transfer_next_part() finds the place.
static void transfer_go_back(struct record *record, u64 done, u64 index, u64 before) {
    record->done = done;
    record->index = index;
    record->before = before;
}

// What can be stored is known before anything is taken, since what is taken nobody else gets.
static s64 transfer_read_terminal(struct thread *thread) {
    struct record *record = &thread->record;
    u8 bytes[TTY_RING]; // a line at most
    u64 done = record->done;
    u64 index = record->index;
    u64 before = record->before;
    u64 wanted = MIN(record->total - done, sizeof bytes);
    u64 room = transfer_copy_parts(thread, NULL, wanted, COPY_NOTHING);
    transfer_go_back(record, done, index, before);
    if (call_faulted(thread)) return call_again(thread);
    if (wanted && !room && terminal_readable()) return transfer_stop(thread, -EFAULT);
    if (room || !wanted) {
        size_t count = terminal_read(&record->reader, bytes, room);
        if (transfer_copy_parts(thread, bytes, count, COPY_OUT) < count)
            return transfer_stop(thread, -EFAULT);
    }
    if (record->reader.over || !wanted) return (s64)record->done;
    if (record->file.flags & O_NONBLOCK) return transfer_stop(thread, -EAGAIN);
    thread->has_deadline = true;
    thread->deadline = record->reader.deadline;
    thread->wants = EVENT_INPUT;
    return CALL_WAITS;
}

static s64 transfer_wait_for_room(struct thread *thread) {
    struct record *record = &thread->record;
    terminal_show_later();
    if (record->file.flags & O_NONBLOCK) return transfer_stop(thread, -EAGAIN);
    thread->wants = EVENT_OUTPUT;
    return CALL_WAITS;
}

// As on Linux's pipes a piece is written as a whole, or not when a part of it is not there.
static s64 transfer_write_terminal(struct thread *thread) {
    struct record *record = &thread->record;
    u8 bytes[TERMINAL_PIECE];
    for (u64 rounds = 0; record->done < record->total; rounds += terminal_rounds()) {
        if (rounds >= CALL_INSTRUCTIONS) return call_again(thread);
        if (!terminal_writable()) return transfer_wait_for_room(thread);
        u64 done = record->done;
        u64 index = record->index;
        u64 before = record->before;
        u64 wanted = MIN(record->total - done, sizeof bytes);
        u64 count = transfer_copy_parts(thread, bytes, wanted, COPY_IN);
        if (call_faulted(thread)) {
            transfer_go_back(record, done, index, before);
            return call_again(thread);
        }
        if (count < wanted) {
            terminal_show_later();
            record->done = done;
            return transfer_stop(thread, -EFAULT);
        }
        u64 taken = terminal_write(bytes, count);
        if (taken == count) continue;
        transfer_go_back(record, done + taken, index, before);
        return call_again(thread);
    }
    return terminal_shown() ? (s64)record->done : call_again(thread);
}

// At the file's offset, which may move under several that read at once: who comes second looks
// again.
static s64 transfer_copy_piece(struct thread *thread, u64 at, u64 bytes, bool write) {
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

// Where memory ends in a piece, it goes on page by page up to there, each in an execution of its
// own.
static s64 transfer_copy_pieces(struct thread *thread, bool write) {
    struct record *record = &thread->record;
    for (u64 at, copied = 0; record->done < record->total;) {
        u64 bytes = MIN(transfer_next_part(thread, &at), PIECE), page = PAGE_SIZE - at % PAGE_SIZE;
        s64 count = copied < PIECE && !call_faulted(thread)
                        ? transfer_copy_piece(thread, at, bytes, write)
                        : CALL_WAITS;
        if (count == -EFAULT && bytes > page) {
            bytes = page;
            copied = PIECE;
            count = transfer_copy_piece(thread, at, bytes, write);
        }
        if (count == CALL_WAITS) return call_again(thread);
        if (count < 0) return transfer_stop(thread, count);
        record->done += (u64)count;
        copied += (u64)count;
        if ((u64)count < bytes) break;
    }
    return (s64)record->done;
}

static s64 transfer_read(struct thread *thread, const u64 *arg, u32 how) {
    s64 error = transfer_begin(thread, arg, how, O_WRONLY);
    if (error) return error;
    return thread->record.file.kind == FILE_TERMINAL ? transfer_read_terminal(thread)
                                                     : transfer_copy_pieces(thread, false);
}

static s64 transfer_write(struct thread *thread, const u64 *arg, u32 how) {
    s64 error = transfer_begin(thread, arg, how, O_RDONLY);
    if (error) return error;
    return thread->record.file.kind == FILE_TERMINAL ? transfer_write_terminal(thread)
                                                     : transfer_copy_pieces(thread, true);
}

s64 call_read(struct thread *thread, const u64 *arg) { return transfer_read(thread, arg, 0); }
s64 call_write(struct thread *thread, const u64 *arg) { return transfer_write(thread, arg, 0); }
s64 call_readv(struct thread *thread, const u64 *arg) {
    return transfer_read(thread, arg, VECTORS);
}
s64 call_writev(struct thread *thread, const u64 *arg) {
    return transfer_write(thread, arg, VECTORS);
}

// The place is one argument of 64 bits; the sixth, its upper half elsewhere, means nothing.
s64 call_pread64(struct thread *thread, const u64 *arg) { return transfer_read(thread, arg, AT); }
s64 call_pwrite64(struct thread *thread, const u64 *arg) { return transfer_write(thread, arg, AT); }
s64 call_preadv(struct thread *thread, const u64 *arg) {
    return transfer_read(thread, arg, VECTORS | AT);
}
s64 call_pwritev(struct thread *thread, const u64 *arg) {
    return transfer_write(thread, arg, VECTORS | AT);
}
