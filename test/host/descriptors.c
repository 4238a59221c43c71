// descriptors.c against a model, with random operations and everything compared after each.
#include <stdlib.h>
#include "kernel/file/descriptors.c"
#include "test/check.h"
#include "test/random.h"

#define FILES 5

static struct model {
    bool used, close_on_exec;
    struct file *file;
} model[FILES_MAX];

static struct file *random_file(void) {
    static char files[FILES];
    return (struct file *)&files[random_below(FILES)];
}

static u32 model_free(u32 least, u64 limit) {
    for (u32 number = least; number < limit && number < FILES_MAX; number++)
        if (!model[number].used) return number;
    return FILES_MAX;
}

// As files.c does it: the lowest one, whose part is made if it is missing.
static void take(struct descriptors *table) {
    u32 least = random_below(2) ? 0 : random_below(FILES_MAX + 100);
    u64 limit = random_below(2) ? FILES_MAX : random_below(2 * FILES_MAX);
    u32 number = descriptors_free(table, least, limit);
    CHECK(number == model_free(least, limit));
    if (number == FILES_MAX) return;
    if (!descriptors_has_part(table, number)) {
        void *page = malloc(PAGE_SIZE);
        descriptors_grow(table, number, page);
    }
    descriptors_reserve(table, number);
    model[number].used = true;
}

static void change(struct descriptors *table, u32 number) {
    struct model *is = &model[number];
    bool on = random_below(2);
    if (!descriptors_has_part(table, number)) return;
    switch (random_below(3)) {
    case 0: {
        struct file *file = random_file();
        CHECK(descriptors_set(table, number, file, on) == is->file);
        *is = (struct model){true, on, file};
        break;
    }
    case 1:
        CHECK(descriptors_clear(table, number) == is->file);
        is->used = false;
        is->file = NULL;
        break;
    default: descriptors_set_close_on_exec(table, number, on); is->close_on_exec = on;
    }
}

static void compare(const struct descriptors *table) {
    for (u32 number = 0; number < FILES_MAX; number++) {
        const struct model *is = &model[number];
        CHECK(descriptors_get(table, number) == is->file);
        CHECK(descriptors_is_reserved(table, number) == (is->used && !is->file));
        CHECK(descriptors_close_on_exec(table, number) == is->close_on_exec);
    }
    CHECK(!descriptors_get(table, FILES_MAX) && !descriptors_get(table, ~0u));
}

int main(void) {
    static struct descriptors table;
    CHECK(descriptors_free(&table, 0, 0) == FILES_MAX && !descriptors_get(&table, 0));
    for (int round = 0; round < 30000; round++) {
        // Filled, then emptied, again and again.
        unsigned takes = round / 5000 % 2 ? 1 : 4;
        if (random_below(5) < takes)
            take(&table);
        else
            change(&table, random_below(FILES_MAX));
        if (round % 50 == 0) compare(&table);
    }
    compare(&table);
    for (u32 part = 0; part < FILES_MAX / DESCRIPTORS_PART; part++) free(table.parts[part]);
    return check_done("descriptors");
}
