// The system calls. call_NAME does the call that <asm/unistd_64.h> numbers as __NR_NAME: it gets
// the thread and the six arguments and returns the result, a negative errno, or CALL_WAITS.
#pragma once

#include "kernel/file/file.h"
#include "kernel/file/files.h"
#include "kernel/process/clocks.h"
#include "kernel/process/futex.h"
#include "kernel/process/program.h"

// All calls have the same parameters, as the table wants it; not every one needs them.
#pragma GCC diagnostic ignored "-Wunused-parameter"

#define CALL(name, function, state, note) s64 function(struct thread *thread, const u64 *arg);
#include "kernel/call/table.h"
#undef CALL

s64 usage_tell(u64 at, const struct usage *of); // usage.c; as struct rusage

// Finds a call by its number. One that nobody built returns -ENOSYS, which programs know how to
// live with, and is named once in the log.
s64 calls_dispatch(struct thread *thread, u32 number, const u64 *arg);

extern const struct calls calls_of_program; // quick.c: for program_run()
void calls_init(void);
