// A megabyte of random numbers looks like some, and so do the bytes at the start; those are
// printed.
#include <stdio.h>
#include <sys/random.h>
#include <sys/auxv.h>
#include <string.h>
static unsigned char b[1 << 20];
int main(void) {
    long n = 0;
    if (getrandom(b, sizeof b, 0) != sizeof b) return 1;
    long ones = 0;
    for (size_t i = 0; i < sizeof b; i++) ones += __builtin_popcount(b[i]);
    long d = ones - 4L * sizeof b;
    if (d < 0) d = -d;
    unsigned char *r = (void *)getauxval(AT_RANDOM);
    for (size_t i = 0; i + 16 <= sizeof b; i += 64) n += !memcmp(b + i, b + i + 16, 16);
    printf("%d %ld ", d < 8000, n);
    for (int i = 0; i < 16; i++) printf("%02x", r[i]);
    puts("");
    return 0;
}
