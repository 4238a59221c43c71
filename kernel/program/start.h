// What a program finds on its stack (System V x86-64 psABI 3.4.1), and the words of the command line part. Pure.
#pragma once

#include "kernel/lib/types.h"

// The word at *offset of the command line part, and its length; moves *offset behind it. NULL: the end.
const char *command_word(const char *command, u64 length, u64 *offset, u64 *word_length);
// The text behind key= when the word is of that key, else NULL.
const char *command_value(const char *word, u64 word_length, const char *key);

struct start {
    const char *command; // command line part: arg= and env= words
    u64 command_length;
    u64 top;         // first address above the stack, a multiple of 16
    u64 limit;       // bytes that the start data may take
    const u64 *auxv; // pairs to pass on; those that point into the stack and AT_NULL are added
    u64 auxv_bytes;
    u64 random[2];
    bool (*put)(u64 to, const void *from, u64 bytes); // stores into the program's memory; false: no memory there
};

// Stores everything. The program's first stack pointer, or 0: too long for limit, or put failed.
u64 start_stack(const struct start *start);
