// The program: how it starts, what is done about its faults and signals, and how it ends.
#pragma once

#include "boot/bootinfo.h"
#include "kernel/lib/chacha20.h"
#include "kernel/space/space.h"
#include "kernel/thread/signals.h"

// Does the system call of that number with its six arguments: the result, a negative errno, or
// CALL_WAITS.
typedef s64 (*program_call)(struct thread *thread, u32 number, const u64 *arg);
struct calls {
    program_call call;
    s64 (*quick)(struct context *context, const struct quick *quick); // of a trap_hooks
};
// Loads the program of the image, makes its first thread and enters it. boot: a copy that lives for
// ever, all of whose memory the window reaches; it gets the last two time stamps. calls: what does
// its system calls.
void program_run(struct boot_info *boot, const struct calls *calls) __attribute__((noreturn));
// Before anything is said about the program's end: returns to the first CPU only.
void program_ends(void);

// ---- load.c ----
// Maps the program and builds its stack; fills its first thread's registers. Ends the machine
// when it is unfit.
void program_load(struct boot_info *boot, struct thread *thread);
// Maps the same program into an empty space, where its image says. The address that it starts at;
// 0: no memory.
u64 load_space(struct space *space, const struct image *image);
#define LOAD_AUXV 38
u64 load_auxv(const struct process *process, u64 auxv[LOAD_AUXV]);

// ---- start.c: what a program finds on its stack (System V x86-64 psABI 3.4.1) ----
struct start {
    const char *command; // command line part: arg= and env= words
    u64 command_length;
    u64 limit;       // bytes that the start data may take
    const u64 *auxv; // pairs to pass on; those that point into the stack and AT_NULL are added
    u64 auxv_bytes;
    u64 random[2];
};

u64 start_stack(const struct start *start);

// ---- vdso.c ----
bool vdso_map(struct space *space) MUST_USE; // at VDSO; false: no memory
// A fault that is a call of the vsyscall page: does it, and the program is to go on behind it.
// False: it is none.
bool vsyscall_emulate(struct thread *thread, const struct fault *fault);

// ---- fault_repeats.c ----
// Of a page fault for which there was nothing to do: whether it will come for ever. Pure.
bool fault_repeats(struct repeats *last, u64 rip, u64 address, u64 generation);

// ---- exception.c ----
// Lets a page fault at rip go on: NULL, or why it cannot.
const char *fault_handle(struct thread *thread, u64 rip, const struct fault *fault);
// An exception of the program: a page that only has to be made, a handler, or a report and the end.
void program_fault(struct context *context, const struct fault *fault);

// ---- rseq.c ----
#define RSEQ_FEATURES 28 // bytes of struct rseq that mean something
#define RSEQ_BYTES    32 // of it, at least, and what its address is a multiple of
// For rseq(2): 0 or a negative errno.
s64 rseq_register(struct thread *thread, const struct rseq_kept *asked, u32 flags);
// Of the current thread, which has a structure. False: it is wrong.
bool rseq_update(struct thread *thread) MUST_USE;

// ---- deliver.c ----
// Signals of the current thread that are due: frames for handlers, or the end.
void signal_deliver(struct thread *thread);
// A signal that the current thread has caused. False: nobody handles it, or it is blocked.
bool signal_catch(struct thread *thread, const struct signal_info *info);

// ---- exit.c ----
// The current thread makes its last call from here on, whatever it did before.
void exit_begin(struct thread *thread);
s64 exit_step(struct thread *thread); // an execution of it
// The current thread's process ends, with that status of wait(2).
void exit_process(struct thread *thread, s32 status);
bool exit_give_locks(struct thread *thread); // a piece of that; whether it was the last

// ---- shortage.c ----
// There is no memory for something. True: it may be there now, or soon, and is to be tried again.
// ends_some: a process may be ended for it.
bool shortage_help(bool ends_some);

// ---- exec.c ----
#define EXEC_PATH "/proc/self/exe"
#define EXEC_NAME "exe" // of its thread
// execve(2) of the image's program with two vectors of strings: CALL_DONE, and the registers are
// the new program's; or a negative errno, or what call_again() returns.
s64 exec_program(struct thread *thread, const u64 vectors[2]);

// ---- signal.c: the end of the program by a signal ----
// Of the current thread's process; of the first one it does not return, else the thread ends before
// it goes back to the program.
void signal_kill(struct thread *thread, int signal);
// By something that the thread did where it is.
void signal_kill_at(const struct thread *thread, int signal, const char *what);
// The text of an address: "main+0x12 (0x401172)", or the address alone when no function of the
// process covers it, or there is none (NULL). Returns whether one did. Needs no lock.
bool program_place(const struct process *process, char *text, size_t size, u64 address);
// For a panic: of what a CPU runs; NULL: nothing.
bool program_place_in(const struct context *context, char *text, size_t size, u64 address);

// ---- limits.c ----
void limits_init(struct limits *limits, const struct limits *like); // NULL: the first ones
// Sets a limit (wanted) or only reads it (NULL); before becomes what it was. 0, -EINVAL, or -EPERM
// for one that is more than there can be.
struct rlimit64;
s64 limit_change(struct limits *limits, u32 resource, const struct rlimit64 *wanted,
                 struct rlimit64 *before);

// ---- random.c ----
void random_init(void); // once, before anybody asks
// Numbers for one call: nobody else gets the same. Needs no lock once it has begun.
struct random {
    u32 key[CHACHA20_KEY_WORDS];
    u32 blocks;
};
void random_begin(struct random *stream);
void random_bytes(void *to, u64 bytes); // a few of them
void random_block(struct random *stream, u32 block[CHACHA20_BLOCK_WORDS]);
