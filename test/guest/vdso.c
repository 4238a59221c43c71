// The vDSO as C libraries look it up: by both hash tables and by version; what its functions
// return, and whether they make system calls: the first argument says "calls" or "none"; and what
// the program may do to its pages. A second argument makes it short. Prints the first four bytes of
// the code's on the way.
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) return printf("line %d: %s\n", __LINE__, #condition), 1;                 \
    } while (0)

#define ROUNDS  200
#define REFINED 4 // calls at most for a better rate of the clock

static char *base;
static int expects_calls;
static const Elf64_Sym *symbols;
static const char *names;
static const unsigned *hash, *gnu_hash;
static const Elf64_Half *versions;
static const Elf64_Verdef *definitions;

static int find_tables(void) {
    const Elf64_Ehdr *header = (void *)base;
    const Elf64_Phdr *segment = (void *)(base + header->e_phoff), *load = NULL, *dynamic = NULL;
    CHECK(!memcmp(base, "\177ELF\2\1\1", 7) && header->e_type == ET_DYN &&
          header->e_machine == EM_X86_64);
    CHECK(header->e_phentsize == sizeof *segment);
    for (int left = header->e_phnum; left; left--, segment++) {
        if (segment->p_type == PT_LOAD && !load) load = segment;
        if (segment->p_type == PT_DYNAMIC) dynamic = segment;
    }
    CHECK(load && !load->p_offset && !load->p_vaddr && load->p_flags == (PF_R | PF_X) &&
          load->p_memsz <= 4096);
    CHECK(dynamic && dynamic->p_flags == PF_R);
    for (const Elf64_Dyn *entry = (void *)(base + dynamic->p_vaddr); entry->d_tag; entry++) {
        void *at = base + entry->d_un.d_val;
        if (entry->d_tag == DT_HASH) hash = at;
        if (entry->d_tag == DT_GNU_HASH) gnu_hash = at;
        if (entry->d_tag == DT_SYMTAB) symbols = at;
        if (entry->d_tag == DT_STRTAB) names = at;
        if (entry->d_tag == DT_VERSYM) versions = at;
        if (entry->d_tag == DT_VERDEF) definitions = at;
    }
    CHECK(hash && gnu_hash && symbols && names && versions && definitions);
    return 0;
}

static int has_version(unsigned symbol) {
    const Elf64_Verdef *at = definitions;
    while (at->vd_ndx != (versions[symbol] & 0x7fff) && at->vd_next)
        at = (void *)((char *)at + at->vd_next);
    const Elf64_Verdaux *name = (void *)((char *)at + at->vd_aux);
    return at->vd_ndx == versions[symbol] && at->vd_hash == 0x3ae75f6 &&
           !strcmp(names + name->vda_name, "LINUX_2.6");
}

static int is_function(unsigned symbol, const char *name) {
    return !strcmp(names + symbols[symbol].st_name, name) &&
           ELF64_ST_TYPE(symbols[symbol].st_info) == STT_FUNC &&
           symbols[symbol].st_shndx != SHN_UNDEF && has_version(symbol);
}

static void *by_hash(const char *name) {
    unsigned sum = 0;
    for (const char *at = name; *at; at++) {
        sum = sum * 16 + (unsigned char)*at;
        sum = (sum ^ (sum >> 24 & 0xf0)) & 0xfffffff;
    }
    const unsigned *buckets = hash + 2, *chain = buckets + hash[0];
    for (unsigned symbol = buckets[sum % hash[0]]; symbol; symbol = chain[symbol])
        if (is_function(symbol, name)) return base + symbols[symbol].st_value;
    return NULL;
}

static void *by_gnu_hash(const char *name) {
    unsigned sum = 5381;
    for (const char *at = name; *at; at++) sum = sum * 33 + (unsigned char)*at;
    const unsigned *buckets = gnu_hash + 4 + 2 * gnu_hash[2], *chain = buckets + gnu_hash[0];
    unsigned symbol = buckets[sum % gnu_hash[0]];
    if (symbol < gnu_hash[1]) return NULL;
    for (;; symbol++) {
        unsigned value = chain[symbol - gnu_hash[1]];
        if ((value | 1) == (sum | 1) && is_function(symbol, name))
            return base + symbols[symbol].st_value;
        if (value & 1) return NULL;
    }
}

static const char *const wanted[] = {"clock_gettime", "gettimeofday", "time", "getcpu",
                                     "clock_getres"};
static void *found[5];

// By both names, in both tables.
static int check_names(void) {
    for (int i = 0; i < 5; i++) {
        char name[40];
        snprintf(name, sizeof name, "__vdso_%s", wanted[i]);
        found[i] = by_hash(name);
        CHECK(found[i] && found[i] == by_gnu_hash(name));
        CHECK(found[i] == by_hash(wanted[i]) && found[i] == by_gnu_hash(wanted[i]));
    }
    CHECK(!by_hash("__vdso_nothing") && !by_gnu_hash("__vdso_nothing"));
    return 0;
}

