// What a program may try at the border to the kernel, by number: each way ends it with the signal
// Linux would send, or is harmless (77).
#include <stdlib.h>
#include <sys/mman.h>

#define SYSTEM_CALL "mov $39, %%eax; syscall\n"
#define SET_FLAG(n) "pushfq; orq $" #n ", (%%rsp); popfq\n"
#define RUN(code, ...)                                                                             \
    __asm__ volatile(code : : __VA_ARGS__ : "rax", "rcx", "rdx", "r11", "memory");                 \
    break

int main(int count, char **words) {
    static const unsigned short all_x87_errors = 0x340;
    static const unsigned no_sse_masks = 0;
    switch (count > 1 ? atoi(words[1]) : 0) {
    case 0: RUN(SET_FLAG(0x100) "nop; nop", "i"(0));        // TF: a trap after the next instruction
    case 1: RUN(SET_FLAG(0x100) SYSTEM_CALL "nop", "i"(0)); // also when that makes a call
    case 2: RUN(SET_FLAG(0x4000) SYSTEM_CALL "nop", "i"(0)); // NT, with which IRETQ faults
    case 3: RUN("std\n" SYSTEM_CALL "cld", "i"(0));          // DF
    case 4:
        RUN("fldcw %0; fld1; fldz; fdivrp\n" SYSTEM_CALL "fwait",
            "m"(all_x87_errors)); // pending over a call
    case 5: RUN("int3", "i"(0));
    case 6: RUN("int $14", "i"(0));
    case 7: RUN("int $0x20", "i"(0)); // of a device
    case 8:
        RUN("wrgsbase %0\n" SYSTEM_CALL,
            "r"(0xffffff0000000000)); // its own to set, whatever it points to
    case 9: RUN("xor %%eax, %%eax; xor %%ecx, %%ecx; xor %%edx, %%edx; wrpkru", "i"(0));
    case 10: RUN("jmp *%0", "r"(0x800000000000));     // not canonical
    case 11: RUN("jmp *%0", "r"(0xfffffeffc0000000)); // the kernel
    case 12:
        RUN("mov %0, %%rsp\n" SYSTEM_CALL "push %%rax",
            "r"(0x800000000000)); // stacks that are none of its own
    case 13: RUN("mov %0, %%rsp\n" SYSTEM_CALL "push %%rax", "r"(0xffffff003fffff00));
    case 14:
        RUN("mov %0, %%ds; mov %0, %%es; mov %0, %%gs\n" SYSTEM_CALL,
            "r"(0x23)); // selectors it may load
    case 15: RUN("outb %%al, $0x80", "i"(0));
    case 16: RUN("cli", "i"(0));
    case 17: RUN("xor %%ecx, %%ecx; div %%ecx", "i"(0));
    case 18: RUN("int $4", "i"(0)); // the CPU's own, but the program has no business with them
    case 19: RUN("int $8", "i"(0));
    case 20: RUN("int $2", "i"(0));
    case 21: RUN(".byte 0x06", "i"(0)); // push %es, which 64-bit code does not have
    case 22: // a selector of a local descriptor table, should that lie at address 0
        *(volatile unsigned long *)mmap((void *)0x1000, 4096, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) =
            0x00cff3000000ffff;
        RUN("mov %0, %%ds", "r"(0x1007));
    case 23:
        RUN("mov %0, %%rbp; mov (%%rbp), %%eax", "r"(0x800000000000)); // #SS, in QEMU #GP
    // QEMU raises none of these, 10.0 and later not the last.
    case 24: RUN(SET_FLAG(0x40000) "mov 1(%%rsp), %%eax", "i"(0)); // misaligned, and AC is set
    case 25: RUN("ldmxcsr %0; xorps %%xmm0, %%xmm0; divss %%xmm0, %%xmm0", "m"(no_sse_masks));
    case 26: RUN(".byte 0xce", "i"(0)); // INTO, which 64-bit code does not have
    }
    return 77;
}
