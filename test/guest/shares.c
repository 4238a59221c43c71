// Memory that processes have in common after fork: who loses it when there is too little, and what
// is left of it when they end. The first argument says what is to be shown.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB  (1l << 20)
#define PAGE 4096

static char *memory;
static long bytes;

static void fill(int add) {
    for (long at = 0; at < bytes; at += PAGE) memory[at] += (char)(add + (at >> 12));
}

static int holds(int add, int times) {
    for (long at = 0; at < bytes; at += PAGE)
        if (memory[at] != (char)(add + times * (at >> 12))) return 0;
    return 1;
}

static int status_of(pid_t pid) {
    int status = -1;
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static long free_kib(void) {
    struct sysinfo info;
    sysinfo(&info);
    return (long)(info.freeram >> 10);
}

// Both write all of it, and there is room for one.
static int both_write(void) {
    pid_t pid = fork();
    if (!pid) {
        char *args[] = {"shares", "nothing", NULL};
        execve("/proc/self/exe", args, NULL);
        _exit(errno);
    }
    printf("another program: %#x\n", pid > 0 ? status_of(pid) : -errno);
    pid = fork();
    if (!pid) {
        fill(3);
        pause();
    }
    fill(5);
    printf("the younger: %#x\n", status_of(pid));
    printf("the older has all: %d\n", holds(6, 2));
    return 0;
}

static int refused(void) {
    pid_t pid = fork();
    if (!pid) _exit(1);
    printf("fork %d: %s\n", pid > 0, pid > 0 ? "" : strerror(errno));
    return 0;
}

// Many children, one after the other, each of which writes to some of it.
static int many(long count) {
    long before = 0, lost;
    for (long i = 0; i < count; i++) {
        pid_t pid = fork();
        if (!pid) {
            memory[i * PAGE % bytes]++;
            _exit(i & 127);
        }
        if (pid < 0 || status_of(pid) != (i & 127) << 8) {
            printf("child %ld failed: %s\n", i, strerror(errno));
            return 1;
        }
        memory[i * 7 * PAGE % bytes] += 2;
        if (i == count / 10) before = free_kib();
    }
    lost = before - free_kib();
    printf("done, %s\n", lost < 16 << 10 ? "nothing is lost" : "memory is lost");
    return 0;
}

// The parent writes everything twice when its only child has ended.
static int rewrites(void) {
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (!pid) _exit(0);
        status_of(pid);
        fill(1);
    }
    printf("rewritten %d\n", holds(3, 3));
    return 0;
}

// So many at the same time, which all wait; then the bombs: as many as there can be.
static int crowd(long count) {
    int ends[2];
    long made = 0, ended = 0;
    pipe(ends);
    for (; made < count; made++) {
        pid_t pid = fork();
        if (pid < 0) break;
        if (pid) continue;
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 3 : 4);
    }
    printf("%ld at once: %s\n", made, made < count ? strerror(errno) : "all");
    close(ends[1]);
    for (int status; wait(&status) > 0;) ended += status == 0x300;
    printf("ended %ld\n", ended);
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    long number = argc > 3 ? atol(argv[3]) : 0;
    setvbuf(stdout, NULL, _IOLBF, 256);
    if (!strcmp(what, "nothing")) return 6;
    bytes = argc > 2 ? atol(argv[2]) * MIB : MIB;
    memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 5;
    if (strcmp(what, "crowd")) fill(1);
    if (!strcmp(what, "write")) return both_write();
    if (!strcmp(what, "refused")) return refused();
    if (!strcmp(what, "many")) return many(number);
    if (!strcmp(what, "rewrites")) return rewrites();
    if (!strcmp(what, "crowd")) return crowd(number);
    return 4;
}
