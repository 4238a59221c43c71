// What the files of the loader share. All of it runs in long mode on the first 4 GiB mapped one to
// one, interrupts off; interrupts are on inside a BIOS call only.
#pragma once

#include "boot/bootinfo.h"
#include "boot/image.h"
#include "kernel/lib/options.h"

extern struct options options; // of the image's command line, once it has been read and checked
// What the kernel will get; main.c, disk.c, machine.c and video.c fill their fields.
extern struct boot_info boot;

// ---- bios.asm ----
// The registers of a BIOS call, in the order popad, pop ds, pop es and popf take them.
struct bios_regs {
    u32 edi, esi, ebp, zero, ebx, edx, ecx, eax;
    u16 ds, es, flags, zero2;
};
_Static_assert(sizeof(struct bios_regs) == 40, "bios.asm copies exactly this");
#define FLAGS_CF 1u // carry: the call failed

// int interrupt, in real mode with interrupts on; regs goes in and comes out. Memory for it lies
// below 1 MiB.
void bios_call(u8 interrupt, struct bios_regs *regs);
extern u32 bios_calls; // made so far

// What the BIOS and the MBR left in low memory. gcc takes constants below a page for offsets from
// NULL: hide them.
static inline void *low_memory(uintptr_t address) {
    __asm__("" : "+r"(address));
    return (void *)address;
}
#define LOW_MEMORY(type, address) (*(volatile type *)low_memory(address))

// ---- check.c, entry.asm ----
extern struct loader_header loader_header;
#define CPUID_1_ECX_SSE42 (1u << 20) // the crc32 instruction

// ---- main.c ----
void loader_main(u64 started) __attribute__((noreturn)); // a time stamp

// ---- say.c ----
void say(const char *fmt, ...) PRINTF_LIKE(1, 2);                            // progress, one line
void fail(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn)); // an error; the end

// ---- a20.c ----
void a20_enable(void); // or fails

// ---- disk.c ----
void disk_init(void);                           // finds out how boot.drive can be read
void disk_read(u64 lba, u64 sectors, void *to); // or fails
void disk_done(void);                           // stops a floppy's motor

// ---- video.c ----
void video_choose(void); // the framebuffer that the command line asks for, or says why not
void video_switch(void); // to it; the last BIOS call

// ---- machine.c ----
void machine_describe(void); // fills what the BIOS alone knows
