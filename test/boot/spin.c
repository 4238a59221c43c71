// Says that it runs, then keeps running, so that the machine can be looked at from outside.
#include <stdio.h>

int main(void) {
    puts("ready");
    fflush(stdout);
    for (;;) __asm__ volatile("pause");
}
