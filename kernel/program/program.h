// The program: one Linux ELF file, its thread, its system calls, and how it ends.
#pragma once

#include <asm/errno.h>
#include "boot/bootinfo.h"
#include "kernel/cpu/trap.h"
#include "kernel/file/file.h"
#include "kernel/lib/elf.h"
#include "kernel/program/areas.h"

struct program {
    const struct boot_info *boot;
    struct elf elf;
    u64 bias;    // what was added to the addresses in the file
    u64 idle_ns; // time the CPU has spent waiting for anything to do
};
extern struct program program;

// A thread (process and thread 1) is its saved registers and its state; kernel stacks belong to CPUs. A call that
// cannot finish yet returns CALL_WAITS: the thread then waits, and the scheduler executes the call anew when it is
// woken or its deadline has passed. What the call must remember between two executions stands in the progress record
// here.
struct thread {
    struct context context;               // first: the trap code's context is the thread
    bool waiting;                         // in a call that returned CALL_WAITS
    bool woken;                           // something happened that it may wait for
    bool has_deadline;                    // progress record: deadline was set by the first execution of this call
    u64 deadline;                         // time_now_ns() when the wait ends whatever happens, or NEVER
    u64 signals_blocked, signals_pending; // bit n - 1 for signal n
};
#define NEVER (~0ull)

// Loads the program of the image, makes its first thread and enters it. boot: a copy that lives for ever, all of whose
// memory the window reaches; it gets the last two time stamps.
void program_run(struct boot_info *boot) __attribute__((noreturn));
// The first execution of a call sets its deadline, the later ones keep it: no timeout starts again. True when it
// passed.
bool thread_deadline(struct thread *thread, u64 ns_from_now);

// ---- load.c ----
// Maps the program and builds its stack; fills regs for its first instruction. Ends the machine when it is unfit.
void program_load(struct boot_info *boot, struct registers *regs);

// ---- signal.c ----
// An exception of the program: a page that only has to be made, or a report and the end.
void program_fault(struct context *context, const struct fault *fault);
void signal_send(struct thread *thread, int signal);
void signal_deliver(struct thread *thread); // ends the program when a signal is due
static inline u64 signal_due(const struct thread *thread) { return thread->signals_pending & ~thread->signals_blocked; }

// ---- files.c ----
#define FILES_MAX 64
// Opens 0, 1 and 2: standard input as the image has it, output on COM1 and the screen. output_is_tty: 1 and 2 are a
// terminal although 0 is none. typed: see terminal_init().
void files_init(const struct boot_info *boot, bool output_is_tty, void (*typed)(int signal));
struct file *file_at(u64 number); // NULL: not open

// ---- space.c: the program's address space, its areas and the pages that exist of them ----
#define STACK_BYTES     (8ull << 20) // the main thread's stack, as Linux limits it
#define STACK_GUARD     (1ull << 20) // below it nothing is placed by choice, so that an overflow is known as one
#define STACK_START     (USER_END - STACK_BYTES)
#define SPACE_PLACE_END (STACK_START - STACK_GUARD) // what may be placed by choice ends here

#define FAULT_WRITE (1u << 1) // page-fault error code, SDM 3A 4.7
#define FAULT_FETCH (1u << 4)

// Before anything else. What the program may have promised to it in all is what is free now.
// heap: where what brk() moves starts.
void space_init(u64 heap);
// Puts an area for the loader, and with _file the bytes of the program file at that physical address, a multiple of
// PAGE_SIZE, at its start. False when there is no memory for it.
bool space_put(const struct area *like) MUST_USE;
bool space_put_file(const struct area *like, u64 file, u64 bytes) MUST_USE;
// A page fault of the program (or of the kernel on its behalf) with the CPU's error code: maps the page and returns
// NULL, or says why not; space_no_memory is the one reason that is not the program's fault.
const char *space_fault(u64 address, u64 error);
extern const char space_no_memory[];
// Whether there is an area at address with these rights, or more.
bool space_allows(u64 address, u32 rights);
// A page for what the kernel keeps for the program, out of what was not promised to it; 0 when there is none.
u64 space_page(void);

// ---- process.c ----
u64 random_u64(void);

// The calls that do something, by the names of <asm/unistd_64.h>: call_NAME gets the thread and the six arguments and
// returns the result, a negative errno, or CALL_WAITS.
#define CALL_WAITS TTY_WAIT
#define CALL(name)                                                                                                     \
    s64 call_##name(struct thread *thread __attribute__((unused)), const u64 *arg __attribute__((unused)))
#define CALL_DECLARE(name) CALL(name);
// clang-format off
#define CALLS(X) \
    X(read) X(write) X(readv) X(writev) X(ioctl) X(fcntl) X(fstat) X(close) X(lseek) X(stat) X(open) \
    X(openat) X(newfstatat) X(getcwd) X(poll) X(mmap) X(munmap) X(mprotect) X(mremap) X(madvise) X(brk) \
    X(clock_gettime) X(gettimeofday) X(time) X(nanosleep) X(clock_nanosleep) X(getrusage) X(futex) \
    X(rt_sigaction) X(rt_sigprocmask) X(kill) X(tkill) X(tgkill) X(arch_prctl) X(prlimit64) X(getrandom) X(uname) \
    X(sysinfo) X(sched_getaffinity) X(prctl) X(exit)
// clang-format on
CALLS(CALL_DECLARE)
