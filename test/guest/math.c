// Floating point by x87, SSE and, where the CPU and the kernel offer it, AVX, across many system
// calls.
#include <math.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef double v4d __attribute__((vector_size(32)));

__attribute__((target("avx"), noinline)) static double avx_sum(int rounds) {
    v4d sum = {0, 0, 0, 0}, step = {1, 2, 3, 4};
    for (int i = 0; i < rounds; i++) {
        sum += step;
        __asm__ volatile("" : "+x"(sum), "+x"(step)); // in registers across the call
        long result;
        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "a"(i % 2 ? SYS_getpid : 9999)
                         : "rcx", "r11", "memory");
    }
    return sum[0] + sum[1] + sum[2] + sum[3];
}

int main(void) {
    double pi = 0;
    for (int i = 0; i < 1000; i++) {
        pi += (i % 2 ? -4.0 : 4.0) / (2 * i + 1);
        syscall(SYS_gettid);
    }
    long double e = 1, term = 1;
    for (int i = 1; i < 25; i++) {
        e += term /= i;
        syscall(SYS_getppid);
    }
    printf("pi %.6f e %.15Lf root %.12f sine %.12f\n", pi, e, sqrt(2), sin(1));
    if (fabs(pi - 3.140593) > 1e-6 || fabsl(e - 2.718281828459045L) > 1e-12L) return 1;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx")) {
        double sum = avx_sum(10000);
        printf("avx %.1f\n", sum);
        if (sum != 100000.0) return 1;
    }
    puts("math ok");
    return 0;
}
