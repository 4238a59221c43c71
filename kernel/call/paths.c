// Calls that name a file by its path, and what they say of files.
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include "kernel/call/call.h"
#include "kernel/device/devices.h"
#include "kernel/lib/string.h"

// which the file does not keep
#define CREATION_FLAGS     (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)
#define LARGE_FILE         0100000 // what Linux adds to the flags of all 64-bit programs
#define AT_FLAGS_KNOWN     (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)
#define ACCESS_KNOWN       7u
#define ACCESS_FLAGS_KNOWN (AT_EACCESS | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) // all users are root

// Where a path ends; directory: the number from which a relative one counts. 0, or a negative errno
// for one that cannot be walked.
static s64 paths_walk(struct thread *thread, u64 directory, u64 path_at, struct path_end *end) {
    char path[PATH_MAX];
    u32 from = 0; // the root, which is the working directory
    s64 length = copy_string_from_user(path, user(path_at), PATH_MAX);
    if (length < 0) return -EFAULT;
    if (length == PATH_MAX) return -ENAMETOOLONG;
    if (path[0] && path[0] != '/' && (int)directory != AT_FDCWD) {
        struct file *file = record_file(thread, directory);
        if (!file) return -EBADF;
        if (file->operations->kind != FILE_DIRECTORY) return -ENOTDIR;
        from = (u32)file->node;
    }
    *end = path_walk(path, from);
    if (end->node == NODE_FB0 && !screen_framebuffer()) end->node = -ENOENT;
    return 0;
}

// A file as its path or its number names it.
struct named {
    const struct file_operations *operations;
    u64 node;
};

static struct named paths_named(u64 node) {
    return (struct named){node_operations((u32)node), node};
}

// The file at a path, or a negative errno.
static s64 paths_find(struct thread *thread, u64 directory, u64 path_at, struct named *named) {
    struct path_end end;
    s64 error = paths_walk(thread, directory, path_at, &end);
    if (error) return error;
    if (end.node < 0) return end.node;
    *named = paths_named((u64)end.node);
    return 0;
}

static s64 paths_find_open(struct thread *thread, u64 number, struct named *named) {
    const struct file *file = record_file(thread, number);
    if (!file) return -EBADF;
    *named = (struct named){file->operations, file->node};
    return 0;
}

// The same for calls with flags, of which AT_EMPTY_PATH lets a number name the file without a path.
static s64 paths_find_at(struct thread *thread, u64 directory, u64 path_at, u32 flags,
                         struct named *named) {
    char first = 0;
    if (flags & AT_EMPTY_PATH && path_at && !copy_from_user(&first, user(path_at), 1))
        return -EFAULT;
    if (!(flags & AT_EMPTY_PATH) || first) return paths_find(thread, directory, path_at, named);
    *named = paths_named(0);
    if ((int)directory == AT_FDCWD) return 0;
    return paths_find_open(thread, directory, named);
}

// Of a file that is to be made: /proc makes none, and nothing else can be written to.
static s64 paths_cannot_make(const struct path_end *end, u32 flags) {
    if (end->node != -ENOENT || !end->is_last) return end->node;
    if (end->has_slash) return -EISDIR;
    if (end->directory == NODE_PROC) return -ENOENT;
    return refused("openat", "flags", flags, "no file can be made", -EROFS);
}

// openat(directory, path, flags, mode)
s64 call_openat(struct thread *thread, const u64 *arg) {
    struct path_end end;
    u32 flags = (u32)arg[2];
    s64 error = paths_walk(thread, arg[0], arg[1], &end);
    if (error) return error;
    if (end.node < 0 && flags & O_CREAT) return paths_cannot_make(&end, flags);
    if (end.node < 0) return end.node;
    const struct file_operations *operations = node_operations((u32)end.node);
    bool is_directory = operations->kind == FILE_DIRECTORY;
    bool reads = (flags & O_ACCMODE) == O_RDONLY;
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return -EEXIST;
    if (is_directory && (!reads || flags & O_CREAT)) return -EISDIR;
    if (!is_directory && flags & O_DIRECTORY) return -ENOTDIR;
    if (operations->kind == FILE_TEXT && !reads) return -EACCES;
    struct file *file = file_make(operations, (flags & ~(u32)CREATION_FLAGS) | LARGE_FILE);
    if (!file) return -ENOMEM;
    file->node = (u64)end.node;
    return files_put(thread->process, file, 0, flags & O_CLOEXEC);
}

s64 call_open(struct thread *thread, const u64 *arg) {
    return call_openat(thread, (u64[]){(u64)AT_FDCWD, arg[0], arg[1], arg[2]});
}

