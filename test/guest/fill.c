// Memory to its last page. fill: nine tenths of all memory in one mapping or one malloc, all of it
// touched, given back, and again, which needs what was given back. overcommit: touches what was
// never promised, until nothing is left. areas: very many of them.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <time.h>

#define PAGE      4096ul
#define RW        (PROT_READ | PROT_WRITE)
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)
#define AREAS     20000
#define FAIL(...) return printf(__VA_ARGS__), putchar('\n'), 1

static int use(char *p, size_t bytes, uintptr_t salt, int is_new) {
    for (size_t i = 0; i + PAGE <= bytes; i += PAGE) {
        uintptr_t *word = (uintptr_t *)(p + i), *last = (uintptr_t *)(p + i + PAGE - sizeof *last);
        if (is_new && (*word || *last)) FAIL("old bytes %zu KiB into it", i / 1024);
        *word = *last = i ^ salt;
    }
    for (size_t i = 0; i + PAGE <= bytes; i += PAGE)
        if (*(uintptr_t *)(p + i) != (i ^ salt) || *(uintptr_t *)(p + i + PAGE - 8) != (i ^ salt))
            FAIL("%zu KiB into it another value", i / 1024);
    return 0;
}

static int fill(void) {
    struct sysinfo info;
    sysinfo(&info);
    size_t all = info.totalram * info.mem_unit, bytes = all / 10 * 9 & -PAGE;
    for (int round = 0; round < 2; round++) {
        char *p = mmap(NULL, bytes, RW, ANON, -1, 0);
        if (p == MAP_FAILED) FAIL("no mapping of %zu KiB of %zu", bytes / 1024, all / 1024);
        if (mmap(NULL, bytes / 4, RW, ANON, -1, 0) != MAP_FAILED)
            FAIL("more was promised than there is");
        if (use(p, bytes, 1, 1) || madvise(p, bytes, MADV_DONTNEED) || use(p, bytes, 2, 1))
            return 1;
        // Every other page is given up and taken again: large pages are split when nearly
        // everything is in use.
        for (size_t i = 0; i + PAGE <= bytes; i += 1026 * PAGE)
            if (madvise(p + i, PAGE, MADV_DONTNEED) || p[i])
                FAIL("no page is given up at %zu KiB", i / 1024);
        if (munmap(p, bytes)) FAIL("no munmap");
        p = malloc(bytes);
        if (!p) FAIL("no malloc of %zu KiB", bytes / 1024);
        if (use((char *)(((uintptr_t)p + PAGE) & -PAGE), bytes - 2 * PAGE, 3, 0)) return 1;
        free(p);
        if (mmap(NULL, 2 * all, RW, ANON, -1, 0) != MAP_FAILED)
            FAIL("more was promised than there is");
    }
    return 0;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double calls(int count) {
    double start = seconds();
    for (int i = 0; i < count; i++) {
        char *p =
            mmap(NULL, PAGE + (size_t)(i % 7) * PAGE, i & 1 ? PROT_READ : PROT_NONE, ANON, -1, 0);
        if (p == MAP_FAILED || munmap(p, PAGE + (size_t)(i % 7) * PAGE))
            return puts("a small mapping failed"), 1e9;
    }
    return seconds() - start;
}

static int areas(void) {
    double few = calls(20000);
    size_t tib = 1ul << 40;
    char *p = mmap(NULL, tib, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) FAIL("no reservation of 1 TiB");
    double start = seconds();
    for (size_t i = 0; i < AREAS;
         i++) // a hole of one page, pages without rights, one that can be written
        if (munmap(p + 8 * i * PAGE, PAGE) || mprotect(p + (8 * i + 4) * PAGE, PAGE, RW))
            FAIL("area %zu", i);
    double making = seconds() - start, many = calls(20000);
    for (size_t i = 0; i < AREAS; i += 100) p[(8 * i + 4) * PAGE] = 1;
    char *q = mmap(p, 2 * PAGE, RW, ANON, -1, 0); // no hole below fits
    if (q == MAP_FAILED || (q >= p && q < p + 8 * AREAS * PAGE))
        FAIL("%p is no place for two pages", (void *)q);
    if (munmap(p, tib)) FAIL("no munmap of everything");
    printf("20000 calls: %.3f s among few areas, %.3f s among %d; making those: %.3f s\n", few,
           many, 3 * AREAS, making);
    return many > 10 * few + 0.1;
}

static int overcommit(void) {
    char *p = mmap(NULL, 1ul << 40, RW, ANON | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) FAIL("no overcommitment");
    puts("before");
    fflush(stdout);
    for (size_t i = 0; i < 1ul << 40; i += PAGE) p[i] = 1;
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "fill";
    return strcmp(what, "areas") == 0        ? areas()
           : strcmp(what, "overcommit") == 0 ? overcommit()
                                             : fill();
}
