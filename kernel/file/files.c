// The table of a process's open files. Its memory is taken under its lock; a file is dropped
// without it.
#include <linux/fcntl.h>
#include <linux/resource.h>
#include "kernel/file/file.h"
#include "kernel/kernel.h"
#include "kernel/memory/window.h"
#include "kernel/file/files.h"
#include "kernel/memory/promises.h"
#include "kernel/space/areas.h"

#define CLOSES 256 // files that are closed at once

static const struct terminal_events terminal_events = {
    .input = terminal_input_happened,
    .output = terminal_output_happened,
};

static struct file *files_open(const struct file_operations *operations, u32 flags) {
    struct file *file = file_make(operations, flags);
    if (!file) unfit("no memory is left for the program's files");
    return file;
}

static void files_open_as(struct process *process, u64 number, struct file *file) {
    if (files_put(process, file, number, false) != (s64)number)
        unfit("no memory is left for the program's files");
}

static bool files_part(struct files *files, u32 number) {
    if (descriptors_has_part(&files->table, number)) return true;
    paddr page = promises_page(OWNER_FILES, false);
    if (page.at) descriptors_grow(&files->table, number, window(page));
    return page.at;
}

struct files *files_make(void) {
    paddr page = promises_page(OWNER_FILES, false);
    if (!page.at) return NULL;
    struct files *files = window(page);
    *files = (struct files){.users = 1, .lock = {.rank = LOCK_FILES}};
    _Static_assert(sizeof *files <= PAGE_SIZE / 2, "the first part of the table is behind it");
    descriptors_grow(&files->table, 0, (u8 *)files + PAGE_SIZE / 2);
    return files;
}

// Its memory; all are closed.
static void files_free(struct files *files) {
    for (u32 number = DESCRIPTORS_PART; number < FILES_MAX; number += DESCRIPTORS_PART)
        if (descriptors_has_part(&files->table, number))
            promises_give(OWNER_FILES,
                          window_physical(files->table.parts[number / DESCRIPTORS_PART]), false);
    promises_give(OWNER_FILES, window_physical(files), false);
}

// What is only reserved is another call's.
static bool files_copy_one(struct files *from, struct files *to, u32 number) {
    struct file *file = descriptors_get(&from->table, number);
    if (!file) return true;
    if (!files_part(to, number)) return false;
    file_hold(file);
    (void)descriptors_set(&to->table, number, file,
                          descriptors_close_on_exec(&from->table, number));
    return true;
}

struct files *files_copy(struct files *from) {
    struct files *to = files_make();
    if (!to) return NULL;
    bool is_well = true;
    lock_take(&from->lock);
    for (u32 number = 0; number < FILES_MAX && is_well; number++) {
        number = descriptors_next(&from->table, number);
        if (number < FILES_MAX) is_well = files_copy_one(from, to, number);
    }
    lock_give(&from->lock);
    if (is_well) return to;
    for (u32 number = 0; number < FILES_MAX; number++) (void)files_close(to, number);
    files_free(to);
    return NULL;
}

bool files_leave(struct process *process) {
    struct files *files = process->files;
    if (!files) return true;
    if (files->users > 1 && __atomic_sub_fetch(&files->users, 1, __ATOMIC_SEQ_CST)) {
        process->files = NULL;
        return true;
    }
    files->users = 1; // it is the last one, until all are closed
    u32 number = 0;
    for (int i = 0; i < CLOSES; i++) {
        number = descriptors_next(&files->table, 0);
        if (number == FILES_MAX) break;
        (void)files_close(files, number);
    }
    if (number < FILES_MAX) return false;
    files_free(files);
    process->files = NULL;
    return true;
}

u32 files_close_for_exec(struct files *files, u32 from) {
    for (int i = 0; i < CLOSES && from < FILES_MAX; i++, from++) {
        from = descriptors_next(&files->table, from);
        if (from == FILES_MAX) return from;
        if (files_close_on_exec(files, from) == 1) (void)files_close(files, from);
    }
    return MIN(from, FILES_MAX);
}

// Opens 0, 1 and 2: standard input as the image has it, output on COM1 and the screen.
// output_is_tty: 1 and 2 are a terminal although 0 is none.
void files_init(struct process *process, const struct boot_info *boot, bool output_is_tty) {
    process->files = files_make();
    if (!process->files) unfit("no memory is left for the program's files");
    bool is_tty = !boot->has_input || output_is_tty;
    texts_init(boot);
    input_init(&boot->input);
    terminal_file_init(process);
    terminal_init(&terminal_events, is_tty);
    struct file *output;
    if (is_tty)
        output = files_open(&terminal_operations, O_RDWR);
    else
        output = files_open(&output_operations, O_WRONLY);
    struct file *input = output;
    if (boot->has_input)
        input = files_open(&input_operations, O_RDONLY);
    else
        file_hold(output);
    file_hold(output);
    files_open_as(process, 0, input);
    files_open_as(process, 1, output);
    files_open_as(process, 2, output);
}

