// Time from the TSC, calibrated against the ACPI PM timer (or the PIT when there is none) by two readings that lie
// apart anyway, and the one-shot timer that ends a sleep.
#pragma once

#include "kernel/lib/types.h"

void time_init(u16 pm_timer_port); // 0: there is none. Takes the first reading.
u64 tsc(void);
u64 time_now_ns(void);         // since time_init, never runs backwards; calibrates at first use
u64 time_tsc_to_ns(u64 ticks); // a difference of time stamps
// One interrupt, which does nothing but wake: at time_now_ns() deadline_ns or soon after it, but at the latest 54 ms
// from now. Whoever sleeps longer looks at the time and calls again.
void timer_set(u64 deadline_ns);
