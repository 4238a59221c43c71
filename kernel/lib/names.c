// See names.h.
#include "kernel/lib/names.h"

#include "kernel/lib/string.h"

static u32 names_number(const struct names *names, u64 index) {
    u32 number;
    memcpy(&number, names->table + index * sizeof number, sizeof number);
    return number;
}

// Start of a function; of the one behind the last, the end of that.
static u32 names_start(const struct names *names, u64 function) { return names_number(names, 1 + function); }

struct names names_open(const struct elf *elf) {
    const struct names none = {0};
    const elf_section *section = elf_sections(elf);
    if (!section) return none;
    const elf_section *end = section + elf->header->e_shnum;
    while (section < end && (section->sh_type != SHT_PROGBITS || section->sh_flags & SHF_ALLOC)) section++;
    if (section == end || section->sh_size < sizeof(u32) || !elf_has_bytes(elf, section)) return none;
    struct names names = {elf->file + section->sh_offset, section->sh_size, 0};
    names.count = names_number(&names, 0);
    u64 numbers = (names.count + 2) * sizeof(u32);
    if (numbers >= names.bytes || names.table[names.bytes - 1]) return none; // every name must end in the table
    return names;
}

bool names_find(const struct names *names, u64 address, struct elf_symbol *found) {
    if (!names->count || address < names_start(names, 0) || address >= names_start(names, names->count)) return false;
    u64 low = 0, high = names->count; // it lies in [low, high)
    while (high - low > 1) {
        u64 middle = low + (high - low) / 2;
        if (address < names_start(names, middle)) high = middle;
        else low = middle;
    }
    const char *name = (const char *)names->table + (names->count + 2) * sizeof(u32);
    const char *end = (const char *)names->table + names->bytes;
    for (u64 before = low; before && name < end; before--) name += strlen(name) + 1;
    if (name >= end) return false;
    *found = (struct elf_symbol){name, address - names_start(names, low)};
    return true;
}
