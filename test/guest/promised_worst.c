// What was promised is there, whatever else takes memory: nodes for areas, page tables, then the
// main thread's stack, which is told that there is none. In a machine of 64 MiB.
#define _GNU_SOURCE
#include <alloca.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#define PAGE   4096ul
#define MIB    (1ul << 20)
#define PARTS  64
#define APART  ((char *)0x100000000000)
#define SINGLE 20000

static char *part[PARTS], *single[SINGLE];
static size_t length[PARTS];
static int parts, singles;

static char *get(void *at, size_t bytes, int rights, int flags) {
    return mmap(at, bytes, rights, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

// Takes promises down to the last page.
static size_t promise_all(void) {
    size_t sum = 0;
    for (size_t size = 64 * MIB; size >= PAGE; size /= 2)
        while (parts < PARTS &&
               (part[parts] = get(NULL, size, PROT_READ | PROT_WRITE, 0)) != MAP_FAILED) {
            length[parts++] = size;
            sum += size;
        }
    return sum;
}

static void touch_all(const char *what) {
    for (int i = 0; i < parts; i++)
        for (size_t at = 0; at < length[i]; at += PAGE) part[i][at] = 1;
    for (int i = 0; i < singles; i++) *single[i] = 1;
    for (int i = 0; i < parts; i++) munmap(part[i], length[i]);
    for (int i = 0; i < singles; i++) munmap(single[i], PAGE);
    printf("%s: all that was promised was there\n", what);
    parts = singles = 0;
}

// Holes in an area that takes no memory: each is a node.
static int nodes(void) {
    char *sparse = get(NULL, 1ul << 36, PROT_NONE, MAP_NORESERVE);
    long holes = 0;
    if (promise_all() < 32 * MIB) return printf("little is promised\n");
    while (holes < 200000 && munmap(sparse + holes * 2 * PAGE, PAGE) == 0) holes++;
    if (holes == 200000 || errno != ENOMEM) return printf("%ld holes, errno %d\n", holes, errno);
    touch_all("nodes");
    return munmap(sparse, 1ul << 36);
}

// Promises that move to where each needs tables of its own.
static int moved(void) {
    for (; singles < 4000; singles++) {
        char *from = get(NULL, PAGE, PROT_READ | PROT_WRITE, 0),
             *to = APART + singles * (1ul << 30);
        if (from == MAP_FAILED) break;
        single[singles] = mremap(from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
        if (single[singles] == MAP_FAILED) {
            munmap(from, PAGE);
            break;
        }
    }
    if (singles < 1000) return printf("%d were moved\n", singles);
    promise_all();
    touch_all("moved");
    return 0;
}

// Of every 2 MiB one page is kept.
static int holes(void) {
    for (int round = 0; round < 1000; round++) {
        char *area = get(APART + round * 32 * MIB, 32 * MIB, PROT_READ | PROT_WRITE, MAP_FIXED);
        if (area == MAP_FAILED) break;
        for (int i = 0; i < 16; i++) {
            char *middle = area + i * 2 * MIB + MIB;
            if (munmap(middle - MIB, MIB) || munmap(middle + PAGE, MIB - PAGE))
                return printf("munmap: %d\n", errno);
            single[singles++] = middle;
        }
    }
    if (singles < 1000) return printf("%d single pages\n", singles);
    promise_all();
    touch_all("holes");
    return 0;
}

static __attribute__((noinline)) void deep(void) {
    volatile char *stack = alloca(6 * MIB);
    for (size_t i = 6 * MIB; i; i -= PAGE) stack[i - PAGE] = 1;
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    if (nodes() || moved() || holes()) return 1;
    promise_all();
    printf("stack\n");
    deep(); // SIGBUS
    return 2;
}
