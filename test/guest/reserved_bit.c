// The page whose address sched_yield is given is touched before and behind it: see faults_again in
// panic.py.
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile long page[512] __attribute__((aligned(4096)));

int main(void) {
    page[0] = 1;
    syscall(SYS_sched_yield, page);
    page[0]++;
    puts("not reached");
    return 0;
}
