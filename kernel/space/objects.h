// What makes the pages of areas: the program file, whose pages lie where the loader put them, and
// shared memory (MAP_SHARED | MAP_ANONYMOUS), which keeps its pages itself, so that several areas
// can show them. An entry of the address space that shows an object's page does not own it. Several
// spaces may have areas of one.
#pragma once

#include "kernel/cpu/lock.h"
#include "kernel/lib/address.h"

struct object {
    struct lock lock; // of its pages and their tables
    u64 areas;        // that show something of it, in all spaces
    u64 bytes;        // what is behind these is past its end
    paddr start;      // the program file: where it lies in memory
    paddr tail;   // and the page that is its last one, with zeroes behind the file; 0: not made yet
    paddr root;   // shared memory: page tables with its pages by offset; 0: it is the program file
    u64 promised; // page tables of its own that it is promised
    u64 given;    // no area shows it any more, and so many bytes of it have been given back
    u32 number;   // of shared memory, from 1 on; objects that were made long ago may have the same
    bool is_left; // it is in the list of those whose last area went
    struct object *next;
};

extern struct object objects_file;
void objects_set_file(paddr start, u64 bytes);
bool objects_collect(struct object **left); // what lost its last area

// Shared memory.
struct object *object_make(u64 bytes, bool promised);
bool object_give(struct object *object);

// One page of either.
paddr object_page(struct object *object, u64 offset, bool promised, const char **why);
bool object_has(struct object *object, u64 offset);
bool object_clear(struct object *object, u64 offset);
