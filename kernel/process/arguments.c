// Arguments and environment of execve(2), read from the old program's memory (arguments.h).
#include "kernel/process/arguments.h"

#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/promises.h"
#include "kernel/memory/window.h"

#define STRING_MOST (128ull << 10) // bytes of one, as on Linux
#define ALL_MOST    (2ull << 20)   // of all with a pointer each: a quarter of the usual stack
#define PIECE_BYTES (32u << 10)    // in one execution
#define PIECE_READS 256

struct chain_page {
    paddr next;
    u32 from, end; // of the bytes that are in use
    u8 bytes[PAGE_SIZE - 16];
};

static struct chain_page *chain_page(paddr page) { return window(page); }

// Room at the end of the last page, which may be a new one; NULL: no memory.
static u8 *chain_room(struct chain *chain, u64 *room) {
    struct chain_page *last = NULL;
    if (chain->last.at) last = chain_page(chain->last);
    if (!last || last->end == sizeof last->bytes) {
        paddr page = promises_page(OWNER_THREADS, false);
        if (!page.at) return NULL;
        struct chain_page *more = chain_page(page);
        more->next = (paddr){0};
        more->from = more->end = 0;
        if (last)
            last->next = page;
        else
            chain->first = page;
        chain->last = page;
        last = more;
    }
    *room = sizeof last->bytes - last->end;
    return last->bytes + last->end;
}

static void chain_used(struct chain *chain, u64 bytes) {
    chain_page(chain->last)->end += (u32)bytes;
    chain->bytes += bytes;
}

static bool chain_add(struct chain *chain, const void *bytes, u64 count) {
    for (u64 room; count;) {
        u8 *to = chain_room(chain, &room);
        if (!to) return false;
        u64 part = MIN(room, count);
        memcpy(to, bytes, part);
        chain_used(chain, part);
        bytes = (const u8 *)bytes + part;
        count -= part;
    }
    return true;
}

static void chain_drop_page(struct chain *chain) {
    paddr page = chain->first;
    chain->first = chain_page(page)->next;
    if (!chain->first.at) chain->last = chain->first;
    promises_give(OWNER_THREADS, page, false);
}

u64 chain_take(struct chain *chain, const void **bytes) {
    while (chain->first.at) {
        struct chain_page *page = chain_page(chain->first);
        if (page->from < page->end) {
            u64 count = page->end - page->from;
            *bytes = page->bytes + page->from;
            page->from = page->end;
            return count;
        }
        chain_drop_page(chain);
    }
    return 0;
}

void chain_end(struct chain *chain) {
    while (chain->first.at) chain_drop_page(chain);
}

static bool arguments_begin_string(struct arguments *into) {
    into->begin = into->strings.bytes;
    return chain_add(&into->begins, &into->begin, sizeof into->begin);
}

bool arguments_add(struct arguments *into, const char *text) {
    into->begin = into->strings.bytes;
    return chain_add(&into->strings, text, strlen(text) + 1);
}

// The next bytes of a string. 1: its end was among them; 0: there are more.
static s64 arguments_read_part(struct arguments *into, u64 from) {
    u64 room;
    u8 *to = chain_room(&into->strings, &room);
    if (!to) return -ENOMEM;
    s64 length = copy_string_from_user((char *)to, user(from + into->read), room);
    if (length < 0) return -EFAULT;
    bool is_end = (u64)length < room;
    u64 count = (u64)length + is_end;
    chain_used(&into->strings, count);
    into->read += count;
    if (into->read > STRING_MOST) return -E2BIG;
    if (into->strings.bytes + into->begins.bytes > ALL_MOST) return -E2BIG;
    return is_end;
}

// One step: a part of a string, or the end of a vector.
static s64 arguments_step(struct arguments *into, const u64 vectors[2]) {
    const u64 none = ARGUMENT_NONE;
    u64 vector = vectors[into->vector];
    u64 string = 0;
    if (vector && !copy_from_user(&string, user(vector + 8 * into->index), sizeof string))
        return -EFAULT;
    if (!string) {
        if (!chain_add(&into->begins, &none, sizeof none)) return -ENOMEM;
        if (into->vector++ == 0) into->count = into->index;
        into->index = 0;
        return 0;
    }
    if (!into->read && !arguments_begin_string(into)) return -ENOMEM;
    s64 result = arguments_read_part(into, string);
    if (result <= 0) return result;
    into->read = 0;
    into->index++;
    return 0;
}

s64 arguments_read(struct thread *thread, struct arguments *into, const u64 vectors[2]) {
    u64 end = into->strings.bytes + PIECE_BYTES;
    for (int reads = 0; into->vector < 2; reads++) {
        if (reads == PIECE_READS || into->strings.bytes >= end) return call_again(thread);
        s64 error = arguments_step(into, vectors);
        if (error) return error;
    }
    return 0;
}
