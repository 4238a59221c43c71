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

typedef struct { // of linear memory (kernel/memory/linear.h)
    u64 at;
} laddr;

typedef struct { // a frame of 2 MiB of linear memory, from its start (kernel/memory/frames.h)
    u64 number;
} frameno;

// Of the program, as it gave it: nothing says that there is memory. The kernel touches it by the
// functions of kernel/cpu/trap.h alone, which take no other kind. Ranges of a space's areas are
// plain numbers.
typedef struct {
    u64 at;
} uaddr;

static inline uaddr user(u64 at) { return (uaddr){at}; }

static inline paddr paddr_add(paddr from, u64 bytes) { return (paddr){from.at + bytes}; }
