// The vDSO as C libraries look it up: by both hash tables and by version; what its functions
// return; and what the program may do to its page. Prints the page's first four bytes on the way.
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <link.h>
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

static char *base;
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

static int check_functions(void) {
    static const char *const wanted[] = {"__vdso_clock_gettime", "__vdso_gettimeofday",
                                         "__vdso_time", "__vdso_getcpu", "__vdso_clock_getres"};
    void *found[5];
    for (int i = 0; i < 5; i++) {
        found[i] = by_hash(wanted[i]);
        CHECK(found[i] && found[i] == by_gnu_hash(wanted[i]));
    }
    CHECK(!by_hash("__vdso_nothing") && !by_gnu_hash("__vdso_nothing"));
    long (*get)(long, struct timespec *) = found[0], (*day)(struct timeval *, void *) = found[1];
    long (*seconds)(time_t *) = found[2], (*cpu)(unsigned *, unsigned *, void *) = found[3];
    long (*resolution)(long, struct timespec *) = found[4];
    struct timespec before, now, after;
    struct timeval tv;
    time_t stored = 0;
    unsigned number = 99, node = 99;
    for (int clock = CLOCK_REALTIME; clock <= CLOCK_MONOTONIC; clock++) {
        CHECK(!syscall(SYS_clock_gettime, clock, &before) && !get(clock, &now));
        CHECK(!syscall(SYS_clock_gettime, clock, &after));
        CHECK(now.tv_sec > before.tv_sec ||
              (now.tv_sec == before.tv_sec && now.tv_nsec >= before.tv_nsec));
        CHECK(now.tv_sec < after.tv_sec ||
              (now.tv_sec == after.tv_sec && now.tv_nsec <= after.tv_nsec));
    }
    CHECK(get(77, &now) == -EINVAL &&
          get(CLOCK_MONOTONIC, (void *)8) == -EFAULT); // errors are numbers
    CHECK(!resolution(CLOCK_MONOTONIC, &now) ==
          !syscall(SYS_clock_getres, CLOCK_MONOTONIC, &after));
    CHECK(!day(&tv, NULL) && !syscall(SYS_clock_gettime, CLOCK_REALTIME, &after) &&
          after.tv_sec - tv.tv_sec <= 60);
    CHECK(seconds(&stored) == stored && stored >= tv.tv_sec && stored - tv.tv_sec <= 60);
    CHECK(!cpu(&number, &node, NULL) && number < 1024 && node == 0 && !cpu(NULL, NULL, NULL));
    return 0;
}

// The page is the kernel's: what the program writes goes into a copy, and it can be moved or
// unmapped.
static int check_page(void) {
    CHECK(write(1, base, 4) == 4);
    CHECK(!mprotect(base, 4096, PROT_READ | PROT_WRITE));
    base[4095] = 5;
    CHECK(!mprotect(base, 4096, PROT_READ | PROT_EXEC));
    CHECK(base[4095] == 5 && !check_functions());
    char *to = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mremap(base, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    CHECK(write(1, base, 4) == -1 && errno == EFAULT);
    ptrdiff_t moved = to - base;
    symbols = (void *)((char *)symbols + moved), names += moved,
    versions = (void *)((char *)versions + moved);
    hash = (void *)((char *)hash + moved), gnu_hash = (void *)((char *)gnu_hash + moved);
    definitions = (void *)((char *)definitions + moved);
    base = to;
    CHECK(!check_functions() && !munmap(base, 4096));
    CHECK(mmap(base - moved, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          base - moved);
    CHECK(base[-moved] == 0);
    return 0;
}

int main(void) {
    base = (char *)getauxval(AT_SYSINFO_EHDR);
    CHECK(base && !((unsigned long)base % 4096));
    if (find_tables() || check_functions() || check_page()) return 1;
    puts("vdso ok");
    return 0;
}
