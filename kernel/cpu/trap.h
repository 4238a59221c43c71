// The border between the program and the kernel: how every entry saves state, and how every exit
// restores it.
//
// One kernel stack per CPU, not per thread: a context is all there is of a thread. On every entry
// from the program the general registers go into the current context before anything can fault,
// nest or switch; handlers run on the CPU's slot stack with interrupts off; every way out is
// context_resume(). The kernel is compiled without vector registers, so extended state stays in the
// CPU and is saved eagerly, by XSAVE, only when another context takes the CPU over.
#pragma once

#include <asm/errno.h>
#include "boot/layout.h"
#include "kernel/lib/address.h"
#include "kernel/lib/types.h"

// In the order the entry code pushes them; vector and error stand above the CPU's own frame.
struct registers {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    u64 vector, error;
    u64 rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct registers) == REGISTERS_SIZE, "traps.asm pushes exactly this");
_Static_assert(offsetof(struct registers, vector) == REGISTERS_VECTOR &&
                   offsetof(struct registers, rflags) == REGISTERS_RFLAGS &&
                   offsetof(struct registers, rip) == REGISTERS_RIP,
               "traps.asm reads them");

// As lines of an error report.
void registers_say(const struct registers *regs,
                   void (*line)(const char *fmt, ...) PRINTF_LIKE(1, 2));

// What the program can change without a system call (segments.c).
struct selectors {
    u16 ds, es, fs, gs;
};
struct segments {
    struct selectors selectors;
    u64 fs_base, gs_base;
};

struct context {
    struct registers regs;
    // Current only while another context runs:
    struct segments segments;
    void *xstate;    // fpu_state_size() bytes, 64-byte aligned
    struct tlb *tlb; // of the memory that it sees
};

#define FAULT_PRESENT (1u << 0) // error code of a page fault, Intel SDM 3A 4.7
#define FAULT_WRITE   (1u << 1)
#define FAULT_USER    (1u << 2) // of the program, not of the kernel's copies; traps.c decides it
#define FAULT_FETCH   (1u << 4)
#define FAULT_OF_CPU  0x7fffffffu
#define FAULT_SMALL   (1u << 31) // not the CPU's: a large page would take too long

struct fault {
    u64 vector, error;
    u64 address; // CR2 for a page fault, else 0
};

// What a quick call gets of the registers: its arguments, and the number.
struct quick {
    u64 rdi, rsi, rdx, r10, r8, r9, rax;
};

// What higher rooms do about entries from the program; set once before the first context_resume().
struct trap_hooks {
    // The number is in regs.rax, and the result goes there.
    void (*syscall)(struct context *context);
    // The same for a number with a bit in quick_calls, before anything is saved: the result, or
    // QUICK_NOT, and nothing has changed. It waits for nothing and touches no memory of the
    // program.
    s64 (*quick)(struct context *context, const struct quick *quick);
    // An exception of the program.
    void (*fault)(struct context *context, const struct fault *fault);
    // A page fault at a user address inside usercopy; true: it is mapped now, and is tried again.
    bool (*user_copy_fault)(const struct fault *fault);
    // Of the current context, at the end of every entry but an NMI's.
    void (*after)(struct context *context);
};
void traps_init(const struct trap_hooks *hooks);
extern u64 quick_calls[QUICK_NUMBERS / 64]; // a bit for each number that quick() may know
void traps_set_stack_growth(const char *(*grow)(u64 address, u64 rsp));

void interrupt_set(unsigned line, void (*handler)(void)); // an ISA line's

// This CPU has a context from enter to leave; resume goes on in the program with it.
void context_enter(struct context *context);
void context_leave(bool save);
void context_resume(void) __attribute__((noreturn));
// Its registers are those of a program that starts. Of the current context the CPU's others, too.
void context_begin(struct context *context, u64 rip, u64 rsp);

// ---- segments.c: DS, ES, FS and GS of the program ----
bool segments_fsgsbase(void);              // the program may use WRFSBASE and its like
void segments_read(struct segments *to);   // the current context's
u64 segments_base(bool fs);                // the same of one base: of FS, or of GS
void segments_set_base(bool fs, u64 base); // below USER_END

// ---- fpu.c: vector and x87 state, which the kernel never uses ----
void fpu_init(void); // after CR4; XCR0: x87, SSE, AVX and AVX-512, as far as CPUID offers them
// Bytes of one save area, less than PAGE_SIZE; areas are 64-byte aligned.
size_t fpu_state_size(void);
// The state a Linux program starts with: FCW 0x37f, MXCSR 0x1f80, the rest 0.
void fpu_state_init(void *area);
void fpu_save(void *area);
void fpu_restore(const void *area);
#define FPU_LEGACY_BYTES 512 // as FXSAVE stores it
#define FPU_HEADER_END   576 // of an area by XSAVE, in the standard format
bool fpu_has_header(void);   // areas have one
u64 fpu_features(void);      // XCR0, or what it would be
void fpu_state_legacy(void *area);
void fpu_state_only(void *area, u64 which);
bool fpu_state_valid(const void *area) MUST_USE;

// Where the kernel lets interrupts in: waits for one, or takes those that came.
void cpu_idle(void);
void cpu_break(void);

// No length or address of the program reaches the kernel or wraps around.
bool in_user_range(uaddr start, u64 bytes);

// Copies between kernel and program memory: false when a byte of the program's range is not below
// USER_END or not accessible as needed (what came before may have been copied).
bool copy_from_user(void *to, uaddr from, u64 bytes) MUST_USE;
bool copy_to_user(uaddr to, const void *from, u64 bytes) MUST_USE;
bool clear_user(uaddr to, u64 bytes) MUST_USE;
static inline s64 put_user(uaddr to, const void *from, u64 bytes) {
    if (!copy_to_user(to, from, bytes)) return -EFAULT;
    return 0;
}

// A word in one step, and a string.
bool user_exchange(uaddr to, u32 *expected, u32 value) MUST_USE;
s64 copy_string_from_user(char *to, uaddr from, u64 max) MUST_USE;
