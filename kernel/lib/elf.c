// ELF-64 files, from untrusted bytes to checked facts. Nothing is believed before it was compared
// with the file's length, and every sum is arranged so that it cannot wrap: "a + b <= c" is asked
// as "a <= c and b <= c - a". Structures are read through types of alignment 1, since neither the
// file nor the offsets in it need be aligned.
#include "kernel/lib/elf.h"
#include "boot/layout.h"
#include "kernel/lib/string.h"

typedef Elf64_Dyn loose_dyn __attribute__((aligned(1)));
typedef Elf64_Rela loose_rela __attribute__((aligned(1)));

#define HEADERS_MAX 65536 // bytes of program headers, as Linux takes them

#define ELF_ERROR_TEXT(name, text) text,
const char *elf_error_text(enum elf_error error) {
    static const char *const texts[] = {ELF_ERRORS(ELF_ERROR_TEXT)};
    if ((u32)error >= ARRAY_SIZE(texts)) return "has an unknown error";
    return texts[error];
}

static bool elf_inside(u64 offset, u64 bytes, u64 length) {
    return offset <= length && bytes <= length - offset;
}

// Of e_ident Linux looks at the magic alone; class and byte order only make the reason better.
// e_phoff may be anywhere.
static enum elf_error elf_check_header(const elf_header *header, u64 length) {
    if (memcmp(header->e_ident, ELFMAG, MIN(length, SELFMAG))) return ELF_NOT_ELF;
    if (length < sizeof *header) return ELF_SHORT;
    bool is_32_bit = header->e_ident[EI_CLASS] == ELFCLASS32;
    bool is_big_endian = header->e_ident[EI_DATA] == ELFDATA2MSB;
    if (header->e_machine != EM_X86_64) {
        if (is_32_bit) return ELF_32_BIT;
        if (is_big_endian) return ELF_BIG_ENDIAN;
        return ELF_OTHER_MACHINE;
    }
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN) return ELF_NOT_PROGRAM;
    if (!header->e_phnum) return ELF_NO_SEGMENTS;
    u64 bytes = header->e_phnum * sizeof(Elf64_Phdr);
    if (header->e_phentsize != sizeof(Elf64_Phdr) || bytes > HEADERS_MAX) {
        if (is_32_bit) return ELF_32_BIT; // x32, which has the same machine
        return ELF_BAD_HEADERS;
    }
    if (!elf_inside(header->e_phoff, bytes, length)) return ELF_SHORT;
    return ELF_OK;
}

// Whether all bytes that a segment takes from the file are there.
static bool elf_is_there(const elf_segment *segment, u64 length) {
    return !segment->p_filesz || elf_inside(segment->p_offset, segment->p_filesz, length);
}

// One PT_LOAD by itself. Offset and address must agree within a page (gABI chapter 5), or the file
// could not be mapped; a segment without file bytes has no offset. Linux clears what follows the
// file's bytes in a writable segment's last page, and there must be such a page.
static enum elf_error elf_check_load(const elf_segment *segment, u64 length) {
    if (segment->p_filesz > segment->p_memsz) return ELF_BAD_SEGMENT;
    if (!elf_inside(segment->p_vaddr, segment->p_memsz, USER_END)) return ELF_BAD_ADDRESS;
    if (!segment->p_filesz) return ELF_OK;
    if ((segment->p_vaddr - segment->p_offset) % PAGE_SIZE) return ELF_BAD_SEGMENT;
    if (!elf_inside(segment->p_offset, segment->p_filesz, INT64_MAX)) return ELF_BAD_SEGMENT;
    u64 end = segment->p_offset + segment->p_filesz;
    bool clears =
        segment->p_flags & PF_W && segment->p_memsz > segment->p_filesz && end % PAGE_SIZE;
    if (clears && ROUND_DOWN(end, PAGE_SIZE) >= length) return ELF_BAD_SEGMENT;
    return ELF_OK;
}

