// The names of functions in an ELF file (gABI chapter 4, "Symbol Table"). The tables are looked for
// and checked once; later only their bytes are read, so that everything else of the file may be
// given away.
#include "kernel/lib/elf.h"
#include "kernel/lib/string.h"

typedef Elf64_Sym loose_symbol __attribute__((aligned(1)));

bool elf_has_bytes(const struct elf *elf, const elf_section *section) {
    return section->sh_offset <= elf->length &&
           section->sh_size <= elf->length - section->sh_offset;
}

const elf_section *elf_sections(const struct elf *elf) {
    const elf_header *header = elf->header;
    u64 bytes = header->e_shnum * sizeof(elf_section);
    if (header->e_shentsize != sizeof(elf_section)) return NULL;
    if (header->e_shoff > elf->length || bytes > elf->length - header->e_shoff) return NULL;
    return (const elf_section *)(elf->file + header->e_shoff);
}

// The first table of symbols that has its bytes and its names in the file. Every name must end
// there, too.
struct elf_symbols elf_find_symbols(const struct elf *elf) {
    const struct elf_symbols none = {0};
    const elf_header *header = elf->header;
    const elf_section *sections = elf_sections(elf);
    const elf_section *table = NULL;
    if (!sections) return none;
    for (u32 i = 1; i < header->e_shnum && !table; i++)
        if (sections[i].sh_type == SHT_SYMTAB && elf_has_bytes(elf, &sections[i]))
            table = &sections[i];
    if (!table || table->sh_entsize != sizeof(loose_symbol) || table->sh_link >= header->e_shnum)
        return none;
    const elf_section *names = &sections[table->sh_link];
    if (names->sh_type != SHT_STRTAB || !names->sh_size || !elf_has_bytes(elf, names)) return none;
    if (elf->file[names->sh_offset + names->sh_size - 1]) return none;
    return (struct elf_symbols){.file = elf->file,
                                .table = {table->sh_offset, table->sh_size},
                                .names = {names->sh_offset, names->sh_size},
                                .sections = {header->e_shoff, header->e_shnum * sizeof *sections}};
}

// A function or an assembler's label, in the section of code that holds the address, that begins at
// or below it. Labels have no type and no size; the linker script's own fail by their section.
// Names with a dot in front are an assembler's inner labels (NASM: ..@5.name in each use of a
// macro), which tell nobody where they are.
static bool elf_is_candidate(const struct elf_symbols *symbols, const loose_symbol *symbol,
                             u64 address) {
    u32 type = ELF64_ST_TYPE(symbol->st_info);
    if (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC) return false;
    if (!symbol->st_name || symbol->st_name >= symbols->names.length || symbol->st_value > address)
        return false;
    if (symbol->st_shndx == SHN_UNDEF ||
        symbol->st_shndx >= symbols->sections.length / sizeof(elf_section))
        return false;
    if (symbol->st_shndx >= SHN_LORESERVE) return false;
    if (symbols->file[symbols->names.offset + symbol->st_name] == '.') return false;
    const elf_section *sections = (const elf_section *)(symbols->file + symbols->sections.offset);
    const elf_section *section = &sections[symbol->st_shndx];
    return section->sh_flags & SHF_EXECINSTR && address - section->sh_addr < section->sh_size;
}

// The function symbol that covers address (an address as in the file, not relocated). False when
// none covers it (beyond the symbol's size when that is not 0).
// A symbol with a size that covers the address wins, the innermost of several; next the nearest one
// below, if it has no size. Nearest but too short means padding behind a function: nobody's.
bool elf_symbol(const struct elf_symbols *symbols, u64 address, struct elf_symbol *found) {
    if (!symbols->file) return false;
    const loose_symbol *covering = NULL;
    const loose_symbol *nearest = NULL;
    const loose_symbol *symbol = (const loose_symbol *)(symbols->file + symbols->table.offset);
    for (u64 left = symbols->table.length / sizeof *symbol; left; left--, symbol++) {
        if (!elf_is_candidate(symbols, symbol, address)) continue;
        bool covers = address - symbol->st_value < symbol->st_size;
        if (covers && (!covering || symbol->st_value > covering->st_value)) covering = symbol;
        if (!nearest || symbol->st_value > nearest->st_value) nearest = symbol;
        if (symbol->st_value == nearest->st_value && symbol->st_size) nearest = symbol;
    }
    if (!covering && nearest && !nearest->st_size) covering = nearest;
    if (!covering) return false;
    const char *names = (const char *)symbols->file + symbols->names.offset;
    *found = (struct elf_symbol){names + covering->st_name, address - covering->st_value};
    return true;
}
