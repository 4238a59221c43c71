// What a call remembers until it returns, however often it is executed: its progress record. All
// of it is plain data that lives in the thread; the parts belong to the files that they name.
#pragma once

#include "kernel/lib/address.h"

// Memory that mmap took before, or while, it goes into an area (space/populate.c).
struct taken {
    paddr list;  // large pages, cleared, linked through their first words
    u64 count;   // how many
    paddr page;  // the one that is being cleared
    u64 bytes;   // how far
    u64 at, end; // of the range that is there and gets its pages; end 0: it is not there yet
    u64 small;   // up to there no page of 1 GiB is to be had
    u32 level;   // of pages in the list, which the range gets
    s64 result;  // of the call
};

// What mremap has still to do (space/remap.c, space/move.c).
struct move {
    u64 at, old, to,
        bytes; // multiples of PAGE_SIZE; old is 0 for a second area over the same shared memory
    u64 flags;
    u64 end, result;    // of several areas; end 0: it is one
    u64 held;           // pages in the account of promises, for what is still to come
    u64 fill, fill_end; // what gets its pages at the end, as it is locked; fill_end 0: nothing
    s64 error; // with which the call ends, once what is at the new place from undo on has gone; or
               // 0
    u64 undo;
    u32 step; // move.c
    bool stays, in_place, is_long;
};

struct tty_reader { // of the terminal (file/tty.c): one read, from its first look to its end;
                    // zeroes to begin with
    bool begun, over;
    u32 minimum;  // it is over with so many bytes
    u64 between;  // ns that may pass between two of its bytes; 0: any time
    u64 deadline; // it is over then, with what it has; ~0: never
    u64 done;     // bytes it has
};

// What a call remembers until it returns, however often it is executed.
struct record {
    bool begun;        // the rest holds
    u8 page_count;     // in pages; the record owns them
    struct file *file; // that the call looked up, held until it returns; NULL: none
    u32 flags;         // of it, as they were then
    bool has_place;    // the call brought its own offset, place
    u64 place;
    u64 total;         // bytes that are to be moved
    u64 done;          // how much of it, or of other long work, is done: 0 at first
    u64 index, before; // a vector's part that is next, and the bytes of those before it
    u32 ready;         // entries of poll, of the done ones
    bool stays;        // in its queues until its next execution
    u64 tried, room;   // bytes that the execution before tried to store, and how many it could
    u64 few[16];    // what was copied in, if it fits here: 8 parts of a vector, 16 entries of poll
    paddr pages[4]; // else here
    struct taken taken;
    union { // of one call
        struct tty_reader reader;
        struct move move;
    };
};
