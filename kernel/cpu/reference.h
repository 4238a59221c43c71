// Counters of known rate, by which the TSC is measured. Shared with the loader, which starts the one that does not run
// by itself.
#pragma once

#include "boot/bootinfo.h"

#define PIT_HZ      1193182
#define PIT_COMMAND 0x43

enum reference_source { REFERENCE_HPET, REFERENCE_PM_TIMER, REFERENCE_PIT };

struct reference {
    enum reference_source source;
    const char *name;
    u64 hz, turn;       // it counts up, modulo turn
    volatile u32 *hpet; // its registers, or NULL
    u16 pm_timer;       // port, or 0
};

// The first that there is, from a source on. An HPET that the firmware left off is started; one without a plausible
// rate is none.
struct reference reference_choose(enum reference_source from, volatile u32 *hpet, u16 pm_timer);
struct reading reference_read(const struct reference *reference);
struct reading pit_start(void); // its channel 2 goes round, with the speaker off
