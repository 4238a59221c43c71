// System calls at random: numbers and arguments without sense, and mappings that overlap, split and
// move. The kernel must survive, and when everything is unmapped again no page may be missing: the
// second round ends with as much free memory as the first (which may keep what its own records grew
// to).
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define PAGE   4096ul
#define TARGET 0x200000000000ul // where calls may write: getrandom fills up to 1 MiB
#define BYTES  (8ul << 20)
#define RANGE  0x100000000000ul // where the mappings are
#define LARGE  (2ul << 20)

static unsigned long state;

static unsigned long below(unsigned long n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

static unsigned long argument(void) {
    switch (below(12)) {
    case 0: return 0;
    case 1: return below(-1ul);
    case 2: return below(64);
    case 3: return TARGET + below(65536);
    case 4: return TARGET + below(16) * PAGE;
    case 5: return -below(5000);
    case 6: return below(200000);
    case 7: return 0x7ffffffff000 - below(16) + 8; // the end of the stack
    case 8: return RANGE + below(512) * PAGE;
    case 9: return 1ul << below(64);
    case 10: return 0xffff800000000000 + below(1ul << 30); // the kernel's
    default: return below(64) * PAGE;
    }
}

// Not by chance: what ends or stops this program, prints, moves its TLS, closes its files or unmaps
// itself.
static int is_left_out(long number) {
    static const long left_out[] = {SYS_exit,
                                    SYS_exit_group,
                                    SYS_kill,
                                    SYS_tkill,
                                    SYS_tgkill,
                                    SYS_nanosleep,
                                    SYS_clock_nanosleep,
                                    SYS_futex,
                                    SYS_poll,
                                    SYS_ppoll,
                                    SYS_pause,
                                    SYS_write,
                                    SYS_writev,
                                    SYS_arch_prctl,
                                    SYS_close,
                                    SYS_dup2,
                                    SYS_rt_sigprocmask,
                                    SYS_mmap,
                                    SYS_munmap,
                                    SYS_mprotect,
                                    SYS_mremap,
                                    SYS_brk,
                                    SYS_rt_sigaction,
                                    SYS_rt_sigreturn,
                                    SYS_rseq,
                                    SYS_rt_sigtimedwait,
                                    SYS_rt_sigqueueinfo,
                                    SYS_rt_tgsigqueueinfo,
                                    SYS_clone,
                                    SYS_clone3,
                                    SYS_fork,
                                    SYS_vfork,
                                    SYS_execve,
                                    SYS_execveat,
                                    SYS_madvise};
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++)
        if (number == left_out[i]) return 1;
    return 0;
}

static void any_call(void) {
    long number = (long)below(480);
    unsigned long a = argument(), b = argument(), c = argument(), d = argument(), e = argument(),
                  f = argument();
    if (!is_left_out(number)) syscall(number, a, b, c, d, e, f);
}

static void map_call(void) {
    unsigned long at = RANGE + below(64) * (below(2) ? PAGE : LARGE),
                  bytes = below(8) ? below(64) * PAGE : argument();
    unsigned long rights = below(8),
                  flags = MAP_PRIVATE | MAP_ANONYMOUS | (below(2) ? MAP_FIXED : 0);
    if (below(8) == 0) flags |= MAP_NORESERVE;
    if (below(8) == 0) flags |= MAP_FIXED_NOREPLACE;
    char *p = (char *)syscall(SYS_mmap, at, bytes, rights, flags, -1, 0);
    if (p == MAP_FAILED) return;
    if (rights & PROT_WRITE && bytes < 4 << 20)
        for (unsigned long i = 0; i < bytes; i += PAGE * (1 + below(4))) p[i] = 1;
    if (below(2)) munmap(p, bytes);
}

static void memory_call(void) {
    unsigned long at = RANGE + below(64) * (below(2) ? PAGE : LARGE), bytes = below(64) * PAGE;
    switch (below(5)) {
    case 0: syscall(SYS_munmap, at, bytes); break;
    case 1: syscall(SYS_mprotect, at, bytes, below(8)); break;
    case 2: syscall(SYS_madvise, at, bytes, MADV_DONTNEED); break;
    default: map_call();
    }
}

static unsigned long round_of_calls(long count) {
    struct sysinfo info;
    state = 88172645463325252;
    mmap((void *)TARGET, BYTES, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1,
         0);
    for (long i = 0; i < count; i++)
        if (below(3))
            any_call();
        else
            memory_call();
    // All between this program's heap and its stack.
    if (munmap((void *)0x600000000000, 0x7fffff000000 - 0x600000000000) ||
        munmap((void *)RANGE, 2 * RANGE))
        return 0;
    sysinfo(&info);
    return info.freeram * info.mem_unit;
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 50000;
    unsigned long first = round_of_calls(count), second = round_of_calls(count);
    printf("random calls %s\n", first && second + 16 * PAGE >= first ? "ok" : "lost memory");
    return !first || second + 16 * PAGE < first;
}
