// The program: one Linux ELF file, its threads, its system calls, and how it ends.
#pragma once

#include <asm/errno.h>
#include "boot/bootinfo.h"
#include "kernel/cpu/lock.h"
#include "kernel/cpu/trap.h"
#include "kernel/file/file.h"
#include "kernel/program/areas.h"
#include "kernel/program/files.h"
#include "kernel/program/process.h"
#include "kernel/program/promises.h"
#include "kernel/program/sorted.h"
#include "kernel/program/waiting.h"

// Memory that mmap took before, or while, it goes into an area (populate.c).
struct taken {
    u64 list, count; // large pages, cleared, linked through their first words, and how many
    u64 page, bytes; // the one that is being cleared, and how far
    u64 at, end;     // of the range that is there and gets its pages; end 0: it is not there yet
    u64 small;       // up to there no page of 1 GiB is to be had
    u32 level;       // of pages in the list, which the range gets
    s64 result;      // of the call
};

// What mremap has still to do (remap.c, move.c).
struct move {
    u64 at, old, to,
        bytes; // multiples of PAGE_SIZE; old is 0 for a second area over the same shared memory
    u64 flags;
    u64 end, result;    // of several areas; end 0: it is one
    u64 held;           // pages in the account of promises, for what is still to come
    u64 fill, fill_end; // what gets its pages at the end, as it is locked; fill_end 0: nothing
    s64 error; // with which the call ends, once what is at the new place from undo on has gone; or
               // 0
    u64 undo;
    u32 step; // move.c
    bool stays, in_place, is_long;
};

// What a call remembers until it returns, however often it is executed (program.c).
struct record {
    bool begun;        // the rest holds
    u8 page_count;     // in pages; the record owns them
    struct file *file; // that the call looked up, held until it returns; NULL: none
    u32 flags;         // of it, as they were then
    bool has_place;    // the call brought its own offset, place
    u64 place;
    u64 total;         // bytes that are to be moved
    u64 done;          // how much of it, or of other long work, is done: 0 at first
    u64 index, before; // a vector's part that is next, and the bytes of those before it
    u32 ready;         // entries of poll, of the done ones
    bool stays;        // in its queues until its next execution
    u64 tried, room;   // bytes that the execution before tried to store, and how many it could
    struct tty_reader reader;
    u64 few[16];  // what was copied in, if it fits here: 8 parts of a vector, 16 entries of poll
    u64 pages[4]; // else here
    struct taken taken;
    struct move move;
};

#define THREAD_NAME       16 // bytes, with the NUL
#define ROBUST_HEAD_BYTES 24 // of the program's struct robust_list_head

// What is counted of a thread, and of all that ran on a CPU: for getrusage.
struct counts {
    u64 faults;           // pages that were made when they were touched
    u64 waits, put_aside; // how often it left its CPU because it waited, or because another one's
                          // turn came
};

// The program's list of locks that it holds, see robust.c.
struct robust {
    u64 head;                        // where it starts; 0: none
    u64 next, futex_offset, pending; // what stands there, from when the thread ends
};

// The latest page fault for which there was nothing to do, and how often it came.
struct repeats {
    u64 rip, address, generation;
    u32 times;
};

// Linux's stack_t, of sigaltstack(); no bytes: none.
struct signal_stack {
    u64 start;
    u32 flags;
    u64 bytes;
};

// What the program gave it; it has no effect.
struct priority {
    s8 nice;
    u8 policy;
};

