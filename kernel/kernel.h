// What every room of the kernel needs: the log and the panic.
#pragma once

#include <stdarg.h>
#include "kernel/lib/types.h"

// One line in the log, "vmos: " in front and a newline behind, given to every sink. No line is longer than LOG_LINE.
#define LOG_LINE 256
void log(const char *fmt, ...) PRINTF_LIKE(1, 2);
// The same with "vmos! " in front: build.sh repeats these lines on standard error.
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_line(const char *prefix, const char *fmt, va_list args);

// Where log lines go. Sinks take raw bytes, never block for ever and need no lock; up to 4, added once each.
typedef void (*log_sink)(const char *text, size_t bytes);
void log_add_sink(log_sink sink);

// Our own bug: report with registers and backtrace, then end the machine with 125.
void panic(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
#define ASSERT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) panic("%s:%d: %s does not hold", __FILE__, __LINE__, #condition);                            \
    } while (0)
// The machine or the image is unfit: one line a person can act on ("vmos! ..."), then the machine ends with 125.
void unfit(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
// Who ends the machine after either; before this is set the CPU halts.
void panic_set_end(void (*end)(int status));
// The kernel's ELF file, for function names; it runs with its address 0 at run_address. Returns how many bytes of the
// file, behind the ELF header, are not needed for that.
u64 panic_set_symbols(const void *elf_file, u64 length, u64 run_address);
