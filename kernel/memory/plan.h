// What becomes of each byte of memory, decided before anything is built. Pure: the kernel executes a plan (build.c),
// ./build.sh memmap prints one.
//
//   the BIOS map -> usable, less what nobody can use -> left, less what is in use -> linear memory
#pragma once

#include "kernel/memory/linear.h"
#include "kernel/memory/mtrr.h"

struct machine {
    const struct e820_entry *map;
    u32 entries;
    bool has_1g;                 // the CPU has 1 GiB pages
    unsigned address_bits;       // physical addresses the CPU implements
    u64 ebda;                    // lowest byte of the BIOS's below 640 KiB; LEGACY_HOLE when nothing is known
    const struct mtrr *mtrr;     // NULL: all memory counts as write-back
    struct boot_part kernel_low; // as the loader placed it; length 0: nothing boots, memory is only laid out
    struct boot_part payload;    // the same
};

struct reservation { // of memory that the map calls usable
    u64 start, end;
    const char *why;
};

struct ranges {
    struct range *list;
    size_t count;
};

struct plan {
    struct ranges usable; // RAM: write-back, reachable, not the BIOS's. The window shows it.
    struct ranges left;   // of it: what becomes linear memory
    struct ranges back;   // what joins linear memory when booting is over, by address; the tables of ACPI still in it
    u64 kernel, kernel_bytes;     // the kernel's final place; behind its image:
    u64 extents, extents_room;    // the table of extents, and for how many
    u64 map_copy;                 // the BIOS map
    u64 stack;                    // the first stack's 2 MiB; 0: memory is short, it gets pages
    u64 not_write_back;           // bytes that the MTRRs spoil
    u32 ignored;                  // usable entries that wrap
    struct reservation *reserved; // in the order they were made; NULL: not wanted
    size_t reserved_count;
};

enum plan_error {
    PLAN_OK,
    PLAN_TOO_MANY, // entries in the map: what does not fit could be a reserved one
    PLAN_NO_PLACE, // for the kernel: kernel_bytes says how much it takes. The rest of the plan stands.
};

// Working memory that plan_make needs for so many entries, and how many reservations it makes at most.
#define PLAN_CUTS            (MTRR_ENTRIES + 10)
#define PLAN_RANGES(entries) ((entries) + PLAN_CUTS)
#define PLAN_SCRATCH(entries)                                                                                          \
    (3 * PLAN_RANGES(entries) * sizeof(struct range) +                                                                 \
     MTRR_ENTRIES * (sizeof(struct e820_entry) + sizeof(struct range)))
#define PLAN_RESERVATIONS(entries) ((entries) + 3 * PLAN_CUTS)

// scratch: PLAN_SCRATCH(entries) bytes; the plan's lists lie in it. plan->reserved is set by the caller: NULL, or room
// for PLAN_RESERVATIONS(entries).
enum plan_error plan_make(const struct machine *machine, struct plan *plan, void *scratch) MUST_USE;
