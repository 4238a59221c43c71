// Processes: fork, vfork, clone, exec, wait, groups, sessions, stops, orphans. Prints what it sees,
// which is the same on Linux; numbers of processes are printed as what they are to each other.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#define MIB (1l << 20)

struct clone3_args { // musl has no header for it
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

extern char **environ;
static volatile int global = 1;
static volatile sig_atomic_t chld, chld_code, chld_status, chld_pid, got;
static int *shared;

static void on_child(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    chld++;
    chld_code = info->si_code;
    chld_status = info->si_status;
    chld_pid = info->si_pid;
}

static void on_signal(int signal) { got = signal; }

static void expect_status(const char *what, pid_t pid, int options) {
    int status = -1;
    pid_t found = waitpid(pid, &status, options);
    printf("%s: %s status %#x\n", what,
           found == pid ? "itself"
           : found < 0  ? "error"
                        : "other",
           status);
    if (found < 0) printf("  errno %d\n", errno);
}

static pid_t child_that(void (*does)(void)) {
    pid_t pid = fork();
    if (pid) return pid;
    does();
    _exit(0);
}

static void exits_7(void) { _exit(7); }
static void waits(void) {
    for (;;) pause();
}
static void aborts(void) { abort(); }
static void faults(void) { *(volatile int *)8 = 1; }

static void basics(void) {
    char *big = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(big, 1, 8 * MIB);
    for (int i = 0; i < 4; i++) {
        pid_t self = getpid(), pid = fork();
        if (!pid) {
            int wrong = getppid() != self || getpid() == self || getpgrp() != getpgid(self);
            for (long at = 0; at < 8 * MIB; at += 4096) wrong |= big[at] != 1 + i;
            memset(big, 99, 8 * MIB);
            global = 50;
            __atomic_fetch_add(shared, 1, __ATOMIC_SEQ_CST);
            _exit(wrong ? 99 : i);
        }
        expect_status("child", pid, 0);
        int wrong = 0;
        for (long at = 0; at < 8 * MIB; at += 4096) wrong |= big[at] != 1 + i;
        memset(big, 2 + i, 8 * MIB);
        printf("parent: %d, global %d, shared %d\n", wrong, global, *shared);
    }
    munmap(big, 8 * MIB);
    expect_status("nobody is left", -1, 0);
    expect_status("no child of this number", 1 << 29, 0);
    printf("bad options %d", waitpid(-1, NULL, 1 << 20));
    printf(" %d\n", errno);
    expect_status("aborts", child_that(aborts), 0);
    expect_status("faults", child_that(faults), 0);
    pid_t pid = child_that(waits);
    printf("not yet %d\n", waitpid(pid, NULL, WNOHANG));
    kill(pid, SIGKILL);
    expect_status("killed", pid, 0);
    printf("gone %d", kill(pid, 0));
    printf(" %d\n", errno);
}

static void child_signals(void) {
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &old);
    sigaction(SIGCHLD, &action, NULL);
    pid_t pid = child_that(exits_7);
    sigsuspend(&old);
    printf("SIGCHLD %d code %d status %d, %d\n", (int)chld, (int)chld_code, (int)chld_status,
           chld_pid == pid);
    siginfo_t info = {0};
    int result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
    printf("waitid %d: %d %d %d %d\n", result, info.si_signo, info.si_code, info.si_status,
           info.si_pid == pid);
    result = waitid(P_ALL, 0, &info, WEXITED);
    printf("waitid %d: %d %d\n", result, info.si_code, info.si_status);
    printf("waitid %d", waitid(P_ALL, 0, &info, WEXITED));
    printf(" %d\n", errno);
    sigprocmask(SIG_SETMASK, &old, NULL);
    action.sa_flags |= SA_NOCLDWAIT;
    sigaction(SIGCHLD, &action, NULL);
    pid = child_that(exits_7);
    expect_status("SA_NOCLDWAIT", -1, 0);
    signal(SIGCHLD, SIG_IGN);
    pid = child_that(exits_7);
    expect_status("ignored", pid, 0);
    signal(SIGCHLD, SIG_DFL);
    expect_status("default", child_that(exits_7), 0);
}

