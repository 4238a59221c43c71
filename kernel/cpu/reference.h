// Counters of known rate, by which the TSC is measured. Shared with the loader, which starts the one that does not run
// by itself.
#pragma once

#include "boot/bootinfo.h"

#define PIT_HZ      1193182
#define PIT_COMMAND 0x43

enum reference_source { REFERENCE_HPET, REFERENCE_PM_TIMER, REFERENCE_PIT }; // the best first

struct reference {
    enum reference_source source;
    const char *name;
    u64 hz, turn;       // it counts up, modulo turn
    volatile u32 *hpet; // its registers
    u16 port;           // of the PM timer
};

// False when the registers do not show an HPET. Starts it where firmware left it off.
bool reference_hpet(volatile u32 *registers, struct reference *reference);
struct reference reference_pm_timer(u16 port);
struct reference reference_pit(void);
struct reading pit_start(void); // channel 2 goes round, with the speaker off
struct reading reference_read(const struct reference *reference);
