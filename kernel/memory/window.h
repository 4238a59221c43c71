// Physical memory as the kernel sees it. In the low stage the window is the identity map (window_base 0), from the
// high stage on it lies at WINDOW; the same code runs in both.
#pragma once

#include "kernel/lib/types.h"

extern u64 window_base;

// A pointer to physical memory that the map calls usable (and what window_map mapped).
static inline void *window(u64 physical) { return (void *)(window_base + physical); }
static inline u64 window_physical(const void *pointer) { return (u64)pointer - window_base; }

enum window_kind { WINDOW_TABLES, WINDOW_DEVICE }; // read-only write-back for firmware tables; uncached for devices

// Maps what is not mapped yet of a physical range outside usable RAM and returns a pointer to its first byte; what is
// mapped already keeps its memory type. NULL when the range wraps or leaves the window, or memory for page tables is
// short.
void *window_map(u64 physical, u64 bytes, enum window_kind kind);
