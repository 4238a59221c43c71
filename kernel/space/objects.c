// The program file and shared memory, as what makes the pages of areas.
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

// Says where the program file lies in memory, and how long it is.
void objects_set_file(paddr start, u64 bytes) {
    objects_file = (struct object){.bytes = bytes, .start = start};
    objects_file.lock.rank = LOCK_OBJECT;
    objects_file.areas = 1; // its own: it is never left
}

// ---- shared memory ----

// Page tables have 256 entries for offsets, which end where the program's addresses do: in its
// root's page there is room for the object behind them.
#define OBJECT_PLACE (PAGE_SIZE / 2)
#define NUMBERS      100000 // with the place in it, a number of 64 bits: space_place()
#define GIVE_COST    400    // instructions for a page that is given back
#define GIVE_MOST    50000  // at once

static u32 made; // objects

static paddr object_new_table(bool promised) {
    paddr page = promises_page(OWNER_TABLES, promised);
    if (page.at) memset(window(page), 0, PAGE_SIZE);
    return page;
}

static paddr object_new_promised_table(void) { return object_new_table(true); }
static paddr object_new_free_table(void) { return object_new_table(false); }

static void object_give_promised_table(u64 entry) {
    promises_give(OWNER_TABLES, pte_target(entry), true);
}

static void object_give_free_table(u64 entry) {
    promises_give(OWNER_TABLES, pte_target(entry), false);
}

static void object_give_page(void *context, u64 *entry, u64 address, u64 bytes) {
    (void)context;
    (void)address;
    (void)bytes;
    promises_give(OWNER_DATA, pte_target(*entry), false);
    *entry = 0;
}

// Shared memory of so many bytes. promised: its page tables are promised to it; its pages are
// promised to the areas that show them. NULL: no memory.
struct object *object_make(u64 bytes, bool promised) {
    u64 tables = 0;
    if (promised) tables = 1 + areas_tables(0, bytes);
    if (!promises_make(tables)) return NULL;
    paddr root = object_new_table(promised);
    if (!root.at) {
        promises_drop(tables);
        return NULL;
    }
    struct object *object = (struct object *)((u8 *)window(root) + OBJECT_PLACE);
    *object = (struct object){.bytes = bytes, .root = root, .promised = tables};
    object->lock.rank = LOCK_OBJECT;
    object->number = 1 + __atomic_fetch_add(&made, 1, __ATOMIC_RELAXED) % NUMBERS;
    return object;
}

// Gives back a piece of an object that no area shows, whose pages no CPU remembers. True: all of it
// is gone.
bool object_give(struct object *object) {
    paddr root = object->root;
    u64 start = object->given;
    u64 promised = object->promised;
    u64 end = tables_reach(root, start, object->bytes, GIVE_COST, GIVE_MOST);
    bool is_last = end == object->bytes;
    object->given = end;
    void (*give)(u64) = object_give_free_table;
    if (promised) give = object_give_promised_table;
    tables_each(root, start, end, object_give_page, NULL);
    u64 tables_end = end;
    if (is_last) tables_end = USER_END;
    tables_free(root, start, end, 0, tables_end, give);
    if (!is_last) return false;
    give(root.at);
    promises_drop(promised);
    return true;
}

// Gives back a piece of the first object in this list, if it has no area. True: the list is empty.
bool objects_collect(struct object **left) {
    struct object *object = *left;
    if (!object) return true;
    struct object *next = object->next;
    object->is_left = false;
    if (!object->areas && !object_give(object)) return false;
    *left = next;
    return !next;
}

static paddr object_shared_page(struct object *object, u64 offset, bool promised) {
    paddr (*new_table)(void) = object_new_free_table;
    if (object->promised) new_table = object_new_promised_table;
    u64 *entry = tables_entry_with(object->root, offset, 0, new_table);
    if (!entry) return (paddr){0};
    if (!*entry) {
        paddr page = promises_page(OWNER_DATA, promised);
        if (!page.at) return page;
        if (promised) promises_keep(-1); // what shows it says so
        memset(window(page), 0, PAGE_SIZE);
        *entry = page.at | PTE_P;
    }
    return pte_target(*entry);
}

// ---- the program file ----

// The last page of the file, behind which something else lies in the image.
static paddr object_file_tail(struct object *file) {
    u64 rest = file->bytes % PAGE_SIZE;
    if (file->tail.at) return file->tail;
    file->tail = promises_page(OWNER_DATA, false);
    if (!file->tail.at) return file->tail;
    memset(window(file->tail), 0, PAGE_SIZE);
    memcpy(window(file->tail), window(paddr_add(file->start, file->bytes - rest)), rest);
    return file->tail;
}

// The page at an offset, which is made if it is not there, out of what was promised or out of what
// nobody was promised. 0, and why not.
paddr object_page(struct object *object, u64 offset, bool promised, const char **why) {
    *why = space_past_end;
    if (offset >= object->bytes) return (paddr){0};
    *why = space_no_memory;
    bool is_whole = offset + PAGE_SIZE <= object->bytes;
    if (!object->root.at && is_whole) return paddr_add(object->start, offset);
    paddr page;
    lock_take(&object->lock);
    if (object->root.at)
        page = object_shared_page(object, offset, promised);
    else
        page = object_file_tail(object);
    lock_give(&object->lock);
    return page;
}

// Whether the page at an offset is there; makes none.
bool object_has(struct object *object, u64 offset) {
    u64 bytes;
    if (offset >= object->bytes) return false;
    if (!object->root.at) return true;
    lock_take(&object->lock);
    bool has = tables_leaf(object->root, offset, &bytes);
    lock_give(&object->lock);
    return has;
}

// Makes a page of shared memory zeroes. False: there is none at this offset.
bool object_clear(struct object *object, u64 offset) {
    u64 bytes;
    if (!object->root.at) return false;
    lock_take(&object->lock);
    const u64 *entry = tables_leaf(object->root, offset, &bytes);
    if (entry) memset(window(pte_target(*entry)), 0, PAGE_SIZE);
    lock_give(&object->lock);
    return entry;
}