static void stops(void) {
    pid_t pid = child_that(waits);
    kill(pid, SIGSTOP);
    expect_status("stopped", pid, WUNTRACED);
    printf("told once %d\n", waitpid(pid, NULL, WUNTRACED | WNOHANG));
    kill(pid, SIGSTOP);
    usleep(1000);
    printf("stays so %d\n", waitpid(pid, NULL, WUNTRACED | WNOHANG));
    kill(pid, SIGTERM);
    usleep(1000);
    printf("waits for SIGCONT %d\n", waitpid(pid, NULL, WNOHANG));
    kill(pid, SIGCONT);
    int status;
    pid_t found = waitpid(pid, &status, WCONTINUED);
    if (found == pid && status == 0xffff) found = waitpid(pid, &status, 0);
    printf("continued, then %d %#x\n", found == pid, status);
    pid = child_that(waits);
    kill(pid, SIGSTOP);
    expect_status("stopped", pid, WUNTRACED);
    kill(pid, SIGCONT);
    expect_status("continued", pid, WCONTINUED);
    kill(pid, SIGSTOP);
    expect_status("stopped", pid, WUNTRACED);
    kill(pid, SIGKILL);
    expect_status("killed", pid, WCONTINUED);
}

static int in_pipe(int fd) {
    int value = -1;
    return read(fd, &value, sizeof value) == sizeof value ? value : -1;
}

static void groups(void) {
    int ends[2];
    pipe(ends);
    pid_t pid = fork();
    if (!pid) {
        int results[4] = {setpgid(0, 0), getpgrp() == getpid(), setsid(), errno};
        write(ends[1], results, sizeof results);
        waits();
    }
    for (int i = 0; i < 4; i++) printf("%d%s", in_pipe(ends[0]), i < 3 ? " " : "\n");
    printf("its group %d, ", getpgid(pid) == pid);
    printf("session %d\n", getsid(pid) == getsid(0));
    pid_t second = fork();
    if (!second) waits();
    printf("join %d, ", setpgid(second, pid));
    printf("%d, ", getpgid(second) == pid);
    printf("no such group %d ", setpgid(second, 1 << 29));
    printf("%d\n", errno);
    killpg(pid, SIGUSR1);
    expect_status("of the group", pid, 0);
    expect_status("of the group", second, 0);
    printf("nobody is in it %d ", killpg(pid, 0));
    printf("%d\n", errno);
    pid = fork();
    if (!pid) {
        pid_t session = setsid();
        _exit(session == getpid() && getsid(0) == session && getpgrp() == session ? 3 : 4);
    }
    expect_status("session", pid, 0);
    pid = fork();
    if (!pid) {
        setpgid(0, 0);
        pid_t inner = fork();
        if (!inner) _exit(5);
        int status;
        _exit(waitpid(0, &status, 0) == inner && status == 0x500 ? 6 : 7);
    }
    expect_status("by group", pid, 0);
}