struct file *files_get(struct files *files, u64 number) {
    lock_take(&files->lock);
    struct file *file = descriptors_get(&files->table, (u32)number);
    if (file) file_hold(file);
    lock_give(&files->lock);
    return file;
}

struct file *record_file(struct thread *thread, u64 number) {
    struct record *record = &thread->record;
    if (!record->file) record->file = files_get(thread->process->files, number);
    return record->file;
}

s64 files_reserve(struct process *process, u64 least) {
    struct files *files = process->files;
    s64 result;
    u64 limit = limit_get(&process->limits, RLIMIT_NOFILE);
    lock_take(&files->lock);
    u32 number = descriptors_free(&files->table, (u32)least, limit);
    if (number == FILES_MAX) {
        result = -EMFILE;
    } else if (!files_part(files, number)) {
        result = -ENOMEM;
    } else {
        descriptors_reserve(&files->table, number);
        result = number;
    }
    lock_give(&files->lock);
    return result;
}

void files_install(struct files *files, u64 number, struct file *file, bool close_on_exec) {
    lock_take(&files->lock);
    (void)descriptors_set(&files->table, (u32)number, file, close_on_exec);
    lock_give(&files->lock);
}

void files_unreserve(struct files *files, u64 number) {
    lock_take(&files->lock);
    (void)descriptors_clear(&files->table, (u32)number);
    lock_give(&files->lock);
}

s64 files_put(struct process *process, struct file *file, u64 least, bool close_on_exec) {
    s64 number = files_reserve(process, least);
    if (number >= 0)
        files_install(process->files, (u64)number, file, close_on_exec);
    else
        file_drop(file);
    return number;
}

s64 files_replace(struct process *process, struct file *file, u64 number, bool close_on_exec) {
    struct files *files = process->files;
    u32 at = (u32)number;
    struct file *before = NULL;
    s64 result = (s64)at;
    if (at >= MIN(limit_get(&process->limits, RLIMIT_NOFILE), FILES_MAX)) return -EBADF;
    lock_take(&files->lock);
    if (descriptors_is_reserved(&files->table, at))
        result = -EBUSY;
    else if (!files_part(files, at))
        result = -ENOMEM;
    else
        before = descriptors_set(&files->table, at, file, close_on_exec);
    if (result >= 0) file_hold(file);
    lock_give(&files->lock);
    if (before) file_drop(before);
    return result;
}

s64 files_close(struct files *files, u64 number) {
    lock_take(&files->lock);
    struct file *file = descriptors_get(&files->table, (u32)number);
    if (file) (void)descriptors_clear(&files->table, (u32)number);
    lock_give(&files->lock);
    if (!file) return -EBADF;
    file_drop(file);
    return 0;
}

s64 files_close_on_exec(struct files *files, u64 number) {
    lock_take(&files->lock);
    s64 result = -EBADF;
    if (descriptors_get(&files->table, (u32)number))
        result = descriptors_close_on_exec(&files->table, (u32)number);
    lock_give(&files->lock);
    return result;
}

s64 files_set_close_on_exec(struct files *files, u64 number, bool on) {
    lock_take(&files->lock);
    bool is_open = descriptors_get(&files->table, (u32)number);
    if (is_open) descriptors_set_close_on_exec(&files->table, (u32)number, on);
    lock_give(&files->lock);
    if (!is_open) return -EBADF;
    return 0;
}

// Linux looks at how the file was opened before it looks whether the file can be mapped at all.
static s64 files_map_open(const struct file *file, u64 offset, u64 bytes, u32 rights, bool shared,
                          paddr *physical) {
    u32 access = file_access(file);
    if (access == O_WRONLY) return -EACCES;
    if (access == O_RDONLY && shared && rights & AREA_WRITE) return -EACCES;
    if (!file->operations->map) return -ENODEV;
    return file->operations->map(file, offset, bytes, rights, shared, physical);
}

s64 file_map(struct files *files, u64 number, u64 offset, u64 bytes, u32 rights, bool shared,
             paddr *physical) {
    struct file *file = files_get(files, number);
    if (!file) return -EBADF;
    s64 result = files_map_open(file, offset, bytes, rights, shared, physical);
    file_drop(file);
    return result;
}
