// Calls about files: the terminal, the standard input from the image, the texts, and the framebuffer. A file number is
// an entry of one table, so that nothing has to be allocated or can leak. No file has two numbers but the terminal.
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/stat.h>
#include <linux/uio.h>
#include "kernel/device/devices.h"
#include "kernel/lib/string.h"
#include "kernel/memory/window.h"
#include "kernel/program/program.h"

#define PATH_MAX       4096
#define RW_MAX         0x7ffff000ull // bytes of one call, as on Linux
#define IOV_MAX        1024
#define AT_FLAGS_KNOWN (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)

struct file {
    enum { FILE_CLOSED, FILE_TERMINAL, FILE_INPUT, FILE_TEXT, FILE_FRAMEBUFFER } kind;
    int text;   // which one
    int access; // O_RDONLY, O_WRONLY or O_RDWR
    u64 offset;
};

static struct file files[FILES_MAX]; // by number
static struct lock lock;             // of what is in it; nobody who waits for the terminal has it
static struct boot_part input;
static bool is_tty; // whether the terminal says that it is one; else it looks like the writing end of a pipe

static struct file *file_at(u64 number) {
    struct file *file = &files[(u32)number % FILES_MAX];
    return (u32)number < FILES_MAX && file->kind ? file : NULL;
}

void files_init(const struct boot_info *boot, bool output_is_tty, void (*typed)(int signal)) {
    is_tty = !boot->has_input || output_is_tty;
    texts_init(boot);
    input = boot->input;
    terminal_init(is_tty ? typed : NULL);
    files[0].kind = boot->has_input ? FILE_INPUT : FILE_TERMINAL;
    files[1].kind = files[2].kind = FILE_TERMINAL;
}

// A call whose first argument is a file number.
#define FILE_CALL(name)                                                                                                \
    static s64 file_##name(struct file *file, const u64 *arg);                                                         \
    CALL(name) {                                                                                                       \
        struct file *file = file_at(arg[0]);                                                                           \
        return file ? file_##name(file, arg) : -EBADF;                                                                 \
    }                                                                                                                  \
    static s64 file_##name(struct file *file __attribute__((unused)), const u64 *arg __attribute__((unused)))

FILE_CALL(close) {
    file->kind = FILE_CLOSED;
    return 0;
}

FILE_CALL(fcntl) {
    switch (arg[1]) {
    case F_GETFD: // there is no exec that could close it
    case F_SETFD: return 0;
    case F_GETFL: return file->kind != FILE_TERMINAL ? file->access : is_tty ? O_RDWR : O_WRONLY;
    case F_SETFL: return arg[2] & O_NONBLOCK ? -EINVAL : 0;
    }
    return -EINVAL;
}

static s64 read_file(struct file *file, u64 to, u64 bytes) {
    s64 count;
    if (file->kind == FILE_TERMINAL) return is_tty ? terminal_read(to, bytes) : -EBADF;
    if (file->kind == FILE_FRAMEBUFFER) // for longer than others should wait for the lock
        return file->access == O_WRONLY ? -EBADF : fb0_copy(to, bytes, &file->offset, false);
    lock_take(&lock);
    if (file->kind == FILE_INPUT) {
        count = (s64)MIN(bytes, input.length - file->offset);
        if (!copy_to_user(to, window(input.start + file->offset), (u64)count)) count = -EFAULT;
    } else { // or nothing any more: another thread closed it
        count = file->kind == FILE_TEXT ? text_read(file->text, to, bytes, file->offset) : -EBADF;
    }
    if (count > 0) file->offset += (u64)count;
    lock_give(&lock);
    return count;
}

static s64 write_file(struct file *file, u64 from, u64 bytes) {
    if (file->kind == FILE_FRAMEBUFFER && file->access != O_RDONLY) return fb0_copy(from, bytes, &file->offset, true);
    return file->kind == FILE_TERMINAL ? terminal_write(from, bytes) : -EBADF;
}

// One buffer after the other until one is not filled; an error counts only when nothing was done before it.
static s64 vectors(struct file *file, const u64 *arg, s64 (*each)(struct file *, u64, u64)) {
    if (arg[2] > IOV_MAX) return -EINVAL;
    u64 done = 0;
    for (u64 i = 0; i < arg[2]; i++) {
        struct iovec part;
        if (!copy_from_user(&part, arg[1] + i * sizeof part, sizeof part)) return done ? (s64)done : -EFAULT;
        u64 bytes = MIN(part.iov_len, RW_MAX - done);
        s64 count = bytes ? each(file, (u64)part.iov_base, bytes) : 0;
        if (count < 0) return done ? (s64)done : count;
        done += (u64)count;
        if ((u64)count < part.iov_len) break;
    }
    return (s64)done;
}

FILE_CALL(read) { return read_file(file, arg[1], MIN(arg[2], RW_MAX)); }
FILE_CALL(write) { return write_file(file, arg[1], MIN(arg[2], RW_MAX)); }
FILE_CALL(readv) { return vectors(file, arg, read_file); }
FILE_CALL(writev) { return vectors(file, arg, write_file); }

