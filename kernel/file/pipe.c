// Pipes: two open files with a ring of 64 KiB between them. Each execution of a read or a write
// copies pieces of 4 KiB through its stack, since the pipe's lock cannot be held while the
// program's memory is touched. As on Linux a write of up to PIPE_BUF bytes is in the pipe as a
// whole or not at all, and a longer one may be mixed with others.
#include <asm/siginfo.h>
#include <linux/limits.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include "kernel/file/file.h"
#include "kernel/file/ring.h"
#include "kernel/memory/window.h"
#include "kernel/memory/promises.h"
#include "kernel/file/transfer.h"
#include "kernel/thread/signals.h"

#define PIECE        PAGE_SIZE
#define PIECES_BYTES (64 * 1024) // in one execution: each is copied twice, by quadwords

struct pipe { // has a page
    struct lock lock;
    struct ring ring;
    bool has_reader, has_writer;
    u32 number;
    struct wait_queue readers, writers; // for bytes or the end; for room or nobody to read
};

// What a look at it has found.
struct pipe_state {
    u64 used;
    bool has_reader, has_writer;
};

static struct pipe_state pipe_look(struct pipe *pipe) {
    lock_take(&pipe->lock);
    struct pipe_state state = {ring_used(&pipe->ring), pipe->has_reader, pipe->has_writer};
    lock_give(&pipe->lock);
    return state;
}

// ---- reading ----

// The bytes that are still there, at most so many.
static u64 pipe_take(struct pipe *pipe, u8 *to, u64 bytes) {
    lock_take(&pipe->lock);
    bytes = MIN(bytes, ring_used(&pipe->ring));
    ring_take(&pipe->ring, to, bytes);
    lock_give(&pipe->lock);
    if (bytes) wait_wake(&pipe->writers);
    return bytes;
}

static s64 pipe_read_none(struct thread *thread, struct pipe *pipe, bool has_writer) {
    struct record *record = &thread->record;
    record->tried = 0; // by the time that something is there, memory may be another
    if (record->done || !has_writer) return (s64)record->done;
    if (record->flags & O_NONBLOCK) return -EAGAIN;
    return wait_for(thread, &pipe->readers);
}

// What can be stored is known before anything is taken, since what is taken nobody else gets.
static s64 pipe_read(struct thread *thread) {
    struct record *record = &thread->record;
    struct pipe *pipe = record->file->object;
    u8 bytes[PIECE];
    for (u64 moved = 0; record->done < record->total;) {
        struct pipe_state state = pipe_look(pipe);
        if (!state.used) return pipe_read_none(thread, pipe, state.has_writer);
        if (moved >= PIECES_BYTES) return call_again(thread);
        u64 wanted = MIN(record->total - record->done, state.used);
        wanted = MIN(wanted, PIECE);
        s64 room = transfer_room(thread, &wanted);
        if (room < 0) return room;
        if ((u64)room < wanted) return transfer_stop(thread, -EFAULT);
        u64 count = pipe_take(pipe, bytes, wanted);
        u64 copied = transfer_copy(thread, bytes, count, COPY_OUT);
        record->done += copied;
        if (copied < count) return transfer_stop(thread, -EFAULT);
        moved += PIECE; // also when another reader was faster
    }
    return (s64)record->done;
}

// ---- writing ----

static bool pipe_has_pages(struct pipe *pipe, u64 bytes) {
    u8 **missing;
    while ((missing = ring_missing(&pipe->ring, bytes))) {
        paddr page = promises_page(OWNER_FILES, false);
        if (!page.at) return false;
        *missing = window(page);
    }
    return true;
}

// All of the bytes, if there is room for them still: how many that was, or -ENOMEM.
static s64 pipe_put(struct pipe *pipe, const u8 *from, u64 bytes) {
    s64 result = 0;
    lock_take(&pipe->lock);
    bool has_room = ring_room(&pipe->ring) >= bytes;
    if (has_room && !pipe_has_pages(pipe, bytes)) result = -ENOMEM;
    if (has_room && !result) {
        ring_put(&pipe->ring, from, bytes);
        result = (s64)bytes;
    }
    lock_give(&pipe->lock);
    if (result > 0) wait_wake(&pipe->readers);
    return result;
}

// How many bytes may be put at once where there is room for so many; 0: it has to wait.
static u64 pipe_piece(const struct record *record, u64 room) {
    u64 left = record->total - record->done;
    if (record->total <= PIPE_BUF && room < left) return 0;
    left = MIN(left, PIECE);
    return MIN(left, room);
}

