// What a call that is executed anew finds again: its deadline, and what it copied in, which stays
// until it returns, in its progress record or, when it is much, in pages. The program may change or
// unmap what it gave in the meantime.
#include "kernel/cpu/time.h"
#include "kernel/kernel.h"
#include "kernel/memory/window.h"
#include "kernel/thread/thread.h"
#include "kernel/memory/promises.h"

// Once for each call. 0, -EFAULT or -ENOMEM.
s64 record_copy(struct thread *thread, uaddr from, u64 bytes) {
    struct record *record = &thread->record;
    if (bytes <= sizeof record->few) {
        if (!copy_from_user(record->few, from, bytes)) return -EFAULT;
        return 0;
    }
    ASSERT(bytes <= sizeof record->pages / sizeof record->pages[0] * PAGE_SIZE &&
           !record->page_count);
    for (u64 done = 0; done < bytes; done += PAGE_SIZE) {
        paddr page = promises_page(OWNER_THREADS, false);
        if (!page.at) return -ENOMEM;
        record->pages[record->page_count++] = page;
        if (!copy_from_user(window(page), user(from.at + done), MIN(bytes - done, PAGE_SIZE)))
            return -EFAULT;
    }
    return 0;
}

// No item crosses a page: their sizes are powers of two.
void *record_at(struct thread *thread, u64 offset) {
    struct record *record = &thread->record;
    if (!record->page_count) return (u8 *)record->few + offset;
    return (u8 *)window(record->pages[offset / PAGE_SIZE]) + offset % PAGE_SIZE;
}

void record_give_pages(struct thread *thread) {
    struct record *record = &thread->record;
    while (record->page_count)
        promises_give(OWNER_THREADS, record->pages[--record->page_count], false);
}

bool thread_deadline(struct thread *thread, u64 ns_from_now) {
    u64 now = time_now_ns();
    if (!thread->has_deadline) {
        thread->has_deadline = true;
        thread->deadline = NEVER;
        if (ns_from_now <= NEVER - now) thread->deadline = now + ns_from_now;
    }
    return thread->deadline <= now;
}

s64 call_again(struct thread *thread) {
    thread->again = true;
    return CALL_WAITS;
}
