// Finds what is free of the frames that several spaces may have had, by tracing all of them: each
// piece of work is short, and others change their spaces in between (memory/shares.h).
#pragma once

#include "kernel/lib/types.h"

// An entry of so many pages that may be shared is gone: they may be garbage.
void collector_dropped(u64 pages);
// Whether so much may be garbage that it is worth looking, an eighth of memory; or (is_short) any.
bool collector_is_due(bool is_short);
// A piece of work. False: another CPU is at it.
bool collector_step(void);
