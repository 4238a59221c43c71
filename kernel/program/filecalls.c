// Calls about files: arguments from the program's registers and memory to kernel/file and back.
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/uio.h>
#include "kernel/file/file.h"
#include "kernel/lib/string.h"
#include "kernel/program/calls.h"

#define PATH_MAX       4096          // with its NUL
#define RW_MAX         0x7ffff000ull // bytes of one call, as on Linux
#define IOV_MAX        1024
#define AT_FLAGS_KNOWN (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)

static u64 at_most(u64 bytes, u64 limit) { return bytes < limit ? bytes : limit; }

CALL(read)
{
    struct file *file = file_at((int)arg[0]);
    return file ? file_read(file, arg[1], at_most(arg[2], RW_MAX)) : -EBADF;
}

CALL(write)
{
    struct file *file = file_at((int)arg[0]);
    return file ? file_write(file, arg[1], at_most(arg[2], RW_MAX)) : -EBADF;
}

CALL(pread64)
{
    struct file *file = file_at((int)arg[0]);
    return file ? file_read_at(file, arg[1], at_most(arg[2], RW_MAX), arg[3]) : -EBADF;
}

// readv and writev: one buffer after the other until one is not filled; an error counts only when nothing was done.
static s64 vectors(const u64 *arg, s64 (*each)(struct file *, u64, u64))
{
    struct file *file = file_at((int)arg[0]);
    if (!file) return -EBADF;
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

CALL(readv) { return vectors(arg, file_read); }
CALL(writev) { return vectors(arg, file_write); }
CALL(close) { return file_close((int)arg[0]); }

CALL(lseek)
{
    struct file *file = file_at((int)arg[0]);
    return file ? file_seek(file, (s64)arg[1], (int)arg[2]) : -EBADF;
}

CALL(ioctl)
{
    struct file *file = file_at((int)arg[0]);
    return file ? file_ioctl(file, (u32)arg[1], arg[2]) : -EBADF;
}

static s64 get_path(char path[PATH_MAX], u64 from)
{
    s64 length = copy_string_from_user(path, from, PATH_MAX);
    return length < 0 ? -EFAULT : length == PATH_MAX ? -ENAMETOOLONG : length ? 0 : -ENOENT;
}

static s64 put_stat(const struct file *file, u64 to)
{
    struct stat stat;
    if (!file) return -EBADF;
    file_stat(file, &stat);
    return copy_to_user(to, &stat, sizeof stat) ? 0 : -EFAULT;
}

// A text by its path; relative paths count from the root, the only directory anybody can be in.
static s64 find(u64 path_at, int *text)
{
    static char path[PATH_MAX + 1] = "/";
    s64 error = get_path(path + 1, path_at);
    if (error) return error;
    *text = text_find(path[1] == '/' ? path + 1 : path);
    return *text < 0 ? -ENOENT : 0;
}

static s64 stat_path(u64 path, u64 to)
{
    struct file file = {.kind = FILE_TEXT};
    s64 error = find(path, &file.text);
    return error ? error : put_stat(&file, to);
}

CALL(fstat) { return put_stat(file_at((int)arg[0]), arg[1]); }
CALL(stat) { return stat_path(arg[0], arg[1]); }
CALL(lstat) { return stat_path(arg[0], arg[1]); }

CALL(newfstatat)
{
    char first;
    if (arg[3] & ~(u64)AT_FLAGS_KNOWN) return -EINVAL;
    if (!(arg[3] & AT_EMPTY_PATH)) return stat_path(arg[1], arg[2]);
    if (!copy_from_user(&first, arg[1], 1)) return -EFAULT;
    return first ? stat_path(arg[1], arg[2]) : put_stat(file_at((int)arg[0]), arg[2]);
}

static s64 open_path(u64 path, u64 flags)
{
    int text;
    s64 error = find(path, &text);
    if (error == -ENOENT && flags & O_CREAT) return -EROFS;
    return error ? error : file_open_text(text, (u32)flags);
}

CALL(open) { return open_path(arg[0], arg[1]); }
CALL(openat) { return open_path(arg[1], arg[2]); }

static s64 access_path(u64 path, u64 mode)
{
    int text;
    s64 error = find(path, &text);
    return error ? error : mode & 3 ? -EACCES : 0; // neither write nor execute
}

CALL(access) { return access_path(arg[0], arg[1]); }
CALL(faccessat) { return access_path(arg[1], arg[2]); }

static s64 no_link(u64 path)
{
    int text;
    s64 error = find(path, &text);
    return error ? error : -EINVAL;
}

CALL(readlink) { return no_link(arg[0]); }
CALL(readlinkat) { return no_link(arg[1]); }

CALL(getcwd)
{
    if (arg[1] < 2) return -ERANGE;
    return copy_to_user(arg[0], "/", 2) ? 2 : -EFAULT;
}

CALL(dup)
{
    struct file *file = file_at((int)arg[0]);
    return file ? file_duplicate(file, 0) : -EBADF;
}

static s64 duplicate_to(int fd, int to)
{
    struct file *file = file_at(fd);
    if (!file || to < 0 || to >= FILES_MAX) return -EBADF;
    if (fd == to) return to;
    file_close(to);
    return file_duplicate(file, to);
}

CALL(dup2) { return duplicate_to((int)arg[0], (int)arg[1]); }
CALL(dup3) { return arg[0] == arg[1] ? -EINVAL : duplicate_to((int)arg[0], (int)arg[1]); }

CALL(fcntl)
{
    struct file *file = file_at((int)arg[0]);
    if (!file) return -EBADF;
    switch (arg[1]) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return file_duplicate(file, (int)arg[2]);
    case F_GETFD: // there is no exec that could close it
    case F_SETFD:
        return 0;
    case F_GETFL:
        return file->flags;
    case F_SETFL:
        file->flags = (file->flags & ~(u32)O_NONBLOCK) | (arg[2] & O_NONBLOCK);
        return 0;
    }
    return -EINVAL;
}

static s64 poll_files(struct thread *thread, u64 list, u64 count, u64 timeout_ns)
{
    s64 ready = 0;
    if (count > FILES_MAX) return -EINVAL;
    for (u64 i = 0; i < count; i++) {
        struct pollfd one;
        if (!copy_from_user(&one, list + i * sizeof one, sizeof one)) return -EFAULT;
        struct file *file = file_at(one.fd);
        short now = file ? POLLOUT | POLLWRNORM | (file_readable(file) ? POLLIN | POLLRDNORM : 0) : POLLNVAL;
        one.revents = one.fd < 0 ? 0 : now & (one.events | POLLNVAL);
        ready += one.revents != 0;
        if (!copy_to_user(list + i * sizeof one, &one, sizeof one)) return -EFAULT;
    }
    return ready || thread_deadline(thread, timeout_ns) ? ready : CALL_WAITS;
}

CALL(poll)
{
    int milliseconds = (int)arg[2];
    return poll_files(thread, arg[0], arg[1], milliseconds < 0 ? NEVER : (u64)milliseconds * 1000000);
}

// ppoll(list, count, time, signal mask): no signal but a deadly one can come, so the mask changes nothing.
CALL(ppoll)
{
    u64 ns = NEVER;
    s64 error = arg[2] ? time_get(arg[2], &ns) : 0;
    return error ? error : poll_files(thread, arg[0], arg[1], ns);
}
