// Loads the program: maps its segments (areas over the file where the loader put it; nothing is copied before it is
// touched), places heap and stack, and builds what a Linux program finds at its start (as Linux fs/binfmt_elf.c does).
#include <linux/auxvec.h>
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/memory/build.h"
#include "kernel/memory/window.h"
#include "kernel/program/program.h"

#define PIE_BASE           0x555555554000ull // where Linux puts position-independent programs
#define PIE_MAX_ALIGN      (1ull << 30)
#define CLOCK_TICKS        100               // per second, in times() and AT_CLKTCK
#define SIGNAL_FRAME_BYTES 704               // a signal frame without the vector state
#define START_DATA_MAX     (STACK_BYTES / 4) // arguments and environment, as on Linux

// The bias that puts an ET_DYN file at PIE_BASE, with every segment aligned as it asks.
static u64 choose_bias(const struct elf *elf) {
    if (elf->header->e_type == ET_EXEC) return 0;
    u64 align = PAGE_SIZE;
    for (const elf_segment *segment = NULL; (segment = elf_next(elf, segment, PT_LOAD));)
        if (segment->p_align > align && segment->p_align <= PIE_MAX_ALIGN) align = segment->p_align;
    return ROUND_UP(PIE_BASE, align) - ROUND_DOWN(elf->low, align);
}

// One PT_LOAD as an area.
static void map_segment(const elf_segment *segment, u64 file) {
    u64 start = ROUND_DOWN(segment->p_vaddr, PAGE_SIZE), end = segment->p_vaddr + segment->p_memsz;
    struct area area = {.start = program.bias + start, .end = program.bias + ROUND_UP(end, PAGE_SIZE)};
    area.rights = (segment->p_flags & PF_R ? AREA_READ : 0) | (segment->p_flags & PF_W ? AREA_WRITE : 0) |
                  (segment->p_flags & PF_X ? AREA_EXEC : 0);
    u64 skew = segment->p_offset % PAGE_SIZE, bytes = segment->p_filesz ? segment->p_filesz + skew : 0;
    if (!bytes && space_has(area.start)) area.start += PAGE_SIZE; // begins in another one's last page
    if (area.start < area.end && !space_put_file(&area, file + segment->p_offset - skew, bytes))
        unfit("the program needs %lu KiB at 0x%lx, and only %lu KiB of memory are free", (area.end - area.start) / 1024,
              area.start, pages_free() * (PAGE_SIZE / 1024));
}

// Where the program sees its own program headers: in the segment whose pages hold them in the file.
static u64 headers_address(void) {
    for (const elf_segment *segment = NULL; (segment = elf_next(&program.elf, segment, PT_LOAD));) {
        u64 skew = segment->p_offset % PAGE_SIZE, inside = program.elf.header->e_phoff - (segment->p_offset - skew);
        if (inside < segment->p_filesz + skew) return program.bias + segment->p_vaddr - skew + inside;
    }
    return 0;
}

static u64 build_stack(const struct boot_info *boot) {
    const elf_header *header = program.elf.header;
    // clang-format off
    const u64 auxv[] = { // all ids are 0; AT_HWCAP2 would offer RDFSBASE, which CR4 does not allow
        AT_PHDR, headers_address(), AT_PHENT, sizeof(Elf64_Phdr), AT_PHNUM, header->e_phnum, AT_PAGESZ, PAGE_SIZE,
        AT_BASE, 0, AT_FLAGS, 0, AT_ENTRY, program.bias + header->e_entry, AT_CLKTCK, CLOCK_TICKS,
        AT_UID, 0, AT_EUID, 0, AT_GID, 0, AT_EGID, 0, AT_SECURE, 0, AT_HWCAP, cpuid(1, 0).edx, AT_HWCAP2, 0,
        AT_MINSIGSTKSZ, fpu_state_size() + SIGNAL_FRAME_BYTES};
    // clang-format on
    struct start start = {window(boot->command.start), boot->command.length, .limit = START_DATA_MAX};
    start.auxv = auxv;
    start.auxv_bytes = sizeof auxv;
    start.random[0] = random_u64();
    start.random[1] = random_u64();
    u64 sp = start_stack(&start);
    if (!sp)
        unfit("the program's arguments and environment take more than %llu KiB, or than there is",
              START_DATA_MAX >> 10);
    return sp;
}

// Gives back the pages of the file that no segment and no symbol lies in: debugging information, above all.
static void give_unused(const struct elf *elf, u64 file) {
    struct range unused[16] = {{sizeof(elf_header), elf_symbols_start(elf)}};
    u64 headers = elf->header->e_phoff;
    size_t count = ranges_subtract(unused, 1, headers, headers + elf->header->e_phnum * sizeof(elf_segment));
    for (const elf_segment *segment = NULL; (segment = elf_next(elf, segment, PT_LOAD));) {
        if (count == ARRAY_SIZE(unused)) return;
        count = ranges_subtract(unused, count, segment->p_offset, segment->p_offset + segment->p_filesz);
    }
    for (size_t i = 0; i < count; i++) memory_give(file + unused[i].start, file + unused[i].end);
}

__attribute__((noinline)) void program_load(struct boot_info *boot, struct registers *regs) {
    boot->tsc[STAGE_PROGRAM_LOAD] = tsc();
    program.boot = boot;
    struct elf *elf = &program.elf;
    enum elf_error error = elf_open(elf, window(boot->program.start), boot->program.length, false);
    if (error) unfit("the program %s", elf_error_text(error));
    if (boot->program.start % PAGE_SIZE) unfit("the program does not start at a page in the image");
    program.bias = choose_bias(elf);
    u64 low = program.bias + elf->low, high = program.bias + elf->high;
    if (low < USER_START || high > SPACE_PLACE_END || high < low)
        unfit("the program %s", elf_error_text(ELF_BAD_ADDRESS));
    give_unused(elf, boot->program.start);
    memory_report();
    space_init(high);
    for (const elf_segment *segment = NULL; (segment = elf_next(elf, segment, PT_LOAD));)
        map_segment(segment, boot->program.start);
    struct area stack = {.start = STACK_START, .end = USER_END, .rights = AREA_READ | AREA_WRITE};
    stack.flags = AREA_NORESERVE | AREA_STACK; // only what is touched counts
    if (elf->executable_stack) stack.rights |= AREA_EXEC;
    if (!space_put(&stack)) unfit("no memory is left for the program's stack");
    *regs = (struct registers){.rip = program.bias + elf->header->e_entry, .cs = USER_CS, .ss = USER_SS};
    regs->rflags = RFLAGS_ONE | RFLAGS_IF;
    regs->rsp = build_stack(boot);
}