// What a function returns. A system call leaves in RCX where it goes on.
static long call(void *function, long first, void *second, int *calls) {
    long result;
    char *rcx = NULL;
    __asm__ volatile("sub $128, %%rsp\n\tcall *%%rbx\n\tadd $128, %%rsp"
                     : "=a"(result), "+D"(first), "+S"(second), "+c"(rcx)
                     : "b"(function)
                     : "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
    *calls += rcx >= base && rcx < base + 4096;
    return result;
}

static long long ns_of(struct timespec t) { return t.tv_sec * 1000000000ll + t.tv_nsec; }

// Between what two system calls say, and the rounds cost system calls only if that is expected.
static int check_clocks(void) {
    static const int clocks[] = {CLOCK_REALTIME,
                                 CLOCK_MONOTONIC,
                                 CLOCK_MONOTONIC_RAW,
                                 CLOCK_REALTIME_COARSE,
                                 CLOCK_MONOTONIC_COARSE,
                                 CLOCK_BOOTTIME,
                                 CLOCK_TAI};
    struct timespec before, now, after;
    int calls = 0;
    for (unsigned which = 0; which < sizeof clocks / sizeof *clocks; which++)
        for (int i = 0; i < ROUNDS; i++) {
            int clock = clocks[which];
            CHECK(!syscall(SYS_clock_gettime, clock, &before));
            CHECK(!call(found[0], clock, &now, &calls));
            CHECK(!syscall(SYS_clock_gettime, clock, &after));
            CHECK(ns_of(before) <= ns_of(now) && ns_of(now) <= ns_of(after));
            CHECK(now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
        }
    int rounds = ROUNDS * (int)(sizeof clocks / sizeof *clocks);
    if (expects_calls ? calls != rounds : calls > REFINED)
        return printf("%d system calls in %d rounds\n", calls, rounds), 1;
    calls = 0;
    CHECK(!call(found[0], CLOCK_PROCESS_CPUTIME_ID, &now, &calls) && calls == 1);
    CHECK(call(found[0], 77, &now, &calls) == -EINVAL && calls == 2); // errors are numbers
    CHECK(call(found[0], -1, &now, &calls) == -EINVAL && calls == 3);
    return 0;
}

static int check_functions(void) {
    if (check_names() || check_clocks()) return 1;
    long (*day)(struct timeval *, struct timezone *) = found[1];
    long (*seconds)(time_t *) = found[2], (*cpu)(unsigned *, unsigned *, void *) = found[3];
    struct timespec before, now, after, resolution;
    struct timeval tv;
    struct timezone zone = {5, 5};
    time_t stored = 0;
    unsigned number = 99, node = 99, own, last;
    int calls = 0;
    CHECK(!call(found[4], CLOCK_MONOTONIC, &now, &calls) && !calls);
    CHECK(!syscall(SYS_clock_getres, CLOCK_MONOTONIC, &resolution));
    CHECK(ns_of(now) == ns_of(resolution) && !call(found[4], CLOCK_TAI, NULL, &calls) && !calls);
    CHECK(call(found[4], 77, &now, &calls) == -EINVAL && calls == 1);
    CHECK(!syscall(SYS_clock_gettime, CLOCK_REALTIME, &before) && !day(&tv, &zone));
    long in_between = seconds(&stored);
    CHECK(!syscall(SYS_clock_gettime, CLOCK_REALTIME, &after));
    long long us = tv.tv_sec * 1000000ll + tv.tv_usec;
    CHECK(ns_of(before) / 1000 <= us && us <= ns_of(after) / 1000 && tv.tv_usec < 1000000);
    CHECK(in_between == stored && stored >= tv.tv_sec && stored <= after.tv_sec);
    CHECK(!zone.tz_minuteswest && !zone.tz_dsttime && !day(NULL, NULL));
    CHECK(seconds(NULL) - stored <= 60);
    do {
        CHECK(!syscall(SYS_getcpu, &own, NULL, NULL) && !cpu(&number, &node, NULL));
        CHECK(!syscall(SYS_getcpu, &last, NULL, NULL));
    } while (own != last); // it was moved
    CHECK(number == own && node == 0 && !cpu(NULL, NULL, NULL));
    calls = 0;
    CHECK(!call(found[3], (long)&number, NULL, &calls) && !calls);
    return 0;
}

// The page of the time is the kernel's, before the code: nobody writes there.
static int check_time_page(void) {
    char *page = base - 4096;
    CHECK(mprotect(page, 4096, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
    CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, page) == -1 && errno == EFAULT);
    CHECK(!madvise(page, 4096, MADV_DONTNEED) && !check_clocks());
    for (int at = 64; at < 4096; at++) CHECK(!page[at]); // nothing else of the kernel's is there
    return 0;
}

// What the program writes into the code goes into a copy, and all can be moved or unmapped.
static int check_pages(void) {
    CHECK(write(1, base, 4) == 4);
    CHECK(!mprotect(base, 4096, PROT_READ | PROT_WRITE));
    base[4095] = 5;
    CHECK(!mprotect(base, 4096, PROT_READ | PROT_EXEC));
    CHECK(base[4095] == 5 && !check_functions());
    char *to = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mremap(base - 4096, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    to += 4096;
    CHECK(mremap(base, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    CHECK(write(1, base, 4) == -1 && errno == EFAULT);
    ptrdiff_t moved = to - base;
    symbols = (void *)((char *)symbols + moved), names += moved,
    versions = (void *)((char *)versions + moved);
    hash = (void *)((char *)hash + moved), gnu_hash = (void *)((char *)gnu_hash + moved);
    definitions = (void *)((char *)definitions + moved);
    base = to;
    CHECK(!check_functions() && !munmap(base - 4096, 8192));
    CHECK(mmap(base - moved, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          base - moved);
    CHECK(base[-moved] == 0);
    return 0;
}

int main(int argc, char **argv) {
    expects_calls = argc > 1 && !strcmp(argv[1], "calls");
    base = (char *)getauxval(AT_SYSINFO_EHDR);
    CHECK(base && !((unsigned long)base % 4096));
    if (find_tables() || check_functions()) return 1;
    // The clock's rate is refined after an eighth of a second and after two.
    struct timespec wait = {.tv_sec = argc > 2 ? 0 : 2, .tv_nsec = 200000000};
    nanosleep(&wait, NULL);
    if (check_functions() || check_time_page() || check_pages()) return 1;
    puts("vdso ok");
    return 0;
}
