// ELF-64 files, from untrusted bytes to checked facts. Nothing is believed before it was compared with the file's
// length, and every sum is arranged so that it cannot wrap: "a + b <= c" is asked as "a <= c and b <= c - a".
// Structures are read through types of alignment 1, since neither the file nor the offsets in it need be aligned.
#include "kernel/lib/elf.h"
#include "boot/layout.h"
#include "kernel/lib/string.h"

typedef Elf64_Dyn loose_dyn __attribute__((aligned(1)));
typedef Elf64_Rela loose_rela __attribute__((aligned(1)));
typedef Elf64_Shdr loose_section __attribute__((aligned(1)));
typedef Elf64_Sym loose_symbol __attribute__((aligned(1)));

#define ELF_ERROR_TEXT(name, text) text,
const char *elf_error_text(enum elf_error error) {
    static const char *const texts[] = {ELF_ERRORS(ELF_ERROR_TEXT)};
    return (u32)error < ARRAY_SIZE(texts) ? texts[error] : "has an unknown error";
}

static bool inside(u64 offset, u64 bytes, u64 length) { return offset <= length && bytes <= length - offset; }

static enum elf_error check_header(const elf_header *header, u64 length) {
    if (memcmp(header->e_ident, ELFMAG, length < SELFMAG ? length : SELFMAG)) return ELF_NOT_ELF;
    if (length < sizeof *header) return ELF_SHORT;
    if (header->e_ident[EI_CLASS] == ELFCLASS32) return ELF_32_BIT;
    if (header->e_ident[EI_DATA] == ELFDATA2MSB) return ELF_BIG_ENDIAN;
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) return ELF_BAD_HEADERS;
    if (header->e_machine != EM_X86_64) return ELF_OTHER_MACHINE;
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN) return ELF_NOT_PROGRAM;
    if (!header->e_phnum) return ELF_NO_SEGMENTS;
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == PN_XNUM || header->e_phoff < sizeof *header)
        return ELF_BAD_HEADERS;
    return inside(header->e_phoff, header->e_phnum * sizeof(Elf64_Phdr), length) ? ELF_OK : ELF_SHORT;
}

// One PT_LOAD by itself; the address may be rounded up to a page without wrapping afterwards. Offset and address must
// agree within a page (gABI chapter 5), or the file could not be mapped; a segment without file bytes has no offset.
static enum elf_error check_load(const elf_segment *segment, u64 length) {
    if (segment->p_filesz > segment->p_memsz) return ELF_BAD_SEGMENT;
    if (!inside(segment->p_vaddr, segment->p_memsz, ROUND_DOWN(UINT64_MAX, PAGE_SIZE))) return ELF_BAD_SEGMENT;
    if (segment->p_align & (segment->p_align - 1)) return ELF_BAD_SEGMENT;
    if (!segment->p_filesz) return ELF_OK;
    if ((segment->p_vaddr - segment->p_offset) % PAGE_SIZE) return ELF_BAD_SEGMENT;
    return inside(segment->p_offset, segment->p_filesz, length) ? ELF_OK : ELF_BAD_SEGMENT;
}

// All PT_LOADs together: ascending, disjoint, and one of them holds the entry point. Fills low and high.
static enum elf_error check_loads(struct elf *elf) {
    u64 last = 0, end = 0; // where the one before starts and ends
    bool any = false, entry = false;
    for (const elf_segment *segment = NULL; (segment = elf_next(elf, segment, PT_LOAD));) {
        enum elf_error error = check_load(segment, elf->length);
        if (error) return error;
        if (!any) elf->low = ROUND_DOWN(segment->p_vaddr, PAGE_SIZE);
        if (any && segment->p_vaddr < end) return segment->p_vaddr < last ? ELF_BAD_SEGMENT : ELF_OVERLAP;
        last = segment->p_vaddr;
        end = segment->p_vaddr + segment->p_memsz;
        if (segment->p_flags & PF_X) entry |= elf->header->e_entry - segment->p_vaddr < segment->p_memsz;
        any = true;
    }
    elf->high = ROUND_UP(end, PAGE_SIZE);
    if (!any || elf->high == elf->low) return ELF_NO_SEGMENTS;
    return entry ? ELF_OK : ELF_BAD_ENTRY;
}

