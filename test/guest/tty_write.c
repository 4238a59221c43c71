// Writes much to the terminal in one call, while another thread sleeps a millisecond at a time.
// "tty_write LIMIT WHAT": fails when it woke later than that many ns. WHAT: the byte to write, or
// "erase" for sequences that erase the screen.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MUCH (1 << 20)

static volatile long latest;
static volatile int over;

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *ticker(void *arg) {
    while (!over) {
        long begin = now();
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        long late = now() - begin - 1000000;
        if (late > latest) latest = late;
    }
    return NULL;
}

int main(int argc, char **argv) {
    static char bytes[MUCH];
    pthread_t t;
    size_t length = MUCH;
    memset(bytes, argv[2][0], MUCH);
    if (!strcmp(argv[2], "erase"))
        for (length = 0; length < MUCH / 64; length += 3) memcpy(bytes + length, "\033[J", 3);
    pthread_create(&t, NULL, ticker, NULL);
    usleep(5000);
    latest = 0;
    if (write(1, bytes, length) != (ssize_t)length) return 2;
    long most = latest; // before the sleeper ends
    over = 1;
    pthread_join(t, NULL);
    printf("\nlatest: %ld ns\n", most);
    return most > atol(argv[1]);
}
