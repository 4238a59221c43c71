// Loads the program: maps its segments (areas over the file where the loader put it; nothing is
// copied before it is touched), places heap and stack, and builds what a Linux program finds at its
// start (as Linux fs/binfmt_elf.c does).
#include <linux/auxvec.h>
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/lib/string.h"
#include "kernel/memory/build.h"
#include "kernel/memory/window.h"
#include "kernel/process/program.h"

// where Linux puts position-independent programs
#define PIE_BASE    0x555555554000ull
#define PROGRAM_END (STACK_END - STACK_FIRST - AREA_GAP) // below where the stack begins
// pieces of the file that are given back at most
#define UNUSED_RANGES   16
#define HWCAP2_FSGSBASE (1u << 1)
// In Linux since 6.3; <linux/auxvec.h> may be older.
#define AT_RSEQ_FEATURE_SIZE 27
#define AT_RSEQ_ALIGN        28
#define CLOCK_TICKS          100 // per second, in times() and AT_CLKTCK
#define SIGNAL_FRAME_BYTES   704 // a signal frame without the vector state

static struct elf program; // of the image

// The bias that puts an ET_DYN file at PIE_BASE, with every segment aligned as it asks, as far as
// that is possible: a program that asks for 2^47 and more cannot have it. What is no power of two
// Linux ignores.
static u64 load_choose_bias(const struct elf *elf) {
    if (elf->header->e_type == ET_EXEC) return 0;
    u64 align = PAGE_SIZE;
    for (const elf_segment *segment = NULL; (segment = elf_next(elf, segment, PT_LOAD));) {
        u64 wanted = segment->p_align;
        if (wanted > align && wanted <= PIE_BASE && !(wanted & (wanted - 1))) align = wanted;
    }
    return ROUND_DOWN(PIE_BASE, align) - ROUND_DOWN(elf->low, align);
}

static bool load_map(struct space *space, u64 bias, struct area area, u64 kept) {
    if (area.start == area.end) return true;
    area.start += bias;
    area.end += bias;
    return space_put_file(space, &area, kept);
}

// One PT_LOAD, over what those before it have there: pages of the file, those past its end, pages
// of zeros. False: no memory.
static bool load_map_segment(struct space *space, u64 bias, const elf_segment *segment) {
    const struct elf_mapping mapping = elf_map(&program, segment);
    u32 read = 0;
    if (segment->p_flags & PF_R) read = AREA_READ;
    u32 write = 0;
    if (segment->p_flags & PF_W) write = AREA_WRITE;
    u32 exec = 0;
    if (segment->p_flags & PF_X) exec = AREA_EXEC;
    struct area of_file = {
        .start = mapping.start, .end = mapping.zeros, .rights = read | write | exec};
    of_file.object = &objects_file;
    of_file.offset = mapping.offset;
    struct area zeros = {
        .start = mapping.zeros, .end = mapping.end, .rights = AREA_READ | AREA_WRITE | exec};
    return load_map(space, bias, of_file, mapping.kept) && load_map(space, bias, zeros, 0);
}

// The pairs of the auxiliary vector that do not point into the stack; returns how many words.
u64 load_auxv(const struct process *process, u64 auxv[LOAD_AUXV]) {
    const struct image *image = &process->image;
    const struct ids *users = &process->credentials.users;
    const struct ids *groups = &process->credentials.groups;
    const elf_header *header = program.header;
    u64 headers = image->bias + elf_headers_address(&program);
    u64 hwcap2 = 0;
    if (segments_fsgsbase()) hwcap2 = HWCAP2_FSGSBASE;
    // clang-format off
    const u64 all[] = {
        AT_PHDR, headers, AT_PHENT, sizeof(Elf64_Phdr), AT_PHNUM, header->e_phnum,
        AT_PAGESZ, PAGE_SIZE, AT_BASE, 0, AT_FLAGS, 0, AT_ENTRY, image->bias + header->e_entry,
        AT_CLKTCK, CLOCK_TICKS,
        AT_UID, users->real, AT_EUID, users->effective, AT_GID, groups->real,
        AT_EGID, groups->effective, AT_SECURE, 0,
        AT_HWCAP, cpuid(1, 0).edx, AT_HWCAP2, hwcap2,
        AT_RSEQ_FEATURE_SIZE, RSEQ_FEATURES, AT_RSEQ_ALIGN, RSEQ_BYTES,
        AT_MINSIGSTKSZ, fpu_state_size() + SIGNAL_FRAME_BYTES, AT_SYSINFO_EHDR, VDSO};
    // clang-format on
    _Static_assert(sizeof all == LOAD_AUXV * sizeof(u64), "what callers have room for");
    memcpy(auxv, all, sizeof all);
    return ARRAY_SIZE(all);
}

