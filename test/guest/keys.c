// What is typed, in numbers: "keys raw" without line editing, each read's bytes in hexadecimal
// until a q; else lines, in brackets, until the end. First the size of the window.
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct winsize size = {0};
    int raw = argc > 1 && !strcmp(argv[1], "raw");
    int error = ioctl(0, TIOCGWINSZ, &size);
    if (raw) {
        struct termios settings;
        tcgetattr(0, &settings);
        settings.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
        settings.c_iflag &= ~(tcflag_t)ICRNL;
        tcsetattr(0, TCSANOW, &settings);
    }
    printf("ready: %d, %d rows, %d columns\n", error, size.ws_row, size.ws_col);
    fflush(stdout);
    unsigned char bytes[4096];
    ssize_t count;
    while ((count = read(0, bytes, sizeof bytes)) > 0) {
        if (raw) {
            for (ssize_t i = 0; i < count; i++) printf("%02x ", bytes[i]);
            if (bytes[count - 1] == 'q') break;
        } else {
            printf("[%.*s]\n", (int)count - (bytes[count - 1] == '\n'), bytes);
        }
        fflush(stdout);
    }
    puts("\nend");
    return 0;
}
