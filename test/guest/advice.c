// madvise, mremap, mlock, mincore, msync and what else is said of ranges, with Linux's answers:
// Linux 6.18 says the same.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096ul
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return printf("line %d: %s does not hold, errno %d\n", __LINE__, #condition, errno),   \
                   1;                                                                              \
    } while (0)
#define GUARD_INSTALL   102
#define GUARD_REMOVE    103
#define POPULATE_READ   22
#define POPULATE_WRITE  23
#define DONTNEED_LOCKED 24
#define DONTUNMAP       4

static long result(long value) { return value < 0 ? -errno : value; }
#define CALL(name, ...) result(syscall(SYS_##name, __VA_ARGS__))
static long advise(const void *at, size_t bytes, long advice) {
    return CALL(madvise, at, bytes, advice);
}
static char *map(void *at, size_t bytes, int rights, int flags) {
    return mmap(at, bytes, rights, ANON | flags, -1, 0);
}
static char *shared(size_t bytes) {
    return mmap(NULL, bytes, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}
static long move(const void *at, size_t old, size_t bytes, long flags, const void *to) {
    return CALL(mremap, at, old, bytes, flags, to);
}
static int readable(const void *p) {
    return syscall(SYS_prctl, 15, p, 0, 0, 0) == 0;
} // PR_SET_NAME
static int writable(void *p) { return syscall(SYS_clock_gettime, 0, p) == 0; }

// ---- the program's own memory ----

static char data[4 * PAGE] __attribute__((aligned(4096))) = {[0 ... 4 * PAGE - 1] = 7};
static char moved[4 * PAGE]
    __attribute__((aligned(4096))) = {[0] = 'd', [PAGE] = 'e', [2 * PAGE] = 'f'};
static char bss[64 * PAGE] __attribute__((aligned(4096)));

static int the_image(void) {
    memset(bss, 1, sizeof bss);
    WANT(advise(bss + PAGE, 16 * PAGE, MADV_DONTNEED) == 0 && bss[PAGE] == 0 && bss[0] == 1 &&
         bss[17 * PAGE] == 1);
    data[5] = data[PAGE] = data[3 * PAGE] = 8;
    WANT(advise(data, 2 * PAGE, MADV_DONTNEED) == 0 && data[5] == 7 && data[PAGE] == 7 &&
         data[3 * PAGE] == 8);
    data[5] = 9; // after it was read
    WANT(data[5] == 9 && data[6] == 7 && advise(data, PAGE, MADV_FREE) == -EINVAL && data[5] == 9);
    WANT(advise(bss, PAGE, MADV_FREE) == 0);
    WANT(mprotect(data + PAGE, PAGE, PROT_READ) == 0 && advise(data, 4 * PAGE, MADV_DONTNEED) == 0);
    WANT(data[0] == 7 && data[PAGE] == 7 && data[3 * PAGE] == 7 && !writable(data + PAGE));
    WANT(mprotect(data + PAGE, PAGE, RW) == 0 && writable(data + PAGE) && data[PAGE + 64] == 7);
    WANT(advise(data, sizeof data, POPULATE_WRITE) == 0 && data[2 * PAGE + 9] == 7);
    char *to = (char *)0x200000000000;
    moved[0] = 'x';
    WANT(move(moved, 2 * PAGE, 2 * PAGE, 3, to) == (long)to && to[0] == 'x' && to[PAGE] == 'e');
    WANT(advise(to, 2 * PAGE, MADV_DONTNEED) == 0 && to[0] == 'd' && to[PAGE] == 'e' &&
         moved[2 * PAGE] == 'f');
    moved[2 * PAGE] = 'y';
    WANT(move(moved + 2 * PAGE, PAGE, PAGE, 3, to + 2 * PAGE) == (long)(to + 2 * PAGE) &&
         to[2 * PAGE] == 'y');
    WANT(munmap(to, PAGE) == 0 && advise(to + PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
    WANT(to[PAGE] == 'e' && to[2 * PAGE] == 'f');
    long at = move(to + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | DONTUNMAP, NULL);
    WANT(at > 0 && *(char *)at == 'f' && to[2 * PAGE] == 'f');
    return 0;
}

// ---- madvise ----

// 0: valid for all; else what private, shared, the file's and .bss memory answer, as errno.
static const struct answers {
    int advice, of_private, of_shared, of_file, of_bss;
} answers[] = {{0, 0, 0, 0, 0},   {1, 0, 0, 0, 0},      {2, 0, 0, 0, 0},      {3, 0, 0, 0, 0},
               {4, 0, 0, 0, 0},   {5, 22, 22, 22, 22},  {6, 22, 22, 22, 22},  {7, 22, 22, 22, 22},
               {8, 0, 22, 22, 0}, {9, 22, 0, 13, 22},   {10, 0, 0, 0, 0},     {11, 0, 0, 0, 0},
               {12, 0, 0, 0, 0},  {13, 0, 0, 0, 0},     {14, 0, 0, 0, 0},     {15, 0, 0, 0, 0},
               {16, 0, 0, 0, 0},  {17, 0, 0, 0, 0},     {18, 0, 22, 22, 0},   {19, 0, 0, 0, 0},
               {20, 0, 0, 0, 0},  {21, 0, 0, 0, 0},     {22, 0, 0, 0, 0},     {23, 0, 0, 0, 0},
               {24, 0, 0, 0, 0},  {25, 22, 22, 22, 22}, {26, 22, 22, 22, 22}, {102, 0, 0, 0, 0},
               {103, 0, 0, 0, 0}, {104, 22, 22, 22, 22}};

static int advice(void) {
    char *p = map(NULL, 16 * PAGE, RW, 0), *s = shared(2 * PAGE);
    for (unsigned i = 0; i < sizeof answers / sizeof *answers; i++) {
        const struct answers *a = &answers[i];
        int got[] = {(int)-advise(p, PAGE, a->advice), (int)-advise(s, PAGE, a->advice),
                     (int)-advise(data, PAGE, a->advice), (int)-advise(bss, PAGE, a->advice)};
        const int wanted[] = {a->of_private, a->of_shared, a->of_file, a->of_bss};
        for (int j = 0; j < 4; j++)
            if (got[j] != wanted[j])
                return printf("advice %d of kind %d: %d\n", a->advice, j, got[j]), 1;
        WANT(advise(NULL, 0, a->advice) ==
                 (a->advice != 25 && wanted[0] == 22 && wanted[1] == 22 ? -EINVAL : 0) ||
             a->advice == 9);
    }
    memset(p, 1, 16 * PAGE);
    WANT(munmap(p + 8 * PAGE, 2 * PAGE) == 0);
    WANT(advise(p, 16 * PAGE, POPULATE_READ) == -ENOMEM &&
         advise(p + 8 * PAGE, PAGE, POPULATE_WRITE) == -ENOMEM);
    WANT(advise(p, 16 * PAGE, MADV_DONTNEED) == -ENOMEM && p[0] == 0 && p[15 * PAGE] == 0);
    WANT(mprotect(p, PAGE, PROT_READ) == 0 && advise(p, PAGE, POPULATE_WRITE) == -EINVAL);
    WANT(advise(p, PAGE, POPULATE_READ) == 0 && mprotect(p, PAGE, PROT_NONE) == 0);
    WANT(advise(p, PAGE, POPULATE_READ) == -EINVAL && advise(p, PAGE, MADV_DONTNEED) == 0);
    WANT(advise(p + 1, PAGE, MADV_DONTNEED) == -EINVAL &&
         advise(p, -1ul, MADV_DONTNEED) == -EINVAL);
    WANT(advise(p, -PAGE, MADV_DONTNEED) == -EINVAL &&
         advise(p, 1ul << 62, MADV_WILLNEED) == -ENOMEM);
    WANT(advise((void *)(1ul << 63), PAGE, MADV_WILLNEED) == -ENOMEM &&
         advise((void *)-PAGE, PAGE, 3) == -EINVAL);
    WANT(advise(p + PAGE, PAGE, 1l << 32 | MADV_DONTNEED) == 0);
    WANT(munmap(p, 16 * PAGE) == 0 && munmap(s, 2 * PAGE) == 0);
    return 0;
}

static int populated(void) {
    unsigned char there[8];
    char *p = map(NULL, 4 * PAGE, RW, 0);
    WANT(mincore(p, 4 * PAGE, there) == 0 && !there[0] && !there[3]);
    WANT(advise(p + PAGE, 2 * PAGE, POPULATE_WRITE) == 0 && mincore(p, 4 * PAGE, there) == 0);
    WANT(!there[0] && there[1] && there[2] && !there[3]);
    WANT(CALL(mincore, p + 1, PAGE, there) == -EINVAL &&
         CALL(mincore, -PAGE, PAGE, there) == -ENOMEM);
    WANT(CALL(mincore, p, PAGE, 1) == -EFAULT && CALL(mincore, p, 0, NULL) == 0 &&
         CALL(mincore, data, 1, there) == 0);
    WANT(there[0] == 1 && CALL(mincore, p, -1ul, there) == -ENOMEM && munmap(p + PAGE, PAGE) == 0);
    WANT(CALL(mincore, p, 3 * PAGE, there) == -ENOMEM);
    WANT(CALL(msync, p, PAGE, 0) == 0 && CALL(msync, p, PAGE, 8) == -EINVAL &&
         CALL(msync, p, PAGE, 5) == -EINVAL);
    WANT(CALL(msync, p + 1, PAGE, MS_SYNC) == -EINVAL &&
         CALL(msync, p, 4 * PAGE, MS_SYNC) == -ENOMEM);
    WANT(CALL(msync, 0, 0, MS_SYNC) == 0 && CALL(msync, p, -1ul, MS_SYNC) == 0);
    WANT(munmap(p, 4 * PAGE) == 0);
    return 0;
}

static int guards(void) {
    char *g = map(NULL, 4 * PAGE, RW, 0);
    memset(g, 5, 4 * PAGE);
    WANT(advise(g + PAGE, PAGE, GUARD_INSTALL) == 0 && !writable(g + PAGE) && !readable(g + PAGE));
    WANT(advise(g, 4 * PAGE, MADV_DONTNEED) == 0 && !writable(g + PAGE) && g[0] == 0 &&
         g[2 * PAGE] == 0);
    WANT(mprotect(g, 4 * PAGE, PROT_READ) == 0 && mprotect(g, 4 * PAGE, RW) == 0 &&
         !writable(g + PAGE));
    WANT(advise(g, 4 * PAGE, POPULATE_WRITE) == -EFAULT && advise(g, PAGE, POPULATE_WRITE) == 0);
    WANT(advise(g, 4 * PAGE, GUARD_REMOVE) == 0 && writable(g + PAGE) && g[PAGE + 64] == 0);
    WANT(mlock(g, PAGE) == 0 && advise(g, 4 * PAGE, GUARD_INSTALL) == -EINVAL &&
         munlock(g, PAGE) == 0);
    WANT(munmap(g, 4 * PAGE) == 0);
    return 0;
}

static int locked(void) {
    char *l = map(NULL, 4 * PAGE, RW, 0);
    memset(l, 5, 4 * PAGE);
    WANT(CALL(mlock, l + PAGE, 1) == 0 && advise(l, 4 * PAGE, MADV_DONTNEED) == -EINVAL);
    WANT(l[0] == 0 && l[PAGE] == 5 && l[2 * PAGE] == 5);
    WANT(advise(l, 4 * PAGE, MADV_FREE) == -EINVAL && advise(l + PAGE, PAGE, MADV_COLD) == -EINVAL);
    WANT(CALL(msync, l, 4 * PAGE, MS_INVALIDATE) == -EBUSY);
    WANT(advise(l, 4 * PAGE, DONTNEED_LOCKED) == 0 && l[PAGE] == 0 && l[2 * PAGE] == 0);
    WANT(CALL(munlock, l, 4 * PAGE) == 0 && advise(l, 4 * PAGE, MADV_DONTNEED) == 0);
    WANT(CALL(mlock, l + 1, -1ul) == 0 && CALL(mlock, l, 0) == 0 &&
         CALL(mlock, 0, PAGE) == -ENOMEM);
    WANT(CALL(mlock2, l, PAGE, 2) == -EINVAL && CALL(mlockall, 0) == -EINVAL &&
         CALL(mlockall, 8) == -EINVAL);
    WANT(CALL(mlockall, MCL_ONFAULT) == -EINVAL && mprotect(l, PAGE, PROT_NONE) == 0);
    WANT(CALL(mlock, l, PAGE) == -ENOMEM && CALL(munlock, l, PAGE) == 0);
    WANT(CALL(mlockall, MCL_CURRENT | MCL_FUTURE) == 0);
    char *later = map(NULL, 2 * PAGE, RW, 0);
    unsigned char there[2];
    WANT(later != MAP_FAILED && mincore(later, 2 * PAGE, there) == 0 && there[0] && there[1]);
    WANT(advise(later, PAGE, MADV_DONTNEED) == -EINVAL && CALL(munlockall, 0) == 0);
    WANT(advise(later, PAGE, MADV_DONTNEED) == 0 && munmap(later, 2 * PAGE) == 0 &&
         munmap(l, 4 * PAGE) == 0);
    return 0;
}

// ---- mremap ----

static int refused(void) {
    char *a = map(NULL, 8 * PAGE, RW, 0), *d = map(NULL, 8 * PAGE, PROT_NONE, 0);
    WANT(move(a, 0, 4 * PAGE, 1, 0) == -EINVAL && move(a, 0, 4 * PAGE, 0, 0) == -EINVAL);
    WANT(move(a, PAGE, 0, 1, 0) == -EINVAL && move(a, PAGE, PAGE, MREMAP_FIXED, d) == -EINVAL);
    WANT(move(a, PAGE, PAGE, 8, 0) == -EINVAL &&
         move(a, PAGE, 2 * PAGE, DONTUNMAP | 1, 0) == -EINVAL);
    WANT(move(a, PAGE, PAGE, DONTUNMAP, 0) == -EINVAL &&
         move(a, PAGE, PAGE, 3, (void *)(1ul << 48)) == -EINVAL);
    WANT(move(a, PAGE, PAGE, 3, d + 1) == -EINVAL &&
         move(a, 2 * PAGE, 2 * PAGE, 3, a + PAGE) == -EINVAL);
    WANT(move(a, PAGE, 1ul << 46, 1, 0) == -ENOMEM && move(a, PAGE, -1ul, 1, 0) == -EINVAL);
    WANT(move(a, 1ul << 48, PAGE, 1, 0) == -EINVAL && move(a + 1, PAGE, PAGE, 1, 0) == -EINVAL);
    WANT(move(NULL, PAGE, PAGE, 1, 0) == -EFAULT && move(NULL, PAGE, 2 * PAGE, 1, 0) == -EFAULT);
    WANT(move((void *)(1ul << 62), PAGE, 2 * PAGE, 1, 0) == -EFAULT);
    WANT(mprotect(a + 4 * PAGE, PAGE, PROT_READ) == 0 &&
         move(a, 8 * PAGE, 9 * PAGE, 1, 0) == -EFAULT);
    WANT(munmap(a + 6 * PAGE, PAGE) == 0 &&
         move(a + 6 * PAGE, 2 * PAGE, 2 * PAGE, 3, d) == -EFAULT);
    WANT(move(a + 4 * PAGE, 3 * PAGE, 3 * PAGE, 1 | DONTUNMAP, 0) == -EFAULT);
    WANT(move(a, 8 * PAGE, 2 * PAGE, 1, 0) == (long)a && readable(a + PAGE) &&
         !readable(a + 2 * PAGE));
    WANT(munmap(a, 8 * PAGE) == 0 && munmap(d, 8 * PAGE) == 0);
    return 0;
}

static int kept(void) {
    char *b = map(NULL, 8 * PAGE, RW, 0), *d = map(NULL, 8 * PAGE, RW, 0);
    memset(b, 4, 8 * PAGE);
    char *q = (char *)move(b, 8 * PAGE, 8 * PAGE, 1 | DONTUNMAP, 0);
    WANT((long)q > 0 && q != b && b[0] == 0 && b[7 * PAGE] == 0 && q[0] == 4 && q[7 * PAGE] == 4);
    b[PAGE] = 5;
    WANT(move(b, 4 * PAGE, 4 * PAGE, 3 | DONTUNMAP, d) == (long)d && d[PAGE] == 5 && b[PAGE] == 0);
    WANT(munmap(b, 8 * PAGE) == 0 && munmap(q, 8 * PAGE) == 0 && munmap(d, 8 * PAGE) == 0);
    return 0;
}

static int several(void) {
    char *a = map(NULL, 8 * PAGE, RW, 0), *d = map(NULL, 8 * PAGE, RW, 0);
    for (int i = 0; i < 8; i++) a[i * PAGE] = (char)(i + 1);
    memset(d, 9, 8 * PAGE);
    WANT(mprotect(a + 4 * PAGE, PAGE, PROT_READ) == 0 && munmap(a + 6 * PAGE, PAGE) == 0);
    WANT(move(a, 8 * PAGE, 8 * PAGE, 3, d) == (long)d);
    for (int i = 0; i < 8; i++)
        WANT(d[i * PAGE] == (i == 6 ? 9 : i + 1) && !readable(a + i * PAGE));
    WANT(!writable(d + 4 * PAGE) && writable(d + 5 * PAGE) && munmap(d, 8 * PAGE) == 0);
    return 0;
}

static int twice(void) {
    char *s = shared(4 * PAGE), *d = map(NULL, 4 * PAGE, RW, 0);
    s[0] = 1;
    s[PAGE] = 2;
    WANT(move(s, 0, PAGE, 0, 0) == -ENOMEM);
    char *c = (char *)move(s, 0, 8 * PAGE, 1, 0);
    WANT((long)c > 0 && c[0] == 1 && c[PAGE] == 2 && !readable(c + 4 * PAGE));
    c[0] = 77;
    c[2 * PAGE] = 78;
    WANT(s[0] == 77 && s[2 * PAGE] == 78 && advise(s, 4 * PAGE, MADV_DONTNEED) == 0 && s[0] == 77);
    WANT(move(s + PAGE, 0, 2 * PAGE, 3, d) == (long)d && d[0] == 2 && d[PAGE] == 78);
    char *m = (char *)move(s, 2 * PAGE, 2 * PAGE, 1 | DONTUNMAP, 0);
    WANT((long)m > 0 && m[0] == 77 && s[0] == 77);
    m[0] = 79;
    WANT(s[0] == 79 && munmap(s, 4 * PAGE) == 0 && munmap(m, 2 * PAGE) == 0 && c[0] == 79);
    WANT(mprotect(c, PAGE, PROT_READ) == 0 && !writable(c) && mprotect(c, PAGE, RW) == 0 &&
         writable(c + 128));
    WANT(advise(c, PAGE, MADV_REMOVE) == 0 && c[0] == 0 && d[0] == 2);
    WANT(munmap(c, 8 * PAGE) == 0 && d[0] == 2 && munmap(d, 4 * PAGE) == 0);
    return 0;
}

// ---- mmap, munmap, mprotect ----

static int ranges(void) {
    char *a = map(NULL, 8 * PAGE, RW, 0), *low = (char *)0x100000000;
    WANT(CALL(munmap, 0, PAGE) == 0 && CALL(munmap, 0, 0) == -EINVAL &&
         CALL(munmap, 1, PAGE) == -EINVAL);
    WANT(CALL(munmap, 1ul << 46, 1ul << 46) == -EINVAL &&
         CALL(munmap, 0x7ffffffff000, PAGE) == -EINVAL);
    WANT(CALL(munmap, 4096, -4095ul) == -EINVAL && CALL(munmap, a + 6 * PAGE, PAGE) == 0);
    WANT(CALL(munmap, a + 6 * PAGE, PAGE) == 0); // nothing is there
    WANT(CALL(mprotect, 0, 0, 77) == 0 && CALL(mprotect, 1, 0, 3) == -EINVAL &&
         CALL(mprotect, a, -1ul, 3) == -ENOMEM);
    WANT(CALL(mprotect, a, PAGE, 16) == -EINVAL && CALL(mprotect, 0, PAGE, 16) == -EINVAL);
    WANT(CALL(mprotect, 0, PAGE, 3) == -ENOMEM && CALL(mprotect, a, PAGE, 3 | 8) == 0);
    WANT(CALL(mprotect, a, PAGE, 1ul << 32 | 3) == -EINVAL &&
         CALL(mprotect, a, PAGE, 0x3000003) == -EINVAL);
    WANT(CALL(mprotect, a, PAGE, 0x1000003) == -EINVAL);
    WANT(CALL(mprotect, a + 4 * PAGE, 4 * PAGE, PROT_READ) ==
         -ENOMEM); // what is before the hole changes
    WANT(!writable(a + 4 * PAGE) && !writable(a + 5 * PAGE) && writable(a + 7 * PAGE) &&
         munmap(a, 8 * PAGE) == 0);
    WANT(CALL(mmap, 0, 0, 3, ANON, -1, 0) == -EINVAL &&
         CALL(mmap, 0, -1ul, 3, ANON, -1, 0) == -ENOMEM);
    WANT(CALL(mmap, 0, PAGE, 3, ANON, -1, 1) == -EINVAL &&
         CALL(mmap, 0, PAGE, 3, 0x20, -1, 0) == -EINVAL);
    WANT(CALL(mmap, 0, PAGE, 3, 0x23, -1, 0) == -EINVAL &&
         CALL(mmap, 0, 0, 3, MAP_PRIVATE, -1, 0) == -EBADF);
    WANT(CALL(mmap, 1, PAGE, 3, ANON | MAP_FIXED, -1, 0) == -EINVAL);
    WANT(CALL(mmap, -PAGE, PAGE, 3, ANON | MAP_FIXED, -1, 0) == -ENOMEM);
    WANT(CALL(mmap, 0, PAGE, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0) == -EINVAL);
    WANT(map((void *)PAGE, PAGE, RW, 0) == (char *)0x10000 && munmap((void *)0x10000, PAGE) == 0);
    a = map(low, PAGE, RW, MAP_32BIT);
    WANT(a != MAP_FAILED && a < (char *)0x80000000 && munmap(a, PAGE) == 0);
    WANT(map((void *)0x10000000, PAGE, RW, MAP_32BIT) == (char *)0x10000000 &&
         munmap((void *)0x10000000, PAGE) == 0);
    WANT(map((void *)0x7ffff000, PAGE, RW, MAP_32BIT) == (char *)0x7ffff000);
    a = map((void *)0x7fffe000, 3 * PAGE, RW, MAP_32BIT);
    WANT(a != MAP_FAILED && a < (char *)0x7fffd000 && munmap(a, 3 * PAGE) == 0 &&
         munmap((void *)0x7ffff000, PAGE) == 0);
    WANT(map(NULL, 1ul << 31, PROT_NONE, MAP_32BIT) == MAP_FAILED && errno == ENOMEM);
    WANT(map(low, PAGE, RW, MAP_32BIT | MAP_FIXED) == low && munmap(low, PAGE) == 0);
    return 0;
}

// ---- stacks, and limits ----

static int grows(void) {
    char *top = map(NULL, 16ul << 20, PROT_NONE, 0) + (16ul << 20), *s = top - 2 * PAGE;
    WANT(munmap(top - (8ul << 20), 8ul << 20) == 0);
    WANT(map(s, 2 * PAGE, RW, MAP_FIXED | MAP_GROWSDOWN) == s);
    s[-1] = 1; // the next page
    s[-(1l << 20)] = 2;
    WANT(s[-1] == 1 && s[-(1l << 20)] == 2 && s[-(1l << 19)] == 0 && writable(s - (3l << 20)));
    struct rlimit before, limit = {4ul << 20, RLIM_INFINITY};
    WANT(getrlimit(RLIMIT_STACK, &before) == 0);
    limit.rlim_max = before.rlim_max;
    WANT(setrlimit(RLIMIT_STACK, &limit) == 0 && writable(top - (4ul << 20)) &&
         !writable(top - (4ul << 20) - PAGE));
    WANT(setrlimit(RLIMIT_STACK, &before) == 0 && writable(top - (4ul << 20) - PAGE));
    char *wall = top - (6ul << 20); // what may be accessed keeps 1 MiB away, what may not does not
    WANT(map(wall, PAGE, RW, MAP_FIXED) == wall && writable(wall + (1ul << 20) + PAGE) &&
         !writable(wall + (1ul << 20)));
    WANT(mprotect(wall, PAGE, PROT_NONE) == 0 && writable(wall + PAGE));
    WANT(CALL(mprotect, top - PAGE, PAGE, PROT_READ | 0x1000000) == 0 && !writable(wall + PAGE));
    WANT(munmap(top - (16ul << 20), 16ul << 20) == 0);
    return 0;
}

static int limited(void) {
    struct rlimit before, limit;
    WANT(getrlimit(RLIMIT_AS, &before) == 0);
    limit = (struct rlimit){.rlim_cur = 64ul << 20, .rlim_max = before.rlim_max};
    WANT(setrlimit(RLIMIT_AS, &limit) == 0 && map(NULL, 64ul << 20, PROT_NONE, 0) == MAP_FAILED &&
         errno == ENOMEM);
    char *p = map(NULL, 40ul << 20, PROT_NONE, MAP_NORESERVE);
    WANT(p != MAP_FAILED && map(NULL, 40ul << 20, PROT_NONE, 0) == MAP_FAILED);
    WANT(map(p, 40ul << 20, PROT_READ, MAP_FIXED | MAP_NORESERVE) == p); // instead of what is there
    WANT(move(p, 40ul << 20, 80ul << 20, 1, 0) == -ENOMEM && setrlimit(RLIMIT_AS, &before) == 0);
    WANT(munmap(p, 40ul << 20) == 0 && getrlimit(RLIMIT_DATA, &before) == 0);
    limit = (struct rlimit){.rlim_cur = 16ul << 20, .rlim_max = before.rlim_max};
    WANT(setrlimit(RLIMIT_DATA, &limit) == 0 && map(NULL, 16ul << 20, RW, 0) == MAP_FAILED &&
         errno == ENOMEM);
    p = map(NULL, 16ul << 20, PROT_READ, 0);
    WANT(p != MAP_FAILED && CALL(mprotect, p, 16ul << 20, RW) == -ENOMEM &&
         CALL(mprotect, p, 4ul << 20, RW) == 0);
    WANT(map(NULL, 12ul << 20, RW, 0) == MAP_FAILED && munmap(p, 16ul << 20) == 0);
    long brk = syscall(SYS_brk, 0);
    WANT(syscall(SYS_brk, brk + (20l << 20)) == brk);
    WANT(setrlimit(RLIMIT_DATA, &before) == 0 &&
         syscall(SYS_brk, brk + (8l << 20)) == brk + (8l << 20));
    WANT(syscall(SYS_brk, brk) == brk);
    return 0;
}

int main(void) {
    if (the_image() || advice() || populated() || guards() || locked()) return 1;
    if (refused() || kept() || several() || twice() || ranges() || grows() || limited()) return 1;
    puts("advice ok");
    return 0;
}
