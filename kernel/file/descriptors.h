// The table of a process's open files by their numbers. Pure: the caller has the lock and the
// memory. The pointers are in parts of half a page each, which are there from the first use of a
// number in them on.
#pragma once

#include "boot/layout.h"
#include "kernel/lib/types.h"

#define FILES_MAX        1024 // numbers
#define DESCRIPTORS_PART 256

struct file;

struct descriptors {                                   // begins as zeroes
    u64 used[FILES_MAX / 64];                          // bit: the number is taken
    u64 close_on_exec[FILES_MAX / 64];                 // bit: FD_CLOEXEC
    struct file **parts[FILES_MAX / DESCRIPTORS_PART]; // NULL: not there yet
};

// The lowest number from least on, and below limit, that is free; FILES_MAX: there is none.
u32 descriptors_free(const struct descriptors *table, u32 least, u64 limit);
// Whether the part of a number is there; else descriptors_grow() gives it a page.
static inline bool descriptors_has_part(const struct descriptors *table, u32 number) {
    return table->parts[number / DESCRIPTORS_PART];
}
void descriptors_grow(struct descriptors *table, u32 number, void *page);
// Takes a free number, whose part is there, for a file that is still to come.
void descriptors_reserve(struct descriptors *table, u32 number);
// A number that is taken, but has no file yet.
bool descriptors_is_reserved(const struct descriptors *table, u32 number);
// The first number from there on that has a file, or is reserved; FILES_MAX: there is none.
u32 descriptors_next(const struct descriptors *table, u32 from);
// The file of a number, any value at all; NULL: it has none.
struct file *descriptors_get(const struct descriptors *table, u32 number);
// Puts a file at a number whose part is there. Returns the one that was there, or NULL.
struct file *descriptors_set(struct descriptors *table, u32 number, struct file *file,
                             bool close_on_exec);
// The number is free from here on. Returns the file that was there, or NULL.
struct file *descriptors_clear(struct descriptors *table, u32 number);
bool descriptors_close_on_exec(const struct descriptors *table, u32 number);
void descriptors_set_close_on_exec(struct descriptors *table, u32 number, bool on);
