// The end of everything: what panic(), unfit() and unexpected exceptions need to know beforehand.
#pragma once

#include "kernel/cpu/trap.h"

// Who ends the machine after a report; before this is set the CPU halts.
void panic_set_end(void (*end)(int status));
// The kernel's ELF file, for function names; it runs with its address 0 at run_address. Returns how many bytes of the
// file, behind the ELF header, are not needed for that.
u64 panic_set_symbols(const void *elf_file, u64 length, u64 run_address);
// A panic because of an exception; address is CR2 for a page fault.
void panic_exception(const struct registers *regs, u64 address) __attribute__((noreturn));
