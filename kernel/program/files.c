// The table of open files, and calls about their numbers. A file number is an entry of one table,
// so that nothing has to be allocated or can leak. No file has two numbers but the terminal.
#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/resource.h>
#include "kernel/call/call.h"
#include "kernel/device/devices.h"
#include "kernel/lib/string.h"
#include "kernel/program/program.h"

#define SETTABLE_FLAGS (O_APPEND | O_NONBLOCK | O_NOATIME)

static struct file files[FILES_MAX]; // by number
static struct lock lock;             // of the table; nobody who waits for anything has it
bool files_is_tty;

static const struct terminal_events terminal_events = {
    .input = terminal_input_happened,
    .output = terminal_output_happened,
};

void files_init(const struct boot_info *boot, bool output_is_tty) {
    files_is_tty = !boot->has_input || output_is_tty;
    texts_init(boot);
    terminal_init(&terminal_events, files_is_tty);
    for (u32 number = 0; number < 3; number++)
        files[number] = (struct file){FILE_TERMINAL, .flags = files_is_tty ? O_RDWR : O_WRONLY,
                                      .number = number};
    if (boot->has_input) files[0] = (struct file){FILE_INPUT, .flags = O_RDONLY};
}

// ---- the table ----

// Numbers are ints: the upper half of the register does not count.
static struct file *files_entry(u64 number) {
    bool is_open = (u32)number < FILES_MAX && files[(u32)number].kind;
    return is_open ? &files[(u32)number] : NULL;
}

bool file_get(u64 number, struct file *copy) {
    lock_take(&lock);
    const struct file *file = files_entry(number);
    if (file) *copy = *file;
    lock_give(&lock);
    return file;
}

// The entry that a copy was made of; NULL: the file has been closed.
static struct file *files_entry_of(const struct file *copy) {
    struct file *file = files_entry(copy->number);
    return file && file->serial == copy->serial ? file : NULL;
}

u64 file_offset(const struct file *copy) {
    lock_take(&lock);
    const struct file *file = files_entry_of(copy);
    u64 offset = file ? file->offset : copy->offset;
    lock_give(&lock);
    return offset;
}

bool file_advance(struct file *copy, u64 from, u64 bytes) {
    lock_take(&lock);
    struct file *file = files_entry_of(copy);
    bool is_there = !file || file->offset == from;
    if (file && is_there) file->offset = from + bytes;
    copy->offset = from + bytes;
    lock_give(&lock);
    return is_there;
}

s64 file_put(struct file file) {
    static u32 serial;
    u64 limit = limit_get(RLIMIT_NOFILE);
    lock_take(&lock);
    while (file.number < FILES_MAX && files[file.number].kind) file.number++;
    bool fits = file.number < MIN(limit, FILES_MAX);
    file.serial = ++serial;
    if (fits) files[file.number] = file;
    lock_give(&lock);
    return fits ? (s64)file.number : -EMFILE;
}

// A second number, the first free one from least on. What is read moves the offset of one number
// alone, so a file that has one gets none.
static s64 files_duplicate(u64 number, u64 least, bool close_on_exec) {
    struct file file;
    if (!file_get(number, &file)) return -EBADF;
    if (file.kind != FILE_TERMINAL)
        return refused("dup", "file", (u32)number, "it is no terminal", -EMFILE);
    file.number = (u32)least;
    file.close_on_exec = close_on_exec;
    return file_put(file);
}

s64 call_dup(struct thread *thread, const u64 *arg) { return files_duplicate(arg[0], 0, false); }

// dup3(old, new, flags)
s64 call_dup3(struct thread *thread, const u64 *arg) {
    u32 old = (u32)arg[0], new = (u32)arg[1], flags = (u32)arg[2];
    struct file file;
    if (flags & ~(u32)O_CLOEXEC || old == new) return -EINVAL;
    if (new >= FILES_MAX || new >= limit_get(RLIMIT_NOFILE) || !file_get(old, &file)) return -EBADF;
    if (file.kind == FILE_TERMINAL) call_close(thread, (u64[]){new});
    return files_duplicate(old, new, flags & O_CLOEXEC);
}

s64 call_dup2(struct thread *thread, const u64 *arg) {
    struct file file;
    if ((u32)arg[0] == (u32)arg[1]) return file_get(arg[0], &file) ? (s64)(u32)arg[0] : -EBADF;
    return call_dup3(thread, (u64[]){arg[0], arg[1], 0});
}

s64 call_close(struct thread *thread, const u64 *arg) {
    lock_take(&lock);
    struct file *file = files_entry(arg[0]);
    if (file) file->kind = FILE_CLOSED;
    lock_give(&lock);
    return file ? 0 : -EBADF;
}

