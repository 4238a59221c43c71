// SIGALRM by alarm() and by a timer: the ways a program may be going on when it comes.
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    struct itimerval soon = {.it_value = {0, 20000}};
    sigset_t none, one;
    sigemptyset(&none);
    sigemptyset(&one);
    sigaddset(&one, SIGALRM);
    if (strcmp(way, "blocked") == 0 || strcmp(way, "suspend") == 0 || strcmp(way, "ppoll") == 0)
        sigprocmask(SIG_BLOCK, &one, NULL);
    if (strcmp(way, "ignored") == 0) signal(SIGALRM, SIG_IGN);
    if (strcmp(way, "pause") == 0)
        alarm(1);
    else if (strcmp(way, "cancelled") != 0)
        setitimer(ITIMER_REAL, &soon, NULL);
    else if (alarm(1) != 0 || alarm(0) != 1)
        return 1;
    if (strcmp(way, "interval") == 0)
        setitimer(ITIMER_REAL, &(struct itimerval){{0, 50000}, {0, 50000}}, NULL);
    if (strcmp(way, "pause") == 0) pause();
    if (strcmp(way, "suspend") == 0) sigsuspend(&none);
    if (strcmp(way, "ppoll") == 0) ppoll(NULL, 0, NULL, &none);
    if (strcmp(way, "spin") == 0)
        for (;;) {}
    if (strcmp(way, "interval") == 0)
        for (;;) sleep(1000);
    if (strcmp(way, "sleep") == 0) sleep(1000);
    usleep(way[0] == 'c' ? 1100000 : 100000);
    return 7;
}
