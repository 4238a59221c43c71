// Calls about files: arguments from the program's registers and memory to kernel/file and back.
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/uio.h>
#include "kernel/program/calls.h"

#define PATH_MAX       4096
#define RW_MAX         0x7ffff000ull // bytes of one call, as on Linux
#define IOV_MAX        1024
#define AT_FLAGS_KNOWN (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)

static u64 at_most(u64 bytes, u64 limit) { return bytes < limit ? bytes : limit; }

// A call whose first argument is a file number.
#define FILE_CALL(name, result)                                                                                        \
    CALL(name) {                                                                                                       \
        struct file *file = file_at((int)arg[0]);                                                                      \
        return file ? (result) : -EBADF;                                                                               \
    }
static s64 vectors(struct file *file, const u64 *arg, s64 (*each)(struct file *, u64, u64));
static s64 put_stat(const struct file *file, u64 to);
static s64 control(struct file *file, u64 command, u64 arg);
FILE_CALL(read, file_read(file, arg[1], at_most(arg[2], RW_MAX)))
FILE_CALL(write, file_write(file, arg[1], at_most(arg[2], RW_MAX)))
FILE_CALL(pread64, file_read_at(file, arg[1], at_most(arg[2], RW_MAX), arg[3]))
FILE_CALL(readv, vectors(file, arg, file_read))
FILE_CALL(writev, vectors(file, arg, file_write))
FILE_CALL(lseek, file_seek(file, (s64)arg[1], (int)arg[2]))
FILE_CALL(ioctl, file_ioctl(file, (u32)arg[1], arg[2]))
FILE_CALL(fcntl, control(file, arg[1], arg[2]))
FILE_CALL(fstat, put_stat(file, arg[1]))
FILE_CALL(dup, file_duplicate(file, 0))
CALL(close) { return file_close((int)arg[0]); }

// One buffer after the other until one is not filled; an error counts only when nothing was done before it.
static s64 vectors(struct file *file, const u64 *arg, s64 (*each)(struct file *, u64, u64)) {
    if (arg[2] > IOV_MAX) return -EINVAL;
    u64 done = 0;
    for (u64 i = 0; i < arg[2]; i++) {
        struct iovec part;
        if (!copy_from_user(&part, arg[1] + i * sizeof part, sizeof part)) return done ? (s64)done : -EFAULT;
        u64 bytes = at_most(part.iov_len, RW_MAX - done);
        s64 count = bytes ? each(file, (u64)part.iov_base, bytes) : 0;
        if (count < 0) return done ? (s64)done : count;
        done += (u64)count;
        if ((u64)count < part.iov_len) break;
    }
    return (s64)done;
}

static s64 put_stat(const struct file *file, u64 to) {
    struct stat stat;
    file_stat(file, &stat);
    return copy_to_user(to, &stat, sizeof stat) ? 0 : -EFAULT;
}

static s64 control(struct file *file, u64 command, u64 arg) {
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: return file_duplicate(file, (int)arg);
    case F_GETFD: // there is no exec that could close it
    case F_SETFD: return 0;
    case F_GETFL: return file->flags;
    case F_SETFL: file->flags = (file->flags & ~(u32)O_NONBLOCK) | (arg & O_NONBLOCK); return 0;
    }
    return -EINVAL;
}

CALL(dup2) {
    struct file *file = file_at((int)arg[0]);
    if (!file || arg[1] >= FILES_MAX) return -EBADF;
    if (arg[0] == arg[1]) return (s64)arg[1];
    file_close((int)arg[1]);
    return file_duplicate(file, (int)arg[1]);
}

// The text at a path, or a negative errno. Relative paths count from the root, the only directory there is.
static s64 find(u64 path_at) {
    static char path[PATH_MAX + 1] = "/";
    s64 length = copy_string_from_user(path + 1, path_at, PATH_MAX);
    if (length < 0 || length == PATH_MAX) return length < 0 ? -EFAULT : -ENAMETOOLONG;
    int text = text_find(path[1] == '/' ? path + 1 : path);
    return text < 0 ? -ENOENT : text;
}

static s64 stat_path(u64 path, u64 to) {
    s64 text = find(path);
    return text < 0 ? text : put_stat(&(struct file){.kind = FILE_TEXT, .text = (int)text}, to);
}

static s64 open_path(u64 path, u64 flags) {
    s64 text = find(path);
    return text >= 0 ? file_open_text((int)text, (u32)flags) : text == -ENOENT && flags & O_CREAT ? -EROFS : text;
}

// Neither may a text be written or executed, nor is it a link.
static s64 access_path(u64 path, u64 mode) {
    s64 text = find(path);
    return text < 0 ? text : mode & 3 ? -EACCES : 0;
}

static s64 read_link(u64 path) {
    s64 text = find(path);
    return text < 0 ? text : -EINVAL;
}

CALL(stat) { return stat_path(arg[0], arg[1]); }
CALL(lstat) { return stat_path(arg[0], arg[1]); }
CALL(open) { return open_path(arg[0], arg[1]); }
CALL(openat) { return open_path(arg[1], arg[2]); }
CALL(access) { return access_path(arg[0], arg[1]); }
CALL(faccessat) { return access_path(arg[1], arg[2]); }
CALL(readlink) { return read_link(arg[0]); }
CALL(readlinkat) { return read_link(arg[1]); }

CALL(getcwd) { return arg[1] < 2 ? -ERANGE : copy_to_user(arg[0], "/", 2) ? 2 : -EFAULT; }

CALL(newfstatat) {
    char first = 1;
    if (arg[3] & ~(u64)AT_FLAGS_KNOWN) return -EINVAL;
    if (arg[3] & AT_EMPTY_PATH && !copy_from_user(&first, arg[1], 1)) return -EFAULT;
    return first ? stat_path(arg[1], arg[2]) : call_fstat(thread, (u64[6]){arg[0], arg[2]});
}

static s64 poll_files(struct thread *thread, const u64 *arg, u64 timeout_ns) {
    s64 ready = 0;
    if (arg[1] > FILES_MAX) return -EINVAL;
    for (u64 i = 0; i < arg[1]; i++) {
        struct pollfd one;
        if (!copy_from_user(&one, arg[0] + i * sizeof one, sizeof one)) return -EFAULT;
        struct file *file = file_at(one.fd);
        short now = file ? POLLOUT | POLLWRNORM | (file_readable(file) ? POLLIN | POLLRDNORM : 0) : POLLNVAL;
        one.revents = one.fd < 0 ? 0 : now & (one.events | POLLNVAL);
        ready += one.revents != 0;
        if (!copy_to_user(arg[0] + i * sizeof one, &one, sizeof one)) return -EFAULT;
    }
    return ready || thread_deadline(thread, timeout_ns) ? ready : CALL_WAITS;
}

CALL(poll) { return poll_files(thread, arg, (int)arg[2] < 0 ? NEVER : (arg[2] & 0x7fffffff) * 1000000); }

// ppoll(list, count, time, signal mask): no signal but a deadly one can come, so the mask changes nothing.
CALL(ppoll) {
    u64 ns = NEVER;
    s64 error = arg[2] ? time_get(arg[2], &ns) : 0;
    return error ? error : poll_files(thread, arg, ns);
}
