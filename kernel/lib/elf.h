// ELF-64 files (System V gABI chapter 4 and 5, x86-64 psABI): everything that decides, nothing that
// touches hardware. The file is untrusted: every offset, count and sum is checked before use. Used
// by the loader and the low kernel for the kernel itself, by the kernel for the program, by
// mkimage, and by the fuzzers.
#pragma once

#include <elf.h>
#include "kernel/lib/types.h"

// What a file can suffer from, each with the end of a sentence about it for a person.
#define ELF_ERRORS(X)                                                                              \
    X(ELF_OK, "is fine")                                                                           \
    X(ELF_SHORT, "is cut off: it is shorter than its header says")                                 \
    X(ELF_NOT_ELF, "is not an ELF program")                                                        \
    X(ELF_32_BIT, "is a 32-bit program; vmos runs x86-64 programs")                                \
    X(ELF_BIG_ENDIAN, "is a big-endian program; vmos runs x86-64 programs")                        \
    X(ELF_OTHER_MACHINE, "is a program for another processor; vmos runs x86-64 programs")          \
    X(ELF_NOT_PROGRAM, "is an ELF file but not a program (an object file or a core dump?)")        \
    X(ELF_DYNAMIC,                                                                                 \
      "is dynamically linked; vmos runs static programs so far: link it with -static")             \
    X(ELF_BAD_HEADERS, "is damaged: its ELF header or program header table makes no sense")        \
    X(ELF_BAD_SEGMENT,                                                                             \
      "is cut off or damaged: a segment's place in the file or in memory makes no sense")          \
    X(ELF_OVERLAP, "has segments that overlap or do not ascend; a kernel has none")                \
    X(ELF_NO_SEGMENTS, "has nothing to load")                                                      \
    X(ELF_BAD_ENTRY, "has no code at its entry point (a shared library?)")                         \
    X(ELF_BAD_ADDRESS, "wants an address that programs cannot have")                               \
    X(ELF_BAD_RELOCATION, "has relocations that cannot be applied")

#define ELF_ERROR_NAME(name, text) name,
enum elf_error { ELF_ERRORS(ELF_ERROR_NAME) };

// As they lie in the file: at any address.
typedef Elf64_Ehdr elf_header __attribute__((aligned(1)));
typedef Elf64_Phdr elf_segment __attribute__((aligned(1)));
typedef Elf64_Shdr elf_section __attribute__((aligned(1)));

struct elf {
    const u8 *file;
    u64 length;
    const elf_header *header;
    const elf_segment *segments; // header->e_phnum of them
    // Address range of all PT_LOADs, low rounded down and high up to PAGE_SIZE. Empty ones count
    // for high alone: Linux puts the heap behind them.
    u64 low, high;
    bool executable_stack; // the last PT_GNU_STACK has PF_X
};

// What Linux makes of a PT_LOAD (fs/binfmt_elf.c): pages of the file, then pages of zeros that can
// be written whatever the segment's flags say. Addresses as linked; all but kept are multiples of
// PAGE_SIZE. start == end: nothing.
struct elf_mapping {
    u64 start, zeros, end; // pages of the file in [start, zeros), of zeros in [zeros, end)
    u64 offset;            // of start in the file
    u64 kept; // bytes that are the file's; the rest of the last one's page is zero, and pages
              // behind it do not exist
};

// The first segment of a type behind another one, or (NULL) of all; NULL when there is none.
static inline const elf_segment *elf_next(const struct elf *elf, const elf_segment *after,
                                          u32 type) {
    const elf_segment *at = elf->segments;
    const elf_segment *end = elf->segments + elf->header->e_phnum;
    if (after) at = after + 1;
    for (; at < end; at++)
        if (at->p_type == type) return at;
    return NULL;
}

// Never NULL.
const char *elf_error_text(enum elf_error error);

// Checks everything that Linux checks before it runs a program, and fills elf. file need not be
// aligned.
enum elf_error elf_open(struct elf *elf, const void *file, u64 length) MUST_USE;

// The same for a kernel, which is what elf_load() and elf_relocate() are for: its PT_LOADs lie in
// the file, ascend and do not overlap, and there is code at its entry point.
enum elf_error elf_open_kernel(struct elf *elf, const void *file, u64 length) MUST_USE;

// Whether an executable segment holds this address, as linked.
bool elf_has_code(const struct elf *elf, u64 address);

// What a PT_LOAD of an opened file becomes.
struct elf_mapping elf_map(const struct elf *elf, const elf_segment *segment);

u64 elf_headers_address(const struct elf *elf); // of the program headers in memory

// Copies what the file has of it to memory.
void elf_load(const struct elf *elf, void *memory);

// Applies the relative relocations of a loaded ET_DYN image as if elf->low were at run_address.
// Repeatable only on a freshly loaded image: loading anew and relocating anew is how the kernel
// moves.
enum elf_error elf_relocate(const struct elf *elf, void *memory, u64 run_address) MUST_USE;

// ---- elf_symbols.c ----

// The table of sections, header->e_shnum of them; NULL when it does not lie in the file.
const elf_section *elf_sections(const struct elf *elf);
// Whether the file has all bytes that a section says it has there.
bool elf_has_bytes(const struct elf *elf, const elf_section *section);

// What elf_symbol() reads of a file, and nothing else: found and checked once, so that the rest of
// the file may become somebody's memory. All of length 0 when the file has no symbols.
struct elf_symbols {
    const u8 *file;
    struct elf_part {
        u64 offset, length;
    } table, names, sections;
};

struct elf_symbol {
    const char *name; // inside the file
    u64 offset;       // of the address from the symbol's value
};

struct elf_symbols elf_find_symbols(const struct elf *elf);

// The function that has an address.
bool elf_symbol(const struct elf_symbols *symbols, u64 address, struct elf_symbol *symbol);
