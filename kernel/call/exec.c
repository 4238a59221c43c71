// execve(2) and execveat(2). As long as there are no files, one program can be had: the image's
// own.
#include <linux/fcntl.h>
#include <linux/limits.h>
#include "kernel/call/call.h"
#include "kernel/lib/string.h"

// Its name is looked at by the first execution alone.
static s64 exec_by_path(struct thread *thread, u64 path, const u64 *vectors) {
    char name[sizeof EXEC_PATH + 1];
    if (thread->record.begun) return exec_program(thread, vectors);
    s64 length = copy_string_from_user(name, user(path), sizeof name);
    if (length < 0) return -EFAULT;
    bool is_own = length == sizeof EXEC_PATH - 1 && memcmp(name, EXEC_PATH, sizeof EXEC_PATH) == 0;
    if (!is_own)
        return refused("execve", "bytes of a path", (u64)length,
                       "there are no files; " EXEC_PATH " is the program itself", -ENOENT);
    return exec_program(thread, vectors);
}

// execve(path, arguments, environment)
s64 call_execve(struct thread *thread, const u64 *arg) {
    return exec_by_path(thread, arg[0], arg + 1);
}

// execveat(directory, path, arguments, environment, flags)
s64 call_execveat(struct thread *thread, const u64 *arg) {
    if ((u32)arg[4] & ~(u32)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) return -EINVAL;
    return exec_by_path(thread, arg[1], arg + 2);
}
