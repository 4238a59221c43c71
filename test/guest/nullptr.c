// Reads through a null pointer: must die of SIGSEGV (139).
#include <stdio.h>

int main(void) {
    puts("before");
    fflush(stdout);
    return *(volatile int *)0;
}
