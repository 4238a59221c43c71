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
static s64 paths_walk(u64 directory, u64 path_at, struct path_end *end) {
    char path[PATH_MAX];
    struct file file = {.kind = FILE_DIRECTORY}; // the root, which is the working directory
    s64 length = copy_string_from_user(path, path_at, PATH_MAX);
    if (length < 0) return -EFAULT;
    if (length == PATH_MAX) return -ENAMETOOLONG;
    if (path[0] && path[0] != '/' && (int)directory != AT_FDCWD) {
        if (!file_get(directory, &file)) return -EBADF;
        if (file.kind != FILE_DIRECTORY) return -ENOTDIR;
    }
    *end = path_walk(path, file.node);
    if (end->node == NODE_FB0 && !screen_framebuffer()) end->node = -ENOENT;
    return 0;
}

// The file at a path, or a negative errno.
static s64 paths_find(u64 directory, u64 path_at, struct file *file) {
    struct path_end end;
    s64 error = paths_walk(directory, path_at, &end);
    if (error || end.node < 0) return error ? error : end.node;
    *file = (struct file){.kind = node_kind((u32)end.node), .node = (u8)end.node};
    return 0;
}

// The same for calls with flags, of which AT_EMPTY_PATH lets a number name the file without a path.
static s64 paths_find_at(u64 directory, u64 path_at, u32 flags, struct file *file) {
    char first = 0;
    if (flags & AT_EMPTY_PATH && path_at && !copy_from_user(&first, path_at, 1)) return -EFAULT;
    if (!(flags & AT_EMPTY_PATH) || first) return paths_find(directory, path_at, file);
    *file = (struct file){.kind = FILE_DIRECTORY};
    return (int)directory == AT_FDCWD || file_get(directory, file) ? 0 : -EBADF;
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
    s64 error = paths_walk(arg[0], arg[1], &end);
    if (error) return error;
    if (end.node < 0) return flags & O_CREAT ? paths_cannot_make(&end, flags) : end.node;
    struct file file = {.kind = node_kind((u32)end.node), .node = (u8)end.node};
    bool reads = (flags & O_ACCMODE) == O_RDONLY;
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return -EEXIST;
    if (file.kind == FILE_DIRECTORY && (!reads || flags & O_CREAT)) return -EISDIR;
    if (file.kind != FILE_DIRECTORY && flags & O_DIRECTORY) return -ENOTDIR;
    if (file.kind == FILE_TEXT && !reads) return -EACCES;
    file.close_on_exec = flags & O_CLOEXEC;
    file.flags = (flags & ~(u32)CREATION_FLAGS) | LARGE_FILE;
    return file_put(file);
}

s64 call_open(struct thread *thread, const u64 *arg) {
    return call_openat(thread, (u64[]){(u64)AT_FDCWD, arg[0], arg[1], arg[2]});
}

s64 call_getcwd(struct thread *thread, const u64 *arg) {
    if (arg[1] < 2) return -ERANGE;
    return copy_to_user(arg[0], "/", 2) ? 2 : -EFAULT;
}

static u32 paths_mode_of(const struct file *file) {
    if (file->kind == FILE_DIRECTORY) return S_IFDIR | 0555;
    if (file->kind == FILE_TEXT) return S_IFREG | 0444;
    if (file->kind == FILE_ZERO) return S_IFCHR | 0666;
    bool is_device =
        file->kind == FILE_FRAMEBUFFER || (file->kind == FILE_TERMINAL && files_is_tty);
    return is_device ? S_IFCHR | 0620 : S_IFIFO | 0600;
}