FILE_CALL(lseek) {
    u64 to = arg[1] + (arg[2] == SEEK_CUR ? file->offset : 0); // the end of a device is 0, as on Linux
    if (file->kind != FILE_FRAMEBUFFER) return -ESPIPE;
    return arg[2] > SEEK_END || (s64)to < 0 ? -EINVAL : (s64)(file->offset = to);
}

FILE_CALL(ioctl) {
    if (file->kind == FILE_FRAMEBUFFER) return fb0_ioctl((u32)arg[1], arg[2]);
    return file->kind == FILE_TERMINAL && is_tty ? terminal_ioctl((u32)arg[1], arg[2]) : -ENOTTY;
}

s64 file_map(u64 number, u64 offset, u64 bytes, u32 rights, bool shared, u64 *physical) {
    const struct file *file = file_at(number);
    if (!file || file->kind != FILE_FRAMEBUFFER) return file ? -ENODEV : -EBADF;
    if (file->access == O_WRONLY || (file->access == O_RDONLY && shared && rights & AREA_WRITE)) return -EACCES;
    if (rights & AREA_EXEC) return -EPERM;
    if (!shared || !(*physical = fb0_pages(offset, bytes))) return -EINVAL;
    return file->access == O_RDONLY ? AREA_SEALED : 0;
}

CALL(poll) {
    s64 ready = 0;
    if (arg[1] > FILES_MAX) return -EINVAL;
    for (u64 i = 0; i < arg[1]; i++) {
        struct pollfd one;
        if (!copy_from_user(&one, arg[0] + i * sizeof one, sizeof one)) return -EFAULT;
        const struct file *file = file_at((u64)one.fd);
        short now = POLLOUT | POLLWRNORM;
        if (file && (file->kind != FILE_TERMINAL || terminal_readable())) now |= POLLIN | POLLRDNORM;
        one.revents = file ? now & one.events : one.fd < 0 ? 0 : POLLNVAL;
        ready += one.revents != 0;
        if (!copy_to_user(arg[0] + i * sizeof one, &one, sizeof one)) return -EFAULT;
    }
    u64 timeout_ns = (int)arg[2] < 0 ? NEVER : (u32)arg[2] * 1000000ull;
    return ready || thread_deadline(thread, timeout_ns) ? ready : TTY_WAIT;
}

// The file at a path, or a negative errno. Relative paths count from the root, the only directory there is.
static s64 find(u64 path_at, struct file *file) {
    char path[PATH_MAX + 1];
    path[0] = '/';
    s64 length = copy_string_from_user(path + 1, path_at, PATH_MAX);
    if (length < 0 || length == PATH_MAX) return length < 0 ? -EFAULT : -ENAMETOOLONG;
    const char *name = path[1] == '/' ? path + 1 : path;
    bool is_fb0 = screen_framebuffer() && strcmp(name, "/dev/fb0") == 0;
    *file = (struct file){.kind = is_fb0 ? FILE_FRAMEBUFFER : FILE_TEXT, .text = is_fb0 ? 0 : text_find(name)};
    return file->text < 0 ? -ENOENT : 0;
}

CALL(open) {
    struct file file;
    s64 error = find(arg[0], &file);
    if (error) return error == -ENOENT && arg[1] & O_CREAT ? -EROFS : error;
    file.access = arg[1] & O_ACCMODE;
    if (file.kind == FILE_TEXT && file.access != O_RDONLY) return -EACCES;
    if (arg[1] & O_DIRECTORY) return -ENOTDIR;
    int number = 0;
    lock_take(&lock);
    while (number < FILES_MAX && files[number].kind) number++;
    if (number < FILES_MAX) files[number] = file;
    lock_give(&lock);
    return number < FILES_MAX ? number : -EMFILE;
}

CALL(openat) { return call_open(thread, arg + 1); }
CALL(getcwd) { return arg[1] < 2 ? -ERANGE : copy_to_user(arg[0], "/", 2) ? 2 : -EFAULT; }

// Every file has a number of its own: programs take two files with one number for the same.
static s64 put_stat(const struct file *file, u64 to) {
    bool text = file->kind == FILE_TEXT, tty = file->kind == FILE_TERMINAL && is_tty,
         fb0 = file->kind == FILE_FRAMEBUFFER;
    struct stat stat = {.st_dev = file->kind, .st_ino = (u64)file->text + 1, .st_nlink = 1};
    stat.st_blksize = tty ? 1024 : PAGE_SIZE;
    stat.st_mode = text ? S_IFREG | 0444 : tty || fb0 ? S_IFCHR | 0620 : S_IFIFO | 0600;
    if (tty || fb0) stat.st_rdev = tty ? 4 << 8 | 64 : 29 << 8; // ttyS0, fb0
    return put_user(to, &stat, sizeof stat);
}

FILE_CALL(fstat) { return put_stat(file, arg[1]); }

CALL(stat) {
    struct file file;
    s64 error = find(arg[0], &file);
    return error ? error : put_stat(&file, arg[1]);
}

CALL(newfstatat) {
    char first = 1;
    if (arg[3] & ~(u64)AT_FLAGS_KNOWN) return -EINVAL;
    if (arg[3] & AT_EMPTY_PATH && !copy_from_user(&first, arg[1], 1)) return -EFAULT;
    return first ? call_stat(thread, arg + 1) : call_fstat(thread, (u64[]){arg[0], arg[2]});
}
