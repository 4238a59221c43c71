// mmap and its family: splits, replacement, reservations, rights, giving up, the file, the break.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

static char *map(void *at, size_t bytes, int rights, int flags) {
    return mmap(at, bytes, rights, ANON | flags, -1, 0);
}
// Whether the kernel can read that byte: write() to a full pipe would do, getcwd and uname write
// instead.
static int readable(const void *p) {
    return syscall(SYS_prctl, 15, p, 0, 0, 0) == 0;
} // PR_SET_NAME
static int writable(void *p) { return syscall(SYS_clock_gettime, 0, p) == 0; }

static int splits(void) {
    char *p = map(NULL, 10 * PAGE, RW, 0);
    WANT(p != MAP_FAILED);
    for (int i = 0; i < 10; i++) p[i * PAGE] = (char)(i + 1);
    WANT(munmap(p + 3 * PAGE, 2 * PAGE) == 0);
    WANT(!readable(p + 3 * PAGE) && !readable(p + 4 * PAGE) && p[2 * PAGE] == 3 &&
         p[5 * PAGE] == 6);
    WANT(map(p + 3 * PAGE, PAGE, PROT_READ, MAP_FIXED) == p + 3 * PAGE && p[3 * PAGE] == 0);
    WANT(map(p + PAGE, 6 * PAGE, RW, MAP_FIXED) == p + PAGE);
    for (int i = 1; i < 7; i++) WANT(p[i * PAGE] == 0);
    WANT(p[0] == 1 && p[7 * PAGE] == 8);
    WANT(map(p, PAGE, RW, MAP_FIXED_NOREPLACE) == MAP_FAILED && errno == EEXIST && p[0] == 1);
    WANT(map(p, PAGE, RW, MAP_FIXED | MAP_FIXED_NOREPLACE) == MAP_FAILED && errno == EEXIST &&
         p[0] == 1);
    WANT(munmap(p, 10 * PAGE) == 0);
    WANT(map(p + PAGE, PAGE, RW, MAP_FIXED_NOREPLACE) == p + PAGE);
    WANT(map(p + 5 * PAGE, PAGE, RW, 0) == p + 5 * PAGE); // a free hint is taken
    WANT(map(p + 5 * PAGE, PAGE, RW, 0) != p + 5 * PAGE);
    return 0;
}

static int reservation(void) {
    size_t tib = 1ul << 40;
    char *p = map(NULL, tib, PROT_NONE, MAP_NORESERVE);
    WANT(p != MAP_FAILED && !readable(p + tib / 2));
    for (size_t i = 0; i < 64; i++) {
        char *q = p + i * (tib / 64);
        WANT(mprotect(q, 2 * PAGE, RW) == 0 && q[0] == 0);
        q[PAGE] = 5;
    }
    char *plain = map(NULL, tib, PROT_NONE, 0);
    WANT(plain != MAP_FAILED && mprotect(plain, tib, RW) == -1 && errno == ENOMEM);
    WANT(map(NULL, tib, RW, 0) == MAP_FAILED && errno == ENOMEM);
    WANT(munmap(p, tib) == 0 && munmap(plain, tib) == 0);
    return 0;
}

static int rights(void) {
    char *p = map(NULL, 4 * PAGE, RW, 0);
    memset(p, 7, 4 * PAGE);
    WANT(mprotect(p + PAGE, PAGE, PROT_NONE) == 0 && !readable(p + PAGE) && !writable(p + PAGE));
    WANT(mprotect(p + 2 * PAGE, PAGE, PROT_READ) == 0 && readable(p + 2 * PAGE) &&
         !writable(p + 2 * PAGE));
    WANT(mprotect(p, 4 * PAGE, RW) == 0);
    for (size_t i = 0; i < 4 * PAGE; i += 512) WANT(p[i] == 7);
    WANT(syscall(SYS_mprotect, p + 1, PAGE, RW) == -1 && errno == EINVAL);
    WANT(munmap(p + PAGE, PAGE) == 0 && mprotect(p, 4 * PAGE, PROT_READ) == -1 && errno == ENOMEM);
    unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; // mov eax, 42; ret
    char *x = map(NULL, PAGE, RW, 0);
    memcpy(x, code, sizeof code);
    WANT(mprotect(x, PAGE, PROT_READ | PROT_EXEC) == 0 && ((int (*)(void))(uintptr_t)x)() == 42);
    return 0;
}

