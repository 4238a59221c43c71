// loader/video.c on a BIOS of the test's own: its bounce buffer and its low memory are arrays.
#pragma once

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "loader/loader.h"

static u8 bounce[BOUNCE_END - BOUNCE] __attribute__((aligned(4096)));
static u8 low[0x110000 + 1024]; // whatever segment:offset can reach, and the list behind it

static void *low_at(u64 address, u64 bytes) {
    if (address + bytes > sizeof low) abort();
    return low + address;
}

#undef BOUNCE
#undef LOW_MEMORY
#define BOUNCE ((u64)bounce)
#define LOW_MEMORY(type, address)                                                                  \
    (((struct { type value; } __attribute__((packed)) *)low_at(address, sizeof(type)))->value)
#include "kernel/lib/print.c"
#include "loader/video.c"

struct boot_info boot;
struct options options;
static char said[1024]; // all lines

void say(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    size_t used = strlen(said);
    vformat(said + used, sizeof said - used, fmt, args);
    va_end(args);
    strncat(said, "\n", sizeof said - strlen(said) - 1);
}
