// A process: what its threads share beside their memory. There is one.
#pragma once

#include "kernel/cpu/lock.h"
#include "kernel/file/descriptors.h"
#include "kernel/lib/elf.h"
#include "kernel/program/sorted.h"

#define SIGNALS 64

// The file that it runs.
struct image {
    u64 bias;                   // what was added to the addresses in the file
    u64 low, high;              // what its segments take, with that
    struct elf_symbols symbols; // all that is read of the file after the start
};

struct signal_action { // Linux's struct kernel_sigaction
    u64 handler, flags, restorer, mask;
};

// Under the lock of the threads.
struct signals {
    struct signal_action actions[SIGNALS + 1];
    u64 pending; // sent to the process: for any thread that does not block them; bit n - 1 for n
    u32 unasked; // threads from this tid on were not asked yet whether they take one; 0: all were
};

// Its open files (files.c).
struct files {
    struct lock lock;
    struct descriptors table;
};

#define LIMITS 16
struct limits { // limits.c; of RLIMIT_*
    struct lock lock;
    struct limit {
        u64 soft, hard;
    } of[LIMITS];
};

// Its timer of real time (alarm.c).
struct alarm {
    struct sorted_node node; // among those that are set, by the time when the signal comes
    u64 interval;
};

struct process {
    struct space *space;
    struct image image;
    struct signals signals;
    struct files files;
    struct limits limits;
    struct alarm alarm;
};

// The text of an address: "main+0x12 (0x401172)", or the address alone when no function of the
// process covers it, or there is none (NULL). Returns whether one did. Needs no lock.
bool program_place(const struct process *process, char *text, size_t size, u64 address);
