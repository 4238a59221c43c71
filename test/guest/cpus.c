// Waits until as many CPUs run as its argument says; with a second one, then sleeps for so many
// milliseconds, ten at a time.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int running(void) {
    char text[4096] = "";
    int fd = open("/proc/vmos", O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0) exit(2);
    close(fd);
    char *line = strstr(text, "CPUs that run: ");
    return line ? atoi(line + strlen("CPUs that run: ")) : 0;
}

int main(int argc, char **argv) {
    int wanted = argc > 1 ? atoi(argv[1]) : 1, ms = argc > 2 ? atoi(argv[2]) : 20;
    for (int i = 0; running() < wanted; i++) {
        if (i == 5000) return printf("%d of %d CPUs run\n", running(), wanted), 1;
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    for (; ms > 0; ms -= 10) nanosleep(&(struct timespec){0, 10000000}, NULL);
    return 0;
}
