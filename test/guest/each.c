// Threads that do different things for ever, and a first one that makes a call (uname) that nobody
// else makes.
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long steps, made;

static void *computes(void *unused) {
    for (;;) steps++;
    return unused;
}

static void __attribute__((noinline)) calls(void) {
    __asm__ volatile("syscall" : : "a"(SYS_sched_get_priority_max) : "rcx", "r11", "memory");
}

static void *caller(void *unused) {
    for (;; made++) calls();
    return unused;
}

static void *sleeps(void *unused) {
    for (;;) sleep(1000);
    return unused;
}

int main(void) {
    void *(*const all[])(void *) = {computes, caller, sleeps};
    struct utsname name;
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        if (pthread_create(&thread, NULL, all[i], NULL)) return 1;
    time_t end = time(NULL) + 2; // more than a second: by then everybody is at it
    while (steps < 1000 || made < 1000 || time(NULL) < end) {}
    return uname(&name);
}
