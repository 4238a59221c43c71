// See objects.h.
#include "kernel/space/objects.h"

#include "boot/layout.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
#include "kernel/memory/promises.h"
#include "kernel/space/space.h"

struct object objects_file;

void objects_set_file(u64 start, u64 bytes) {
    objects_file = (struct object){
        .areas = 1, .bytes = bytes, .start = start}; // its own area: it is never left
}

// ---- shared memory ----

// Page tables have 256 entries for offsets, which end where the program's addresses do: in its
// root's page there is room for the object behind them.
#define OBJECT_PLACE (PAGE_SIZE / 2)
#define NUMBERS      100000 // with the place in it, a number of 64 bits: space_place()
#define GIVE_COST    400    // instructions for a page that is given back
#define GIVE_MOST    50000  // at once

static u32 made;             // objects
static bool tables_promised; // of the object whose tables are made or given back

static u64 object_new_table(void) {
    u64 page = promises_page(OWNER_TABLES, tables_promised);
    if (page) memset(window(page), 0, PAGE_SIZE);
    return page;
}

static void object_give_table(u64 entry) {
    promises_give(OWNER_TABLES, entry & PTE_ADDRESS, tables_promised);
}

static void object_give_page(void *context, u64 *entry, u64 address, u64 bytes) {
    (void)context;
    (void)address;
    (void)bytes;
    promises_give(OWNER_DATA, *entry & PTE_ADDRESS, false);
    *entry = 0;
}

struct object *object_make(u64 bytes, bool promised) {
    u64 tables = promised ? 1 + areas_tables(0, bytes) : 0;
    if (!promises_make(tables)) return NULL;
    tables_promised = promised;
    u64 root = object_new_table();
    if (!root) {
        promises_drop(tables);
        return NULL;
    }
    struct object *object = (struct object *)((u8 *)window(root) + OBJECT_PLACE);
    *object = (struct object){.bytes = bytes, .root = root, .promised = tables};
    object->number = 1 + made++ % NUMBERS;
    return object;
}

bool object_give(struct object *object) {
    u64 root = object->root, start = object->given, promised = object->promised;
    u64 end = tables_reach(root, start, object->bytes, GIVE_COST, GIVE_MOST);
    bool is_last = end == object->bytes;
    object->given = end;
    tables_promised = promised;
    tables_each(root, start, end, object_give_page, NULL);
    tables_free(root, start, end, 0, is_last ? USER_END : end, object_give_table);
    if (!is_last) return false;
    object_give_table(root);
    promises_drop(promised);
    return true;
}

bool objects_collect(struct object **left) {
    struct object *object = *left;
    if (!object) return true;
    struct object *next = object->next;
    object->is_left = false;
    if (!object->areas && !object_give(object)) return false;
    *left = next;
    return !next;
}

static u64 object_shared_page(struct object *object, u64 offset, bool promised) {
    tables_promised = object->promised;
    u64 *entry = tables_entry_with(object->root, offset, 0, object_new_table);
    if (!entry) return 0;
    if (!*entry) {
        u64 page = promises_page(OWNER_DATA, promised);
        if (!page) return 0;
        if (promised) promises_keep(-1); // what shows it says so
        memset(window(page), 0, PAGE_SIZE);
        *entry = page | PTE_P;
    }
    return *entry & PTE_ADDRESS;
}

// ---- the program file ----

// The last page of the file, behind which something else lies in the image.
static u64 object_file_tail(struct object *file) {
    u64 rest = file->bytes % PAGE_SIZE;
    if (!file->tail && (file->tail = promises_page(OWNER_DATA, false))) {
        memset(window(file->tail), 0, PAGE_SIZE);
        memcpy(window(file->tail), window(file->start + file->bytes - rest), rest);
    }
    return file->tail;
}

u64 object_page(struct object *object, u64 offset, bool promised, const char **why) {
    *why = space_past_end;
    if (offset >= object->bytes) return 0;
    *why = space_no_memory;
    if (object->root) return object_shared_page(object, offset, promised);
    return offset + PAGE_SIZE <= object->bytes ? object->start + offset : object_file_tail(object);
}

bool object_has(const struct object *object, u64 offset) {
    u64 bytes;
    if (offset >= object->bytes) return false;
    return !object->root || tables_leaf(object->root, offset, &bytes);
}

bool object_clear(struct object *object, u64 offset) {
    u64 bytes, *entry = object->root ? tables_leaf(object->root, offset, &bytes) : NULL;
    if (entry) memset(window(*entry & PTE_ADDRESS), 0, PAGE_SIZE);
    return entry;
}