static size_t load_subtract(struct range *unused, size_t count, struct elf_part part) {
    return ranges_subtract(unused, count, part.offset, part.offset + part.length);
}

// Gives back the pages of the file that nobody reads any more: debugging information, above all.
// Those with the program headers stay, since the program can be loaded again.
static void load_give_unused(const struct elf_symbols *symbols, paddr file) {
    struct range unused[UNUSED_RANGES] = {{sizeof(elf_header), program.length}};
    const struct elf_part headers = {program.header->e_phoff,
                                     program.header->e_phnum * sizeof(elf_segment)};
    size_t count = load_subtract(unused, 1, headers);
    count = load_subtract(unused, count, symbols->table);
    count = load_subtract(unused, count, symbols->names);
    count = load_subtract(unused, count, symbols->sections);
    for (const elf_segment *segment = NULL; (segment = elf_next(&program, segment, PT_LOAD));) {
        if (count == ARRAY_SIZE(unused)) {
            log("memory: the program's file is too scattered: what is not used of it is not given "
                "back");
            return;
        }
        if (segment->p_filesz)
            count = load_subtract(unused, count,
                                  (struct elf_part){segment->p_offset, segment->p_filesz});
    }
    for (size_t i = 0; i < count; i++)
        memory_give(paddr_add(file, unused[i].start), paddr_add(file, unused[i].end));
}

// An image at its place, as far as that can be said before its memory is there.
static void load_place(struct image *image) {
    image->bias = load_choose_bias(&program);
    image->low = image->bias + program.low;
    image->high = image->bias + program.high;
}

u64 load_space(struct space *space, const struct image *image) {
    space_begin(space, image->high);
    for (const elf_segment *segment = NULL; (segment = elf_next(&program, segment, PT_LOAD));)
        if (!load_map_segment(space, image->bias, segment)) return 0;
    struct area stack = {
        .start = STACK_END - STACK_FIRST, .end = STACK_END, .rights = AREA_READ | AREA_WRITE};
    stack.flags = AREA_NORESERVE | AREA_STACK | AREA_GROWS; // only what is touched counts
    if (program.executable_stack) stack.rights |= AREA_EXEC;
    if (!space_put(space, &stack) || !vdso_map(space)) return 0;
    return image->bias + program.header->e_entry;
}

static u64 load_build_stack(const struct boot_info *boot, const struct process *process) {
    u64 auxv[LOAD_AUXV];
    struct start start = {window((paddr){boot->command.start}), boot->command.length,
                          .limit = START_DATA_MAX};
    start.auxv = auxv;
    start.auxv_bytes = load_auxv(process, auxv) * sizeof auxv[0];
    random_bytes(start.random, sizeof start.random);
    u64 sp = start_stack(&start);
    if (!sp)
        unfit("the program's arguments and environment take more than %u KiB, or than there is",
              START_DATA_MAX >> 10);
    return sp;
}

__attribute__((noinline)) void program_load(struct boot_info *boot, struct thread *thread) {
    boot->tsc[STAGE_PROGRAM_LOAD] = tsc();
    struct image *image = &thread->process->image;
    enum elf_error error =
        elf_open(&program, window((paddr){boot->program.start}), boot->program.length);
    if (error) unfit("the program %s", elf_error_text(error));
    if (boot->program.start % PAGE_SIZE) unfit("the program does not start at a page in the image");
    load_place(image);
    image->symbols = elf_find_symbols(&program);
    if (image->low < USER_START || image->high > PROGRAM_END || image->high < image->low)
        unfit(
            "the program is linked for 0x%lx to 0x%lx, and it can only lie between 0x%lx and 0x%lx",
            image->low, image->high, (u64)USER_START, (u64)PROGRAM_END);
    load_give_unused(&image->symbols, (paddr){boot->program.start});
    memory_report();
    objects_set_file((paddr){boot->program.start}, boot->program.length);
    u64 entry = load_space(thread->process->space, image);
    if (!entry)
        unfit("the program needs %lu KiB from 0x%lx on and a stack, and only %lu KiB of memory are "
              "free",
              (image->high - image->low) / 1024, image->low, pages_free() * (PAGE_SIZE / 1024));
    context_begin(&thread->context, entry, load_build_stack(boot, thread->process));
}
