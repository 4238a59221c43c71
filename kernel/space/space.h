// The address space of a process: its areas and the pages that exist of them. Those that began as a
// copy of another one (fork) have frames in common with it until they are written to.
#pragma once

#include "kernel/cpu/cpus.h"
#include "boot/bootinfo.h"
#include "kernel/space/areas.h"
#include "kernel/thread/thread.h"

#define PAGES(bytes) ((bytes) / PAGE_SIZE)
#define SPACE_LOWEST (16 * PAGE_SIZE) // of what is placed by choice, as Linux's mmap_min_addr

struct space {
    struct lock lock; // of all that follows, and of the pages and tables
    struct areas areas;
    struct tlb tlb; // and its root
    u64 brk_start, brk_now;
    u64 promised, tables; // of all areas: what the account of promises was told of last
    int largest;          // level of the largest pages that the CPU has
    u64 lock_future; // what mlockall() wants for every area from now on: MCL_FUTURE, perhaps with
                     // MCL_ONFAULT; 0
    unsigned
        changed; // of what was present, and is not flushed: TABLES_HID_PAGES, TABLES_HID_TABLES
    u64 shown;   // of areas.device: what the screen was told of
    // Under the lock of all spaces (spaces.c):
    struct sorted_node node;     // among them, by its number
    struct sorted_node borrower; // among those that were promised nothing when they began as a copy
    u32 owner;                   // the process that it began with
    u32 users;                   // processes whose memory it is
};
#define SPACE_NUMBERS (1u << 18) // they have at most; from 1 on
static inline u64 space_number(const struct space *space) { return space->node.key; }

// what the main thread's stack may grow to: RLIMIT_STACK at the start
#define STACK_BYTES (8ull << 20)
#define VDSO        (USER_END - PAGE_SIZE)
#define VDSO_TIME   (VDSO - PAGE_SIZE) // the page that it reads the time from
#define STACK_END   VDSO_TIME
#define STACK_FIRST (132ull << 10) // of it there from the beginning, as on Linux
// nothing is placed by choice there, so that the limit can be raised
#define STACK_ROOM (128ull << 20)
// what may be placed by choice ends here
#define SPACE_PLACE_END (STACK_END - STACK_ROOM - AREA_GAP)

// ---- spaces.c ----
// An empty one, with one user; NULL: no memory.
struct space *space_new(void);
void space_hold(struct space *space); // one more user
// One user less. True: it was the last one, and somebody has to empty the space and free it.
bool space_leave(struct space *space);
// Nobody is to use it any more, this CPU neither: all CPUs forget it.
void space_end(struct space *space);
// Then takes out a piece of what is left in it. True: nothing is, and it is gone itself.
bool space_empty(struct space *space);
// The space with the lowest number from there on, with its lock taken; NULL: there is none. The
// caller gives that back, and then the lock of all spaces by spaces_give().
struct space *spaces_take_from(u64 number);
void spaces_give(void);
const struct limits *space_limits(void); // of the process whose thread asks
// It was promised nothing for what it has in common with another one.
void space_borrows(struct space *space);
u32 space_youngest_owner(void); // the process of the youngest that borrows; 0: there is none

// All CPUs that run a thread of the space have been interrupted when this returns.
void space_barrier(struct space *space);

// ---- fork.c ----
// Copies a piece of a space, from record.done on, into one that no thread uses yet; what both have
// then is write-protected and may be shared. 0: all is done; -ENOMEM, or what call_again() returns.
s64 space_copy(struct thread *thread, struct space *from, struct space *to);

// An empty one, which begins as zeroes, but for its root.
void space_init(struct space *space, paddr root);
void space_begin(struct space *space, u64 heap); // where what brk() moves starts
// Puts an area for the loader. False when there is no memory for it.
bool space_put(struct space *space, const struct area *like) MUST_USE;
// The same, with pages of a file that are there from the beginning: the first kept bytes from its
// object's offset on; the rest of the last one's page is zero.
bool space_put_file(struct space *space, const struct area *like, u64 kept) MUST_USE;
// A page fault of the program (or of the kernel on its behalf) with the CPU's error code: maps the
// page and returns NULL, or says why not. Two reasons are SIGBUS: that there is no memory, which is
// not the program's fault, and that the page is past the end of its file.
const char *space_fault(struct space *space, u64 address, u64 error);
extern const char space_no_memory[], space_past_end[];
// Why an access was not allowed, as siginfo tells it: something is mapped there, with other rights.
bool space_denies(struct space *space, u64 address);
// Whether a page is there that is not the program's own, but a file's or shared.
bool space_shows_other(struct space *space, u64 address);
// What is the same for all addresses of one word of 4 bytes, in all spaces that have it: of shared
// memory its object and the place in it, else the space and the address.
u64 space_place(struct space *space, u64 address);
#define PLACE_BITS   45 // of a word's address
#define PLACE_SHARED (1ull << 63)
static inline u64 space_own_place(const struct space *space, u64 address) {
    return space_number(space) << PLACE_BITS | address / sizeof(u32);
}

