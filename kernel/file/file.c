// An open file's life. There can be as many as there are numbers and threads; a place that was
// taken once is kept for another one.
#include "kernel/cpu/lock.h"
#include "kernel/kernel.h"
#include "kernel/memory/promises.h"
#include "kernel/memory/window.h"
#include "kernel/file/files.h"
#include "kernel/file/files.h"

union place {
    struct file file;
    union place *next; // of a free one
};

static struct lock lock = {.rank = LOCK_PLACES};
static union place *free_places;

static struct file *file_place_take(void) {
    lock_take(&lock);
    union place *place = free_places;
    if (place) free_places = place->next;
    lock_give(&lock);
    return (struct file *)place;
}

static void file_place_give(union place *place) {
    lock_take(&lock);
    place->next = free_places;
    free_places = place;
    lock_give(&lock);
}

static bool file_more_places(void) {
    paddr page = promises_page(OWNER_FILES, false);
    if (!page.at) return false;
    union place *places = window(page);
    for (size_t i = 0; i < PAGE_SIZE / sizeof *places; i++) file_place_give(&places[i]);
    return true;
}

struct file *file_make(const struct file_operations *operations, u32 flags) {
    struct file *file = file_place_take();
    while (!file && file_more_places()) file = file_place_take();
    if (file) *file = (struct file){.operations = operations, .count = 1, .flags = flags};
    return file;
}

void file_drop(struct file *file) {
    u32 count = __atomic_sub_fetch(&file->count, 1, __ATOMIC_ACQ_REL);
    ASSERT(count != ~0u);
    if (count) return;
    if (file->operations->release) file->operations->release(file);
    file_place_give((union place *)file);
}

void file_change_flags(struct file *file, u32 which, u32 to) {
    u32 before = file_flags(file);
    u32 after = 0;
    do after = (before & ~which) | (to & which);
    while (!__atomic_compare_exchange_n(&file->flags, &before, after, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
}

bool file_advance(struct file *file, u64 from, u64 bytes) {
    return __atomic_compare_exchange_n(&file->offset, &from, from + bytes, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

bool file_wait_join(struct file *file, struct thread *thread, struct wait_queue *queue) {
    file_hold(file);
    bool is_in = wait_join(thread, queue, file);
    if (!is_in) file_drop(file);
    return is_in;
}
