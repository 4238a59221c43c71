// Sleeps for three seconds in one call, and says when.
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    write(1, "asleep\n", 7);
    if (nanosleep(&(struct timespec){3, 0}, NULL)) return perror("nanosleep"), 1;
    write(1, "awake\n", 6);
    return 0;
}
