// Threads: what one is, who runs where, and what a call does that cannot finish yet.
#pragma once

#include "kernel/cpu/trap.h"
#include "kernel/lib/sorted.h"
#include "kernel/thread/process.h"
#include "kernel/thread/record.h"
#include "kernel/thread/waiting.h"

#define THREAD_NAME       16 // bytes, with the NUL
#define ROBUST_HEAD_BYTES 24 // of the program's struct robust_list_head

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

// What a signal frame says of the exception before it (trap number, error code, address).
struct cause {
    u64 trap, error, address;
};

// The program's struct rseq (process/rseq.c).
struct rseq_kept {
    u64 at; // 0: none
    u32 bytes, signature;
    bool is_stale; // the thread was off its CPU
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
    u32 leaving;         // it makes its last call: how far that is (process/exit.c); 0: it does not
    s32 exit_status;     // of wait(2), if it is the last of its process
    bool is_held;        // it stands still, as its process does
    bool is_deaf;        // what it waits for comes soon: only its end interrupts it
    u32 tid, state;      // state: scheduler.c
    unsigned cpu;        // where it runs, is queued, or ran last
    bool waiting, ended; // in a call that returned CALL_WAITS; made its last call
    u64 virtual_time;    // by which it is queued (queue.h)
    u64 time;            // on CPUs, in TSC ticks
    u64 clear_tid;       // where 0 goes when it ends, which wakes a futex there; 0: nowhere
    u64 signals_blocked, signals_pending; // bit n - 1 for signal n
    u64 signals_wanted;                   // of the blocked ones: that its call takes
    u64 signals_saved;                    // blocked before the call, and after the next handler
    bool has_saved;                       // signals_saved holds
    struct signal_queue signals_queue;    // what was told about those that are pending
    struct cause cause;                   // of the latest exception
    struct signal_stack signal_stack;
    struct robust robust;
    struct rseq_kept rseq;
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
    bool is_short;     // no memory was left for a page that its call wants
    bool again;        // it waits for nothing but its next turn: call_again()
    bool interrupted;  // by a signal with a handler: it waits no longer
    bool restarts;     // the interrupted call is made anew if the handler has SA_RESTART
    s64 on_signal;     // what the call returns if it waits and is interrupted; or CALL_RESTARTS
    u64 faults;        // counts.faults before the call was executed this time
    bool is_done;      // the call is, but for what it leaves behind: syscall_clear()
    struct record record;
    u32 bits;              // of a futex: that a waker must have one of
    u64 wake_at, wake_end; // arrivals of the waiters that a wake in pieces has still to look at
    // Where it is: among all threads; in the queue of a CPU; among the sleepers of a CPU; in a
    // futex's bucket; in the queues of what it waits for. When it ends, in none of these.
    struct sorted_node by_tid, in_process, ready, sleep, wait;
    struct waiter waiter;
    paddr waiter_page; // with more of them; 0: none
};
#define THREAD_OF(node, member) ((struct thread *)((u8 *)node - offsetof(struct thread, member)))
#define NEVER                   (~0ull)
// It is new, and stores its tid first, where its record says (few[0]).
#define THREAD_BORN (~0u)

#define CALL_WAITS (-100000) // what a call that waits returns: no error number
#define CALL_DONE  (-100001) // a call has changed the registers itself: rax is none of its result
// What on_signal is for a call that may be made anew: the handler says whether it is (SA_RESTART),
// else it ends with EINTR.
#define CALL_RESTARTS (-100002)

// What later rooms do for threads. Set once, before the first one runs; it lives for ever.
struct thread_hooks {
    void (*call)(struct thread *thread);   // executes the call in its registers anew
    void (*signal)(struct thread *thread); // acts on a signal that is due
    void (*release)(struct file *file);    // whose queue the thread has left
    void (*gone)(struct thread *thread);   // it has ended, and no CPU has it
};
extern const struct thread_hooks *thread_hooks;

// ---- record.c ----
s64 record_copy(struct thread *thread, uaddr from, u64 bytes);
void *record_at(struct thread *thread, u64 offset); // of what was copied in
void record_give_pages(struct thread *thread);      // the call returns
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
void scheduler_yield(void);         // the current thread goes behind all others
void scheduler_set_alarm(u64 when); // this CPU runs alarm_run() at when; NEVER: not

