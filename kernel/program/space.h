// The program's address space: its areas (areas.h), and the pages that exist of them. Pages come on first touch; pages
// of the program file that nothing may write are mapped from where the loader put the file, without a copy.
#pragma once

#include "kernel/program/areas.h"

#define STACK_BYTES (8ull << 20) // the main thread's stack, as Linux limits it
#define STACK_GUARD (1ull << 20) // below it nothing is placed by choice, so that an overflow is known as one

enum space_fault { SPACE_MAPPED, SPACE_NOTHING_THERE, SPACE_NO_RIGHT, SPACE_STACK_OVERFLOW, SPACE_NO_MEMORY };

// Before anything else. What the program may have promised to it in all is what is free now.
void space_init(void);
// Where the heap that brk() moves starts.
void space_set_brk(u64 start);
// The first and the last byte's end of what may be placed by choice; the stack is above.
#define SPACE_PLACE_END (USER_END - STACK_BYTES - STACK_GUARD)

// Puts an area for the loader. False when the memory for it cannot be promised.
bool space_put(const struct area *like) MUST_USE;
// A page fault of the program (or of the kernel on its behalf) with the CPU's error code: maps the page, or says why
// not.
enum space_fault space_fault(u64 address, u64 error);
// The area that contains address, or NULL.
const struct area *space_area(u64 address);
