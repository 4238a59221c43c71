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
#define FCW_DEFAULT   0x37f  // x87 control word: all exceptions masked, 64-bit mantissa
#define MXCSR_DEFAULT 0x1f80 // all exceptions masked
#define MXCSR_BITS    0xffbf // of CPUs whose FXSAVE stores no mask (SDM 1, 11.6.6)
// Words of four bytes in the legacy region (SDM 1, table 10-2), of eight in the header (13.4.2)
#define MXCSR_AT      6
#define MXCSR_MASK_AT 7
#define HEADER_LEGACY 3 // x87 and SSE

static bool has_xsave;
static size_t state_size;
static u64 features;
static u32 mxcsr_mask;

void fpu_init(void) {
    static u32 image[FPU_LEGACY_BYTES / 4] __attribute__((aligned(16)));
    has_xsave = read_cr4() & CR4_OSXSAVE;
    state_size = FPU_LEGACY_BYTES;
    features = HEADER_LEGACY;
    __asm__ volatile("fxsave64 %0" : "=m"(image));
    mxcsr_mask = image[MXCSR_MASK_AT];
    if (!mxcsr_mask) mxcsr_mask = MXCSR_BITS;
    if (!has_xsave) return;
    features = cpuid(CPUID_XSAVE, 0).eax & XCR0_USED;
    __asm__ volatile("xsetbv" ::"c"(0), "a"((u32)features), "d"(0));
    state_size = cpuid(CPUID_XSAVE, 0).ebx; // for what XCR0 has now
}

size_t fpu_state_size(void) { return state_size; }

// Zero in the XSAVE header means: every component in its initial state; MXCSR is loaded from memory
// all the same, and FXRSTOR takes all of it from memory. Offsets: Intel SDM 1, table 10-2.
void fpu_state_init(void *area) {
    memset(area, 0, state_size);
    ((u16 *)area)[0] = FCW_DEFAULT;
    ((u32 *)area)[MXCSR_AT] = MXCSR_DEFAULT;
}

// ---- an area that the program wrote ----

bool fpu_has_header(void) { return has_xsave; }

u64 fpu_features(void) { return features; }

static u64 *fpu_header(void *area) { return (u64 *)((u8 *)area + FPU_LEGACY_BYTES); }

// Of the components there these alone count; the others are in their initial state.
void fpu_state_only(void *area, u64 which) { fpu_header(area)[0] &= which; }

// The legacy region alone was written.
void fpu_state_legacy(void *area) {
    if (has_xsave) fpu_header(area)[0] = HEADER_LEGACY;
}

// Whether fpu_restore() takes it without a fault: no component that is off, not the compacted
// format (SDM 1, 13.8.1: the header's second and third words are zero), no reserved bit of MXCSR.
bool fpu_state_valid(const void *area) {
    if (((const u32 *)area)[MXCSR_AT] & ~mxcsr_mask) return false;
    const u64 *header = (const u64 *)((const u8 *)area + FPU_LEGACY_BYTES);
    if (!has_xsave) return true;
    return !(header[0] & ~features) && !header[1] && !header[2];
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
