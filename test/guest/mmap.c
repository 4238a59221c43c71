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
#define WANT(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) return printf("line %d: %s does not hold, errno %d\n", __LINE__, #condition, errno), 1;      \
    } while (0)

static char *map(void *at, size_t bytes, int rights, int flags) { return mmap(at, bytes, rights, ANON | flags, -1, 0); }
// Whether the kernel can read that byte: write() to a full pipe would do, getcwd and uname write instead.
static int readable(const void *p) { return syscall(SYS_prctl, 15, p, 0, 0, 0) == 0; } // PR_SET_NAME
static int writable(void *p) { return syscall(SYS_clock_gettime, 0, p) == 0; }

static int splits(void) {
    char *p = map(NULL, 10 * PAGE, RW, 0);
    WANT(p != MAP_FAILED);
    for (int i = 0; i < 10; i++) p[i * PAGE] = (char)(i + 1);
    WANT(munmap(p + 3 * PAGE, 2 * PAGE) == 0);
    WANT(!readable(p + 3 * PAGE) && !readable(p + 4 * PAGE) && p[2 * PAGE] == 3 && p[5 * PAGE] == 6);
    WANT(map(p + 3 * PAGE, PAGE, PROT_READ, MAP_FIXED) == p + 3 * PAGE && p[3 * PAGE] == 0);
    WANT(map(p + PAGE, 6 * PAGE, RW, MAP_FIXED) == p + PAGE);
    for (int i = 1; i < 7; i++) WANT(p[i * PAGE] == 0);
    WANT(p[0] == 1 && p[7 * PAGE] == 8);
    WANT(map(p, PAGE, RW, MAP_FIXED_NOREPLACE) == MAP_FAILED && errno == EEXIST && p[0] == 1);
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
    WANT(mprotect(p + 2 * PAGE, PAGE, PROT_READ) == 0 && readable(p + 2 * PAGE) && !writable(p + 2 * PAGE));
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

// Pages of the program's own file: private when written, by the program or by a call, and kept over changes of rights.
static char data[4 * PAGE] = {[0 ... 4 * PAGE - 1] = 7};
static const char constant[4 * PAGE] = {[0 ... 4 * PAGE - 1] = 3};

static int the_image(void) {
    char *p = (char *)(((uintptr_t)data + PAGE - 1) & -PAGE), *c = (char *)(((uintptr_t)constant + PAGE - 1) & -PAGE);
    p[5] = 8;
    WANT(p[4] == 7 && p[5] == 8 && p[6] == 7);
    WANT(writable(p + PAGE) && p[PAGE + 16] == 7 && p[2 * PAGE] == 7);
    WANT(mprotect(p + 2 * PAGE, PAGE, PROT_NONE) == 0 && !readable(p + 2 * PAGE) && !writable(p + 2 * PAGE));
    WANT(mprotect(p + 2 * PAGE, PAGE, PROT_READ) == 0 && p[2 * PAGE] == 7 && !writable(p + 2 * PAGE));
    WANT(mprotect(p + 2 * PAGE, PAGE, RW) == 0 && writable(p + 2 * PAGE) && p[2 * PAGE + 16] == 7);
    WANT(!writable(c) && mprotect(c, PAGE, RW) == 0 && c[9] == 3);
    c[9] = 4;
    WANT(c[8] == 3 && c[9] == 4 && c[PAGE] == 3 && mprotect(c, PAGE, PROT_READ) == 0 && c[9] == 4 && !writable(c));
    WANT(madvise(p, PAGE, MADV_DONTNEED) == -1 || p[5] == 7); // as in the file again, or refused
    WANT(p[4] == 7 && p[3 * PAGE - 1] == 7);
    return 0;
}

static int the_break(void) {
    uintptr_t start = (uintptr_t)syscall(SYS_brk, 0), to = start + 3 * PAGE + 17;
    WANT((uintptr_t)syscall(SYS_brk, to) == to);
    memset((void *)start, 3, to - start);
    WANT((uintptr_t)syscall(SYS_brk, start + 5) == start + 5);
    WANT((uintptr_t)syscall(SYS_brk, to) == to && *(char *)(start + PAGE + PAGE - start % PAGE) == 0);
    WANT((uintptr_t)syscall(SYS_brk, 1ul << 46) == to && (uintptr_t)syscall(SYS_brk, 1) == to);
    WANT((uintptr_t)syscall(SYS_brk, start) == start);
    return 0;
}

int main(void) {
    if (splits() || reservation() || rights() || giving_up() || the_image() || the_break()) return 1;
    puts("mmap ok");
    return 0;
}
