// ELF-64 files (System V gABI chapter 4 and 5, x86-64 psABI): everything that decides, nothing that touches hardware.
// The file is untrusted: every offset, count and sum is checked before use. Used by the loader and the kernel's low
// stage for the kernel itself, by the kernel for the program, by mkimage, and by the fuzzers.
#pragma once

#include <elf.h>
#include "kernel/lib/types.h"

enum elf_error {
    ELF_OK,
    ELF_SHORT,   // too short for what its header says
    ELF_NOT_ELF, // no ELF magic
    ELF_32_BIT,  // ELFCLASS32
    ELF_BIG_ENDIAN,
    ELF_OTHER_MACHINE, // e_machine is not EM_X86_64
    ELF_NOT_PROGRAM,   // e_type neither ET_EXEC nor ET_DYN
    ELF_DYNAMIC,       // PT_INTERP: needs a dynamic linker
    ELF_BAD_HEADERS,   // program header table misplaced, or entries of another size
    ELF_BAD_SEGMENT,   // a PT_LOAD outside the file, wrapping, file size above memory size, misaligned, or unsorted
    ELF_OVERLAP,       // two PT_LOADs share bytes
    ELF_NO_SEGMENTS,   // nothing to load
    ELF_BAD_ENTRY,     // entry point in no executable PT_LOAD
    ELF_BAD_ADDRESS,   // a segment outside the address range the caller allows
    ELF_BAD_RELOCATION // table outside the image, or a type other than R_X86_64_RELATIVE and R_X86_64_NONE
};

// As they lie in the file: at any address.
typedef Elf64_Ehdr elf_header __attribute__((aligned(1)));
typedef Elf64_Phdr elf_segment __attribute__((aligned(1)));

struct elf {
    const u8 *file;
    u64 length;
    const elf_header *header;
    const elf_segment *segments; // header->e_phnum of them
    u64 low, high;               // address range of all PT_LOADs, low rounded down and high up to PAGE_SIZE
    bool executable_stack;       // PT_GNU_STACK with PF_X, or none at all
};

struct elf_symbol {
    const char *name; // inside the file
    u64 offset;       // of the address from the symbol's value
};

// A sentence's end for a person: "is a 32-bit program (i386)". Never NULL.
const char *elf_error_text(enum elf_error error);

// Checks the whole file and fills elf. allow_interp: PT_INTERP is no error. file need not be aligned.
enum elf_error elf_open(struct elf *elf, const void *file, u64 length, bool allow_interp) MUST_USE;

// Copies the PT_LOADs into memory (elf->high - elf->low bytes) so that memory stands for elf->low; zeroes the rest of
// each segment and the gaps between them.
void elf_load(const struct elf *elf, void *memory);

// Applies the relative relocations of a loaded ET_DYN image as if elf->low were at run_address. Repeatable only on a
// freshly loaded image (RELA carries its addend, so loading anew and relocating anew is how the kernel moves).
enum elf_error elf_relocate(const struct elf *elf, void *memory, u64 run_address) MUST_USE;

// The function symbol that covers address (an address as in the file, not relocated). False when the file has no
// symbol table that passes its checks, or none covers it (beyond the symbol's size when that is not 0).
bool elf_symbol(const struct elf *elf, u64 address, struct elf_symbol *symbol);

// The first byte of the file, behind the ELF header, that elf_symbol() reads; the file's length when it has no symbols.
u64 elf_symbols_start(const struct elf *elf);