// ---- between the files of this room ----
#define PIECE_AREAS 32 // that a piece of long work changes at most
// The screen is the program's as long as any space shows it; under the space's lock.
void space_tell_screen(struct space *space);
// Takes the lock. Everything below needs it.
void space_take(struct space *space);
const struct area *space_area(struct space *space, u64 address); // NULL: none
// Enough nodes for an operation on areas; false when there is no page for them.
bool space_nodes_ready(struct space *space);
// Whether there is memory for an area like this one instead of what is at its place: for what it is
// promised, beside so many pages that were taken for it, and for nodes. Changes nothing else, but
// for what space_promise() does.
bool space_can_put(struct space *space, const struct area *like, u64 taken);
// Promises the space so many pages for areas that are to come: the next operation on areas counts
// them in. False: they are not there.
bool space_promise(struct space *space, u64 pages) MUST_USE;
// The operations of areas.h, and what is promised follows.
void space_areas_put(struct space *space, const struct area *like);
void space_areas_cut(struct space *space, u64 start, u64 end);
void space_areas_protect(struct space *space, u64 start, u64 end, u32 rights);
// Fills the entry for an area's page of that size with one of the program's own; of 4 KiB with its
// object's.
void space_page_put(u64 *entry, const struct area *area, paddr physical, u64 bytes);
void space_page_show(u64 *entry, const struct area *area, paddr physical);
void space_page_share(u64 *entry, const struct area *area, paddr physical, u64 bytes);
// A page of that entry goes, or becomes another's: what the account and the collector want to know.
void space_page_forget(u64 entry, u64 bytes);
void space_page_end(u64 entry, u64 bytes);       // that is gone, and flushed
void space_page_give(paddr physical, u64 bytes); // back to those that are free
void space_table_give(u64 entry);
// Whether a page of that size may be made: what was promised comes first.
bool space_page_allowed(const struct area *area, u64 bytes);
// The entry for an address of an area in the table of that level; NULL when there is no memory for
// a table.
u64 *space_entry(struct space *space, const struct area *area, u64 address, int level);
// Splits pages until none crosses an address, or two. False when there is no memory for that.
bool space_border(struct space *space, u64 address);
bool space_borders(struct space *space, u64 start, u64 end);
// Drops the pages of a range, at whose borders none crosses, and the tables that nobody needs any
// more.
void space_drop(struct space *space, u64 start, u64 end);
// For tables_each(), after a change of rights, with the space; space_flush() then.
void space_refresh(void *context, u64 *entry, u64 address, u64 bytes);
void space_flush(struct space *space, u64 start, u64 end);
// Fills a new area of a device: false when there is no memory for page tables.
bool space_put_device(struct space *space, const struct area *area, paddr physical);
// Makes the page for an access with that error code (see space_fault()). Gives the lock up for a
// while when it clears a large page; then the access may have to be tried again.
const char *space_make(struct space *space, u64 address, u64 error);
// Whether RLIMIT_AS and RLIMIT_DATA allow an area like this one instead of what is at its place.
bool space_within_limits(struct space *space, const struct area *like);

// How far from start an operation on areas and pages may go at once, at most to end: no page
// crosses that.
u64 space_reach(struct space *space, u64 start, u64 end);
// Gives back a piece of the shared memory that nobody shows any more. True: nothing is left of it.
bool space_collect(struct space *space);
// Gives an address of an area a large page that was taken for it and cleared; false when it wants
// none.
bool space_put_taken(struct space *space, u64 address, paddr physical, int level);

// ---- populate.c: pages that mmap makes before they are touched ----
// Takes large pages for so many bytes before the area is there. Its result but for 0, when they are
// there, is that of the call: -ENOMEM, or what call_again() returns. Without the lock.
s64 populate_take(struct thread *thread, u64 bytes, int level);
// The call mmap goes on, which has put its area: it gets what was taken, or with level 0 what is
// missing. Returns what the call returns, when all is done result.
s64 populate_begin(struct thread *thread, u64 start, u64 end, int level, s64 result);
s64 populate(struct thread *thread);
