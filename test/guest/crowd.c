// A signal for the process among so many threads that nobody asks all of them at once: the last one
// alone takes it.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CROWD 1500
static _Atomic int waiting;

static void *waits(void *set) {
    pthread_sigmask(SIG_SETMASK, set, NULL);
    waiting++;
    for (;;) pause();
}

int main(int argc, char **argv) {
    int forgets = argc > 1 && strcmp(argv[1], "forget") == 0;
    sigset_t all, none;
    pthread_t threads[CROWD];
    sigfillset(&all);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    for (int i = 0; i < CROWD; i++)
        if (pthread_create(&threads[i], NULL, waits, i == CROWD - 1 && !forgets ? &none : &all))
            return 1;
    while (waiting < CROWD) usleep(1000);
    for (int i = 0; i < CROWD; i++)
        if (forgets && pthread_kill(threads[i], SIGUSR1)) return 2;
    if (forgets) {
        signal(SIGUSR1, SIG_IGN);
        signal(SIGUSR1, SIG_DFL);
        return 7;
    }
    kill(getpid(), SIGUSR1);
    for (;;) pause();
}
