// What every room of the kernel needs: the log and the panic.
#pragma once

#include <stdarg.h>
#include "kernel/lib/options.h"

// One line in the log, "vmos: " in front and a newline behind, given to every sink. No line is
// longer than LOG_LINE.
#define LOG_LINE 256
void log(const char *fmt, ...) PRINTF_LIKE(1, 2);
// The same with "vmos! " in front: build.sh repeats these lines on standard error.
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_line(const char *prefix, const char *fmt, va_list args);
// The line as it goes out, newline included; returns its length.
size_t log_format(char line[LOG_LINE + 1], const char *prefix, const char *fmt, va_list args);
// The line so many before the last one, without its newline and cut short; NULL: not kept.
const char *log_kept(unsigned before);
// The other CPUs have stopped, wherever they were: no lock from here on, and all sinks once more.
void log_alone(void);

// Where log lines go, in this order. Sinks take raw bytes, never block for ever and need no lock.
enum log_sinks { LOG_WIRE, LOG_COM1, LOG_SCREEN };
typedef void (*log_sink)(const char *text, size_t bytes);
void log_set_sink(enum log_sinks which, log_sink write);
// LOG_WIRE or LOG_SCREEN shows only lines of log_error(), and panics.
void log_quiet(enum log_sinks which, bool errors_alone);
void log_put(const char *line, size_t length, size_t on_screen); // so much of it

extern struct options options; // of the image's command line; read once, by main.c

// Our own bug: report with registers and backtrace, then end the machine with 125.
void panic(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) panic("%s:%d: %s does not hold", __FILE__, __LINE__, #condition);        \
    } while (0)
// The machine or the image is unfit: one line a person can act on ("vmos! ..."), then the machine
// ends with 125.
void unfit(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
struct context;
// What a panic uses of higher rooms. Nothing of it may need a lock, wait without a bound or panic
// for sport.
struct panic_means {
    log_sink com1; // LOG_COM1 from then on
    // Where a mapped byte of this address space can be read; NULL: it is not mapped.
    const void *(*peek)(u64 address);
    // A place in the program that a CPU ran (its context; NULL: none) by its symbols, else the
    // address alone; returns whether a symbol covers it.
    bool (*program_place)(const struct context *context, char *text, size_t size, u64 address);
    unsigned (*screen)(bool program_draws); // false: shows text from now on; returns its rows
    void (*end)(int status);                // of the machine, also after unfit()
};
// Lives for ever. Before this the CPU halts in silence.
void panic_set_means(const struct panic_means *means);
// For the names of the kernel's functions.
u64 panic_set_symbols(const void *elf_file, u64 length, u64 run_address);