// A thread (process and thread 1) is its saved registers and its state, in a page of its own with
// its vector state; kernel stacks belong to CPUs. A call that cannot finish yet returns CALL_WAITS:
// the thread then waits, and the scheduler executes the call anew when it is woken or its deadline
// has passed. What the call must remember between two executions stands in the progress record
// here.
struct thread {
    struct context context; // first: the trap code's context is the thread
    struct process *process;
    u32 tid, state;      // state: scheduler.c
    unsigned cpu;        // where it runs, is queued, or ran last
    bool waiting, ended; // in a call that returned CALL_WAITS; made its last call
    u64 virtual_time;    // by which it is queued (queue.h)
    u64 time;            // on CPUs, in TSC ticks
    u64 clear_tid;       // where 0 goes when it ends, which wakes a futex there; 0: nowhere
    u64 signals_blocked, signals_pending; // bit n - 1 for signal n
    struct signal_stack signal_stack;
    struct robust robust;
    struct counts counts;
    struct repeats repeats;
    struct priority priority;
    char name[THREAD_NAME];
    u64 timer_slack; // of prctl; 0: the usual one
    // The progress record:
    bool has_deadline; // deadline was set by the first execution of this call
    u64 deadline;      // time_now_ns() when the wait ends whatever happens, or NEVER
    u64 cpu_deadline;  // of a sleep by a CPU clock: what that shows at its end
    bool looks_again;  // before it waits: wait_for()
    bool again;        // it waits for nothing but its next turn: call_again()
    u64 faults;        // counts.faults before the call was executed this time
    bool is_done;      // the call is, but for what it leaves behind: syscall_clear()
    struct record record;
    u32 bits;              // of a futex: that a waker must have one of
    u64 wake_at, wake_end; // arrivals of the waiters that a wake in pieces has still to look at
    // Where it is: among all threads; in the queue of a CPU; among the sleepers of a CPU; in a
    // futex's bucket; in the queues of what it waits for. When it ends, in none of these.
    struct sorted_node by_tid, ready, sleep, wait;
    struct waiter waiter;
    u64 waiter_page; // with more of them; 0: none
};
#define THREAD_OF(node, member) ((struct thread *)((u8 *)(node)-offsetof(struct thread, member)))
#define NEVER                   (~0ull)

// Does the system call of that number with its six arguments: the result, a negative errno, or
// CALL_WAITS.
typedef s64 (*program_call)(struct thread *thread, u32 number, const u64 *arg);
// Loads the program of the image, makes its first thread and enters it. boot: a copy that lives for
// ever, all of whose memory the window reaches; it gets the last two time stamps. call: what does
// its system calls.
void program_run(struct boot_info *boot, program_call call) __attribute__((noreturn));
// The first execution of a call sets its deadline, the later ones keep it: no timeout starts again.
// True when it passed.
bool thread_deadline(struct thread *thread, u64 ns_from_now);
// A call that works long stops after so many instructions and is executed anew, with its progress
// record, once interrupts, signals and the other threads had their turn. Returns what the call
// returns.
s64 call_again(struct thread *thread);
// Whether a page had to be made for this execution of the call: a large one takes nearly all the
// time that it may. Until the next execution only small ones are made.
static inline bool call_faulted(const struct thread *thread) {
    return thread->counts.faults != thread->faults;
}
// or rounds of a string instruction: a third of what a CPU may be kept for
#define CALL_INSTRUCTIONS 100000
void syscall_run(
    struct thread *thread); // executes the call in its registers, for the first time or anew
void program_ends(
    void); // before anything is said about the program's end: returns to the first CPU only

// ---- refusals.c ----
// A built call refuses what Linux would do: returns error, after a line in the log that names the
// call, the option with its value, and what is missing. Once for each value; missing is one
// constant string for each thing that is missing.
s64 refused(const char *call, const char *option, u64 value, const char *missing, s64 error);

// ---- scheduler.c: which thread runs on which CPU ----
void scheduler_init(struct thread *first); // on each CPU; first: what runs there, or NULL
// Before every return to the program: a fatal signal ends it here, also when it never makes a call,
// and a thread whose call waits does not return before the call, executed anew, has its result.
// NULL: nothing has run here yet.
void schedule(struct context *context);
void thread_start(struct thread *thread); // a new one, all its registers ready
// Something happened that thread may wait for: it looks again, and enters the kernel if it runs
// elsewhere. The caller holds what keeps it from ending.
void thread_wake(struct thread *thread);
u64 thread_time(const struct thread *thread); // TSC ticks on CPUs, of the current thread
u64 program_time(void);                       // of all
void count_fault(void);                       // of the current thread
struct counts program_counts(void);           // of all threads so far
void scheduler_yield(void);                   // the current thread goes behind all others
void scheduler_set_alarm(u64 when);           // this CPU runs alarm_run() at when; NEVER: not

// ---- threads.c ----
extern struct lock threads_lock; // of the tids; while somebody holds it, no thread goes
// A thread like its maker, the current one; NULL: the first. NULL: no memory.
struct thread *thread_make(struct process *process, const struct thread *like);
void thread_free(struct thread *thread);            // one that has ended, and is in no list
struct thread *thread_find(u32 tid);                // under threads_lock; NULL: none
bool thread_exists(u32 tid);                        // it may end at once
struct thread *thread_from(u32 tid);                // the first that has this one or a higher one
struct thread *thread_after(struct thread *thread); // NULL: the first, or the end
unsigned threads_count(void);
bool thread_leave(struct thread *thread); // takes it out; whether it was the last one
s64 thread_tell_cpu(const struct thread *thread, u64 cpu_at, u64 node_at); // getcpu(2)