// Every file has a number of its own: programs take two files with one number for the same.
static s64 paths_put_stat(const struct file *file, u64 to) {
    struct stat stat = {
        .st_dev = file->kind, .st_ino = file->node + 1u, .st_nlink = 1, .st_blksize = PAGE_SIZE};
    bool is_terminal = file->kind == FILE_TERMINAL && files_is_tty;
    stat.st_mode = paths_mode_of(file);
    if (is_terminal) stat.st_blksize = 1024;
    if (is_terminal) stat.st_rdev = 4 << 8 | 64;                // ttyS0
    if (file->kind == FILE_FRAMEBUFFER) stat.st_rdev = 29 << 8; // fb0
    if (file->kind == FILE_ZERO) stat.st_rdev = 1 << 8 | 5;
    return put_user(to, &stat, sizeof stat);
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
    struct file file;
    u64 done = 0;
    s64 error = 0;
    if (!file_get(arg[0], &file)) return -EBADF;
    if (file.kind != FILE_DIRECTORY) return -ENOTDIR;
    const u64 start = file.offset;
    u64 place = start;
    for (; !error; done += sizeof(struct entry)) {
        struct entry entry = {.bytes = sizeof entry};
        u64 next = place;
        s64 node = path_list(file.node, &next, entry.name);
        if (node < 0) break;
        if ((u32)arg[2] < done + sizeof entry) error = -EINVAL;
        entry.inode = (u64)node + 1;
        entry.next = next + 1;
        entry.type = (u8)(paths_mode_of(&(struct file){.kind = node_kind((u32)node)}) >> 12);
        if (!error) error = put_user(arg[1] + done, &entry, sizeof entry);
        if (error) break;
        place = entry.next;
    }
    if (!done) return error;
    return file_advance(&file, start, place - start) ? (s64)done : call_again(thread);
}

s64 call_fstat(struct thread *thread, const u64 *arg) {
    struct file file;
    return file_get(arg[0], &file) ? paths_put_stat(&file, arg[1]) : -EBADF;
}

s64 call_stat(struct thread *thread, const u64 *arg) {
    struct file file;
    s64 error = paths_find((u64)AT_FDCWD, arg[0], &file);
    return error ? error : paths_put_stat(&file, arg[1]);
}

// newfstatat(directory, path, stat, flags)
s64 call_newfstatat(struct thread *thread, const u64 *arg) {
    u32 flags = (u32)arg[3];
    struct file file;
    if (flags & ~(u32)AT_FLAGS_KNOWN) return -EINVAL;
    s64 error = paths_find_at(arg[0], arg[1], flags, &file);
    return error ? error : paths_put_stat(&file, arg[2]);
}

// Whose user is root may do what somebody may; but nothing can be written here except the
// framebuffer.
static s64 paths_may(const struct file *file, u32 wanted) {
    u32 mode = paths_mode_of(file);
    if (wanted & 1 && !(mode & 0111)) return -EACCES;
    if (wanted & 2 && !(mode & 0222)) return file->kind == FILE_DIRECTORY ? -EROFS : -EACCES;
    return 0;
}

// faccessat2(directory, path, mode, flags)
s64 call_faccessat2(struct thread *thread, const u64 *arg) {
    struct file file;
    u32 mode = (u32)arg[2];
    u32 flags = (u32)arg[3];
    if (mode & ~ACCESS_KNOWN || flags & ~(u32)ACCESS_FLAGS_KNOWN) return -EINVAL;
    s64 error = paths_find_at(arg[0], arg[1], flags, &file);
    return error ? error : paths_may(&file, mode);
}

s64 call_faccessat(struct thread *thread, const u64 *arg) {
    return call_faccessat2(thread, (u64[]){arg[0], arg[1], arg[2], 0});
}
s64 call_access(struct thread *thread, const u64 *arg) {
    return call_faccessat2(thread, (u64[]){(u64)AT_FDCWD, arg[0], arg[1], 0});
}

// readlinkat(directory, path, buffer, bytes): there are no links.
s64 call_readlinkat(struct thread *thread, const u64 *arg) {
    struct file file;
    if ((int)arg[3] <= 0) return -EINVAL;
    s64 error = paths_find(arg[0], arg[1], &file);
    return error ? error : -EINVAL;
}

s64 call_readlink(struct thread *thread, const u64 *arg) {
    return call_readlinkat(thread, (u64[]){(u64)AT_FDCWD, arg[0], arg[1], arg[2]});
}