enum elf_error elf_open(struct elf *elf, const void *file, u64 length, bool allow_interp) {
    *elf = (struct elf){.file = file, .length = length, .header = file, .executable_stack = true};
    enum elf_error error = check_header(elf->header, length);
    if (error) return error;
    elf->segments = (const elf_segment *)(elf->file + elf->header->e_phoff);
    for (int i = 0; i < elf->header->e_phnum; i++) {
        const elf_segment *segment = &elf->segments[i];
        if (segment->p_type == PT_INTERP && !allow_interp) return ELF_DYNAMIC;
        if (segment->p_type == PT_GNU_STACK) elf->executable_stack = segment->p_flags & PF_X;
    }
    return check_loads(elf);
}

void elf_load(const struct elf *elf, void *memory) {
    u8 *to = memory;
    u64 filled = 0;
    for (const elf_segment *segment = NULL; (segment = elf_next(elf, segment, PT_LOAD));) {
        u64 start = segment->p_vaddr - elf->low;
        memset(to + filled, 0, start - filled);
        if (segment->p_filesz) memcpy(to + start, elf->file + segment->p_offset, segment->p_filesz);
        filled = start + segment->p_filesz;
    }
    memset(to + filled, 0, elf->high - elf->low - filled);
}

// Where the relocations lie, as linked; 0 bytes when there are none.
struct relocations {
    u64 rela, rela_bytes; // each with its place and its addend
    u64 relr, relr_bytes; // packed places; the addends lie there
};

// The dynamic table ends with DT_NULL or with its segment; a segment that is no whole number of entries loses the
// remainder. Relocations of other kinds, or of another size, cannot be applied.
static enum elf_error find_relocations(const struct elf *elf, const u8 *memory, struct relocations *found) {
    const elf_segment *table = elf_next(elf, NULL, PT_DYNAMIC);
    if (!table) return ELF_OK;
    u64 start = table->p_vaddr - elf->low;
    if (!inside(start, table->p_memsz, elf->high - elf->low)) return ELF_BAD_RELOCATION;
    const loose_dyn *entry = (const loose_dyn *)(memory + start);
    for (u64 left = table->p_memsz / sizeof *entry; left && entry->d_tag != DT_NULL; left--, entry++) {
        u64 value = entry->d_un.d_val;
        switch (entry->d_tag) {
        case DT_RELA: found->rela = value; break;
        case DT_RELASZ: found->rela_bytes = value; break;
        case DT_RELR: found->relr = value; break;
        case DT_RELRSZ: found->relr_bytes = value; break;
        case DT_RELAENT:
            if (value != sizeof(Elf64_Rela)) return ELF_BAD_RELOCATION;
            break;
        case DT_RELSZ:
        case DT_PLTRELSZ:
            if (value) return ELF_BAD_RELOCATION;
        }
    }
    bool whole = found->rela_bytes % sizeof(Elf64_Rela) == 0 && found->relr_bytes % sizeof(u64) == 0;
    return whole ? ELF_OK : ELF_BAD_RELOCATION;
}

static enum elf_error apply_rela(const u8 *image, u64 start, u64 bytes, u64 span, u64 low, u64 moved) {
    for (u64 at = start; at != start + bytes; at += sizeof(Elf64_Rela)) {
        const loose_rela *rela = (const loose_rela *)(image + at);
        u64 place = rela->r_offset - low;
        if (ELF64_R_TYPE(rela->r_info) == R_X86_64_NONE) continue;
        if (rela->r_info != R_X86_64_RELATIVE || !inside(place, sizeof(u64), span)) return ELF_BAD_RELOCATION;
        *(loose_u64 *)(image + place) = moved + (u64)rela->r_addend;
    }
    return ELF_OK;
}

// gABI, "Relative Relocation Table": an even word is a place; an odd one says by its bits 1 to 63 which of the next 63
// words behind the last place, or behind what the last odd word covered, are places, too.
static enum elf_error apply_relr(const u8 *image, u64 start, u64 bytes, u64 span, u64 low, u64 moved) {
    u64 next = span; // no place before the first even word
    for (u64 at = start; at != start + bytes; at += sizeof(u64)) {
        u64 word = *(const loose_u64 *)(image + at), place = word & 1 ? next : word - low;
        for (u64 bits = word & 1 ? word >> 1 : 1; bits; bits >>= 1, place += sizeof(u64)) {
            if (!(bits & 1)) continue;
            if (!inside(place, sizeof(u64), span)) return ELF_BAD_RELOCATION;
            *(loose_u64 *)(image + place) += moved;
        }
        next = word & 1 ? next + 63 * sizeof(u64) : place;
    }
    return ELF_OK;
}