s64 call_getcwd(struct thread *thread, const u64 *arg) {
    if (arg[1] < 2) return -ERANGE;
    if (!copy_to_user(user(arg[0]), "/", 2)) return -EFAULT;
    return 2;
}

// Every file has a number of its own: programs take two files with one number for the same.
static s64 paths_put_stat(const struct named *named, u64 to) {
    const struct file_operations *operations = named->operations;
    struct stat stat = {.st_dev = operations->kind, .st_ino = named->node + 1, .st_nlink = 1};
    stat.st_mode = operations->mode;
    stat.st_rdev = operations->device;
    stat.st_blksize = operations->block;
    return put_user(user(to), &stat, sizeof stat);
}

// As Linux's struct linux_dirent64, with room for every name.
struct entry {
    u64 inode, next;
    u16 bytes;
    u8 type;
    char name[NODE_NAME + 3];
};

// getdents64(number, entries, bytes). A directory's offset is a place in it.
s64 call_getdents64(struct thread *thread, const u64 *arg) {
    struct file *file = record_file(thread, arg[0]);
    u64 done = 0;
    s64 error = 0;
    if (!file) return -EBADF;
    if (file->operations->kind != FILE_DIRECTORY) return -ENOTDIR;
    const u64 start = file_offset(file);
    u64 place = start;
    for (; !error; done += sizeof(struct entry)) {
        struct entry entry = {.bytes = sizeof entry};
        u64 next = place;
        s64 node = path_list((u32)file->node, &next, entry.name);
        if (node < 0) break;
        if ((u32)arg[2] < done + sizeof entry) error = -EINVAL;
        entry.inode = (u64)node + 1;
        entry.next = next + 1;
        entry.type = (u8)(node_operations((u32)node)->mode >> 12);
        if (!error) error = put_user(user(arg[1] + done), &entry, sizeof entry);
        if (error) break;
        place = entry.next;
    }
    if (!done) return error;
    if (file_advance(file, start, place - start)) return (s64)done;
    return call_again(thread);
}

s64 call_fstat(struct thread *thread, const u64 *arg) {
    struct named file;
    s64 error = paths_find_open(thread, arg[0], &file);
    if (error) return error;
    return paths_put_stat(&file, arg[1]);
}

s64 call_stat(struct thread *thread, const u64 *arg) {
    struct named file;
    s64 error = paths_find(thread, (u64)AT_FDCWD, arg[0], &file);
    if (error) return error;
    return paths_put_stat(&file, arg[1]);
}

// newfstatat(directory, path, stat, flags)
s64 call_newfstatat(struct thread *thread, const u64 *arg) {
    u32 flags = (u32)arg[3];
    struct named file;
    if (flags & ~(u32)AT_FLAGS_KNOWN) return -EINVAL;
    s64 error = paths_find_at(thread, arg[0], arg[1], flags, &file);
    if (error) return error;
    return paths_put_stat(&file, arg[2]);
}

// Whose user is root may do what somebody may; but nothing can be written here except the
// framebuffer.
static s64 paths_may(const struct named *named, u32 wanted) {
    u32 mode = named->operations->mode;
    if (wanted & 1 && !(mode & 0111)) return -EACCES;
    bool cannot_write = wanted & 2 && !(mode & 0222);
    if (cannot_write && S_ISDIR(mode)) return -EROFS;
    if (cannot_write) return -EACCES;
    return 0;
}

// faccessat2(directory, path, mode, flags)
s64 call_faccessat2(struct thread *thread, const u64 *arg) {
    struct named file;
    u32 mode = (u32)arg[2];
    u32 flags = (u32)arg[3];
    if (mode & ~ACCESS_KNOWN || flags & ~(u32)ACCESS_FLAGS_KNOWN) return -EINVAL;
    s64 error = paths_find_at(thread, arg[0], arg[1], flags, &file);
    if (error) return error;
    return paths_may(&file, mode);
}

s64 call_faccessat(struct thread *thread, const u64 *arg) {
    return call_faccessat2(thread, (u64[]){arg[0], arg[1], arg[2], 0});
}
s64 call_access(struct thread *thread, const u64 *arg) {
    return call_faccessat2(thread, (u64[]){(u64)AT_FDCWD, arg[0], arg[1], 0});
}

// readlinkat(directory, path, buffer, bytes): there are no links.
s64 call_readlinkat(struct thread *thread, const u64 *arg) {
    struct named file;
    if ((int)arg[3] <= 0) return -EINVAL;
    s64 error = paths_find(thread, arg[0], arg[1], &file);
    if (error) return error;
    return -EINVAL;
}

s64 call_readlink(struct thread *thread, const u64 *arg) {
    return call_readlinkat(thread, (u64[]){(u64)AT_FDCWD, arg[0], arg[1], arg[2]});
}
