// Instructions that C cannot say, and the bits of the control registers and MSRs by their manual
// names (Intel SDM 3A 2.5, 4A 2.1; AMD APM 2 3.1). No state; shared with the loader.
#pragma once

#include "kernel/lib/types.h"

#define CR0_PE         (1u << 0)  // protected mode
#define CR0_MP         (1u << 1)  // monitor coprocessor: WAIT obeys TS
#define CR0_NE         (1u << 5)  // x87 errors as #MF, not as an interrupt
#define CR0_WP         (1u << 16) // read-only pages are read-only for the kernel too
#define CR0_AM         (1u << 18) // the program's RFLAGS.AC gives #AC, as on Linux
#define CR0_CD         (1u << 30) // no caching
#define CR0_PG         (1u << 31) // paging
#define CR4_PAE        (1u << 5)  // 8-byte page table entries
#define CR4_MCE        (1u << 6)  // machine checks as #MC, not as a reset
#define CR4_PGE        (1u << 7)  // global pages
#define CR4_OSFXSR     (1u << 9)  // SSE
#define CR4_OSXMMEXCPT (1u << 10) // SSE errors as #XM
#define CR4_UMIP       (1u << 11) // no SGDT, SIDT, SLDT, SMSW, STR for the program
#define CR4_FSGSBASE   (1u << 16) // the program may read and write the bases of FS and GS
#define CR4_OSXSAVE    (1u << 18) // XSAVE and XCR0
#define CR4_SMEP       (1u << 20) // the kernel executes no user page
#define CR4_SMAP       (1u << 21) // the kernel touches no user page unless RFLAGS.AC

#define RFLAGS_ONE (1u << 1)  // always set
#define RFLAGS_TF  (1u << 8)  // trap after each instruction
#define RFLAGS_IF  (1u << 9)  // interrupts
#define RFLAGS_DF  (1u << 10) // string instructions go down
#define RFLAGS_NT  (1u << 14) // nested task
#define RFLAGS_RF  (1u << 16) // resume: no breakpoint on the next instruction
#define RFLAGS_AC  (1u << 18) // alignment check; lifts SMAP

#define MSR_MTRR_CAP       0xfe // memory type range registers
#define MTRR_CAP_COUNT     0xffu
#define MTRR_CAP_FIXED     (1u << 8)
#define MSR_MTRR_BASE(n)   (0x200 + 2 * (n)) // each with a mask behind it
#define MSR_MTRR_DEFAULT   0x2ff
#define MTRR_DEFAULT_ON    (1u << 11)
#define MSR_SYSENTER_CS    0x174
#define MSR_PAT            0x277 // what the bits PCD and PWT of a page mean
#define MSR_EFER           0xc0000080
#define EFER_SCE           (1u << 0)  // SYSCALL
#define EFER_LME           (1u << 8)  // long mode enabled
#define EFER_LMA           (1u << 10) // and active
#define EFER_NXE           (1u << 11) // no-execute pages
#define MSR_STAR           0xc0000081 // selectors of SYSCALL and SYSRET
#define MSR_LSTAR          0xc0000082 // 64-bit SYSCALL entry
#define DR6_STEP           (1u << 14) // of DR6: RFLAGS.TF has caused the #DB
#define DR6_NONE           0xffff0ff0u
#define MSR_SFMASK         0xc0000084 // flags that SYSCALL clears
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102 // what SWAPGS exchanges GS_BASE with

// u8 inb(port), void outb(port, value), and the same for 16 and 32 bits.
#define PORT_IO(suffix, type)                                                                      \
    static inline type in##suffix(u16 port) {                                                      \
        type value;                                                                                \
        __asm__ volatile("in %1, %0" : "=a"(value) : "Nd"(port));                                  \
        return value;                                                                              \
    }                                                                                              \
    static inline void out##suffix(u16 port, type value) {                                         \
        __asm__ volatile("out %0, %1" ::"a"(value), "Nd"(port));                                   \
    }
PORT_IO(b, u8)
PORT_IO(w, u16)
PORT_IO(l, u32)

// Writes bytes one after another to the same port.
static inline void outsb(u16 port, const void *bytes, size_t count) {
    __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(port) : "memory");
}

static inline u64 rdmsr(u32 msr) {
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value) {
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline void invlpg(u64 address) {
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}
static inline void wbinvd(void) { __asm__ volatile("wbinvd" ::: "memory"); }

// The TSC after all reads before it and before all reads behind it (Intel SDM 2B RDTSC; on AMD CPUs
// that do not wait at LFENCE, off by some instructions).
static inline u64 rdtsc(void) {
    u32 low, high;
    __asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
    return (u64)high << 32 | low;
}

// The leaf must not be above the highest one of its range (leaf 0, 0x40000000 or 0x80000000): Intel
// CPUs answer beyond it with the data of their highest basic leaf. The features that several files
// ask for, by leaf and register.
#define CPUID_1_ECX_HYPERVISOR     (1u << 31)
#define CPUID_XSAVE                0xd // leaf
#define CPUID_1_EDX_APIC           (1u << 9)
#define CPUID_1_EDX_MTRR           (1u << 12)
#define CPUID_1_EDX_PGE            (1u << 13) // global pages
#define CPUID_80000001_EDX_PDPE1GB (1u << 26) // 1 GiB pages

struct cpuid {
    u32 eax, ebx, ecx, edx;
};
static inline struct cpuid cpuid(u32 leaf, u32 subleaf) {
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

// u64 read_cr0(void), void write_cr0(u64), and the like.
#define CONTROL_REGISTER(n)                                                                        \
    static inline void write_cr##n(u64 value) {                                                    \
        __asm__ volatile("mov %0, %%cr" #n ::"r"(value) : "memory");                               \
    }                                                                                              \
    static inline u64 read_cr##n(void) {                                                           \
        u64 value;                                                                                 \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(value)::"memory");                            \
        return value;                                                                              \
    }
CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)