// ---- alarm.c ----
// The processes' timers of real time, looked at by a CPU that watches one. Returns when that is to
// look again.
u64 alarm_run(u64 now);
struct timer { // ns, 0: none
    u64 left, interval;
};
struct timer alarm_set(struct process *process,
                       const struct timer *wanted); // NULL: it stays. What there was

// ---- robust.c ----
// Of a thread that ends: gives up the locks it holds. False: there are more, in the call's next
// execution.
bool robust_walk(struct thread *thread);

// ---- terminal_file.c ----
void terminal_input_happened(int signal);
void terminal_output_happened(void);

// ---- record.c ----
s64 record_copy(struct thread *thread, u64 from, u64 bytes);
void *record_at(struct thread *thread, u64 offset); // of what was copied in
// The open file of a number, looked up by the first execution of the call that asks for it and held
// until the call returns; NULL: none.
struct file *record_file(struct thread *thread, u64 number);
void record_end(struct thread *thread); // the call returns

// ---- futex.c: who waits for a word of memory ----
void futex_init(void); // once, before the first call
struct futex_key {     // what a waiter waits for
    u64 place;         // space_place() of the word, or its address for who says that it is private
};
struct futex_key futex_key(struct space *space, u64 address,
                           u32 operation); // operation: with FUTEX_PRIVATE_FLAG or without
void futex_wake_one(struct futex_key key); // the one who came first
// The calls, in every execution; operation: with Linux's flags.
struct futex_wait {
    u64 word, ns; // ns: from now, or until then; NEVER
    u32 operation, expected, bits;
};
s64 futex_wait(struct thread *thread, const struct futex_wait *wait);
s64 futex_wake(struct thread *thread, u64 word, u32 operation, u32 count, u32 bits);
struct futex_requeue {
    u64 word, to;
    u32 operation, expected, wakes, moves;
    bool compares; // the word with what is expected
};
s64 futex_requeue(struct thread *thread, const struct futex_requeue *how);
bool futex_waits(struct thread *thread, bool leave); // whether it is at one; leave: not any more

// ---- load.c ----
// Maps the program and builds its stack; fills its first thread's registers. Ends the machine
// when it is unfit.
void program_load(struct boot_info *boot, struct thread *thread);

// ---- start.c: what a program finds on its stack (System V x86-64 psABI 3.4.1) ----
struct start {
    const char *command; // command line part: arg= and env= words
    u64 command_length;
    u64 limit;       // bytes that the start data may take
    const u64 *auxv; // pairs to pass on; those that point into the stack and AT_NULL are added
    u64 auxv_bytes;
    u64 random[2];
};

// Stores everything below STACK_END. The program's first stack pointer, or 0: too long for limit,
// or no memory there.
u64 start_stack(const struct start *start);

// ---- vdso.c ----
bool vdso_map(struct space *space) MUST_USE; // at VDSO; false: no memory
// A fault that is a call of the vsyscall page: does it, and the program is to go on behind it.
// False: it is none.
bool vsyscall_emulate(struct thread *thread, const struct fault *fault);

// ---- repeats.c ----
// Of a page fault for which there was nothing to do: whether it will come for ever. Pure.
bool fault_repeats(struct repeats *last, u64 rip, u64 address, u64 generation);

// ---- signal.c ----
// Lets a page fault at rip go on: NULL, or why it cannot.
const char *fault_handle(struct thread *thread, u64 rip, const struct fault *fault);
// An exception of the program: a page that only has to be made, or a report and the end.
void program_fault(struct context *context, const struct fault *fault);
// What a signal does from now on, unless wanted is NULL; before becomes what it did. 0, -EINVAL, or
// -ENOSYS for a handler.
s64 signal_act(struct process *process, int signal, const struct signal_action *wanted,
               struct signal_action *before);
bool signal_ignored(const struct process *process, int signal);
// Some threads of the process, from a tid on, forget a signal that is ignored now. Who is the next;
// 0: that was all.
u32 signal_forget(struct process *process, int signal, u32 tid);
// To thread tid, or (0) to the process: some thread that does not block it takes it. 0 is no
// signal, as for kill(2).
s64 signal_send(struct process *process, u32 tid, int signal);
extern struct process *signals_unasked; // has threads that were not asked yet; NULL: none has
// Whether signal_search() has something to do. Looked at before every return to the program.
static inline bool signal_is_unasked(void) {
    return __atomic_load_n(&signals_unasked, __ATOMIC_RELAXED);
}
// Goes on looking for somebody who takes what was sent to a process. False: nobody is left to
// ask. Without locks.
bool signal_search(void);
void signal_deliver(
    struct thread *thread); // of the current one: ends the program when a signal is due