// Whether the file was longer once: the table of its sections, or one of them, lies past its end.
// What a segment has past the end of a file without sections, or with sections that are all there,
// was meant so.
static bool elf_was_cut_off(const struct elf *elf) {
    const elf_header *header = elf->header;
    if (!header->e_shoff || header->e_shentsize != sizeof(Elf64_Shdr)) return false;
    if (!elf_inside(header->e_shoff, header->e_shnum * sizeof(Elf64_Shdr), elf->length))
        return true;
    const elf_section *section = (const elf_section *)(elf->file + header->e_shoff);
    for (u32 left = header->e_shnum; left; left--, section++) {
        if (section->sh_type == SHT_NULL || section->sh_type == SHT_NOBITS) continue;
        if (!elf_inside(section->sh_offset, section->sh_size, elf->length)) return true;
    }
    return false;
}

// All PT_LOADs together. Fills low and high.
static enum elf_error elf_check_loads(struct elf *elf) {
    bool all_there = true;
    elf->low = UINT64_MAX;
    for (const elf_segment *segment = NULL; (segment = elf_next(elf, segment, PT_LOAD));) {
        enum elf_error error = elf_check_load(segment, elf->length);
        if (error) return error;
        if (!elf_is_there(segment, elf->length)) all_there = false;
        if (segment->p_memsz) elf->low = MIN(elf->low, ROUND_DOWN(segment->p_vaddr, PAGE_SIZE));
        elf->high = MAX(elf->high, ROUND_UP(segment->p_vaddr + segment->p_memsz, PAGE_SIZE));
    }
    if (elf->low == UINT64_MAX) return ELF_NO_SEGMENTS;
    if (!all_there && elf_was_cut_off(elf)) return ELF_SHORT;
    return ELF_OK;
}

enum elf_error elf_open(struct elf *elf, const void *file, u64 length) {
    *elf = (struct elf){.file = file, .length = length, .header = file};
    enum elf_error error = elf_check_header(elf->header, length);
    if (error) return error;
    elf->segments = (const elf_segment *)(elf->file + elf->header->e_phoff);
    for (int i = 0; i < elf->header->e_phnum; i++) {
        const elf_segment *segment = &elf->segments[i];
        if (segment->p_type == PT_INTERP) return ELF_DYNAMIC;
        if (segment->p_type == PT_GNU_STACK) elf->executable_stack = segment->p_flags & PF_X;
    }
    return elf_check_loads(elf);
}

enum elf_error elf_open_kernel(struct elf *elf, const void *file, u64 length) {
    enum elf_error error = elf_open(elf, file, length);
    if (error) return error;
    u64 end = 0;
    for (const elf_segment *segment = NULL; (segment = elf_next(elf, segment, PT_LOAD));) {
        if (!elf_is_there(segment, length)) return ELF_SHORT;
        if (segment->p_vaddr < end) return ELF_OVERLAP;
        end = segment->p_vaddr + segment->p_memsz;
    }
    if (!elf_has_code(elf, elf->header->e_entry)) return ELF_BAD_ENTRY;
    return ELF_OK;
}

bool elf_has_code(const struct elf *elf, u64 address) {
    for (const elf_segment *segment = NULL; (segment = elf_next(elf, segment, PT_LOAD));)
        if (segment->p_flags & PF_X && address - segment->p_vaddr < segment->p_memsz) return true;
    return false;
}

struct elf_mapping elf_map(const struct elf *elf, const elf_segment *segment) {
    struct elf_mapping mapping = {0};
    if (!segment->p_memsz) return mapping;
    u64 skew = segment->p_vaddr % PAGE_SIZE;
    u64 file_end = segment->p_vaddr + segment->p_filesz;
    mapping.start = segment->p_vaddr - skew;
    mapping.zeros = mapping.start;
    mapping.end = ROUND_UP(segment->p_vaddr + segment->p_memsz, PAGE_SIZE);
    if (!segment->p_filesz) return mapping;
    mapping.zeros = ROUND_UP(file_end, PAGE_SIZE);
    mapping.offset = segment->p_offset - skew;
    if (mapping.offset >= elf->length) return mapping;
    bool clears = segment->p_flags & PF_W && segment->p_memsz > segment->p_filesz;
    u64 kept_end = mapping.zeros;
    if (clears) kept_end = file_end;
    mapping.kept = MIN(kept_end - mapping.start, elf->length - mapping.offset);
    return mapping;
}

