// Leaves while another thread writes without end.
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static void *write_on(void *unused) {
    for (;;) write(1, ".", 1);
    return unused;
}

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, write_on, NULL)) return 1;
    return nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}
