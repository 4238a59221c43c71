// Users, groups and capabilities: what root, and who is it no longer, may change. Run as root it
// prints the same on Linux.
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct header {
    uint32_t version;
    int pid;
};
struct data {
    uint32_t effective, permitted, inheritable;
};

static void tell(const char *what, long result) {
    uid_t user[3];
    gid_t group[3];
    struct header header = {0x20080522, 0};
    struct data data[2] = {{0}};
    int error = errno;
    getresuid(user, user + 1, user + 2);
    getresgid(group, group + 1, group + 2);
    syscall(SYS_capget, &header, data);
    printf("%s: %ld", what, result);
    if (result < 0) printf(" errno %d", error);
    printf(", users %d %d %d %d, groups %d %d %d, ", user[0], user[1], user[2], setfsuid(-1),
           group[0], group[1], group[2]);
    printf("may %s\n", data[0].effective   ? data[0].permitted ? "all" : "what?"
                       : data[0].permitted ? "later"
                                           : "nothing");
}

static void in_child(void (*does)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    int status;
    if (!pid) {
        does();
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (status) printf("status %#x\n", status);
}

static void leaves_root(void) {
    gid_t list[4] = {5, 6, 7}, seen[8];
    tell("setgroups", setgroups(3, list));
    int count = getgroups(8, seen);
    printf("%d groups, the last %d\n", count, count > 0 ? seen[count - 1] : -1);
    printf("no room %d", getgroups(2, seen));
    printf(" %d\n", errno);
    tell("setgid", setgid(100));
    tell("setuid", setuid(1000));
    tell("back", setuid(0));
    tell("other", setuid(1001));
    tell("the same", setuid(1000));
    tell("groups", setgroups(1, list));
    tell("group", setgid(0));
}

static void to_and_fro(void) {
    tell("seteuid", seteuid(1000));
    tell("back", seteuid(0));
    tell("setreuid", setreuid(1000, 1001));
    tell("swapped", setreuid(1001, 1000));
    tell("neither", setreuid(5, -1));
    tell("root", setreuid(-1, 0));
}

static void three(void) {
    tell("setresuid", setresuid(1000, 1001, 0));
    tell("to the saved one", setresuid(-1, 0, -1));
    tell("all", setresuid(1, 2, 3));
    tell("one of them", setresuid(3, 3, 3));
    tell("none of them", setresuid(4, 3, 3));
}

static void groups_too(void) {
    tell("setresgid", setresgid(10, 11, 12));
    tell("setregid", setregid(20, 21));
    tell("setegid", setegid(30));
    tell("setfsgid", setfsgid(40));
    tell("setfsuid", setfsuid(50));
}

static void keeps(void) {
    struct header header = {0x20080522, 0};
    struct data data[2] = {{0}};
    prctl(PR_SET_KEEPCAPS, 1);
    tell("kept", setuid(1000));
    syscall(SYS_capget, &header, data);
    data[0].effective = data[0].permitted;
    tell("raised", syscall(SYS_capset, &header, data));
    data[0].permitted = data[0].effective = 1 << 5;
    data[1] = (struct data){0};
    tell("lowered", syscall(SYS_capset, &header, data));
    data[0].permitted |= 1 << 6;
    tell("more", syscall(SYS_capset, &header, data));
    printf("bounding set %d", prctl(PR_CAPBSET_READ, 3));
    printf(" %d", prctl(PR_CAPBSET_DROP, 3));
    printf(" %d\n", errno);
    header.version = 1;
    tell("version", syscall(SYS_capget, &header, NULL));
    printf("%#x\n", header.version);
}

static void signals(void) {
    pid_t pid = fork();
    if (!pid) {
        alarm(2); // nobody here may end it
        pause();
        _exit(1);
    }
    pid_t other = fork();
    if (!other) {
        setuid(1000);
        pause();
        _exit(1);
    }
    usleep(20000);
    setuid(1000);
    printf("to root %d", kill(pid, SIGTERM));
    printf(" %d, ", errno);
    printf("its own %d, ", kill(other, SIGTERM));
    printf("nobody but root %d", kill(1, 0));
    printf(" %d\n", errno);
    waitpid(other, NULL, 0);
    kill(getppid(), 0);
    fflush(stdout);
    _exit(0);
}

static void runs_again(void) {
    char *args[] = {"credentials", "again", NULL};
    setresuid(1000, 1001, 0);
    execv("/proc/self/exe", args);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOFBF, 4096);
    (void)argv;
    if (argc > 1) {
        tell("again", 0);
        printf("auxv %ld %ld\n", getauxval(AT_UID), getauxval(AT_EUID));
        return 0;
    }
    setgroups(0, NULL);
    tell("root", 0);
    in_child(leaves_root);
    in_child(to_and_fro);
    in_child(three);
    in_child(groups_too);
    in_child(keeps);
    in_child(runs_again);
    fflush(stdout);
    if (!fork()) signals();
    wait(NULL);
    printf("done\n");
    return 0;
}
