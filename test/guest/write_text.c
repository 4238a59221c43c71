// Writes to its own code: must die of SIGSEGV (139).
#include <stdint.h>

int main(void) {
    *(volatile char *)(uintptr_t)main = 0;
    return 0;
}
