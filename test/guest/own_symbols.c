// Fills all memory it can get with section headers that name a symbol table of its own, and dies:
// the report must not use them. Made for a stripped program, whose own section headers nobody reads
// any more.
#include <elf.h>
#include <stdio.h>
#include <sys/mman.h>

extern const Elf64_Ehdr __ehdr_start;
static const char names[4096] = "\0made_up";
static const Elf64_Sym symbols[1] = {
    {.st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x400000, .st_size = 0x400000}};

static unsigned long offset_of(const void *pointer) {
    unsigned long address = (unsigned long)pointer;
    const Elf64_Phdr *segment = (void *)((char *)&__ehdr_start + __ehdr_start.e_phoff);
    for (int left = __ehdr_start.e_phnum; left; left--, segment++)
        if (segment->p_type == PT_LOAD && address - segment->p_vaddr < segment->p_filesz)
            return address - segment->p_vaddr + segment->p_offset;
    return 0;
}

int main(void) {
    Elf64_Shdr fake[2] = {
        {.sh_type = SHT_STRTAB, .sh_offset = offset_of(names), .sh_size = sizeof names},
        {.sh_type = SHT_SYMTAB,
         .sh_offset = offset_of(symbols),
         .sh_size = sizeof symbols,
         .sh_entsize = sizeof *symbols}};
    fake[1].sh_link = 2;
    fake[1].sh_flags = SHF_EXECINSTR;
    fake[1].sh_addr = 0x400000;
    fake[0].sh_info = fake[1].sh_info = 0;
    unsigned long first = __ehdr_start.e_shoff % 64, filled = 0;
    printf("%d sections at %#lx\n", __ehdr_start.e_shnum, (unsigned long)__ehdr_start.e_shoff);
    for (unsigned long size = 1ul << 26; size >= 4096; size /= 2) {
        for (char *at; (at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                                  -1, 0)) != MAP_FAILED;) {
            filled += size;
            for (unsigned long offset = first; offset + 64 <= size;
                 offset += 64) // even sections are names, odd ones symbols
                *(Elf64_Shdr *)(at + offset) =
                    fake[(offset + 4096 - __ehdr_start.e_shoff % 4096) / 64 % 2];
        }
    }
    printf("%lu KiB\n", filled / 1024);
    fflush(stdout);
    *(volatile int *)8 = 1;
    return 0;
}
