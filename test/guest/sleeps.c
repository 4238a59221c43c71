// Sleeps, in short pieces, for as many milliseconds as its argument says.
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
    int ms = argc > 1 ? atoi(argv[1]) : 0;
    for (int i = 0; i < ms; i += 10) nanosleep(&(struct timespec){0, 10000000}, NULL);
    return 0;
}
