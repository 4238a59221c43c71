// Vector and x87 state (Intel SDM 1 chapter 13). Plain XSAVE: XSAVEOPT leaves out what it believes
// unchanged in memory, which is wrong as soon as somebody writes to an area or gives it to another
// context.
#include "kernel/cpu/trap.h"
#include "kernel/cpu/x86.h"
#include "kernel/lib/string.h"

// x87, SSE, AVX, AVX-512: state that is nothing but registers, 2688 bytes in all. Others need more
// than a place to save them: AMX a permission (as on Linux too), PKRU its CR4 bit; XSAVE of AMD's
// LWP writes to the program's memory.
#define XCR0_USED     0xe7u
#define FXSAVE_BYTES  512
#define FCW_DEFAULT   0x37f  // x87 control word: all exceptions masked, 64-bit mantissa
#define MXCSR_DEFAULT 0x1f80 // all exceptions masked

static bool has_xsave;
static size_t state_size;

void fpu_init(void) {
    has_xsave = read_cr4() & CR4_OSXSAVE;
    state_size = FXSAVE_BYTES;
    if (!has_xsave) return;
    __asm__ volatile("xsetbv" ::"c"(0), "a"(cpuid(CPUID_XSAVE, 0).eax & XCR0_USED), "d"(0));
    state_size = cpuid(CPUID_XSAVE, 0).ebx; // for what XCR0 has now
}

size_t fpu_state_size(void) { return state_size; }

// Zero in the XSAVE header means: every component in its initial state; MXCSR is loaded from memory
// all the same, and FXRSTOR takes all of it from memory. Offsets: Intel SDM 1, table 10-2.
void fpu_state_init(void *area) {
    memset(area, 0, state_size);
    ((u16 *)area)[0] = FCW_DEFAULT;
    ((u32 *)area)[6] = MXCSR_DEFAULT;
}

void fpu_save(void *area) {
    if (has_xsave)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

void fpu_restore(const void *area) {
    if (has_xsave)
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}
