// The 8254 timer: channel 0 ends sleeps (timer_set() in time.h), channel 2 is the reference for the TSC on machines
// without an ACPI PM timer.
#pragma once

#include "kernel/lib/types.h"

#define PIT_HZ 1193182

void pit_counter_start(void); // channel 2 runs round and round, the speaker stays off
u16 pit_counter_read(void);   // counts down, modulo 65536
