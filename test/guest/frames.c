// Frames of signals that no handler should return by, and stacks that have no room for one: argv[1]
// says which. A frame that is merely odd is returned by, and the program says what it has then; one
// that would fault ends it with SIGSEGV, as on Linux.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static const char *what;
static int is(const char *name) { return strcmp(what, name) == 0; }

static void handler(int signal, siginfo_t *info, void *context) {
    ucontext_t *c = context;
    greg_t *r = c->uc_mcontext.gregs;
    uint8_t *vectors = (uint8_t *)c->uc_mcontext.fpregs;
    uint32_t size = *(uint32_t *)(vectors + 464 + 16);
    (void)info;
    if (is("full stack")) raise(signal); // until no frame fits
    if (is("mxcsr")) c->uc_mcontext.fpregs->mxcsr = 0xffffffff;
    if (is("features")) *(uint64_t *)(vectors + 512) |= 1ull << 62;
    if (is("compacted")) *(uint64_t *)(vectors + 520) = 1ull << 63;
    if (is("reserved")) *(uint64_t *)(vectors + 536) = 1;
    if (is("magic1")) *(uint32_t *)(vectors + 464) = 0; // the legacy region alone counts
    if (is("magic2")) *(uint32_t *)(vectors + size) = 0;
    if (is("size")) *(uint32_t *)(vectors + 464 + 16) = 1 << 20;
    if (is("no vectors")) c->uc_mcontext.fpregs = NULL;
    if (is("vectors nowhere")) c->uc_mcontext.fpregs = (void *)0x1000;
    if (is("vectors of the kernel")) c->uc_mcontext.fpregs = (void *)0xffff800000000000;
    if (is("rip")) r[REG_RIP] = 0x123456789abcdef0;
    if (is("rip of the kernel")) r[REG_RIP] = (greg_t)0xffff800000000000;
    if (is("last rip")) r[REG_RIP] = 0x7fffffffffff;
    if (is("rsp")) r[REG_RSP] = 0x123456789abcdef0;
    if (is("cs")) r[REG_CSGSFS] = (r[REG_CSGSFS] & ~0xffffll) | 8;
    if (is("flags")) r[REG_EFL] = 0x3fffff & ~0x100; // without TF
    if (is("interrupts off")) r[REG_EFL] = 0;
}

static void run(void) {
    unsigned long flags, xmm = 0;
    __asm__ volatile("pcmpeqd %%xmm3, %%xmm3" ::: "xmm3");
    raise(SIGUSR1);
    __asm__ volatile("pushfq; pop %0; push $0x202; popfq; cld; movq %%xmm3, %1"
                     : "=r"(flags), "=r"(xmm));
    printf("%s: flags %lx\n", what, flags & 0x3fffff & ~0x8d5ul);
}

int main(int count, char **arg) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    if (count < 2) return 2;
    what = arg[1];
    setvbuf(stdout, NULL, _IONBF, 0);
    static char alternate[65536];
    if (is("full stack")) {
        sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, NULL);
        action.sa_flags |= SA_ONSTACK | SA_NODEFER;
    }
    sigaction(SIGUSR1, &action, NULL);
    if (is("nowhere")) {
        __asm__ volatile(
            "mov $39, %%eax; syscall; mov %%eax, %%edi; mov $10, %%esi; mov $62, %%eax; mov $0x1000, %%esp; syscall" ::
                : "rax", "rdi", "rsi", "rcx", "r11", "memory");
    }
    if (is("no frame")) {
        __asm__ volatile("mov $0x1000, %%esp; mov $15, %%eax; syscall" ::: "memory");
    }
    if (is("handler nowhere")) { // each fault of its own would want another frame
        static char *nowhere = (char *)0x123456789abcdef0;
        action.sa_sigaction = (void (*)(int, siginfo_t *, void *))(uintptr_t)nowhere;
        action.sa_flags |= SA_NODEFER;
        sigaction(SIGUSR1, &action, NULL);
        sigaction(SIGSEGV, &action, NULL);
    }
    run();
    printf("went on\n");
    return 0;
}