// Where Linux sees the program headers in memory, as linked: in the last PT_LOAD that begins before
// them in the file and reaches them. 0: in none.
u64 elf_headers_address(const struct elf *elf) {
    u64 address = 0;
    for (const elf_segment *segment = NULL; (segment = elf_next(elf, segment, PT_LOAD));) {
        u64 inside_segment = elf->header->e_phoff - segment->p_offset;
        if (inside_segment < segment->p_filesz) address = segment->p_vaddr + inside_segment;
    }
    return address;
}

// Copies the PT_LOADs into memory (elf->high - elf->low bytes), which stands for elf->low; what is
// between is zeroed.
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

// The dynamic table ends with DT_NULL or with its segment; a segment that is no whole number of
// entries loses the remainder. Relocations of other kinds, or of another size, cannot be applied.
static enum elf_error elf_find_relocations(const struct elf *elf, const u8 *memory,
                                           struct relocations *found) {
    const elf_segment *table = elf_next(elf, NULL, PT_DYNAMIC);
    if (!table) return ELF_OK;
    u64 start = table->p_vaddr - elf->low;
    if (!elf_inside(start, table->p_memsz, elf->high - elf->low)) return ELF_BAD_RELOCATION;
    const loose_dyn *entry = (const loose_dyn *)(memory + start);
    for (u64 left = table->p_memsz / sizeof *entry; left && entry->d_tag != DT_NULL;
         left--, entry++) {
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
    bool whole =
        found->rela_bytes % sizeof(Elf64_Rela) == 0 && found->relr_bytes % sizeof(u64) == 0;
    if (!whole) return ELF_BAD_RELOCATION;
    return ELF_OK;
}

static enum elf_error elf_apply_rela(const u8 *image, u64 start, u64 bytes, u64 span, u64 low,
                                     u64 moved) {
    for (u64 at = start; at != start + bytes; at += sizeof(Elf64_Rela)) {
        const loose_rela *rela = (const loose_rela *)(image + at);
        u64 place = rela->r_offset - low;
        if (ELF64_R_TYPE(rela->r_info) == R_X86_64_NONE) continue;
        if (rela->r_info != R_X86_64_RELATIVE || !elf_inside(place, sizeof(u64), span))
            return ELF_BAD_RELOCATION;
        *(loose_u64 *)(image + place) = moved + (u64)rela->r_addend;
    }
    return ELF_OK;
}

// gABI, "Relative Relocation Table". An even word is a place. An odd word is about the 63 words of
// memory that come next: behind the place, or behind what the odd word before was about. Its bits 1
// to 63 say which of them are places, too.
static enum elf_error elf_apply_relr(const u8 *image, u64 start, u64 bytes, u64 span, u64 low,
                                     u64 moved) {
    u64 next = span; // no place before the first even word
    for (u64 at = start; at != start + bytes; at += sizeof(u64)) {
        u64 word = *(const loose_u64 *)(image + at);
        u64 place = word - low;
        u64 bits = 1;
        if (word & 1) {
            place = next;
            bits = word >> 1;
            next += 63 * sizeof(u64);
        } else {
            next = place + sizeof(u64);
        }
        for (; bits; bits >>= 1, place += sizeof(u64)) {
            if (!(bits & 1)) continue;
            if (!elf_inside(place, sizeof(u64), span)) return ELF_BAD_RELOCATION;
            *(loose_u64 *)(image + place) += moved;
        }
    }
    return ELF_OK;
}

enum elf_error elf_relocate(const struct elf *elf, void *memory, u64 run_address) {
    u64 span = elf->high - elf->low;
    u64 moved = run_address - elf->low;
    struct relocations found = {0};
    enum elf_error error = elf_find_relocations(elf, memory, &found);
    if (error) return error;
    u64 rela = found.rela - elf->low;
    u64 relr = found.relr - elf->low;
    if (found.rela_bytes && !elf_inside(rela, found.rela_bytes, span)) return ELF_BAD_RELOCATION;
    if (found.relr_bytes && !elf_inside(relr, found.relr_bytes, span)) return ELF_BAD_RELOCATION;
    error = elf_apply_rela(memory, rela, found.rela_bytes, span, elf->low, moved);
    if (error) return error;
    return elf_apply_relr(memory, relr, found.relr_bytes, span, elf->low, moved);
}