// fcntl(number, command, argument)
s64 call_fcntl(struct thread *thread, const u64 *arg) {
    u32 command = (u32)arg[1];
    u32 flags = (u32)arg[2];
    bool known = true;
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
        return flags < limit_get(RLIMIT_NOFILE)
                   ? files_duplicate(arg[0], flags, command == F_DUPFD_CLOEXEC)
                   : -EINVAL;
    s64 result = 0;
    lock_take(&lock);
    struct file *file = files_entry(arg[0]);
    if (!file)
        result = -EBADF;
    else if (command == F_GETFD)
        result = file->close_on_exec ? FD_CLOEXEC : 0;
    else if (command == F_SETFD)
        file->close_on_exec = flags & FD_CLOEXEC;
    else if (command == F_GETFL)
        result = file->flags;
    else if (command != F_SETFL)
        known = false;
    else if (flags & O_DIRECT)
        result = -EINVAL;
    else
        file->flags = (file->flags & ~(u32)SETTABLE_FLAGS) | (flags & SETTABLE_FLAGS);
    lock_give(&lock);
    return known ? result : refused("fcntl", "command", command, "it is not built", -EINVAL);
}

// Of a framebuffer the end is 0, as on Linux; of a text nobody knows it before it is read.
static s64 files_seek(struct file *file, s64 to, u32 whence) {
    bool is_text = file->kind == FILE_TEXT;
    if (file->kind == FILE_ZERO) return 0;
    if (!is_text && file->kind != FILE_FRAMEBUFFER && file->kind != FILE_DIRECTORY) return -ESPIPE;
    if (whence > SEEK_END || (is_text && whence == SEEK_END)) return -EINVAL;
    if (whence == SEEK_CUR && __builtin_add_overflow(to, (s64)file->offset, &to)) return -EINVAL;
    if (to < 0) return -EINVAL;
    file->offset = (u64)to;
    return to;
}

// lseek(number, offset, whence)
s64 call_lseek(struct thread *thread, const u64 *arg) {
    lock_take(&lock);
    struct file *file = files_entry(arg[0]);
    s64 result = file ? files_seek(file, (s64)arg[1], (u32)arg[2]) : -EBADF;
    lock_give(&lock);
    return result;
}

s64 file_map(u64 number, u64 offset, u64 bytes, u32 rights, bool shared, u64 *physical) {
    struct file file;
    if (!file_get(number, &file)) return -EBADF;
    if (file.kind != FILE_FRAMEBUFFER && file.kind != FILE_ZERO) return -ENODEV;
    u32 access = file.flags & O_ACCMODE;
    if (access == O_WRONLY || (access == O_RDONLY && shared && rights & AREA_WRITE)) return -EACCES;
    if (file.kind == FILE_ZERO) return 0; // anonymous memory
    if (rights & AREA_EXEC) return -EPERM;
    if (!shared || !(*physical = fb0_pages(offset, bytes))) return -EINVAL;
    return access == O_RDONLY ? AREA_SEALED : 0;
}

// ---- ioctl ----

// What every file has. 1: this is another request.
static s64 ioctl_any(const u64 *arg) {
    u32 request = (u32)arg[1];
    int on = 0;
    if (request != FIOCLEX && request != FIONCLEX && request != FIONBIO) return 1;
    if (request == FIONBIO && !copy_from_user(&on, arg[2], sizeof on)) return -EFAULT;
    lock_take(&lock);
    struct file *file = files_entry(arg[0]);
    if (file && request != FIONBIO) file->close_on_exec = request == FIOCLEX;
    if (file && request == FIONBIO)
        file->flags = (file->flags & ~(u32)O_NONBLOCK) | (on ? O_NONBLOCK : 0);
    lock_give(&lock);
    return file ? 0 : -EBADF;
}

static s64 ioctl_terminal(struct thread *thread, u32 request, u64 arg) {
    struct termios2 *settings = record_at(thread, 0);
    u64 bytes = terminal_settings(request);
    _Static_assert(sizeof *settings <= sizeof thread->record.few, "it is copied in there");
    if (!thread->record.begun && bytes) {
        s64 error = record_copy(thread, arg, bytes);
        if (error) return error;
    }
    s64 result = terminal_ioctl(request, arg, settings);
    if (result == -ENOTTY)
        return refused("ioctl", "request", request, "the terminal has no such one", -ENOTTY);
    if (result != TERMINAL_WAITS) return result;
    thread->record.begun = true;
    thread->wants = EVENT_OUTPUT;
    return CALL_WAITS;
}

// ioctl(number, request, argument)
s64 call_ioctl(struct thread *thread, const u64 *arg) {
    struct record *record = &thread->record;
    u32 request = (u32)arg[1];
    if (!record->begun && !file_get(arg[0], &record->file)) return -EBADF;
    s64 result = ioctl_any(arg);
    if (result <= 0) return result;
    u8 kind = record->file.kind;
    if (kind == FILE_TERMINAL && files_is_tty) return ioctl_terminal(thread, request, arg[2]);
    // A terminal that is none is a pipe's other end, where nothing waits to be read.
    if (request == FIONREAD && (kind == FILE_INPUT || kind == FILE_TEXT || kind == FILE_TERMINAL)) {
        u64 end = kind == FILE_INPUT ? program.boot->input.length
                                     : 0; // a text's size is 0, as in Linux's /proc
        int left = (int)(end - file_offset(&record->file));
        return put_user(arg[2], &left, sizeof left);
    }
    return kind == FILE_FRAMEBUFFER ? fb0_ioctl(request, arg[2]) : -ENOTTY;
}
