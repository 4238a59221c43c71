// The table of open files (descriptors.h). A free number is found in its bits: at most 16 words are
// looked at.
#include "kernel/file/descriptors.h"

#include "boot/layout.h"

_Static_assert(DESCRIPTORS_PART * sizeof(struct file *) == PAGE_SIZE / 2, "half a page");

static bool descriptors_bit(const u64 *bits, u32 number) {
    return bits[number / 64] >> number % 64 & 1;
}

static void descriptors_set_bit(u64 *bits, u32 number, bool on) {
    u64 bit = 1ull << number % 64;
    if (on)
        bits[number / 64] |= bit;
    else
        bits[number / 64] &= ~bit;
}

static struct file **descriptors_place(const struct descriptors *table, u32 number) {
    return &table->parts[number / DESCRIPTORS_PART][number % DESCRIPTORS_PART];
}

u32 descriptors_free(const struct descriptors *table, u32 least, u64 limit) {
    u32 end = (u32)MIN(limit, FILES_MAX);
    if (least >= end) return FILES_MAX;
    u64 skipped = (1ull << least % 64) - 1;
    for (u32 word = least / 64; word * 64 < end; word++) {
        u64 taken = table->used[word] | skipped;
        skipped = 0;
        if (taken == ~0ull) continue;
        u32 number = word * 64 + (u32)__builtin_ctzll(~taken);
        if (number < end) return number;
        return FILES_MAX;
    }
    return FILES_MAX;
}

void descriptors_grow(struct descriptors *table, u32 number, void *page) {
    struct file **part = page;
    for (u32 i = 0; i < DESCRIPTORS_PART; i++) part[i] = NULL;
    table->parts[number / DESCRIPTORS_PART] = part;
}

void descriptors_reserve(struct descriptors *table, u32 number) {
    descriptors_set_bit(table->used, number, true);
}

u32 descriptors_next(const struct descriptors *table, u32 from) {
    u64 skipped = (1ull << from % 64) - 1;
    for (u32 word = from / 64; word < FILES_MAX / 64; word++) {
        u64 taken = table->used[word] & ~skipped;
        skipped = 0;
        if (taken) return word * 64 + (u32)__builtin_ctzll(taken);
    }
    return FILES_MAX;
}

struct file *descriptors_get(const struct descriptors *table, u32 number) {
    if (number >= FILES_MAX || !descriptors_has_part(table, number)) return NULL;
    return *descriptors_place(table, number);
}

bool descriptors_is_reserved(const struct descriptors *table, u32 number) {
    return descriptors_bit(table->used, number) && !descriptors_get(table, number);
}

struct file *descriptors_set(struct descriptors *table, u32 number, struct file *file,
                             bool close_on_exec) {
    struct file *before = *descriptors_place(table, number);
    *descriptors_place(table, number) = file;
    descriptors_set_bit(table->used, number, true);
    descriptors_set_bit(table->close_on_exec, number, close_on_exec);
    return before;
}

struct file *descriptors_clear(struct descriptors *table, u32 number) {
    struct file *before = *descriptors_place(table, number);
    *descriptors_place(table, number) = NULL;
    descriptors_set_bit(table->used, number, false);
    return before;
}

bool descriptors_close_on_exec(const struct descriptors *table, u32 number) {
    return descriptors_bit(table->close_on_exec, number);
}

void descriptors_set_close_on_exec(struct descriptors *table, u32 number, bool on) {
    descriptors_set_bit(table->close_on_exec, number, on);
}
