// Addresses as types of their own, so that none stands where another kind is wanted, nor a count of
// bytes, which is a plain number. What a struct says in at is the address; 0 often means "none", as
// the function says that gives or takes it. Plain numbers stay what hardware, firmware, the loader
// and ELF write (entries of page tables, boot_info, memory maps), and the arithmetic with ranges of
// one kind inside of a file.
#pragma once

#include "kernel/lib/types.h"

typedef struct { // of memory or a device, as the bus has it
    u64 at;
} paddr;

static inline paddr paddr_add(paddr from, u64 bytes) { return (paddr){from.at + bytes}; }