static s64 pipe_write(struct thread *thread) {
    struct record *record = &thread->record;
    struct pipe *pipe = record->file->object;
    u8 bytes[PIECE];
    for (u64 moved = 0; record->done < record->total;) {
        struct pipe_state state = pipe_look(pipe);
        if (!state.has_reader) {
            signal_send_self(thread, SIGPIPE);
            return transfer_stop(thread, -EPIPE);
        }
        u64 wanted = pipe_piece(record, RING_BYTES - state.used);
        if (!wanted && record->flags & O_NONBLOCK) return transfer_stop(thread, -EAGAIN);
        if (!wanted) return wait_for(thread, &pipe->writers);
        if (moved >= PIECES_BYTES) return call_again(thread);
        u64 count = transfer_copy(thread, bytes, wanted, COPY_IN);
        if (call_faulted(thread)) return call_again(thread);
        if (count < wanted) return transfer_stop(thread, -EFAULT);
        s64 put = pipe_put(pipe, bytes, count);
        if (put < 0) return transfer_stop(thread, put);
        record->done += (u64)put;
        moved += PIECE;
    }
    return (s64)record->done;
}

// ---- both ends ----

static bool pipe_is_writer(const struct file *file) { return file_access(file) == O_WRONLY; }

static u32 pipe_poll(const struct file *file, u32 wanted) {
    struct pipe_state state = pipe_look(file->object);
    u32 found = 0;
    if (pipe_is_writer(file)) {
        if (RING_BYTES - state.used >= PIPE_BUF) found |= POLL_WRITES;
        if (!state.has_reader) found |= POLLERR;
    } else {
        if (state.used) found |= POLL_READS;
        if (!state.has_writer) found |= POLLHUP;
    }
    return found & wanted;
}

static bool pipe_join(struct file *file, struct thread *thread, u32 wanted) {
    struct pipe *pipe = file->object;
    (void)wanted; // POLLHUP and POLLERR always are
    if (pipe_is_writer(file)) return file_wait_join(file, thread, &pipe->writers);
    return file_wait_join(file, thread, &pipe->readers);
}

static u64 pipe_left(const struct file *file) { return pipe_look(file->object).used; }

static void pipe_free(struct pipe *pipe) {
    for (int i = 0; i < RING_PAGES; i++)
        if (pipe->ring.pages[i])
            promises_give(OWNER_FILES, window_physical(pipe->ring.pages[i]), false);
    promises_give(OWNER_FILES, window_physical(pipe), false);
}

// The other end may go at the same time: who comes second frees the pipe, and the first one has
// left it when it gives the lock back.
static void pipe_release(struct file *file) {
    struct pipe *pipe = file->object;
    lock_take(&pipe->lock);
    if (pipe_is_writer(file))
        pipe->has_writer = false;
    else
        pipe->has_reader = false;
    bool is_last = !pipe->has_reader && !pipe->has_writer;
    wait_wake(&pipe->readers);
    wait_wake(&pipe->writers);
    lock_give(&pipe->lock);
    if (is_last) pipe_free(pipe);
}

static const struct file_operations pipe_operations = {
    .kind = FILE_PIPE,
    .mode = S_IFIFO | 0600,
    .block = PAGE_SIZE,
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .join = pipe_join,
    .left = pipe_left,
    .release = pipe_release,
};

static struct file *pipe_end(struct pipe *pipe, u32 flags) {
    struct file *file = file_make(&pipe_operations, flags);
    if (!file) return NULL;
    file->object = pipe;
    file->node = pipe->number;
    return file;
}

bool pipe_make(u32 flags, struct file *ends[2]) {
    static u32 made;
    paddr page = promises_page(OWNER_FILES, false);
    if (!page.at) return false;
    struct pipe *pipe = window(page);
    *pipe = (struct pipe){.lock = {.rank = LOCK_PIPE},
                          .number = __atomic_fetch_add(&made, 1, __ATOMIC_RELAXED),
                          .readers = WAIT_QUEUE,
                          .writers = WAIT_QUEUE};
    ends[0] = pipe_end(pipe, O_RDONLY | flags);
    pipe->has_reader = ends[0];
    ends[1] = NULL;
    if (ends[0]) ends[1] = pipe_end(pipe, O_WRONLY | flags);
    pipe->has_writer = ends[1];
    if (ends[1]) return true;
    if (ends[0])
        file_drop(ends[0]);
    else
        pipe_free(pipe);
    return false;
}
