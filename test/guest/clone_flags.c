// clone with flags that mean nothing between threads makes a thread; what contradicts itself is
// refused as on Linux.
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREAD (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

static volatile int ran;

// The new thread counts and ends; it needs no stack of its own but for signals that never come.
static long make(unsigned long flags) {
    static char stack[4096] __attribute__((aligned(64)));
    long result;
    register long number __asm__("r10") = 0;
    register long tls __asm__("r8") = 0;
    __asm__ volatile(
        "syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\tlock incl %[ran]\n\tmov $60, %%eax\n\txor %%edi, %%edi\n\t"
        "syscall\n1:"
        : "=a"(result), [ran] "+m"(ran)
        : "0"(56L), "D"(flags), "S"(stack + sizeof stack), "d"(0L), "r"(number), "r"(tls)
        : "rcx", "r11", "memory");
    return result;
}

int main(void) {
    const unsigned long good[] = {0,
                                  CLONE_SYSVSEM,
                                  CLONE_FS,
                                  CLONE_FILES,
                                  CLONE_FS | CLONE_FILES | CLONE_IO,
                                  CLONE_IO,
                                  CLONE_PTRACE,
                                  CLONE_UNTRACED,
                                  CLONE_DETACHED,
                                  CLONE_DETACHED | CLONE_SYSVSEM | CLONE_FS,
                                  SIGCHLD,
                                  64,
                                  0xff};
    const unsigned long bad[] = {CLONE_NEWUSER, CLONE_NEWPID, CLONE_FS | CLONE_NEWNS};
    int wrong = 0, made = 0;
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        for (int high = 0; high < 2; high++) { // of the upper half Linux knows nothing
            long result = make(THREAD | good[i] | (unsigned long)high << 40);
            if (result <= 0)
                wrong++, printf("flags %#lx: %ld\n", good[i], result);
            else
                made++;
        }
    }
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        if (make(THREAD | bad[i]) != -EINVAL) wrong++, printf("flags %#lx are taken\n", bad[i]);
    if (make(CLONE_THREAD | CLONE_VM) != -EINVAL || make(CLONE_SIGHAND) != -EINVAL)
        wrong++, puts("half a thread");
    for (int i = 0; ran < made && i < 2000; i++) usleep(1000);
    if (ran != made) wrong++, printf("%d of %d ran\n", ran, made);
    puts(wrong ? "wrong" : "clone ok");
    return wrong;
}
