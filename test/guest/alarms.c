// Timers of timer_create, and those of setitimer by CPU time. Prints the same on Linux.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000l

static volatile sig_atomic_t rang, code, value, sum;
static volatile int notified;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    rang++;
    code = info->si_code;
    value = info->si_value.sival_int;
    sum += info->si_overrun;
}

static void on_thread(union sigval what) { __atomic_fetch_add(&notified, what.sival_int, 5); }

static void sleep_ms(long ms) {
    struct timespec rest = {ms / 1000, ms % 1000 * MS};
    while (nanosleep(&rest, &rest) && errno == EINTR) {}
}

static timer_t make(clockid_t clock, int signal, int what) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal};
    event.sigev_value.sival_int = what;
    if (timer_create(clock, &event, &timer)) printf("no timer: %d\n", errno);
    return timer;
}

static struct itimerspec every(long ms, long then_ms) {
    return (struct itimerspec){{then_ms / 1000, then_ms % 1000 * MS}, {ms / 1000, ms % 1000 * MS}};
}

static void by_clock(const char *name, clockid_t clock) {
    struct itimerspec when = every(5, 0), left;
    timer_t timer = make(clock, SIGRTMIN + 2, 42);
    rang = 0;
    timer_settime(timer, 0, &when, NULL);
    sleep_ms(30);
    printf("%s: rang %d, code %d, value %d\n", name, (int)rang, (int)code == SI_TIMER, (int)value);
    timer_gettime(timer, &left);
    printf("  nothing is left %d\n", !left.it_value.tv_sec && !left.it_value.tv_nsec);
    struct timespec now;
    clock_gettime(clock, &now);
    when = (struct itimerspec){{0, 0}, now};
    rang = 0;
    timer_settime(timer, TIMER_ABSTIME, &when, NULL);
    sleep_ms(10);
    printf("  what has passed rings %d\n", (int)rang);
    when = every(3600 * 1000, 7);
    timer_settime(timer, 0, &when, NULL);
    when = every(0, 0);
    timer_settime(timer, 0, &when, &left);
    printf("  left %d, interval %ld\n", left.it_value.tv_sec >= 3590,
           left.it_interval.tv_nsec / MS);
    timer_delete(timer);
    printf("  gone %d", timer_delete(timer));
    printf(" %d\n", errno);
}

static void intervals(void) {
    struct itimerspec when = every(2, 2);
    sigset_t set;
    timer_t timer = make(CLOCK_MONOTONIC, SIGRTMIN + 2, 1);
    rang = sum = 0;
    timer_settime(timer, 0, &when, NULL);
    while (rang < 10) sleep_ms(1);
    printf("an interval goes on\n");
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sleep_ms(50);
    rang = sum = 0;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    printf("one signal %d, overruns %d\n", rang >= 1 && rang < 4, sum >= 15);
    timer_delete(timer);
}

static void *takes(void *timer) {
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    sigwaitinfo(&set, &info);
    printf("to one thread: %d %d\n", info.si_code == SI_TIMER, info.si_value.sival_int);
    return timer;
}

static void notifications(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread};
    struct itimerspec when = every(3, 3);
    event.sigev_value.sival_int = 3;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &when, NULL);
    while (__atomic_load_n(&notified, 5) < 9) sleep_ms(1);
    timer_delete(timer);
    printf("threads were told\n");
    event = (struct sigevent){.sigev_notify = SIGEV_NONE};
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    when = every(5, 0);
    timer_settime(timer, 0, &when, NULL);
    sleep_ms(10);
    timer_gettime(timer, &when);
    printf("silent %d\n", when.it_value.tv_sec == 0 && when.it_value.tv_nsec == 0);
    timer_delete(timer);
    sigset_t set;
    pthread_t thread;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&thread, NULL, takes, NULL);
    timer = make(CLOCK_REALTIME, SIGRTMIN + 3, 7);
    when = every(3, 0);
    timer_settime(timer, 0, &when, NULL);
    pthread_join(thread, NULL);
    timer_delete(timer);
}

static void burn_until_rang(void) {
    for (volatile unsigned long count = 0; !rang; count++) {}
}

static void by_cpu_time(void) {
    struct itimerval when = {{0, 0}, {0, 5000}}, left;
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGPROF, &action, NULL);
    sigaction(SIGVTALRM, &action, NULL);
    rang = 0;
    setitimer(ITIMER_PROF, &when, NULL);
    sleep_ms(20);
    printf("not while it sleeps: %d\n", (int)rang);
    burn_until_rang();
    printf("ITIMER_PROF rang %d, code %d\n", (int)rang, (int)code == SI_KERNEL);
    rang = 0;
    setitimer(ITIMER_VIRTUAL, &when, NULL);
    burn_until_rang();
    getitimer(ITIMER_VIRTUAL, &left);
    printf("ITIMER_VIRTUAL rang %d, left %ld\n", (int)rang, left.it_value.tv_usec);
    struct itimerspec cpu = every(5, 0);
    timer_t timer = make(CLOCK_PROCESS_CPUTIME_ID, SIGRTMIN + 2, 11);
    rang = 0;
    timer_settime(timer, 0, &cpu, NULL);
    burn_until_rang();
    printf("the process's time: %d\n", (int)value);
    timer_delete(timer);
    timer = make(CLOCK_THREAD_CPUTIME_ID, SIGRTMIN + 2, 12);
    rang = 0;
    timer_settime(timer, 0, &cpu, NULL);
    burn_until_rang();
    printf("the thread's time: %d\n", (int)value);
    timer_delete(timer);
}

static void refusals(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 999};
    struct itimerspec when = {{0, 0}, {0, 1000 * MS}};
    int id;
    printf("clock %ld ", syscall(SYS_timer_create, 77, NULL, &id));
    printf("%d, ", errno);
    printf("signal %d ", timer_create(CLOCK_MONOTONIC, &event, &timer));
    printf("%d, ", errno);
    printf("number %ld ", syscall(SYS_timer_gettime, 12345, &when));
    printf("%d, ", errno);
    timer = make(CLOCK_MONOTONIC, SIGRTMIN + 2, 0);
    printf("time %d ", timer_settime(timer, 0, &when, NULL));
    printf("%d\n", errno);
    timer_delete(timer);
}

static void inherited(void) {
    timer_t timer = make(CLOCK_MONOTONIC, SIGRTMIN + 2, 5);
    struct itimerspec when = every(1, 1);
    struct itimerval real = {{0, 0}, {100, 0}}, left;
    setitimer(ITIMER_REAL, &real, NULL);
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        getitimer(ITIMER_REAL, &left);
        _exit(timer_settime(timer, 0, &when, NULL) == -1 ? left.it_value.tv_sec ? 2 : 1 : 3);
    }
    int status;
    waitpid(pid, &status, 0);
    getitimer(ITIMER_REAL, &left);
    printf("a child has none %#x, its parent does %d\n", status, left.it_value.tv_sec > 90);
    timer_delete(timer);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 256);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGRTMIN + 2, &action, NULL);
    by_clock("monotonic", CLOCK_MONOTONIC);
    by_clock("real time", CLOCK_REALTIME);
    by_clock("boot time", CLOCK_BOOTTIME);
    intervals();
    notifications();
    by_cpu_time();
    refusals();
    inherited();
    printf("done\n");
    return 0;
}
