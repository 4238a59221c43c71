// What becomes of each byte of memory, decided before anything is built. Pure: the kernel executes
// a plan (build.c), and ./build.sh memmap prints one.
//
//   the BIOS map -> usable, less what nobody can use -> left, less what is in use -> linear memory
#pragma once

#include "kernel/memory/linear.h"

// ---- mtrr.c: memory type range registers (Intel SDM 3A 12.11; AMD APM 2 7.7). vmos leaves them as
// they are. What a page table maps as write-back is write-back only where they agree, and a large
// page over two types is undefined ----
#define MTRR_VARIABLE 32 // pairs of registers looked at; CPUs have 8 to 11
#define MTRR_ENTRIES  (2 * MTRR_VARIABLE + 18)

struct mtrr {
    // Else nothing is known, and memory counts as write-back: hypervisors that emulate none.
    bool on;
    bool has_fixed;  // the fixed registers rule below 1 MiB
    u8 default_type; // where no other register says anything
    u8 count;        // of variable
    u64 fixed[2];    // types, a byte each: 8 times 64 KiB from 0, 8 times 16 KiB from 512 KiB
    u64 top; // AMD: memory from 4 GiB to here is write-back, whatever the rest says; 0: none
    u64 address_mask; // of physical addresses this CPU has
    struct {
        u64 base, mask;
    } variable[MTRR_VARIABLE]; // as in the registers, only valid ones
};

void mtrr_read(struct mtrr *mtrr, unsigned address_bits);
size_t mtrr_write_back(const struct mtrr *mtrr, struct e820_entry *out);

// ---- plan.c ----
struct machine {
    const struct e820_entry *map;
    u32 entries;
    bool has_1g;           // the CPU has 1 GiB pages
    unsigned address_bits; // physical addresses the CPU implements
    u64 limit;             // memory from here on is not used; 0: all is
    u64 ebda; // lowest byte of the BIOS's below 640 KiB; LEGACY_HOLE when nothing is known
    const struct mtrr *mtrr; // NULL: all memory counts as write-back
    // As the loader placed it; length 0: nothing boots, and memory is only laid out.
    struct boot_part kernel_low;
    struct boot_part payload; // the same
    struct boot_low low;      // in use, or kept, as soon as something boots
    u64 screen;               // bytes that the text on a framebuffer needs
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
    // What joins linear memory when booting is over, by address; the tables of ACPI still in it.
    struct ranges back;
    paddr kernel;                 // the high kernel's place; behind its image:
    paddr extents;                // the table of extents
    paddr map_copy, screen;       // the BIOS map; memory for the text on a framebuffer
    paddr stack;                  // the first stack's 2 MiB; 0: memory is short, it gets pages
    u64 kernel_bytes;             // with all of these
    u64 extents_room;             // so many extents have room
    u64 beyond_limit;             // bytes that the limit leaves out
    u64 not_write_back;           // of the others: bytes that the MTRRs spoil
    u32 ignored;                  // usable entries that wrap
    struct reservation *reserved; // in the order they were made; NULL: not wanted
    size_t reserved_count;
};

// Working memory that plan_make needs for so many entries, and how many reservations it makes at
// most.
#define PLAN_CUTS            (MTRR_ENTRIES + 13)
#define PLAN_RANGES(entries) ((entries) + PLAN_CUTS)
#define PLAN_SCRATCH(entries)                                                                      \
    (3 * PLAN_RANGES(entries) * sizeof(struct range) +                                             \
     MTRR_ENTRIES * (sizeof(struct e820_entry) + sizeof(struct range)))
#define PLAN_RESERVATIONS(entries) ((entries) + 3 * PLAN_CUTS)

bool plan_make(const struct machine *machine, struct plan *plan, void *scratch) MUST_USE;
