// Many lines of the log while another thread writes: the program asks for calls that nobody built.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static volatile int ready;

static void *ask(void *arg) {
    ready = 1;
    for (int call = 400; call < 450; call++) {
        syscall(call, 0, 0, 0);
        for (volatile int i = 0; i < 100000; i++) {}
    }
    return arg;
}

int main(void) {
    pthread_t thread;
    char line[64];
    pthread_create(&thread, NULL, ask, NULL);
    while (!ready) {}
    for (int i = 0; i < 1000; i++)
        write(1, line, snprintf(line, sizeof line, "%03d that is all one line\n", i));
    pthread_join(thread, NULL);
    return 0;
}
