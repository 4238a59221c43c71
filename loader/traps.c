// Exceptions while the loader runs, and in the kernel's first instructions until it has handlers of its own: one
// sentence with what a person needs to find the place, then the end.
#include "loader/loader.h"

// As the stubs of entry.asm and the CPU leave it on the stack (Intel SDM 3 6.14.2).
struct exception_frame {
    u64 vector, error, rip, cs, rflags, rsp, ss;
};

static const char *const names[32] = {"divide error",
                                      "debug",
                                      "NMI",
                                      "breakpoint",
                                      "overflow",
                                      "bound range",
                                      "invalid opcode",
                                      "no FPU",
                                      "double fault",
                                      "coprocessor overrun",
                                      "invalid TSS",
                                      "segment not present",
                                      "stack fault",
                                      "general protection",
                                      "page fault",
                                      "reserved",
                                      "x87 error",
                                      "alignment check",
                                      "machine check",
                                      "SIMD error",
                                      "virtualization",
                                      "control protection",
                                      [28] = "hypervisor injection",
                                      "VMM communication",
                                      "security"};

void loader_exception(const struct exception_frame *frame) __attribute__((noreturn));
void loader_exception(const struct exception_frame *frame) {
    u64 cr2;
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    const char *name = names[frame->vector] ? names[frame->vector] : "reserved";
    const char *who =
        frame->rip >= LOADER && frame->rip < LOADER_END ? "the loader" : "the kernel, before it had handlers,";
    fail("%s stopped on exception %lu (%s), error 0x%lx, at 0x%lx, CR2 0x%lx", who, frame->vector, name, frame->error,
         frame->rip, cr2);
}
