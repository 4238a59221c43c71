// The names of the kernel's own functions, for a panic: reads the table whose form names.h shows.
// The table is trusted as little as anything that lies in a file.
#include "kernel/lib/names.h"

#include "kernel/lib/string.h"

#define LAST 0x80

struct table {
    u32 count, start;
    u16 bytes[];
} __attribute__((packed)); // it lies anywhere in the file

// Finds the table of an opened file. All zeros when there is none, or one that makes no sense.
// Finds the table of an opened file. All zeros when there is none, or one that makes no sense.
struct names names_open(const struct elf *elf) {
    const struct names none = {0};
    const elf_section *section = elf_sections(elf);
    if (!section) return none;
    const elf_section *end = section + elf->header->e_shnum;
    while (section < end && (section->sh_type != SHT_PROGBITS || section->sh_flags & SHF_ALLOC))
        section++;
    if (section == end || section->sh_size < sizeof(struct table) || !elf_has_bytes(elf, section))
        return none;
    const struct table *table = (const struct table *)(elf->file + section->sh_offset);
    struct names names = {elf->file + section->sh_offset, section->sh_size, table->count};
    u64 numbers = sizeof *table + names.count * sizeof table->bytes[0];
    if (numbers >= names.bytes || !(names.table[names.bytes - 1] & LAST))
        return none; // every name must end in the table
    return names;
}

// From one name, which is in the buffer, to the next; the rest of the table begins behind it.
static const u8 *names_next(const u8 *at, const u8 *end, char name[NAMES_LONGEST + 1]) {
    size_t length = MIN(strlen(name), (size_t)*at);
    bool is_last = false;
    at++;
    while (at < end && !is_last) {
        is_last = *at & LAST;
        if (length < NAMES_LONGEST) name[length++] = (char)(*at & ~LAST);
        at++;
    }
    name[length] = 0;
    return at;
}

// The function in which an address lies, as linked, and how many bytes behind its start. False when
// it lies in none; name and offset may be written all the same. Reads the table and nothing else of
// the file.
bool names_find(const struct names *names, u64 address, char name[NAMES_LONGEST + 1], u64 *offset) {
    if (!names->count) return false;
    const struct table *table = (const struct table *)names->table;
    const u8 *at = (const u8 *)&table->bytes[names->count];
    const u8 *end = names->table + names->bytes;
    u64 start = table->start;
    name[0] = 0;
    for (u64 i = 0; i < names->count && at < end && address >= start; i++) {
        at = names_next(at, end, name);
        *offset = address - start;
        if (*offset < table->bytes[i]) return true;
        start += table->bytes[i];
    }
    return false;
}
