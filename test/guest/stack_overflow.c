// Calls itself without end: must die of SIGSEGV (139), reported as a stack overflow.
#include <stdio.h>

#pragma GCC diagnostic ignored "-Winfinite-recursion"
static int deeper(volatile char *above) {
    volatile char frame[1024];
    frame[0] = above[0] + 1;
    return deeper(frame) + frame[0];
}

int main(void) {
    char start = 0;
    puts("before");
    fflush(stdout);
    return deeper(&start);
}
