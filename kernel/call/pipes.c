// pipe(2) and pipe2(2).
#include <linux/fcntl.h>
#include "kernel/call/call.h"

#define PIPE_FLAGS (O_CLOEXEC | O_NONBLOCK)

// Nobody can use the numbers before the program has been told them.
static s64 pipes_tell(struct process *process, u64 to, struct file *ends[2], u32 flags) {
    s64 first = files_reserve(process, 0);
    if (first < 0) return first;
    s64 second = files_reserve(process, 0);
    const int numbers[2] = {(int)first, (int)second};
    s64 error = second;
    if (second >= 0) error = put_user(user(to), numbers, sizeof numbers);
    if (!error) {
        files_install(process->files, (u64)first, ends[0], flags & O_CLOEXEC);
        files_install(process->files, (u64)second, ends[1], flags & O_CLOEXEC);
        return 0;
    }
    files_unreserve(process->files, (u64)first);
    if (second >= 0) files_unreserve(process->files, (u64)second);
    return error;
}

// pipe2(numbers, flags)
s64 call_pipe2(struct thread *thread, const u64 *arg) {
    struct file *ends[2];
    u32 flags = (u32)arg[1];
    if (flags & ~(u32)(PIPE_FLAGS | O_DIRECT)) return -EINVAL;
    if (flags & O_DIRECT)
        return refused("pipe2", "flags", flags, "packets (O_DIRECT) are not built", -EINVAL);
    if (!pipe_make(flags & O_NONBLOCK, ends)) return -ENFILE;
    s64 error = pipes_tell(thread->process, arg[0], ends, flags);
    if (!error) return 0;
    file_drop(ends[0]);
    file_drop(ends[1]);
    return error;
}

s64 call_pipe(struct thread *thread, const u64 *arg) {
    const u64 as_pipe2[] = {arg[0], 0};
    return call_pipe2(thread, as_pipe2);
}
