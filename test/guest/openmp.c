// Parallel loops by GCC's OpenMP library, which takes all CPUs it is told of.
#include <omp.h>
#include <stdio.h>

int main(void) {
    double sum = 0;
    int threads = 0;
#pragma omp parallel reduction(+ : threads)
    threads++;
    for (int round = 0; round < 50; round++)
#pragma omp parallel for reduction(+ : sum) schedule(dynamic, 100)
        for (int i = 0; i < 20000; i++) sum += 1.0 / (1 + i);
    printf("%d threads on %d CPUs: %.6f\n", threads, omp_get_num_procs(), sum);
    return threads != omp_get_num_procs();
}
