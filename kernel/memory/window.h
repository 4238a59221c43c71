// Physical memory as the kernel sees it: at 0, the identity map, in the low kernel; at WINDOW from
// the high kernel on.
#pragma once

#include "boot/bootinfo.h"
#include "kernel/lib/address.h"

extern u64 window_base;

// A pointer to physical memory that the map calls usable (and what window_map mapped).
static inline void *window(paddr physical) { return (void *)(window_base + physical.at); }
static inline paddr window_physical(const void *pointer) {
    return (paddr){(u64)pointer - window_base};
}

// What the firmware says there is, in the window; firmware tables are looked for nowhere else above
// 1 MiB.
void window_set_map(const struct e820_entry *map, u32 entries);

enum window_kind {
    WINDOW_TABLES, // firmware tables: read-only, write-back
    WINDOW_DEVICE, // uncached
    WINDOW_WRITE_COMBINING,
};

// Maps what is not mapped yet of a physical range and returns a pointer to its first byte. NULL,
// with the reason in the log, when the range wraps or leaves the window, when part of it is mapped
// with another memory type (usable RAM is write-back), when a firmware table would lie in a hole of
// the map, or when memory for page tables is short.
void *window_map(paddr physical, u64 bytes, enum window_kind kind);
