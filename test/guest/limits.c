// Limits are kept as they are set, with Linux's errors for what cannot be. Linux says the same to
// root with all its capabilities.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return printf("line %d: %s does not hold, errno %d\n", __LINE__, #condition, errno),   \
                   1;                                                                              \
    } while (0)
#define BAD ((void *)8)

static long call(long number, long a, long b, const void *c, const void *d) {
    long result = syscall(number, a, b, c, d);
    return result < 0 ? -errno : result;
}

static int kept(void) {
    const int all[] = {RLIMIT_CPU,   RLIMIT_FSIZE, RLIMIT_DATA,   RLIMIT_STACK,   RLIMIT_CORE,
                       RLIMIT_RSS,   RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_AS,
                       RLIMIT_LOCKS, RLIMIT_NICE,  RLIMIT_RTPRIO};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        struct rlimit before, set, now;
        WANT(getrlimit(all[i], &before) == 0 && before.rlim_cur <= before.rlim_max);
        set.rlim_max = before.rlim_max;
        set.rlim_cur = before.rlim_max > 1ul << 40 ? 1ul << 40 : before.rlim_max;
        WANT(setrlimit(all[i], &set) == 0 && getrlimit(all[i], &now) == 0);
        WANT(now.rlim_cur == set.rlim_cur && now.rlim_max == set.rlim_max);
        WANT(prlimit(0, all[i], &before, &now) == 0 && now.rlim_cur == set.rlim_cur); // the old one
        WANT(prlimit(getpid(), all[i], NULL, &now) == 0 && now.rlim_cur == before.rlim_cur);
    }
    return 0;
}

static int refused(void) {
    struct rlimit limit = {5, 4}, now;
    WANT(call(SYS_setrlimit, RLIMIT_AS, (long)&limit, 0, 0) == -EINVAL);
    WANT(call(SYS_setrlimit, 16, (long)&limit, 0, 0) == -EINVAL &&
         call(SYS_getrlimit, 16, (long)&now, 0, 0) == -EINVAL);
    WANT(call(SYS_setrlimit, 99, 8, 0, 0) == -EFAULT &&
         call(SYS_getrlimit, RLIMIT_AS, 8, 0, 0) == -EFAULT);
    WANT(call(SYS_prlimit64, 0, 99, BAD, NULL) == -EFAULT &&
         call(SYS_prlimit64, 0, 99, NULL, BAD) == -EINVAL);
    WANT(call(SYS_prlimit64, 0, RLIMIT_AS, NULL, BAD) == -EFAULT);
    WANT(call(SYS_prlimit64, 4000000, 99, NULL, NULL) == -ESRCH &&
         call(SYS_prlimit64, -1, 0, NULL, NULL) == -ESRCH);
    WANT(call(SYS_prlimit64, 1l << 32, 1l << 32 | RLIMIT_AS, NULL, &now) ==
         0); // both are of 32 bits
    WANT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_max = RLIM_INFINITY; // beyond what there can be
    WANT(call(SYS_setrlimit, RLIMIT_NOFILE, (long)&limit, 0, 0) == -EPERM);
    return 0;
}

// A limit that was lowered may be raised again by root.
static int raised(void) {
    struct rlimit before, low = {1ul << 30, 1ul << 30}, now;
    WANT(getrlimit(RLIMIT_RSS, &before) == 0 && setrlimit(RLIMIT_RSS, &low) == 0);
    WANT(setrlimit(RLIMIT_RSS, &before) == 0 && getrlimit(RLIMIT_RSS, &now) == 0 &&
         now.rlim_max == before.rlim_max);
    return 0;
}

// As musl's own test does it.
static int files(void) {
    struct rlimit before, limit = {42, 42};
    int last = 0;
    WANT(getrlimit(RLIMIT_NOFILE, &before) == 0);
    limit.rlim_max = before.rlim_max;
    WANT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int file; (file = dup(1)) >= 0;) last = file;
    WANT(errno == EMFILE && last == 41 && open("/dev/zero", O_RDWR) == -1 && errno == EMFILE);
    WANT(fcntl(1, F_DUPFD, 42) == -1 && errno == EINVAL && dup2(1, 42) == -1 && errno == EBADF);
    for (int file = 3; file <= last; file++) WANT(close(file) == 0);
    WANT(setrlimit(RLIMIT_NOFILE, &before) == 0 && dup2(1, 50) == 50 && close(50) == 0);
    WANT(dup2(1, 1) == 1 && dup3(1, 1, 0) == -1 && errno == EINVAL && dup(77) == -1 &&
         errno == EBADF);
    WANT(fcntl(1, F_DUPFD_CLOEXEC, 30) == 30 && fcntl(30, F_GETFD) == FD_CLOEXEC && close(30) == 0);
    return 0;
}

static int zeroes(void) {
    char some[5] = "abcd";
    int file = open("/dev/zero", O_RDWR);
    WANT(file >= 0 && read(file, some, 2) == 2 && !some[0] && !some[1] && some[2] == 'c' &&
         write(file, some, 4) == 4);
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    char *s = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    WANT(p != MAP_FAILED && s != MAP_FAILED && close(file) == 0 && !p[0] && !s[4096]);
    p[0] = s[0] = 1;
    WANT(munmap(p, 8192) == 0 && munmap(s, 8192) == 0);
    return 0;
}

int main(void) {
    if (files() || zeroes()) return 1;
    if (kept() || refused() || raised()) return 1;
    puts("limits ok");
    return 0;
}
