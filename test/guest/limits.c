// Limits are kept as they are set, with Linux's errors for what cannot be. Linux says the same to root with all its
// capabilities.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WANT(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) return printf("line %d: %s does not hold, errno %d\n", __LINE__, #condition, errno), 1;      \
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
    WANT(call(SYS_setrlimit, 99, 8, 0, 0) == -EFAULT && call(SYS_getrlimit, RLIMIT_AS, 8, 0, 0) == -EFAULT);
    WANT(call(SYS_prlimit64, 0, 99, BAD, NULL) == -EFAULT && call(SYS_prlimit64, 0, 99, NULL, BAD) == -EINVAL);
    WANT(call(SYS_prlimit64, 0, RLIMIT_AS, NULL, BAD) == -EFAULT);
    WANT(call(SYS_prlimit64, 4000000, 99, NULL, NULL) == -ESRCH && call(SYS_prlimit64, -1, 0, NULL, NULL) == -ESRCH);
    WANT(call(SYS_prlimit64, 1l << 32, 1l << 32 | RLIMIT_AS, NULL, &now) == 0); // both are of 32 bits
    WANT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_max = RLIM_INFINITY; // beyond what there can be
    WANT(call(SYS_setrlimit, RLIMIT_NOFILE, (long)&limit, 0, 0) == -EPERM);
    return 0;
}

// A limit that was lowered may be raised again by root.
static int raised(void) {
    struct rlimit before, low = {1ul << 30, 1ul << 30}, now;
    WANT(getrlimit(RLIMIT_RSS, &before) == 0 && setrlimit(RLIMIT_RSS, &low) == 0);
    WANT(setrlimit(RLIMIT_RSS, &before) == 0 && getrlimit(RLIMIT_RSS, &now) == 0 && now.rlim_max == before.rlim_max);
    return 0;
}

int main(void) {
    if (kept() || refused() || raised()) return 1;
    puts("limits ok");
    return 0;
}
