// Bytes between files and the program's memory (transfer.h), and files whose bytes have places,
// which never wait.
#include "kernel/file/transfer.h"

#include <linux/uio.h>
#include "kernel/memory/tables.h"

#define PIECE 65536 // of what is copied directly
// of a vector: more are tried in one execution and filled in the next, each costs some 200
// instructions
#define PARTS 256

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

s64 transfer_stop(const struct thread *thread, s64 error) {
    if (thread->record.done) return (s64)thread->record.done;
    return error;
}

// Whatever the word is, it stays.
static bool transfer_can_store(u64 at) {
    u32 same = 0;
    return user_exchange(user(ROUND_DOWN(at, sizeof same)), &same, same);
}

static u64 transfer_copy_part(struct thread *thread, u8 *buffer, u64 bytes,
                              enum transfer_copy what) {
    u64 at;
    u64 part = MIN(transfer_next_part(thread, &at), bytes);
    bool ok = true;
    if (what == COPY_OUT) ok = copy_to_user(user(at), buffer, part);
    if (what == COPY_IN) ok = copy_from_user(buffer, user(at), part);
    if (what == COPY_NOTHING) {
        part = MIN(part, PAGE_SIZE - at % PAGE_SIZE);
        ok = transfer_can_store(at);
    }
    if (!ok) return 0;
    return part;
}

// From what done is afterwards, transfer_next_part() finds the part again. parts: counts them.
static u64 transfer_copy_counted(struct thread *thread, u8 *buffer, u64 bytes,
                                 enum transfer_copy what, u32 *parts) {
    struct record *record = &thread->record;
    const u64 done = record->done;
    const u64 index = record->index;
    const u64 before = record->before;
    u64 end = MIN(done + bytes, record->total);
    while (record->done < end && (what == COPY_OUT || !call_faulted(thread))) {
        u64 part = transfer_copy_part(thread, buffer, end - record->done, what);
        if (!part) break;
        if (buffer) buffer += part;
        record->done += part;
        ++*parts;
    }
    u64 copied = record->done - done;
    record->done = done;
    record->index = index;
    record->before = before;
    return copied;
}

// Copies at most so many bytes between a buffer and the memory where the call goes on, or only
// tries whether that can be written to. Returns how many it could before memory ended or, unless it
// is to the program, a page had to be made: with that there the call is executed anew. The caller
// adds to the record's done how many of them count.
u64 transfer_copy(struct thread *thread, u8 *buffer, u64 bytes, enum transfer_copy what) {
    u32 parts = 0;
    return transfer_copy_counted(thread, buffer, bytes, what, &parts);
}

// How many of the wanted bytes can be stored where the call goes on, before something is taken that
// nobody else gets; or CALL_WAITS, which the call returns. wanted becomes less when fewer were
// tried.
s64 transfer_room(struct thread *thread, u64 *wanted) {
    struct record *record = &thread->record;
    u32 parts = 0;
    if (record->tried) {
        *wanted = MIN(*wanted, record->tried);
        record->tried = 0;
        return (s64)MIN(*wanted, record->room);
    }
    u64 room = transfer_copy_counted(thread, NULL, *wanted, COPY_NOTHING, &parts);
    if (call_faulted(thread)) return call_again(thread);
    if (parts < PARTS) return (s64)room;
    record->tried = *wanted;
    record->room = room;
    return call_again(thread);
}

// ---- files whose bytes have places ----

static u64 transfer_offset(const struct record *record) {
    if (record->has_place) return record->place;
    return file_offset(record->file);
}

// False: another call has moved the offset in the meantime.
static bool transfer_advance(struct record *record, u64 from, u64 bytes) {
    record->place = from + bytes;
    return record->has_place || file_advance(record->file, from, bytes);
}

// At the file's offset, which may move under several that read at once: who comes second looks
// again.
static s64 transfer_piece(struct thread *thread, u64 at, u64 bytes, bool write) {
    struct record *record = &thread->record;
    const struct file *file = record->file;
    u64 offset = transfer_offset(record);
    s64 count = file->operations->piece(file, user(at), bytes, offset, write);
    if (count <= 0 || transfer_advance(record, offset, (u64)count)) return count;
    return CALL_WAITS;
}

// Where memory ends in a piece, it goes on page by page up to there, each in an execution of its
// own.
static s64 transfer_pieces(struct thread *thread, bool write) {
    struct record *record = &thread->record;
    for (u64 at, copied = 0; record->done < record->total;) {
        u64 bytes = MIN(transfer_next_part(thread, &at), PIECE);
        u64 page = PAGE_SIZE - at % PAGE_SIZE;
        bool goes_on = copied < PIECE && !call_faulted(thread);
        s64 count = CALL_WAITS;
        if (goes_on) count = transfer_piece(thread, at, bytes, write);
        if (count == -EFAULT && bytes > page) {
            bytes = page;
            copied = PIECE;
            count = transfer_piece(thread, at, bytes, write);
        }
        if (count == CALL_WAITS) return call_again(thread);
        if (count < 0) return transfer_stop(thread, count);
        record->done += (u64)count;
        copied += (u64)count;
        if ((u64)count < bytes) break;
    }
    return (s64)record->done;
}

s64 transfer_read_pieces(struct thread *thread) { return transfer_pieces(thread, false); }
s64 transfer_write_pieces(struct thread *thread) { return transfer_pieces(thread, true); }
