// What files can do that never wait: standard input from the image, which looks like a pipe, and
// those that the tree has.
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include "kernel/file/file.h"
#include "kernel/memory/window.h"
#include "kernel/file/files.h"
#include "kernel/file/transfer.h"
#include "kernel/space/areas.h"

// of Linux's pipes: with so much left of it, standard input is still being written
#define PIPE_BYTES 65536

// Of a framebuffer and a directory the end is 0, as on Linux.
static s64 node_seek(u64 offset, s64 to, u32 whence) {
    if (whence > SEEK_END) return -EINVAL;
    if (whence == SEEK_CUR && __builtin_add_overflow(to, (s64)offset, &to)) return -EINVAL;
    if (to < 0) return -EINVAL;
    return to;
}

// ---- standard input ----

static const struct boot_part *input;

void input_init(const struct boot_part *part) { input = part; }

static s64 input_piece(const struct file *file, uaddr at, u64 bytes, u64 offset, bool write) {
    u64 count = MIN(bytes, input->length - offset);
    (void)file;
    (void)write;
    if (!copy_to_user(at, window((paddr){input->start + offset}), count)) return -EFAULT;
    return (s64)count;
}

static u64 input_left(const struct file *file) { return input->length - file_offset(file); }

static u32 input_poll(const struct file *file, u32 wanted) {
    u64 left = input_left(file);
    u32 state = 0;
    if (left) state = POLL_READS;
    if (left <= PIPE_BYTES) state |= POLLHUP;
    return state & wanted;
}

const struct file_operations input_operations = {
    .kind = FILE_INPUT,
    .mode = S_IFIFO | 0600,
    .block = PAGE_SIZE,
    .read = transfer_read_pieces,
    .piece = input_piece,
    .poll = input_poll,
    .left = input_left,
};

// ---- texts ----

static s64 text_piece(const struct file *file, uaddr at, u64 bytes, u64 offset, bool write) {
    (void)write;
    return text_read((int)file->node - NODE_TEXT, at, bytes, offset);
}

// Where its end is nobody knows before it is read.
static s64 text_seek(u64 offset, s64 to, u32 whence) {
    if (whence == SEEK_END) return -EINVAL;
    return node_seek(offset, to, whence);
}

// A text's size is 0, as in Linux's /proc.
static u64 text_left(const struct file *file) { return -file_offset(file); }

static const struct file_operations text_operations = {
    .kind = FILE_TEXT,
    .mode = S_IFREG | 0444,
    .block = PAGE_SIZE,
    .in_proc = true,
    .read = transfer_read_pieces,
    .piece = text_piece,
    .seek = text_seek,
    .left = text_left,
};

// ---- the framebuffer ----

static s64 fb0_piece(const struct file *file, uaddr at, u64 bytes, u64 offset, bool write) {
    (void)file;
    return fb0_copy(at, bytes, offset, write);
}

static s64 fb0_file_ioctl(struct thread *thread, u32 request, u64 arg) {
    (void)thread;
    return fb0_ioctl(request, arg);
}

static s64 fb0_map(const struct file *file, u64 offset, u64 bytes, u32 rights, bool shared,
                   paddr *physical) {
    if (rights & AREA_EXEC) return -EPERM;
    if (!shared) return -EINVAL;
    *physical = fb0_pages(offset, bytes);
    if (!physical->at) return -EINVAL;
    if (file_access(file) != O_RDONLY) return 0;
    return AREA_SEALED;
}

static const struct file_operations fb0_operations = {
    .kind = FILE_FRAMEBUFFER,
    .mode = S_IFCHR | 0620,
    .device = 29 << 8,
    .block = PAGE_SIZE,
    .read = transfer_read_pieces,
    .write = transfer_write_pieces,
    .piece = fb0_piece,
    .seek = node_seek,
    .ioctl = fb0_file_ioctl,
    .map = fb0_map,
};

// ---- /dev/zero ----

static s64 zero_piece(const struct file *file, uaddr at, u64 bytes, u64 offset, bool write) {
    (void)file;
    (void)offset;
    if (write || clear_user(at, bytes)) return (s64)bytes;
    return -EFAULT;
}

static s64 zero_seek(u64 offset, s64 to, u32 whence) {
    (void)offset;
    (void)to;
    (void)whence;
    return 0;
}

// It is anonymous memory.
static s64 zero_map(const struct file *file, u64 offset, u64 bytes, u32 rights, bool shared,
                    paddr *physical) {
    (void)file;
    (void)offset;
    (void)bytes;
    (void)rights;
    (void)shared;
    (void)physical;
    return 0;
}

static const struct file_operations zero_operations = {
    .kind = FILE_ZERO,
    .mode = S_IFCHR | 0666,
    .device = 1 << 8 | 5,
    .block = PAGE_SIZE,
    .read = transfer_read_pieces,
    .write = transfer_write_pieces,
    .piece = zero_piece,
    .seek = zero_seek,
    .map = zero_map,
};

// ---- directories ----

static s64 directory_read(struct thread *thread) {
    (void)thread;
    return -EISDIR;
}

const struct file_operations directory_operations = {
    .kind = FILE_DIRECTORY,
    .mode = S_IFDIR | 0555,
    .block = PAGE_SIZE,
    .read = directory_read,
    .seek = node_seek,
};

const struct file_operations *node_operations(u32 node) {
    switch (node_kind(node)) {
    case FILE_TEXT: return &text_operations;
    case FILE_FRAMEBUFFER: return &fb0_operations;
    case FILE_ZERO: return &zero_operations;
    default: return &directory_operations;
    }
}
