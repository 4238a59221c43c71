// The strings that a program is started with, kept while its old memory goes and its new one comes:
// in pages of the kernel, one chain with the strings and one with where each of them begins.
#pragma once

#include "kernel/thread/thread.h"

struct chain { // of pages, each of which names the next one; begins as zeroes
    paddr first, last;
    u64 bytes; // in all of them
};

struct arguments {
    struct chain strings;
    struct chain begins; // for each string its place in the other chain, and ARGUMENT_NONE behind
                         // those of each of the two vectors
    u64 vector, index;   // of the string that is read next; vector: 0, then 1, and 2 at the end
    u64 read;            // bytes of it that were
    u64 count;           // of the first vector
    u64 begin;           // of this string
};
#define ARGUMENT_NONE (~0ull)

// Reads a piece of the two vectors, which end with a NULL each; NULL for one is an empty one. 0:
// all is read; -EFAULT, -E2BIG, -ENOMEM, or what call_again() returns.
s64 arguments_read(struct thread *thread, struct arguments *into, const u64 vectors[2]);
// One more string, of the kernel's. False: no memory.
bool arguments_add(struct arguments *into, const char *text);
// Takes the first bytes out of a chain, at most so many, and gives back pages that are empty then.
// They are there until the next call. Returns how many; 0: the chain is empty.
u64 chain_take(struct chain *chain, const void **bytes);
void chain_end(struct chain *chain); // gives back all