static void orphans(void) {
    int ends[2];
    pipe(ends);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t pid = fork();
    if (!pid) {
        pid_t self = getpid();
        if (!fork()) {
            prctl(PR_SET_PDEATHSIG, SIGUSR2);
            signal(SIGUSR2, on_signal);
            write(ends[1], &self, sizeof self);
            while (!got) usleep(100);
            int results[2] = {got, getppid() == self};
            write(ends[1], results, sizeof results);
            _exit(8);
        }
        char byte[4];
        read(ends[0], byte, sizeof byte);
        _exit(0);
    }
    expect_status("its parent", pid, 0);
    printf("parent's death %d, ", in_pipe(ends[0]));
    printf("another parent %d\n", in_pipe(ends[0]));
    int status;
    wait(&status);
    printf("adopted %#x\n", status);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void *thread_forks(void *arg) {
    (void)arg;
    pid_t pid = fork();
    if (!pid) _exit(12);
    expect_status("of a thread", pid, 0);
    return NULL;
}

static void *thread_ends_all(void *arg) {
    (void)arg;
    usleep(1000);
    exit(13);
}

static void *thread_spins(void *arg) {
    for (volatile unsigned long *count = arg;;) ++*count;
    return NULL;
}

static void *thread_reads(void *arg) {
    char byte;
    read(*(int *)arg, &byte, 1);
    return NULL;
}

// A process of several threads, of which one ends all, or somebody kills it, or one runs another
// program.
static void threads(void) {
    pthread_t thread;
    int ends[2];
    unsigned long count = 0;
    pipe(ends);
    pthread_create(&thread, NULL, thread_forks, NULL);
    pthread_join(thread, NULL);
    for (int how = 0; how < 3; how++) {
        fflush(stdout);
        pid_t pid = fork();
        if (!pid) {
            pthread_create(&thread, NULL, thread_spins, &count);
            pthread_create(&thread, NULL, thread_reads, &ends[0]);
            pthread_create(&thread, NULL, thread_reads, &ends[0]);
            if (how == 0) pthread_create(&thread, NULL, thread_ends_all, NULL);
            if (how == 2) syscall(SYS_exit, 1); // its first thread alone: the others go on
            waits();
        }
        if (how) {
            usleep(2000);
            kill(pid, how == 1 ? SIGTERM : SIGKILL);
        }
        expect_status("threads", pid, 0);
    }
}

static pid_t raw_clone(unsigned long flags, void *stack, int *parent, int *child) {
    return (pid_t)syscall(SYS_clone, flags, stack, parent, child, 0);
}

static void clones(void) {
    int parent = 0, child = 0;
    pid_t pid =
        raw_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, NULL, &parent, &child);
    if (!pid) _exit(child == getpid() ? 20 : 21);
    printf("told %d %d\n", parent == pid, child);
    expect_status("clone", pid, 0);
    pid = raw_clone(0, NULL, NULL, NULL);
    if (!pid) _exit(22);
    expect_status("without a signal", pid, WNOHANG);
    expect_status("of another kind", pid, __WCLONE);
    pid = raw_clone(CLONE_FILES | SIGCHLD, NULL, NULL, NULL);
    if (!pid) {
        close(9);
        _exit(dup2(1, 9));
    }
    expect_status("one table of files", pid, 0);
    printf("its number %d\n", close(9));
    global = 1;
    pid = vfork();
    if (!pid) {
        global = 30;
        _exit(31);
    }
    printf("vfork: global %d\n", global);
    expect_status("vfork", pid, 0);
    struct clone3_args args = {.exit_signal = SIGCHLD, .flags = CLONE_CLEAR_SIGHAND};
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, SIG_IGN);
    pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (!pid) {
        struct sigaction action[2];
        sigaction(SIGUSR1, NULL, &action[0]);
        sigaction(SIGUSR2, NULL, &action[1]);
        _exit(action[0].sa_handler == SIG_DFL && action[1].sa_handler == SIG_IGN ? 32 : 33);
    }
    expect_status("clone3", pid, 0);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    args = (struct clone3_args){.flags = CLONE_SIGHAND};
    printf("nonsense %ld ", syscall(SYS_clone3, &args, sizeof args));
    printf("%d, ", errno);
    printf("too short %ld ", syscall(SYS_clone3, &args, 8));
    printf("%d\n", errno);
}

// fork keeps the mask, handlers and the alternate stack, and nothing that is pending.
static void inherited(void) {
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack}, old;
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaltstack(&alternate, NULL);
    raise(SIGUSR1);
    pid_t pid = fork();
    if (!pid) {
        int results = 0;
        sigprocmask(SIG_BLOCK, NULL, &set);
        sigpending(&pending);
        sigaltstack(NULL, &old);
        results |= sigismember(&set, SIGUSR1);
        results |= sigismember(&pending, SIGUSR1) << 1;
        results |= (old.ss_sp == stack) << 2;
        _exit(results);
    }
    expect_status("inherited", pid, 0);
    signal(SIGUSR1, SIG_IGN);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    signal(SIGUSR1, SIG_DFL);
    alternate.ss_flags = SS_DISABLE;
    sigaltstack(&alternate, NULL);
    char *wiped = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *left = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(wiped, 5, 8192);
    memset(left, 5, 4096);
    madvise(wiped, 4096, MADV_WIPEONFORK);
    madvise(left, 4096, MADV_DONTFORK);
    pid = fork();
    if (!pid) {
        unsigned char vector[2];
        _exit(wiped[0] | wiped[4096] << 1 | (mincore(left, 4096, vector) != 0) << 4);
    }
    expect_status("advice", pid, 0);
    struct rlimit limit = {100, 200};
    setrlimit(RLIMIT_NOFILE, &limit);
    pid = fork();
    if (!pid) {
        getrlimit(RLIMIT_NOFILE, &limit);
        _exit(limit.rlim_cur == 100 && limit.rlim_max == 200 ? 40 : 41);
    }
    expect_status("limits", pid, 0);
}

// A futex in shared memory, between processes.
static void futexes(void) {
    pthread_mutexattr_t attributes;
    pthread_mutex_t *mutex = (pthread_mutex_t *)(shared + 16);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex, &attributes);
    shared[1] = 0;
    for (int i = 0; i < 4; i++) {
        if (fork()) continue;
        for (int round = 0; round < 500; round++) {
            pthread_mutex_lock(mutex);
            shared[1]++;
            pthread_mutex_unlock(mutex);
            if (round % 100 == 0) sched_yield();
        }
        _exit(0);
    }
    for (int i = 0; i < 4; i++) wait(NULL);
    printf("counted %d\n", shared[1]);
    pid_t pid = fork();
    if (!pid) {
        pthread_mutex_lock(mutex);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("its owner has died %d\n", pthread_mutex_lock(mutex) == EOWNERDEAD);
    pthread_mutex_consistent(mutex);
    pthread_mutex_unlock(mutex);
}

