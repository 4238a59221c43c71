// read(2), write(2) and their like. The first execution checks the arguments and settles the file
// and the memory in the record; the file's operations move the bytes from there on (transfer.h).
#include <linux/fcntl.h>
#include <linux/uio.h>
#include "kernel/call/call.h"

#define RW_MAX  0x7ffff000ull // bytes of one call, as on Linux
#define IOV_MAX 1024

#define VECTORS 1u // arg[1] and arg[2] are a vector, else a buffer
#define AT      2u // arg[3] is where in the file

// The whole vector, before the first byte moves. What is beyond RW_MAX in all is left for another
// call.
static s64 readwrite_check_vectors(struct thread *thread, u64 count) {
    struct record *record = &thread->record;
    record->total = 0;
    for (u64 i = 0; i < count; i++) {
        const struct iovec *part = record_at(thread, i * sizeof *part);
        if ((s64)part->iov_len < 0) return -EINVAL;
        if (!in_user_range(user((u64)part->iov_base), part->iov_len)) return -EFAULT;
        record->total = MIN(record->total + part->iov_len, RW_MAX);
    }
    return 0;
}

// bytes: of all that was asked for.
static s64 readwrite_vectors(struct thread *thread, const u64 *arg, u64 *bytes) {
    u32 count = (u32)arg[2]; // although the argument is an unsigned long
    if (count > IOV_MAX) return -EINVAL;
    s64 error = record_copy(thread, user(arg[1]), count * sizeof(struct iovec));
    if (!error) error = readwrite_check_vectors(thread, count);
    *bytes = thread->record.total;
    return error;
}

static s64 readwrite_place(struct record *record, u64 place, bool write) {
    const struct file_operations *operations = record->file->operations;
    if (!operations->seek || (write && operations->in_proc)) return -ESPIPE;
    record->has_place = true;
    record->place = place;
    return 0;
}

static s64 readwrite_begin(struct thread *thread, const u64 *arg, u32 how, bool write) {
    struct record *record = &thread->record;
    s64 error = 0;
    u64 bytes = arg[2];
    if (how & AT && (s64)arg[3] < 0) return -EINVAL;
    if (!record_file(thread, arg[0])) return -EBADF;
    record->index = record->before = record->tried = 0;
    record->reader = (struct tty_reader){.deadline = NEVER};
    record->flags = file_flags(record->file);
    record->has_place = false;
    if (how & AT) error = readwrite_place(record, arg[3], write);
    if (error) return error;
    u32 forbids = write ? O_RDONLY : O_WRONLY;
    bool allowed = (record->flags & O_ACCMODE) != forbids;
    if (how & VECTORS) {
        error = readwrite_vectors(thread, arg, &bytes);
    } else {
        record->few[0] = arg[1];
        record->few[1] = arg[2];
        record->total = MIN(arg[2], RW_MAX);
        if (allowed && !in_user_range(user(arg[1]), arg[2])) return -EFAULT;
    }
    if (error) return error;
    if (!allowed) return -EBADF;
    u64 offset = record->place;
    if (!record->has_place) offset = file_offset(record->file);
    if ((s64)(offset + bytes) < 0) return -EINVAL;
    record->begun = true;
    return 0;
}

static s64 readwrite_read(struct thread *thread, const u64 *arg, u32 how) {
    s64 error = 0;
    if (!thread->record.begun) error = readwrite_begin(thread, arg, how, false);
    if (error) return error;
    return thread->record.file->operations->read(thread);
}

static s64 readwrite_write(struct thread *thread, const u64 *arg, u32 how) {
    s64 error = 0;
    if (!thread->record.begun) error = readwrite_begin(thread, arg, how, true);
    if (error) return error;
    return thread->record.file->operations->write(thread);
}

s64 call_read(struct thread *thread, const u64 *arg) { return readwrite_read(thread, arg, 0); }
s64 call_write(struct thread *thread, const u64 *arg) { return readwrite_write(thread, arg, 0); }
s64 call_readv(struct thread *thread, const u64 *arg) {
    return readwrite_read(thread, arg, VECTORS);
}
s64 call_writev(struct thread *thread, const u64 *arg) {
    return readwrite_write(thread, arg, VECTORS);
}

// The place is one argument of 64 bits; the sixth, its upper half elsewhere, means nothing.
s64 call_pread64(struct thread *thread, const u64 *arg) { return readwrite_read(thread, arg, AT); }
s64 call_pwrite64(struct thread *thread, const u64 *arg) {
    return readwrite_write(thread, arg, AT);
}
s64 call_preadv(struct thread *thread, const u64 *arg) {
    return readwrite_read(thread, arg, VECTORS | AT);
}
s64 call_pwritev(struct thread *thread, const u64 *arg) {
    return readwrite_write(thread, arg, VECTORS | AT);
}
