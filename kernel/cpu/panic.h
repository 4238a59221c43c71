// Between the files of the panic: panic.c decides and prints, report.c says what is known, stop.c
// stops the others.
#pragma once

#include "kernel/cpu/cpus.h"

extern const struct panic_means *panic_means;

void panic_say(const char *fmt, ...) PRINTF_LIKE(1, 2); // one line of the report
// From now on up to so many rows may go to the screen, or more on one that has more than 25, as far
// as its page reaches. Returns how many that has left.
unsigned panic_page(unsigned rows);
void panic_report(const struct registers *regs);
void panic_report_place(const char *what, u64 address);

void cpus_stop(bool at_once); // all but this one
// Stores what this CPU was doing and halts it for ever.
void cpu_stop(const struct registers *regs) __attribute__((noreturn));

void machine_check_init(void); // of this CPU, after CR4.MCE
// The banks of this CPU that hold an error, as text; false when there is none.
bool machine_check_text(char *text, size_t size);
