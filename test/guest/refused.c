// What vmos does not build of calls that it has: each twice, and each is refused with what it says
// in the log once.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

extern char __executable_start[];

static void refuses(const char *what, long result, int error) {
    if (result == -1 && errno == error) return;
    printf("%s: %ld %d\n", what, result, errno);
}

int main(void) {
    struct sched_param param = {.sched_priority = 5};
    unsigned long one = 1;
    int numbers[2];
    struct rlimit many = {2000, 2000};
    for (int i = 0; i < 2; i++) {
        refuses("sched_setscheduler", syscall(SYS_sched_setscheduler, 0, SCHED_RR, &param), EPERM);
        refuses("sched_setaffinity", syscall(SYS_sched_setaffinity, 0, 8, &one), EINVAL);
        refuses("prctl", prctl(PR_SET_SECCOMP, 1), EINVAL);
        refuses("prctl", prctl(PR_SET_MM, 1), EINVAL);
        refuses("arch_prctl", syscall(SYS_arch_prctl, 0x1012, 0), EINVAL);
        refuses("personality", syscall(SYS_personality, 8), EINVAL);
        refuses("fcntl", fcntl(0, F_SETOWN, 1), EINVAL);
        refuses("pipe2", pipe2(numbers, O_DIRECT), EINVAL);
        refuses("ioctl", ioctl(0, TIOCGSID, &one), ENOTTY);
        refuses("ioctl", ioctl(1, TIOCSTI, "x"), ENOTTY);
        refuses("openat", open("/made", O_WRONLY | O_CREAT, 0600), EROFS);
        refuses("futex", syscall(SYS_futex, &one, 6, 0, NULL, NULL, 0), ENOSYS);
        refuses("mremap", syscall(SYS_mremap, __executable_start, 4096, 1 << 20, MREMAP_MAYMOVE, 0),
                EFAULT);
        refuses("setrlimit", setrlimit(RLIMIT_NOFILE, &many), EPERM);
        refuses("timerfd_create", syscall(SYS_timerfd_create, 0, 0), ENOSYS);
    }
    puts("refused ok");
    return 0;
}
