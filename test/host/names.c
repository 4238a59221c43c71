// The table of the kernel's function names, made by hand, whole and damaged.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/lib/elf_symbols.c"
#include "kernel/lib/names.c"
#include "kernel/lib/string.c"
#include "test/check.h"

struct image {
    Elf64_Ehdr header;
    Elf64_Shdr sections[3];
    u32 count, start;
    u16 bytes[3];
    char names[15];
};

static const struct image good = {
    .header = {.e_shentsize = sizeof(Elf64_Shdr),
               .e_shnum = 3,
               .e_shoff = offsetof(struct image, sections)},
    .sections = {[1] = {.sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC, .sh_size = 64},
                 [2] = {.sh_type = SHT_PROGBITS,
                        .sh_offset = offsetof(struct image, count),
                        .sh_size = 14 + 15}},
    .count = 3,
    .start = 0x160,
    .bytes = {0xa0, 0x10, 0xf0}, // to 0x200, 0x210, 0x300
    .names = "\0firs\xf4"        // "first", "fir", "first_one"
             "\2\xf2"
             "\3st_on\xe5",
};

// In memory of its own, of so many bytes, so that a look beyond them is seen.
static bool lookup(const struct image *image, size_t bytes, u64 address,
                   char name[NAMES_LONGEST + 1], u64 *offset) {
    u8 *file = malloc(bytes);
    memcpy(file, image, bytes);
    struct elf elf = {.file = file, .length = bytes, .header = (const elf_header *)file};
    struct names names = names_open(&elf);
    bool is_found = names_find(&names, address, name, offset);
    CHECK(!is_found || strlen(name) <= NAMES_LONGEST);
    free(file);
    return is_found;
}

static void expect(u64 address, const char *wanted, u64 wanted_offset) {
    char name[NAMES_LONGEST + 1] = "";
    u64 offset = 0;
    CHECK(lookup(&good, sizeof good, address, name, &offset) == (wanted != NULL));
    if (wanted) CHECK(!strcmp(name, wanted) && offset == wanted_offset);
}

// Whatever is damaged, nothing beyond the file is read: AddressSanitizer would say so.
static void damaged(void) {
    char name[NAMES_LONGEST + 1];
    u64 offset;
    for (size_t at = offsetof(struct image, sections); at < sizeof good; at++)
        for (int bit = 0; bit < 8; bit++) {
            struct image image = good;
            ((u8 *)&image)[at] ^= (u8)(1 << bit);
            for (u64 address = 0x15f; address < 0x302; address += 0x50)
                (void)lookup(&image, sizeof image, address, name, &offset);
        }
    struct image image = good;
    image.count = 11; // more functions than there are bytes
    CHECK(!lookup(&image, sizeof image, 0x200, name, &offset));
    image = good;
    image.names[14] &= 0x7f; // a name that does not end
    CHECK(!lookup(&image, sizeof image, 0x200, name, &offset));
    CHECK(!lookup(&good, offsetof(struct image, names) + 14, 0x200, name, &offset)); // cut off
}

int main(void) {
    expect(0x15f, NULL, 0);
    expect(0x160, "first", 0);
    expect(0x1ff, "first", 0x9f);
    expect(0x200, "fir", 0);
    expect(0x211, "first_one", 1);
    expect(0x2ff, "first_one", 0xef);
    expect(0x300, NULL, 0);
    damaged();
    return check_done("names");
}
