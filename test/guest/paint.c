// Text, colours and movements for the screen; then it waits to be looked at, or dies of a fault
// when told to.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    for (int c = ' '; c < 0x7f; c++) putchar(c);
    puts("\nevery character; \303\274ber one question mark for two bytes of UTF-8");
    for (int n = 30; n < 38; n++)
        printf("\033[%dm %d \033[%dm %d \033[0;%dm %d \033[0m", n, n, n + 60, n + 60, n + 10,
               n + 10);
    puts("\n\033[1;31mbold red\033[0m \033[7mreverse\033[27m \033[38;5;196mof 256\033[0m plain");
    puts("overwritten\033[11DOVER\033[7Cat the end\033[K");
    puts("gone\n\033[1A\033[2K\rup and down");
    fflush(stdout);
    if (argc > 1 && strcmp(argv[1], "die") == 0) *(volatile int *)16 = 1;
    for (int i = 0; argc > 1 && i < 200; i++) printf("line %d of many\n", i);
    puts("painted");
    fflush(stdout);
    sleep(600);
    return 0;
}
