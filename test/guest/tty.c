// Says what the three standard files are, then copies lines until the end, in brackets.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

int main(void) {
    for (int fd = 0; fd < 3; fd++) {
        struct termios settings;
        struct stat stat;
        int tty = tcgetattr(fd, &settings) == 0;
        fstat(fd, &stat);
        printf("%d: %s, %s\n", fd,
               tty               ? "tty"
               : errno == ENOTTY ? "no tty"
                                 : "?",
               S_ISFIFO(stat.st_mode)  ? "pipe"
               : S_ISCHR(stat.st_mode) ? "character device"
                                       : "?");
    }
    printf("isatty %d %d %d\n", isatty(0), isatty(1), isatty(2));
    fflush(stdout);
    char line[256];
    ssize_t count;
    struct pollfd in = {.fd = 0, .events = POLLIN};
    while (poll(&in, 1, -1) == 1 && (count = read(0, line, sizeof line)) > 0) {
        if (line[count - 1] == '\n') count--;
        printf("[%.*s]\n", (int)count, line);
        fflush(stdout);
    }
    puts("end");
    return 0;
}
