// Calls about the numbers of open files, and about what all open files have.
#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/resource.h>
#include "kernel/call/call.h"

#define SETTABLE_FLAGS (O_APPEND | O_NONBLOCK | O_NOATIME)

// Another number for the same open file, the first free one from least on.
static s64 descriptors_duplicate(struct thread *thread, u64 number, u64 least, bool close_on_exec) {
    struct file *file = record_file(thread, number);
    if (!file) return -EBADF;
    file_hold(file);
    return files_put(thread->process, file, least, close_on_exec);
}

s64 call_dup(struct thread *thread, const u64 *arg) {
    return descriptors_duplicate(thread, arg[0], 0, false);
}

// dup3(old, new, flags)
s64 call_dup3(struct thread *thread, const u64 *arg) {
    u32 number = (u32)arg[1];
    u32 flags = (u32)arg[2];
    if (flags & ~(u32)O_CLOEXEC || (u32)arg[0] == number) return -EINVAL;
    if (number >= limit_get(&thread->process->limits, RLIMIT_NOFILE)) return -EBADF;
    struct file *file = record_file(thread, arg[0]);
    if (!file) return -EBADF;
    return files_replace(thread->process, file, number, flags & O_CLOEXEC);
}

s64 call_dup2(struct thread *thread, const u64 *arg) {
    const u64 as_dup3[] = {arg[0], arg[1], 0};
    if ((u32)arg[0] != (u32)arg[1]) return call_dup3(thread, as_dup3);
    if (!record_file(thread, arg[0])) return -EBADF;
    return (s64)(u32)arg[0];
}

s64 call_close(struct thread *thread, const u64 *arg) {
    return files_close(thread->process->files, arg[0]);
}

// fcntl(number, command, argument)
s64 call_fcntl(struct thread *thread, const u64 *arg) {
    u32 command = (u32)arg[1];
    u32 flags = (u32)arg[2];
    struct file *file = record_file(thread, arg[0]);
    if (!file) return -EBADF;
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (flags >= limit_get(&thread->process->limits, RLIMIT_NOFILE)) return -EINVAL;
        return descriptors_duplicate(thread, arg[0], flags, command == F_DUPFD_CLOEXEC);
    case F_GETFD: return files_close_on_exec(thread->process->files, arg[0]);
    case F_SETFD:
        return files_set_close_on_exec(thread->process->files, arg[0], flags & FD_CLOEXEC);
    case F_GETFL: return file_flags(file);
    case F_SETFL:
        if (flags & O_DIRECT) return -EINVAL;
        file_change_flags(file, SETTABLE_FLAGS, flags);
        return 0;
    }
    return refused("fcntl", "command", command, "it is not built", -EINVAL);
}

// lseek(number, offset, whence)
s64 call_lseek(struct thread *thread, const u64 *arg) {
    struct file *file = record_file(thread, arg[0]);
    if (!file) return -EBADF;
    if (!file->operations->seek) return -ESPIPE;
    u64 from = file_offset(file);
    s64 to = file->operations->seek(from, (s64)arg[1], (u32)arg[2]);
    if (to < 0) return to;
    if (file_advance(file, from, (u64)to - from)) return to;
    return call_again(thread);
}

static s64 descriptors_set_nonblocking(struct file *file, u64 from) {
    int on = 0;
    if (!copy_from_user(&on, user(from), sizeof on)) return -EFAULT;
    u32 flags = 0;
    if (on) flags = O_NONBLOCK;
    file_change_flags(file, O_NONBLOCK, flags);
    return 0;
}

// ioctl(number, request, argument)
s64 call_ioctl(struct thread *thread, const u64 *arg) {
    u32 request = (u32)arg[1];
    struct file *file = record_file(thread, arg[0]);
    if (!file) return -EBADF;
    switch (request) {
    case FIOCLEX:
    case FIONCLEX:
        return files_set_close_on_exec(thread->process->files, arg[0], request == FIOCLEX);
    case FIONBIO: return descriptors_set_nonblocking(file, arg[2]);
    }
    if (request == FIONREAD && file->operations->left) {
        int left = (int)file->operations->left(file);
        return put_user(user(arg[2]), &left, sizeof left);
    }
    if (!file->operations->ioctl) return -ENOTTY;
    return file->operations->ioctl(thread, request, arg[2]);
}
