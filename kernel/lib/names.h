// The names of the kernel's own functions, for a panic. In the kernel's file they take a fifth of
// what an ELF symbol table takes: it is the one section with contents that is not loaded, which
// build.sh makes (names_of_kernel there):
//
//   u32         how many functions there are
//   u32         where the first one starts
//   u16 each    bytes from its start to the start of the next one; of the last one, to its end
//   names       in the same order. Of each a byte says how many characters it has in common
//               with the name before. At least one more character follows; the last has bit 7 set
#pragma once

#include "kernel/lib/elf.h"

struct names {
    const u8 *table;  // in the file
    u64 bytes, count; // of the table; of functions. 0: there are none
};

struct names names_open(const struct elf *elf);

#define NAMES_LONGEST 63 // what is longer is cut
bool names_find(const struct names *names, u64 address, char name[NAMES_LONGEST + 1], u64 *offset);
