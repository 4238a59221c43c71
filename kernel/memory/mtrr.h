// Memory types by address, as the firmware set them: memory type range registers (Intel SDM 3A 12.11; AMD APM 2 7.7).
// vmos leaves them as they are. What a page table maps as write-back is write-back only where they agree, and a large
// page over two types is undefined.
#pragma once

#include "kernel/memory/e820.h"

#define MTRR_VARIABLE 32 // pairs of registers looked at; CPUs have 8 to 11
#define MTRR_ENTRIES  (2 * MTRR_VARIABLE + 18)

struct mtrr {
    bool on;          // else nothing is known, and memory counts as write-back: hypervisors that emulate none
    bool has_fixed;   // the fixed registers rule below 1 MiB
    u8 default_type;  // where no other register says anything
    u8 count;         // of variable
    u64 fixed[2];     // types, a byte each: 8 times 64 KiB from 0, 8 times 16 KiB from 512 KiB
    u64 top;          // AMD: memory from 4 GiB to here is write-back, whatever the rest says; 0: none
    u64 address_mask; // of physical addresses this CPU has
    struct {
        u64 base, mask;
    } variable[MTRR_VARIABLE]; // as in the registers, only valid ones
};

void mtrr_read(struct mtrr *mtrr, unsigned address_bits);

// Describes what is write-back as a memory map whose usable entries are the write-back ranges; returns the number of
// entries, at most MTRR_ENTRIES; 0 when nothing is known. Where registers contradict, memory does not count as
// write-back, also where the manuals leave the result undefined.
size_t mtrr_write_back(const struct mtrr *mtrr, struct e820_entry *out);
