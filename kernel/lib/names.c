// See names.h.
#include "kernel/lib/names.h"

#include "kernel/lib/string.h"

struct table {
    u32 count, start;
    u16 bytes[];
} __attribute__((packed)); // it lies anywhere in the file

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
    if (numbers >= names.bytes || names.table[names.bytes - 1])
        return none; // every name must end in the table
    return names;
}

bool names_find(const struct names *names, u64 address, struct elf_symbol *found) {
    if (!names->count) return false;
    const struct table *table = (const struct table *)names->table;
    const char *name = (const char *)&table->bytes[names->count];
    const char *end = (const char *)names->table + names->bytes;
    u64 start = table->start;
    for (u64 i = 0; i < names->count && name < end && address >= start; i++) {
        *found = (struct elf_symbol){name, address - start};
        if (found->offset < table->bytes[i]) return true;
        start += table->bytes[i];
        name += strlen(name) + 1;
    }
    return false;
}
