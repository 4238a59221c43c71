// Every register must survive system calls, built or not: general ones but rax, rcx, r11, and all
// of xmm or ymm.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
    unsigned long general[12]; // rbx rbp rdi rsi rdx r8 r9 r10 r12 r13 r14 r15
    unsigned char vector[16][32];
    unsigned long rax, rcx, r11, flags;
};

// Loads all registers from before, makes call number, stores them to after.
#pragma GCC diagnostic ignored "-Wunused-parameter"
__attribute__((naked, noipa)) static void run(long number, const struct state *before,
                                              struct state *after, long avx) {
    __asm__(
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "push %rdx; push %rcx; push %rdi\n" // after, avx, number
        "mov %rsi, %rax\n"
        "test %rcx, %rcx; jz 1f\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n vmovdqu 96+32*\\n(%rax), %ymm\\n\n .endr\n"
        "jmp 2f\n"
        "1: .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movdqu 96+32*\\n(%rax), %xmm\\n\n .endr\n"
        "2: mov 0(%rax), %rbx; mov 8(%rax), %rbp; mov 16(%rax), %rdi; mov 24(%rax), %rsi; mov 32(%rax), %rdx\n"
        "mov 40(%rax), %r8; mov 48(%rax), %r9; mov 56(%rax), %r10; mov 64(%rax), %r12; mov 72(%rax), %r13\n"
        "mov 80(%rax), %r14; mov 88(%rax), %r15\n"
        "mov $0x1111, %ecx; mov $0x2222, %r11d; pop %rax\n"
        "stc\n"
        "syscall\n"
        "3: push %rax; push %rcx; pushfq\n"
        "mov 32(%rsp), %rax\n" // after: above flags, rcx, rax, avx
        "mov %rbx, 0(%rax); mov %rbp, 8(%rax); mov %rdi, 16(%rax); mov %rsi, 24(%rax); mov %rdx, 32(%rax)\n"
        "mov %r8, 40(%rax); mov %r9, 48(%rax); mov %r10, 56(%rax); mov %r12, 64(%rax); mov %r13, 72(%rax)\n"
        "mov %r14, 80(%rax); mov %r15, 88(%rax)\n"
        "mov %rax, %rdx; popq 632(%rdx); popq 616(%rdx); popq 608(%rdx); mov %r11, 624(%rdx)\n"
        "lea 3b(%rip), %rcx; sub %rcx, 616(%rdx)\n" // 0: SYSCALL left the next address in rcx
        "pop %rcx; add $8, %rsp\n"
        "test %rcx, %rcx; jz 4f\n"
        ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n vmovdqu %ymm\\n, 96+32*\\n(%rdx)\n .endr\n"
        "vzeroupper; jmp 5f\n"
        "4: .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movdqu %xmm\\n, 96+32*\\n(%rdx)\n .endr\n"
        "5: pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");
}
_Static_assert(sizeof(struct state) == 640, "the offsets above");

static int check(long number, int avx) {
    struct state before, after;
    for (size_t i = 0; i < sizeof before; i++)
        ((unsigned char *)&before)[i] = (unsigned char)(i * 7 + (size_t)number);
    memset(&after, 0, sizeof after);
    run(number, &before, &after, avx);
    int bad = memcmp(before.general, after.general, sizeof before.general) != 0;
    for (int i = 0; i < 16; i++)
        bad |= memcmp(before.vector[i], after.vector[i], avx ? 32 : 16) != 0;
    bad |= after.rcx != 0 || after.r11 != after.flags || !(after.flags & 1);
    if (bad) printf("call %ld (avx %d): a register changed\n", number, avx);
    return bad;
}

static void *all_calls(void *bad) {
    // getpid, gettid, getuid, sched_yield; then ones nobody built, and numbers that do not exist
    static const long calls[] = {39,  186, 102, 24,     425, 66,      155,
                                 400, 423, 512, 100000, -1,  1L << 40};
    int avx = __builtin_cpu_supports("avx") != 0;
    for (int round = 0; round < 50; round++)
        for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
            *(int *)bad |= check(calls[i], avx);
    return NULL;
}

// All calls, in as many threads as the argument says besides the first.
int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 0, bad[100] = {0};
    pthread_t thread[100];
    __builtin_cpu_init();
    for (int i = 1; i <= count; i++) bad[0] |= pthread_create(&thread[i], NULL, all_calls, &bad[i]);
    all_calls(&bad[0]);
    for (int i = 1; i <= count; i++) bad[0] |= pthread_join(thread[i], NULL) || bad[i];
    if (!bad[0]) printf("registers ok%s\n", __builtin_cpu_supports("avx") ? " with avx" : "");
    return bad[0];
}