// ---- counts.c: what threads had ----
u64 thread_time(const struct thread *thread); // on CPUs
u64 program_time(void);
struct usage process_usage(struct process *process);
struct usage usage_sum(const struct usage *a, const struct usage *b);
void usage_add(struct usage *sum, const struct thread *thread);
void count_fault(void);
struct counts program_counts(void);

// ---- threads.c ----
u32 thread_number(void); // one that neither a thread nor a process nor a group has; under the lock
extern struct lock threads_lock; // of tids and processes; while somebody holds it, none goes
// A thread like its maker, the current one, whose memory it sees; NULL: the first, which sees none
// yet. NULL: no memory.
struct thread *thread_make(struct process *process, const struct thread *like);
void thread_free(struct thread *thread); // one that has ended, and is in no list
struct thread *thread_find(u32 tid);     // under threads_lock; NULL: none
bool thread_exists(u32 tid);             // it may end at once
// Of a process the first thread that has this tid or a higher one; NULL: none.
struct thread *thread_from(const struct process *process, u32 tid);
unsigned threads_count(void);
bool thread_leave(struct thread *thread); // takes it out; whether it was the last of its process
void thread_rename(struct thread *thread, u32 tid); // from then on it has this tid, which is free
s64 thread_tell_cpu(const struct thread *thread, uaddr cpu_at, uaddr node_at); // getcpu(2)

// ---- processes.c; all of it under threads_lock ----
// A new process, which is its parent's child (NULL: it is the first), with a number but without
// threads, memory and files. Takes the lock itself. NULL: no memory, or there are too many.
struct process *process_make(struct process *parent);
struct process *process_find(u32 id);
struct process *process_of(u32 id); // the same, or the one that has a thread of this number
// The first member of a group from an id on; NULL: it has none.
struct process *process_member(u32 group, u32 from);
struct process *process_from(u32 id); // the first one from an id on; NULL: none
struct process *process_child(const struct process *process, u32 from); // of its children
void process_set_group(struct process *process, u32 group);
void process_share_handlers(struct process *process, struct process *from);
// What it handles has its default from then on; what it ignores stays so.
void process_reset_handlers(struct process *process);
// It has handlers of its own from then on, as they are now. False: another process has them, too.
bool process_own_handlers(struct process *process);
void process_adopt(struct process *child, struct process *parent); // from then on its parent
void process_remove(struct process *process); // it was waited for: its number is free
void process_drop(struct process *process);   // one hold less; at the last one its memory goes
unsigned processes_count(void);

// ---- events.c; under threads_lock ----
// Something has become of a process: its parent is told, with that status of wait(2).
void process_tell(struct process *process, enum event event, s32 status);
// What siginfo says of that event of a process.
void process_describe(u32 id, enum event event, s32 status, struct signal_info *info);
void process_stop(struct process *process, int signal);
// Whether nobody of its session has a child in its group: nobody would continue it.
bool process_is_orphaned(const struct process *process);
// It goes on if it was stopped; tells: its parent is told.
void process_continue(struct process *process, bool tells);
// All its threads end, and that becomes its status, unless it dies already.
void process_die(struct process *process, s32 status);
// Wakes some more of the threads that are to end; whether these were all.
bool process_wake_dying(struct process *process);

// ---- alarm.c ----
// The timers that are set, looked at by a CPU that watches. Returns when that is to look again.
u64 alarm_run(u64 now);
struct timer { // ns, 0: none
    u64 left, interval;
};
void alarms_init(struct process *process);
// is_absolute: left is what the timer's clock shows then. NULL: it stays. What there was.
struct timer alarm_set(struct alarm *alarm, const struct timer *wanted, bool is_absolute);
// A signal was taken that a timer may have sent: its next interval begins, and info gets the
// overruns.
void alarm_taken(struct process *process, struct signal_info *info);
// One more for the process: its number, or -EAGAIN.
s64 alarm_make(struct process *process, const struct alarm *like);
struct alarm *alarm_find(const struct process *process, u32 number); // NULL: there is none
void alarm_delete(struct alarm *alarm);
// Those that were made are gone; with all, the others are not set any more.
void alarms_end(struct process *process, bool all);
