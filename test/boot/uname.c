// Calls uname twice, in a thread beside a busy main(); its status says how that went. A test puts
// code of its own into the kernel's function.
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile int status;

static void *call(void *name) {
    long failed = 0;
    for (int i = 0; i < 2; i++) failed |= syscall(SYS_uname, name);
    status = failed ? 1 : 42;
    return name;
}

int main(void) {
    static char name[6 * 65];
    pthread_t thread;
    if (pthread_create(&thread, 0, call, name)) return 2;
    while (!status) {}
    return status;
}
