// Three threads read the same terminal, one of them after poll: each line goes to one of them, and
// each ^D ends one.
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *read_lines(void *polls) {
    char line[256], text[300];
    struct pollfd in = {.fd = 0, .events = POLLIN};
    for (;;) {
        if (polls && poll(&in, 1, -1) != 1) return (void *)1;
        ssize_t count = read(0, line, sizeof line);
        if (count <= 0) return (void *)-count;
        int length = snprintf(text, sizeof text, "[%.*s]\n", (int)count - 1, line);
        if (write(1, text, (size_t)length) != length) return (void *)2;
    }
}

int main(void) {
    pthread_t threads[3];
    long wrong = 0;
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, read_lines, i ? NULL : threads);
    if (write(1, "ready\n", 6) != 6) return 3;
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(threads[i], &result);
        wrong |= (long)result;
    }
    return (int)wrong;
}
