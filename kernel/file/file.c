// See file.h. A file and its numbers are entries of two tables, so that nothing has to be allocated or can leak.
#include "kernel/file/file.h"

#include <asm/errno.h>
#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include "kernel/cpu/trap.h"
#include "kernel/lib/string.h"
#include "kernel/memory/window.h"

static struct file files[FILES_MAX], *numbers[FILES_MAX];
static struct boot_part input;

struct file *file_at(int fd) {
    return fd >= 0 && fd < FILES_MAX ? numbers[fd] : NULL;
}

int file_duplicate(struct file *file, int lowest) {
    if (lowest < 0 || lowest >= FILES_MAX) return -EINVAL;
    for (int fd = lowest; fd < FILES_MAX; fd++) {
        if (numbers[fd]) continue;
        numbers[fd] = file;
        file->references++;
        return fd;
    }
    return -EMFILE;
}

static int insert(const struct file *like) {
    for (int i = 0; i < FILES_MAX; i++) {
        if (files[i].kind != FILE_FREE) continue;
        files[i] = *like;
        int fd = file_duplicate(&files[i], 0);
        if (fd < 0) files[i].kind = FILE_FREE;
        return fd;
    }
    return -ENFILE;
}

int file_close(int fd) {
    struct file *file = file_at(fd);
    if (!file) return -EBADF;
    numbers[fd] = NULL;
    if (--file->references == 0) file->kind = FILE_FREE;
    return 0;
}

void files_init(const struct boot_info *boot, const struct file_events *events, bool output_is_tty) {
    bool tty = !boot->has_input || output_is_tty;
    texts_init(boot);
    input = boot->input;
    terminal_init(events, tty);
    struct file in = {.kind = FILE_INPUT}, terminal = {.kind = FILE_TERMINAL, .is_tty = tty};
    terminal.flags = tty ? O_RDWR : O_WRONLY;
    insert(boot->has_input ? &in : &terminal);
    insert(&terminal);
    file_duplicate(file_at(1), 2);
}

int file_open_text(int text, u32 flags) {
    if ((flags & O_ACCMODE) != O_RDONLY) return -EACCES;
    if (flags & O_DIRECTORY) return -ENOTDIR;
    return insert(&(struct file){.kind = FILE_TEXT, .flags = flags & O_NONBLOCK, .text = text});
}

static s64 input_read(u64 to, u64 bytes, u64 offset) {
    if (offset >= input.length) return 0;
    if (bytes > input.length - offset) bytes = input.length - offset;
    return copy_to_user(to, window(input.start + offset), bytes) ? (s64)bytes : -EFAULT;
}

s64 file_read(struct file *file, u64 to, u64 bytes) {
    if ((file->flags & O_ACCMODE) == O_WRONLY) return -EBADF;
    if (file->kind == FILE_TERMINAL) {
        s64 count = terminal_read(to, bytes);
        return count == FILE_WAITS && file->flags & O_NONBLOCK ? -EAGAIN : count;
    }
    s64 count =
        file->kind == FILE_INPUT ? input_read(to, bytes, file->offset) : text_read(file->text, to, bytes, file->offset);
    if (count > 0) file->offset += (u64)count;
    return count;
}

s64 file_read_at(struct file *file, u64 to, u64 bytes, u64 offset) {
    if (file->kind != FILE_TEXT) return -ESPIPE;
    return (s64)offset < 0 ? -EINVAL : text_read(file->text, to, bytes, offset);
}

s64 file_write(struct file *file, u64 from, u64 bytes) {
    return file->kind == FILE_TERMINAL ? terminal_write(from, bytes) : -EBADF;
}

// The texts have no size before they are read, as in Linux's /proc.
s64 file_seek(struct file *file, s64 offset, int whence) {
    if (file->kind != FILE_TEXT) return -ESPIPE;
    if (whence != SEEK_SET && whence != SEEK_CUR) return -EINVAL;
    s64 to;
    if (__builtin_add_overflow(offset, whence == SEEK_CUR ? (s64)file->offset : 0, &to) || to < 0) return -EINVAL;
    file->offset = (u64)to;
    return to;
}

bool file_readable(const struct file *file) { return file->kind != FILE_TERMINAL || terminal_readable(); }

s64 file_ioctl(struct file *file, u32 request, u64 arg) {
    int value;
    switch (request) {
    case FIONBIO:
        if (!copy_from_user(&value, arg, sizeof value)) return -EFAULT;
        file->flags = value ? file->flags | O_NONBLOCK : file->flags & ~(u32)O_NONBLOCK;
        return 0;
    case FIONREAD:
        if (file->kind == FILE_TEXT) return -ENOTTY;
        u64 rest = file->kind == FILE_INPUT ? input.length - file->offset : terminal_readable();
        value = rest < 0x7fffffff ? (int)rest : 0x7fffffff;
        return copy_to_user(arg, &value, sizeof value) ? 0 : -EFAULT;
    }
    return file->is_tty ? terminal_ioctl(request, arg) : -ENOTTY;
}

// Every file has a number of its own: programs take two files with one number for the same.
void file_stat(const struct file *file, struct stat *to) {
    memset(to, 0, sizeof *to);
    to->st_dev = file->kind;
    to->st_ino = file->kind == FILE_TEXT ? (u64)file->text + 1 : file->kind;
    to->st_nlink = 1;
    to->st_blksize = file->kind == FILE_TEXT || !file->is_tty ? PAGE_SIZE : 1024;
    to->st_mode = file->kind == FILE_TEXT ? S_IFREG | 0444 : file->is_tty ? S_IFCHR | 0620 : S_IFIFO | 0600;
    if (file->is_tty) to->st_rdev = 4 << 8 | 64; // ttyS0
}
