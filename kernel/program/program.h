// The program: one Linux ELF file, what it was given, and how it ends.
#pragma once

#include "boot/bootinfo.h"
#include "kernel/cpu/trap.h"
#include "kernel/lib/elf.h"

struct program {
    const struct boot_info *boot;
    struct elf elf;
    u64 bias; // what was added to the addresses in the file
};
extern struct program program;

// Loads the program of the image, makes its first thread and enters it. boot: a copy that lives for ever, all of whose
// memory the window reaches; it gets the last two time stamps.
void program_run(struct boot_info *boot) __attribute__((noreturn));

// ---- load.c ----
// Maps the program and builds its stack; fills regs for its first instruction. Ends the machine when it is unfit.
void program_load(struct boot_info *boot, struct registers *regs);

// ---- death.c ----
// An exception of the program: a page that only has to be made, or a report and the end.
void program_fault(struct context *context, const struct fault *fault);
// A page fault of the kernel's copies to and from the program: true when the page is there now.
bool program_copy_fault(const struct fault *fault);
// Ends the machine for a signal that nobody handles.
void program_killed(int signal) __attribute__((noreturn));

// ---- random.c ----
void random_bytes(void *to, size_t bytes);