static void run_again(const char *way, char *more) {
    char *args[] = {"again", (char *)way, more, NULL};
    char *environment[] = {"A=1", "LONG=value", NULL};
    execve("/proc/self/exe", args, environment);
    _exit(errno);
}

static void *thread_runs_again(void *arg) {
    run_again(arg, NULL);
    return NULL;
}

static void programs(void) {
    static char text[200001];
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, SIG_IGN);
    memset(text, 'x', 100000);
    dup2(1, 50);
    dup2(1, 51);
    syscall(SYS_fcntl, 51, 2 /* F_SETFD */, 1);
    fflush(stdout);
    for (int how = 0; how < 2; how++) {
        pid_t pid = how ? vfork() : fork();
        if (!pid) run_again("first", text);
        expect_status("another program", pid, 0);
        fflush(stdout);
    }
    memset(text, 'y', 200000);
    pid_t pid = fork();
    if (!pid) run_again("first", text);
    expect_status("too long", pid, 0);
    fflush(stdout);
    pid = fork();
    if (!pid) {
        pthread_t thread;
        unsigned long count = 0;
        for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, thread_spins, &count);
        pthread_create(&thread, NULL, thread_runs_again, "thread");
        waits();
    }
    expect_status("by a thread", pid, 0);
    fflush(stdout);
    pid = fork();
    if (!pid) _exit(execve("/proc/self/exe", (char **)8, environ) == -1 ? errno : 0);
    expect_status("no arguments there", pid, 0);
    pid = fork();
    if (!pid) _exit(execve("/nowhere", NULL, NULL) == -1 ? errno : 0);
    expect_status("no such file", pid, 0);
    fflush(stdout);
    pid = fork();
    if (!pid) run_again("chain", "50");
    expect_status("50 in a chain", pid, 0);
    close(50);
    close(51);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

static int again(int argc, char **argv) {
    char name[16] = "";
    struct sigaction action[2];
    prctl(PR_GET_NAME, name);
    sigaction(SIGUSR1, NULL, &action[0]);
    sigaction(SIGUSR2, NULL, &action[1]);
    if (!strcmp(argv[1], "chain")) {
        char text[20];
        int left = atoi(argv[2]);
        if (!left) return 77;
        snprintf(text, sizeof text, "%d", left - 1);
        run_again("chain", text);
    }
    printf("%s: %d arguments, the last of %zu, %s %s, %s from %s\n", argv[1], argc,
           argc > 2 ? strlen(argv[2]) : 0, environ[0], environ[1], name,
           (char *)getauxval(AT_EXECFN));
    printf("handlers %d %d, files %d %d, thread %d\n", action[0].sa_handler == SIG_DFL,
           action[1].sa_handler == SIG_IGN, syscall(SYS_fcntl, 50, 1) >= 0,
           syscall(SYS_fcntl, 51, 1) >= 0, getpid() == (pid_t)syscall(SYS_gettid));
    return 66;
}

// Children in a chain, each of which waits for the next one.
static void chain(int depth) {
    pid_t pid = fork();
    if (!pid) {
        if (depth == 0) _exit(1);
        chain(depth - 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    _exit(pid > 0 && status == 0x100 ? 1 : 2);
}

static void many(void) {
    pid_t pid = fork();
    if (!pid) chain(1000);
    expect_status("1,000 deep", pid, 0);
    int made = 0, well = 0, status;
    for (; made < 300; made++)
        if (fork() == 0) _exit(made & 127);
    while (wait(&status) > 0) well += WIFEXITED(status);
    printf("%d of %d\n", well, made);
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    printf("children had time %d\n", usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec +
                                             usage.ru_stime.tv_sec * 1000000 +
                                             usage.ru_stime.tv_usec >
                                         0);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOFBF, 8192);
    if (argc > 1) return again(argc, argv);
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    void (*const parts[])(void) = {basics, child_signals, stops,   groups,   orphans, threads,
                                   clones, inherited,     futexes, programs, many};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        printf("-- %zu\n", i);
        fflush(stdout);
        parts[i]();
        fflush(stdout);
    }
    printf("done\n");
    return 0;
}
