// Arrays and sums by libgomp, which starts its threads, waits for them and shares loops out in its
// own ways.
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) return printf("line %d: %s does not hold\n", __LINE__, #condition), 1;   \
    } while (0)

static long fibonacci(int n) {
    long a, b;
    if (n < 2) return n;
#pragma omp task shared(a) if (n > 10)
    a = fibonacci(n - 1);
    b = fibonacci(n - 2);
#pragma omp taskwait
    return a + b;
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 4;
    long n = 200000;
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
    double *a = malloc((size_t)n * sizeof *a), *b = malloc((size_t)n * sizeof *b),
           *c = malloc((size_t)n * sizeof *c);
    WANT(a && b && c);
    int team = 0, seen = 0;
#pragma omp parallel reduction(+ : seen)
    {
        seen++;
#pragma omp single
        team = omp_get_num_threads();
    }
    WANT(team == threads && seen == threads);
#pragma omp parallel for schedule(static)
    for (long i = 0; i < n; i++) a[i] = (double)i, b[i] = 2, c[i] = 0;
    for (int round = 0; round < 10; round++) {
#pragma omp parallel for schedule(static)
        for (long i = 0; i < n; i++) c[i] = a[i];
#pragma omp parallel for schedule(dynamic, 1000)
        for (long i = 0; i < n; i++) b[i] = 3 * c[i];
#pragma omp parallel for schedule(guided)
        for (long i = 0; i < n; i++) c[i] = a[i] + b[i];
#pragma omp parallel for
        for (long i = 0; i < n; i++) a[i] = b[i] - 2 * a[i];
    }
    double sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (long i = 0; i < n; i++) sum += c[i];
    WANT(sum == 4.0 * (double)n * (double)(n - 1) / 2);
    uint64_t mixed = 0, locked = 0;
    omp_lock_t lock;
    omp_init_lock(&lock);
#pragma omp parallel for ordered schedule(dynamic)
    for (long i = 0; i < 500; i++) {
#pragma omp critical
        locked++;
        omp_set_lock(&lock);
        locked += 2;
        omp_unset_lock(&lock);
#pragma omp atomic
        locked += 0;
#pragma omp ordered
        mixed = mixed * 31 + (uint64_t)i;
    }
    uint64_t wanted = 0;
    for (uint64_t i = 0; i < 500; i++) wanted = wanted * 31 + i;
    WANT(mixed == wanted);
    long f = 0;
#pragma omp parallel
#pragma omp single
    f = fibonacci(18);
    WANT(f == 2584);
    omp_set_max_active_levels(2);
    int inner = 0;
#pragma omp parallel num_threads(2) reduction(+ : inner)
#pragma omp parallel num_threads(2) reduction(+ : inner)
    inner++;
    WANT(inner == 4);
    printf("openmp ok: %d threads, %.0f, %016lx\n", team, sum, mixed);
    return 0;
}
