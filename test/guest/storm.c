// System calls as fast as they go, until the machine outside has had enough: every register but
// rax, rcx and r11 must survive each of them, and every answer must be right. storm COUNT: until
// the kernel has counted so many NMIs.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_AT_MOST 300

static long count_nmis(char *text, size_t size) {
    int file = open("/proc/vmos", O_RDONLY);
    long count = 0;
    ssize_t length = read(file, text, size - 1);
    close(file);
    text[length > 0 ? length : 0] = 0;
    for (char *at = text; (at = strstr(at, "CPU ")); at++) {
        unsigned cpu, nmis;
        if (sscanf(at, "CPU %u ignored %u NMIs", &cpu, &nmis) == 2) count += nmis;
    }
    return count;
}

// A call with marks in the registers that must stay; what changed of them.
static unsigned long __attribute__((noinline))
one_call(unsigned long number, unsigned long mark, unsigned long expected) {
    unsigned long result = number, changed;
    __asm__ volatile(
        "mov %2, %%rbx; mov %2, %%r12; mov %2, %%r13; mov %2, %%r14; mov %2, %%r15\n"
        "mov %2, %%rdi; mov %2, %%rsi; mov %2, %%rdx; mov %2, %%r8; mov %2, %%r9; mov %2, %%r10\n"
        "movq %2, %%xmm7; syscall; movq %%xmm7, %1\n"
        "xor %2, %1; xor %2, %%rbx; or %%rbx, %1; xor %2, %%r12; or %%r12, %1; xor %2, %%r13; or %%r13, %1\n"
        "xor %2, %%r14; or %%r14, %1; xor %2, %%r15; or %%r15, %1; xor %2, %%rdi; or %%rdi, %1\n"
        "xor %2, %%rsi; or %%rsi, %1; xor %2, %%rdx; or %%rdx, %1; xor %2, %%r8; or %%r8, %1\n"
        "xor %2, %%r9; or %%r9, %1; xor %2, %%r10; or %%r10, %1\n"
        : "+a"(result), "=&c"(changed)
        : "m"(mark)
        : "rbx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm7",
          "memory");
    return changed | (result ^ expected);
}

// getpid() is quick, sched_yield() is not, and a futex may be, but not this one: a wake-up at an
// address that no word has.
static unsigned long any_call(unsigned long calls) {
    unsigned long mark = 0x5bd1e9950123abcd * (calls + 1);
    switch (calls % 3) {
    case 0: return one_call(39, mark, 1);
    case 1: return one_call(24, mark, 0);
    default: return one_call(202, 1, -22ul);
    }
}

int main(int count, char **words) {
    if (count != 2) return 2;
    static char text[1 << 16];
    time_t end = time(NULL) + SECONDS_AT_MOST;
    unsigned long calls = 0, wrong = 0;
    puts("storm");
    fflush(stdout);
    do
        for (int i = 0; i < 20000; i++, calls++) wrong += any_call(calls) != 0;
    while (count_nmis(text, sizeof text) < atol(words[1]) && time(NULL) < end);
    printf("%lu of %lu calls went wrong\n%s", wrong, calls, text);
    return wrong != 0;
}