enum elf_error elf_relocate(const struct elf *elf, void *memory, u64 run_address) {
    u64 span = elf->high - elf->low, moved = run_address - elf->low;
    struct relocations found = {0};
    enum elf_error error = find_relocations(elf, memory, &found);
    if (error) return error;
    u64 rela = found.rela - elf->low, relr = found.relr - elf->low;
    if (found.rela_bytes && !inside(rela, found.rela_bytes, span)) return ELF_BAD_RELOCATION;
    if (found.relr_bytes && !inside(relr, found.relr_bytes, span)) return ELF_BAD_RELOCATION;
    error = apply_rela(memory, rela, found.rela_bytes, span, elf->low, moved);
    return error ? error : apply_relr(memory, relr, found.relr_bytes, span, elf->low, moved);
}

// The section with this index when its header and, if it has any, its bytes lie inside the file.
static const loose_section *section_at(const struct elf *elf, u32 index) {
    const elf_header *header = elf->header;
    if (header->e_shentsize != sizeof(Elf64_Shdr) || index >= header->e_shnum) return NULL;
    if (!inside(header->e_shoff, header->e_shnum * sizeof(Elf64_Shdr), elf->length)) return NULL;
    const loose_section *section = (const loose_section *)(elf->file + header->e_shoff) + index;
    if (section->sh_type == SHT_NOBITS) return section;
    return inside(section->sh_offset, section->sh_size, elf->length) ? section : NULL;
}

// The symbol table and its names; NULL when there is none that passes its checks.
static const loose_section *find_symbols(const struct elf *elf, const loose_section **names) {
    const loose_section *table = NULL;
    for (u32 i = 1; i < elf->header->e_shnum && (!table || table->sh_type != SHT_SYMTAB); i++)
        table = section_at(elf, i);
    bool usable = table && table->sh_type == SHT_SYMTAB && table->sh_entsize == sizeof(Elf64_Sym);
    *names = usable ? section_at(elf, table->sh_link) : NULL;
    return *names && (*names)->sh_type == SHT_STRTAB && (*names)->sh_size ? table : NULL;
}

u64 elf_symbols_start(const struct elf *elf) {
    const loose_section *names, *table = find_symbols(elf, &names);
    if (!table) return elf->length;
    u64 first = table->sh_offset < names->sh_offset ? table->sh_offset : names->sh_offset;
    return first < elf->header->e_shoff ? first : elf->header->e_shoff;
}

// A function or an assembler's label, in the section of code that holds the address, that begins at or below it. Labels
// have no type and no size; the linker script's own fail by their section. Names with a dot in front are an assembler's
// inner labels (NASM: ..@5.name in each use of a macro), which tell nobody where they are.
static bool is_candidate(const struct elf *elf, const loose_symbol *symbol, u64 address, const loose_section *names) {
    u32 type = ELF64_ST_TYPE(symbol->st_info);
    if (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC) return false;
    if (!symbol->st_name || symbol->st_name >= names->sh_size || symbol->st_value > address) return false;
    if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= SHN_LORESERVE) return false;
    if (elf->file[names->sh_offset + symbol->st_name] == '.') return false;
    const loose_section *section = section_at(elf, symbol->st_shndx);
    return section && section->sh_flags & SHF_EXECINSTR && address - section->sh_addr < section->sh_size;
}

// A symbol with a size that covers the address wins, the innermost of several; next the nearest one below, if it has
// no size. Nearest but too short means padding behind a function: nobody's.
bool elf_symbol(const struct elf *elf, u64 address, struct elf_symbol *found) {
    const loose_section *names, *table = find_symbols(elf, &names);
    if (!table) return false;
    const char *text = (const char *)elf->file + names->sh_offset;
    if (text[names->sh_size - 1]) return false; // every name inside must end inside
    const loose_symbol *covering = NULL, *nearest = NULL;
    const loose_symbol *symbol = (const loose_symbol *)(elf->file + table->sh_offset);
    for (u64 left = table->sh_size / sizeof *symbol; left; left--, symbol++) {
        if (!is_candidate(elf, symbol, address, names)) continue;
        bool covers = address - symbol->st_value < symbol->st_size;
        if (covers && (!covering || symbol->st_value > covering->st_value)) covering = symbol;
        if (!nearest || symbol->st_value > nearest->st_value) nearest = symbol;
        if (symbol->st_value == nearest->st_value && symbol->st_size) nearest = symbol;
    }
    if (!covering && nearest && !nearest->st_size) covering = nearest;
    if (!covering) return false;
    *found = (struct elf_symbol){text + covering->st_name, address - covering->st_value};
    return true;
}