void signal_block(struct thread *thread,
                  u64 signals); // the current one: these alone from now on, whichever they are
void signal_block_asked(struct thread *thread,
                        u64 signals); // the same, but for the two that no program can block

// For a panic: of what a CPU runs; NULL: nothing.
bool program_place_in(const struct context *context, char *text, size_t size, u64 address);

// ---- space.c: the program's address space, its areas and the pages that exist of them ----
// what the main thread's stack may grow to: RLIMIT_STACK at the start
#define STACK_BYTES (8ull << 20)
#define VDSO        (USER_END - PAGE_SIZE)
#define STACK_END   VDSO
#define STACK_FIRST (132ull << 10) // of it there from the beginning, as on Linux
// nothing is placed by choice there, so that the limit can be raised
#define STACK_ROOM (128ull << 20)
// what may be placed by choice ends here
#define SPACE_PLACE_END (STACK_END - STACK_ROOM - AREA_GAP)

// An empty one, which begins as zeroes.
void space_init(struct space *space, struct tlb *tlb, const struct limits *limits);
// Before its first area. heap: where what brk() moves starts; file: the program's, at a page.
void space_begin(struct space *space, u64 heap, const struct boot_part *file);
// Puts an area for the loader. False when there is no memory for it.
bool space_put(struct space *space, const struct area *like) MUST_USE;
// The same, with pages of a file that are there from the beginning: the first kept bytes from its
// object's offset on; the rest of the last one's page is zero.
bool space_put_file(struct space *space, const struct area *like, u64 kept) MUST_USE;
// A page fault of the program (or of the kernel on its behalf) with the CPU's error code: maps the
// page and returns NULL, or says why not. Two reasons are SIGBUS: that there is no memory, which is
// not the program's fault, and that the page is past the end of its file.
const char *space_fault(struct space *space, u64 address, u64 error);
extern const char space_no_memory[], space_past_end[];
// Whether a page is there that is not the program's own, but a file's or shared.
bool space_shows_other(struct space *space, u64 address);
// What is the same for all addresses of one byte: of shared memory its object and the place in it,
// else the address.
u64 space_place(struct space *space, u64 address);

// ---- limits.c ----
void limits_init(struct limits *limits);
u64 limit_get(const struct limits *limits, unsigned resource); // the soft one, of RLIMIT_*
u64 limit_hard(const struct limits *limits, unsigned resource);
// Sets a limit (wanted) or only reads it (NULL); before becomes what it was. 0, -EINVAL, or -EPERM
// for one that is more than there can be.
struct rlimit64;
s64 limit_change(struct limits *limits, u32 resource, const struct rlimit64 *wanted,
                 struct rlimit64 *before);

// ---- random.c ----
u64 random_u64(void);

// ---- clocks.c ----
// A struct timespec of the program in ns, NEVER when that is beyond all; 0, -EFAULT or -EINVAL.
s64 time_get(u64 from, u64 *ns);
s64 time_put(u64 to, u64 ns);
// What a clock shows, by its number. False: there is no such clock, or no such thread any more.
bool clock_now(const struct thread *thread, int id, u64 *ns);
bool clock_exists(const struct thread *thread, int id);
// gettimeofday(2) and time(2), for who calls the vsyscall page, too. Addresses of the program.
s64 clock_tell_time_of_day(u64 time, u64 zone);
s64 clock_tell_seconds(u64 to);
enum clock_kind { CLOCK_NONE, CLOCK_WALL, CLOCK_BOOT, CLOCK_PROCESS, CLOCK_ONE_THREAD };
struct clock_id {
    enum clock_kind kind;
    u32 tid; // CLOCK_ONE_THREAD: of which thread; it may have ended
};
// The clock that a call sleeps by, in every execution: 0, -EINVAL or -EOPNOTSUPP.
s64 clock_of_sleep(const struct thread *thread, int id, struct clock_id *clock);
// The first execution: for so many ns, or until then. 0 or -EINVAL.
s64 clock_sleep_begin(struct thread *thread, struct clock_id clock, u64 ns, bool absolute);
s64 clock_sleep(struct thread *thread, struct clock_id clock); // 0: it is over; else CALL_WAITS

#define CALL_WAITS (-100000) // what a call that waits returns: no error number
