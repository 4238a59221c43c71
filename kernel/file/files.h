// Open files. One is made by open, pipe and the like; numbers (descriptors), calls that are under
// way and threads that wait hold it, and with the last of these it is gone. All its numbers have
// its offset and its flags in common.
#pragma once

#include <linux/fcntl.h>
#include <linux/poll.h>
#include "boot/bootinfo.h"
#include "kernel/file/descriptors.h"
#include "kernel/thread/thread.h"

struct files;
struct file;

#define POLL_READS  (POLLIN | POLLRDNORM)
#define POLL_WRITES (POLLOUT | POLLWRNORM)

// What a file can do. A call that moves bytes has its file and its memory in its thread's record
// (transfer.h), and is one execution of it. NULL where the text says so.
struct file_operations {
    u8 kind;      // FILE_*
    bool in_proc; // as Linux's files there it is not written to at a place, either
    u16 mode;     // st_mode
    u16 device;   // st_rdev
    u16 block;    // st_blksize
    s64 (*read)(struct thread *thread);
    s64 (*write)(struct thread *thread);
    // Of one whose bytes have places, for transfer_read_pieces(): moves at most so many bytes of
    // one piece of the program's memory. How many, or a negative errno.
    s64 (*piece)(const struct file *file, uaddr at, u64 bytes, u64 offset, bool write);
    // The new offset, or a negative errno, by the one before. NULL: ESPIPE, also for pread.
    s64 (*seek)(u64 offset, s64 to, u32 whence);
    // POLL*, of those that are wanted. NULL: it never waits.
    u32 (*poll)(const struct file *file, u32 wanted);
    // The thread joins the queues that can change what poll() says. False: no memory.
    bool (*join)(struct file *file, struct thread *thread, u32 wanted);
    u64 (*left)(const struct file *file); // bytes, for FIONREAD; NULL: ioctl() knows that
    s64 (*ioctl)(struct thread *thread, u32 request, u64 arg); // NULL: ENOTTY
    // The physical address of what mmap shows, and more flags for its area; or a negative errno.
    // NULL: ENODEV.
    s64 (*map)(const struct file *file, u64 offset, u64 bytes, u32 rights, bool shared,
               paddr *physical);
    void (*release)(struct file *file); // nobody holds it any more; NULL: nothing is to be done
};

struct file {
    const struct file_operations *operations;
    u32 count;    // who holds it
    u32 flags;    // O_*, as F_GETFL gives them
    u64 offset;   // all three change by atomic operations
    u64 node;     // in the tree, of one that was found by a path; of a pipe its own number
    void *object; // of the operations
};

// ---- file.c ----
// A new one, held once; NULL: no memory.
struct file *file_make(const struct file_operations *operations, u32 flags);
static inline void file_hold(struct file *file) {
    __atomic_fetch_add(&file->count, 1, __ATOMIC_RELAXED);
}
void file_drop(struct file *file);
// The thread joins a queue of the file and holds the file until it leaves. False: no memory.
bool file_wait_join(struct file *file, struct thread *thread, struct wait_queue *queue) MUST_USE;
static inline u32 file_flags(const struct file *file) {
    return __atomic_load_n(&file->flags, __ATOMIC_RELAXED);
}
void file_change_flags(struct file *file, u32 which, u32 to);
static inline u32 file_access(const struct file *file) { return file_flags(file) & O_ACCMODE; }
static inline u64 file_offset(const struct file *file) {
    return __atomic_load_n(&file->offset, __ATOMIC_RELAXED);
}
// Moves the offset on by so many bytes; false: another call has moved it from there.
bool file_advance(struct file *file, u64 from, u64 bytes);

// ---- files.c: the table ----
// Those of a process; clone(2) can make another one that has them, too.
struct files {
    struct lock lock;
    u32 users;
    struct descriptors table;
};
struct files *files_make(void); // without any; NULL: no memory
static inline void files_hold(struct files *files) {
    __atomic_fetch_add(&files->users, 1, __ATOMIC_RELAXED);
}
// The files of another process as they are now: NULL: no memory.
struct files *files_copy(struct files *from);
// The process has none any more: some are closed, unless another one has them, too. True: all were.
bool files_leave(struct process *process);
// Closes some of those that another program is not to have, from a number on. The next number;
// FILES_MAX: there is none.
u32 files_close_for_exec(struct files *files, u32 from);
// The numbers 0, 1 and 2.
void files_init(struct process *process, const struct boot_info *boot, bool output_is_tty);
// Numbers are ints: the upper half of a register does not count.
struct file *files_get(struct files *files,
                       u64 number); // held for the caller; NULL: none is open there
// The open file of a number, looked up by the first execution of the call that asks for it and held
// until the call returns; NULL: none.
struct file *record_file(struct thread *thread, u64 number);
s64 files_reserve(struct process *process,
                  u64 least); // the first free number from there on, -EMFILE or -ENOMEM
// Gives a number that was reserved its file, which the caller held, or gives it up.
void files_install(struct files *files, u64 number, struct file *file, bool close_on_exec);
void files_unreserve(struct files *files, u64 number);
// The same at once. With an error the caller's file is dropped.
s64 files_put(struct process *process, struct file *file, u64 least, bool close_on_exec);
// At this number, whatever it was before: it, -EBADF, -EBUSY or -ENOMEM.
s64 files_replace(struct process *process, struct file *file, u64 number, bool close_on_exec);
s64 files_close(struct files *files, u64 number);
s64 files_close_on_exec(struct files *files, u64 number); // whether, or -EBADF
s64 files_set_close_on_exec(struct files *files, u64 number, bool on);
// For mmap: see the operation.
s64 file_map(struct files *files, u64 number, u64 offset, u64 bytes, u32 rights, bool shared,
             paddr *physical);

// ---- nodes.c: files that never wait ----
const struct file_operations *node_operations(u32 node); // of a node in the tree
extern const struct file_operations input_operations, directory_operations;
void input_init(const struct boot_part *part); // what standard input has
// ---- pipe.c ----
// The reading end and the writing one, each held once, with these flags beside; false: no memory.
bool pipe_make(u32 flags, struct file *ends[2]) MUST_USE;
// ---- terminal_file.c ----
extern const struct file_operations terminal_operations, output_operations;
void terminal_file_init(struct process *process); // who gets the terminal's signals
void terminal_input_happened(int signal);
void terminal_output_happened(void);