static int giving_up(void) {
    char *p = map(NULL, 16 * PAGE, RW, 0);
    memset(p, 9, 16 * PAGE);
    WANT(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
    WANT(p[0] == 9 && p[PAGE] == 0 && p[3 * PAGE - 1] == 0 && p[3 * PAGE] == 9);
    // Much more than there is, one piece at a time: pages must come back.
    for (int round = 0; round < 64; round++) {
        char *big = map(NULL, 16ul << 20, RW, 0);
        WANT(big != MAP_FAILED);
        for (size_t i = 0; i < 16ul << 20; i += PAGE) big[i] = 1;
        WANT(munmap(big, 16ul << 20) == 0);
    }
    return 0;
}

// Pages of the program's own file: private when written, by the program or by a call, and kept over
// changes of rights.
static char data[4 * PAGE] = {[0 ... 4 * PAGE - 1] = 7};
static const char constant[4 * PAGE] = {[0 ... 4 * PAGE - 1] = 3};

static int the_image(void) {
    char *p = (char *)(((uintptr_t)data + PAGE - 1) & -PAGE),
         *c = (char *)(((uintptr_t)constant + PAGE - 1) & -PAGE);
    p[5] = 8;
    WANT(p[4] == 7 && p[5] == 8 && p[6] == 7);
    WANT(writable(p + PAGE) && p[PAGE + 16] == 7 && p[2 * PAGE] == 7);
    WANT(mprotect(p + 2 * PAGE, PAGE, PROT_NONE) == 0 && !readable(p + 2 * PAGE) &&
         !writable(p + 2 * PAGE));
    WANT(mprotect(p + 2 * PAGE, PAGE, PROT_READ) == 0 && p[2 * PAGE] == 7 &&
         !writable(p + 2 * PAGE));
    WANT(mprotect(p + 2 * PAGE, PAGE, RW) == 0 && writable(p + 2 * PAGE) && p[2 * PAGE + 16] == 7);
    WANT(!writable(c) && mprotect(c, PAGE, RW) == 0 && c[9] == 3);
    c[9] = 4;
    WANT(c[8] == 3 && c[9] == 4 && c[PAGE] == 3 && mprotect(c, PAGE, PROT_READ) == 0 && c[9] == 4 &&
         !writable(c));
    WANT(madvise(p, PAGE, MADV_DONTNEED) == -1 || p[5] == 7); // as in the file again, or refused
    WANT(p[4] == 7 && p[3 * PAGE - 1] == 7);
    return 0;
}

static int the_break(void) {
    uintptr_t start = (uintptr_t)syscall(SYS_brk, 0), to = start + 3 * PAGE + 17;
    WANT((uintptr_t)syscall(SYS_brk, to) == to);
    memset((void *)start, 3, to - start);
    WANT((uintptr_t)syscall(SYS_brk, start + 5) == start + 5);
    WANT((uintptr_t)syscall(SYS_brk, to) == to &&
         *(char *)(start + PAGE + PAGE - start % PAGE) == 0);
    WANT((uintptr_t)syscall(SYS_brk, 1ul << 46) == to && (uintptr_t)syscall(SYS_brk, 1) == to);
    WANT((uintptr_t)syscall(SYS_brk, start) == start);
    return 0;
}

#define MIB (1ul << 20)

// Pages as large as 2 MiB: changed, given up and moved in part; large alignment; what mremap does
// and refuses.
static int large(void) {
    size_t n = 6 * MIB;
    char *p = map(NULL, n, RW, 0);
    WANT(p != MAP_FAILED && (uintptr_t)p % (2 * MIB) == 0);
    for (size_t i = 0; i < n; i += PAGE) p[i] = (char)(i / PAGE % 251 + 1);
    WANT(mprotect(p + 3 * MIB, PAGE, PROT_READ) == 0 && !writable(p + 3 * MIB));
    WANT(madvise(p + 512 * PAGE, 3 * PAGE, MADV_DONTNEED) == 0 && munmap(p + 5 * MIB, PAGE) == 0);
    for (size_t i = 0; i < n; i += PAGE) {
        char wanted = i >= 2 * MIB && i < 2 * MIB + 3 * PAGE ? 0 : (char)(i / PAGE % 251 + 1);
        if (i == 5 * MIB)
            WANT(!readable(p + i));
        else
            WANT(p[i] == wanted);
    }
    WANT(madvise(p, n, MADV_DONTNEED) == -1 && errno == ENOMEM && p[0] == 0 &&
         p[n - PAGE] == 0); // it has a hole
    WANT(madvise(p, PAGE, 1000) == -1 && errno == EINVAL && madvise(p, PAGE, MADV_WILLNEED) == 0);
    WANT(munmap(p, n) == 0);
    p = map(NULL, 3 * MIB, RW, MAP_HUGETLB);
    WANT(p != MAP_FAILED && (uintptr_t)p % (2 * MIB) == 0 && p[4 * MIB - 1] == 0 &&
         munmap(p, 4 * MIB) == 0);
    WANT(map(NULL, 3 * MIB, RW, MAP_HUGETLB | 16 << 26) == MAP_FAILED &&
         errno == EINVAL); // pages of 64 KiB
    p = map(NULL, 5 * MIB, RW, MAP_POPULATE);
    WANT(p != MAP_FAILED && p[5 * MIB - 1] == 0 && munmap(p, 5 * MIB) == 0);
    return 0;
}

static int moves(void) {
    char *p = map(NULL, 8 * MIB, RW, 0), *q = p + 4 * MIB;
    WANT(p != MAP_FAILED && munmap(q, 4 * MIB) == 0);
    for (size_t i = 0; i < 4 * MIB; i += PAGE) p[i] = (char)(i / PAGE % 251 + 1);
    WANT(mremap(p, 4 * MIB, 5 * MIB, 0) == p && p[5 * MIB - 1] == 0);            // grows in place
    WANT(map(p + 5 * MIB, PAGE, PROT_READ, MAP_FIXED_NOREPLACE) == p + 5 * MIB); // now it cannot
    WANT(mremap(p, 5 * MIB, 6 * MIB, 0) == MAP_FAILED && errno == ENOMEM);
    q = mremap(p, 5 * MIB, 6 * MIB, MREMAP_MAYMOVE);
    WANT(q != MAP_FAILED && q != p && !readable(p) && q[6 * MIB - 1] == 0);
    char *r = map(NULL, 10 * MIB, RW, 0) + PAGE; // no large page fits there as it is
    r[0] = 1;
    WANT(mremap(q, 6 * MIB, 3 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, r) == r && !readable(q) &&
         !readable(q + 4 * MIB));
    for (size_t i = 0; i < 3 * MIB; i += PAGE) WANT(r[i] == (char)(i / PAGE % 251 + 1));
    WANT(mremap(r, 3 * MIB, PAGE, 0) == r && r[0] == 1 && !readable(r + PAGE) &&
         readable(r + 3 * MIB));
    WANT(mremap(r, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, r + PAGE - 1) == MAP_FAILED &&
         errno == EINVAL);
    WANT(mremap(r, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, r - PAGE) == MAP_FAILED &&
         errno == EINVAL);
    WANT(mremap(r, PAGE, 2 * PAGE, MREMAP_FIXED, r + 8 * MIB) == MAP_FAILED && errno == EINVAL);
    WANT(mremap(r + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
    WANT(mremap(r + 1, PAGE, PAGE, 0) == MAP_FAILED && errno == EINVAL &&
         mremap(r, PAGE, 0, 0) == MAP_FAILED);
    WANT(mremap(r, PAGE, 1ul << 40, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM && r[0] == 1);
    WANT(munmap(r - PAGE, 10 * MIB) == 0);
    return 0;
}

int main(void) {
    if (large() || moves()) return 1;
    if (splits() || reservation() || rights() || giving_up() || the_image() || the_break())
        return 1;
    puts("mmap ok");
    return 0;
}
