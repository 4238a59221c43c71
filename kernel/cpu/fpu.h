// Vector and x87 state: sized by CPUID, saved eagerly by XSAVE (FXSAVE on CPUs without it), never used by the kernel.
#pragma once

#include "kernel/lib/types.h"

void fpu_init(void);             // after CR4; XCR0: x87, SSE, AVX and AVX-512, as far as CPUID offers them
size_t fpu_state_size(void);     // bytes of one save area, less than PAGE_SIZE; areas are 64-byte aligned
void fpu_state_init(void *area); // the state a Linux program starts with: FCW 0x37f, MXCSR 0x1f80, the rest 0
void fpu_save(void *area);
void fpu_restore(const void *area);
