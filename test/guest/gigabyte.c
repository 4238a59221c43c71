// A page of 1 GiB, where the CPU has them: used at both ends, changed in part, moved, given back;
// then as many pages of 2 MiB.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#define PAGE 4096ul
#define MIB  (1ul << 20)
#define GIB  (1ul << 30)
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) return printf("line %d: %s does not hold\n", __LINE__, #condition), 1;   \
    } while (0)

static int use(char *p) {
    for (size_t i = 0; i < GIB; i += 16 * MIB + PAGE)
        WANT(p[i] == 0 && (p[i] = (char)(i / PAGE % 100 + 1)));
    WANT(munmap(p + 500 * MIB, PAGE) == 0 && mprotect(p + 700 * MIB, 3 * PAGE, PROT_READ) == 0);
    WANT(madvise(p + 16 * MIB + PAGE, PAGE, MADV_DONTNEED) == 0 && p[16 * MIB + PAGE] == 0);
    p[16 * MIB + PAGE] = (char)((16 * MIB + PAGE) / PAGE % 100 + 1);
    for (size_t i = 0; i < GIB; i += 16 * MIB + PAGE) WANT(p[i] == (char)(i / PAGE % 100 + 1));
    return munmap(p, GIB);
}

int main(void) {
    char *p = mmap(NULL, GIB, RW, ANON | MAP_HUGETLB | 30 << 26, -1, 0);
    printf("pages of 1 GiB: %s\n", p == MAP_FAILED ? "no" : "yes");
    if (p != MAP_FAILED) {
        WANT((uintptr_t)p % GIB == 0);
        p[5] = 7;
        char *q = mremap(p, GIB, GIB, MREMAP_MAYMOVE | MREMAP_FIXED, p - 2 * GIB);
        WANT(q == p - 2 * GIB && q[5] == 7);
        q[5] = 0;
        if (use(q)) return 1;
    }
    p = mmap(NULL, GIB, RW, ANON, -1, 0);
    WANT(p != MAP_FAILED && (uintptr_t)p % GIB == 0);
    if (use(p)) return 1;
    p = mmap(NULL, GIB, RW, ANON | MAP_POPULATE, -1, 0);
    WANT(p != MAP_FAILED);
    if (use(p)) return 1;
    puts("gigabyte ok");
    return 0;
}
