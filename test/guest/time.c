// Clocks run forwards, agree with each other, and a sleep lasts about as long as asked.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long now(clockid_t clock) {
    struct timespec t;
    return syscall(SYS_clock_gettime, clock, &t) ? -1 : t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void fail(const char *why) {
    puts(why);
    exit(1);
}

// What was wrong with a sleep, or NULL. How long the emulator itself got no CPU of its host looks
// like time that this program ran, so one wrong sleep does not say much; a sleep that ends early
// does, and ends the program.
static const char *sleeps(void) {
    static char said[64];
    long long busy = now(CLOCK_PROCESS_CPUTIME_ID);
    long long before = now(CLOCK_MONOTONIC);
    long long wall = now(CLOCK_REALTIME);
    if (nanosleep(&(struct timespec){0, 50000000}, NULL)) fail("nanosleep failed");
    long long slept = now(CLOCK_MONOTONIC) - before;
    long long used = now(CLOCK_PROCESS_CPUTIME_ID) - busy;
    snprintf(said, sizeof said, "50 ms took %lld ns, %lld of CPU time", slept, used);
    if (slept < 50000000) fail(said);
    if (now(CLOCK_REALTIME) - wall < 49000000) fail("the wall clock did not move with it");
    return slept > 500000000 || used > slept / 2 ? said : NULL;
}

int main(void) {
    long long last = now(CLOCK_MONOTONIC), first = last;
    for (int i = 0; i < 20000; i++) {
        long long next = now(CLOCK_MONOTONIC);
        if (next < last) return printf("monotonic ran backwards\n"), 1;
        last = next;
    }
    if (last == first) return puts("monotonic stands still"), 1;

    const char *wrong = sleeps();
    for (int more = 0; wrong && more < 4; more++) wrong = sleeps();
    if (wrong) return puts(wrong), 1;

    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    long long target = until.tv_sec * 1000000000ll + until.tv_nsec + 30000000;
    until = (struct timespec){target / 1000000000, target % 1000000000};
    if (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL))
        return puts("absolute sleep failed"), 1;
    if (now(CLOCK_REALTIME) < target) return puts("an absolute sleep ended early"), 1;
    if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){0, 1}, NULL))
        return 1; // long ago

    struct timeval day;
    gettimeofday(&day, NULL);
    if (day.tv_sec < 1704067200) return printf("it is %ld, before 2024\n", (long)day.tv_sec), 1;
    int word = 3;
    struct timespec wait = {0, 20000000};
    long long before = now(CLOCK_MONOTONIC);
    if (syscall(SYS_futex, &word, 128, 4, &wait) != -1 || errno != EAGAIN)
        return puts("futex did not compare"), 1;
    if (syscall(SYS_futex, &word, 128, 3, &wait) != -1 || errno != ETIMEDOUT)
        return puts("futex did not time out"), 1;
    if (now(CLOCK_MONOTONIC) - before < 20000000) return puts("futex timed out early"), 1;
    puts("time ok");
    return 0;
}
