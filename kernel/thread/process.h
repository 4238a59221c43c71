// A process: what its threads share beside their memory, who made it, and what became of it.
#pragma once

#include "kernel/cpu/lock.h"
#include "kernel/lib/address.h"
#include "kernel/thread/waiting.h"
#include "kernel/lib/elf.h"
#include "kernel/thread/sigqueue.h"
#include "kernel/lib/sorted.h"

#define SIGNALS 64 // and the highest number of one

// The file that it runs.
struct image {
    u64 bias;                   // what was added to the addresses in the file
    u64 low, high;              // what its segments take, with that
    struct elf_symbols symbols; // all that is read of the file after the start
};

struct signal_action { // Linux's struct kernel_sigaction
    u64 handler, flags, restorer, mask;
};

// What signals do, under the lock of the threads. Mostly of one process; clone(2) can make another
// one that has them, too.
struct handlers {
    u32 users;
    struct signal_action actions[SIGNALS + 1];
};

// Under the lock of the threads.
struct signals {
    u64 pending; // sent to the process: for any thread that does not block them; bit n - 1 for n
    struct signal_queue queue; // what was told about these
    u32 unasked; // threads from this tid on were not asked yet whether they take one; 0: all were
    struct sorted_node asks; // among the processes of which some were not
};

#define LIMITS 16
struct limits { // process/limits.c; of RLIMIT_*
    struct lock lock;
    struct limit {
        u64 soft, hard;
    } of[LIMITS];
};
static inline u64 limit_get(const struct limits *limits, unsigned resource) { // the soft one
    return __atomic_load_n(&limits->of[resource].soft, __ATOMIC_RELAXED);
}
static inline u64 limit_hard(const struct limits *limits, unsigned resource) {
    return __atomic_load_n(&limits->of[resource].hard, __ATOMIC_RELAXED);
}

// A timer (alarm.c).
enum { ALARM_REAL, ALARM_PROCESS, ALARM_THREAD }; // clocks
struct alarm {
    struct sorted_node node; // among those that are set, by when they are to be looked at
    struct process *process; // NULL: there is none here
    struct signal_info info; // that it sends
    u64 at, interval;        // by its clock, ns: when it rings, and then again; 0: once
    u32 tid;                 // of the thread that gets the signal; 0: the process does
    u32 clock_tid;           // of ALARM_THREAD
    s32 overrun;             // how often it has rung until its latest signal was taken
    u8 clock;
    bool wall;               // times that the program gives are those of the wall
    bool is_silent, is_sent; // sends no signal; has sent one that was not taken yet
};
#define ALARMS      3 // of alarm and setitimer: of real time, and two of the process's own
#define ALARM_PAGES 4 // with those of timer_create

struct space;
struct files;

// What is counted of a thread, and of all that ran on a CPU: for getrusage.
struct counts {
    u64 faults;           // pages that were made when they were touched
    u64 waits, put_aside; // how often it left its CPU because it waited, or because another one's
                          // turn came
};

struct usage {
    struct counts counts;
    u64 ticks; // of the TSC, on CPUs
};

#define HALT_DIES     1u // all its threads end
#define HALT_EXECUTES 2u // all but one do, since it is about to run another program
#define HALT_STOPPED  4u // they stand still until it is continued

// Who it is (process/credentials.c).
#define GROUPS_MOST     32
#define GROUPS_OF_LINUX 65536
struct ids {
    u32 real, effective, saved, file;
};
struct credentials {
    struct ids users, groups;
    u32 more[GROUPS_MOST], more_count;                        // groups beside
    u64 permitted, effective, inheritable, bounding, ambient; // bit n: CAP_* n
    bool keeps; // capabilities when it is root no longer (PR_SET_KEEPCAPS)
};

// What is kept for whoever asks; it changes nothing, since nobody writes core files, pages are as
// large as fits, and no file is ever made.
struct kept {
    u32 dumpable, no_new_rights, no_huge_pages;
    u32 umask, personality;
    u32 barriers; // of membarrier(2), that it has registered
};

// What there is to be told of a child, until its parent has waited for that.
enum event { EVENT_NONE, EVENT_ENDED, EVENT_STOPPED, EVENT_CONTINUED };

struct process {
    u32 id; // and the tid of its first thread
    struct space *space;
    struct image image;
    struct handlers *handlers;
    struct signals signals;
    struct files *files; // the open ones (file/files.h)
    struct limits limits;
    struct kept kept;
    struct credentials credentials;
    struct alarm alarms[ALARMS];
    paddr alarm_pages[ALARM_PAGES]; // 0: not there yet
    struct wait_queue changed;      // there is something new of a child of its
    struct wait_queue goes_on;      // it is continued; who waits are its own threads
    struct wait_queue released;     // it is another program, or has ended (vfork)
    // Under the lock of the threads:
    struct process *parent;                  // NULL: the first one
    struct sorted children;                  // by their ids, until they are waited for
    struct sorted threads;                   // by their tids
    struct sorted_node by_id, child, member; // member: of its group, by group and id
    u32 parent_id;                           // 0: of the first one
    u32 group, session;
    u32 death_signal;   // that it gets when its parent has ended; 0: none
    u32 is_subreaper;   // orphans among its descendants become its children
    u32 exit_signal;    // that its parent gets when it has ended; 0: none
    u32 woken;          // of its threads when it dies: those up to this tid
    enum event event;   // for its parent
    s32 status;         // as wait(2) stores it: of the event, or what it dies of
    u32 halts;          // HALT_*: why its threads do not go on
    u32 executor;       // of HALT_EXECUTES: the thread that stays
    bool is_dead;       // all have ended
    bool has_executed;  // it runs another program than its parent did when it began
    u32 holds;          // its threads, itself until it was waited for, and who has its handlers
    struct usage ended; // of its threads that have ended
    struct usage of_children; // of its children that were waited for, and of theirs
    struct handlers own_handlers;
};
