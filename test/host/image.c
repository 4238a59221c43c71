// loader/image.c: a header with one lie for every check, real memory maps, and random maps against a search that goes
// through memory block by block.
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#include "loader/image.c"
#include "kernel/lib/crc32c.c"

static struct image_header good_header(void) {
    struct image_header header = {
        .magic = IMAGE_MAGIC, .version = IMAGE_VERSION, .total = 0x9000, .kernel_memory = 0x5000};
    header.parts[IMAGE_KERNEL] = (struct image_part){.offset = 512, .length = 0x1000};
    header.parts[IMAGE_PROGRAM] = (struct image_part){.offset = 0x2000, .length = 0x6001};
    header.parts[IMAGE_COMMAND] = (struct image_part){.offset = 0x8001, .length = 0xfff};
    return header;
}

static const char *check(struct image_header *header) {
    header->crc = 0;
    header->crc = crc32c(0, header, sizeof(*header), false);
    return image_check(header, false);
}

// True when the answer to header holds the word, or is NULL when there is none.
static bool says(struct image_header header, const char *word) {
    const char *answer = check(&header);
    return word ? answer && strstr(answer, word) : !answer;
}

#define LIE(field, value, word)                                                                                        \
    do {                                                                                                               \
        struct image_header lie = good_header();                                                                       \
        lie.field = (value);                                                                                           \
        CHECK(says(lie, word));                                                                                        \
    } while (0)

static void test_header(void) {
    CHECK(says(good_header(), NULL));
    LIE(magic[3], 'x', "no header");
    LIE(version, 2, "version");
    LIE(total, 511, "length");
    LIE(total, 0, "length");
    LIE(total, IDENTITY_END + 1, "length");
    LIE(total, UINT64_MAX, "length");
    LIE(total, 0x8fff, "behind its end");
    LIE(kernel_memory, 0, "size");
    LIE(kernel_memory, 0x5001, "size");
    LIE(kernel_memory, UINT64_MAX & -PAGE_SIZE, "size");
    LIE(parts[IMAGE_KERNEL].offset, 511, "overlap");
    LIE(parts[IMAGE_KERNEL].offset, 0, "overlap");
    LIE(parts[IMAGE_KERNEL].length, 0, "no kernel");
    LIE(parts[IMAGE_PROGRAM].length, 0, "no program");
    LIE(parts[IMAGE_PROGRAM].offset, 0x11ff, "overlap");
    LIE(parts[IMAGE_PROGRAM].length, 0x6002, "overlap");
    LIE(parts[IMAGE_PROGRAM].length, UINT64_MAX, "behind its end");
    LIE(parts[IMAGE_PROGRAM].length, -0x2000ull + 600, "behind its end");
    LIE(parts[IMAGE_COMMAND].offset, UINT64_MAX, "behind its end");
    LIE(parts[IMAGE_COMMAND].offset, 0x9001, "behind its end");
    LIE(parts[IMAGE_INPUT].offset, 0x8001, NULL); // there, and empty
    LIE(parts[IMAGE_INPUT].length, 1, "overlap");
    struct image_header header = good_header();
    check(&header);
    for (size_t bit = 0; bit < 8 * sizeof(header); bit++) {
        ((u8 *)&header)[bit / 8] ^= 1 << bit % 8;
        CHECK(image_check(&header, bit & 1));
        ((u8 *)&header)[bit / 8] ^= 1 << bit % 8;
    }
    CHECK(!image_check(&header, true));
}

struct case_of {
    struct e820_entry map[8];
    u32 entries;
    u64 bytes, at, largest; // at: 0 when largest is all there is
};

static void test_place(void) {
    static const struct case_of cases[] = {
        {.entries = 0, .bytes = 0x1000},
        {{{0, 0x9fc00, 1}, {0x100000, 0x300000, 1}}, 2, 0x300000, 0x100000, 0},
        {{{0, 0x9fc00, 1}, {0x100000, 0x300000, 1}}, 2, 0x301000, 0, 0x300000},
        {{{0, 0x400000, 1}}, 1, 0x300000, 0x100000, 0},    // one entry over all of it
        {{{0x100800, 0x3000, 1}}, 1, 0x2000, 0x101000, 0}, // rounded up
        {{{0x100800, 0x3000, 1}}, 1, 0x3000, 0, 0x2800},
        {{{0x300000, 0x100000, 1}, {0x100000, 0x200000, 1}}, 2, 0x300000, 0x100000, 0}, // unsorted, touching
        {{{0x100000, 0x200000, 1}, {0x180000, 0x280000, 1}}, 2, 0x300000, 0x100000, 0}, // overlapping
        {{{0x100000, 0x300000, 1}, {0x180000, 1, 2}}, 2, 0x100000, 0x181000, 0},        // one reserved byte inside
        {{{0x100000, 0x300000, 1}, {0x180000, 1, 2}}, 2, 0x280000, 0, 0x27f000},
        {{{0x100000, 0x300000, 1}, {0x180000, 0, 2}}, 2, 0x300000, 0x100000, 0},             // empty ones claim nothing
        {{{0x100000, 0x300000, 1}, {0x80000, 0x81000, 0xb0bb1e00}}, 2, 0x1000, 0x101000, 0}, // garbage type
        {{{0x100000, 0x300000, 1}, {0x200000, -0x1000ull, 2}}, 2, 0x200000, 0, 0x100000}, // wraps: claims all behind it
        {{{0x100000, -0x1000ull, 1}}, 1, 0x1000, 0, 0},                                   // wraps: offers nothing
        {{{0x100000, UINT64_MAX - 0x100000, 1}}, 1, IDENTITY_END - 0x100000, 0x100000, 0},
        {{{0x100000, UINT64_MAX - 0x100000, 1}}, 1, IDENTITY_END, 0, IDENTITY_END - 0x100000},
        {{{IDENTITY_END, 0x10000000, 1}}, 1, 0x1000, 0, 0}, // out of reach
        {{{IDENTITY_END - 0x800, 0x10000000, 1}}, 1, 0x1000, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        u64 largest, at = image_place(cases[i].map, cases[i].entries, cases[i].bytes, &largest);
        CHECK(at == cases[i].at);
        CHECK(at || largest == cases[i].largest);
    }
}

static void test_low_memory(void) {
    static const struct e820_entry usual[] = {{0, 0x9fc00, 1}, {0x9fc00, 0x400, 2}};
    static const struct e820_entry holes[] = {{0x1000, 0x57000, 1}, {0x58000, 0x1000, 2}, {0x59000, 0x40000, 1}};
    static const struct e820_entry taken[] = {{0, 0x9fc00, 1}, {0x2a000, 0x1800, 4}};
    static const struct e820_entry late[] = {{0x4000, 0x90000, 1}};
    struct boot_part conflict;
    CHECK(image_usable(usual, 2, 0x1000, 0x30000, &conflict));
    CHECK(image_usable(holes, 3, 0x1000, 0x30000, &conflict));
    CHECK(!image_usable(holes, 3, 0x1000, 0x60000, &conflict) && conflict.start == 0x58000 &&
          conflict.length == 0x1000);
    CHECK(!image_usable(holes, 3, 0xfff, 0x30000, &conflict) && conflict.start == 0xfff && conflict.length == 1);
    CHECK(!image_usable(taken, 2, 0x1000, 0x30000, &conflict) && conflict.start == 0x2a000 &&
          conflict.length == 0x1800);
    CHECK(!image_usable(late, 1, 0x1000, 0x30000, &conflict) && conflict.start == 0x1000 && conflict.length == 0x3000);
    CHECK(!image_usable(usual, 0, 0x1000, 0x30000, &conflict) && conflict.length == 0x2f000);
}

// Memory from 0 to 3 MiB in blocks of 1 KiB, and maps with edges on blocks.
enum { BLOCK = 1024, BLOCKS = 3072, PAGE_BLOCKS = PAGE_SIZE / BLOCK };

static void test_random(void) {
    for (unsigned seed = 0; seed < 3000; seed++) {
        static bool usable[BLOCKS];
        struct e820_entry map[12];
        u32 entries = 1 + (srand(seed), rand() % 12);
        for (u32 i = 0; i < entries; i++) {
            map[i].base = (u64)(rand() % BLOCKS) * BLOCK;
            map[i].length = (u64)(rand() % (i % 2 ? 100 : 2000)) * BLOCK;
            if (map[i].base + map[i].length > BLOCKS * BLOCK) map[i].length = BLOCKS * BLOCK - map[i].base;
            map[i].type = i % 2 && rand() % 2 ? 2 : 1;
        }
        for (u32 block = 0; block < BLOCKS; block++) {
            u32 types = 0;
            for (u32 i = 0; i < entries; i++)
                if (map[i].base <= block * BLOCK && block * BLOCK < map[i].base + map[i].length) types |= map[i].type;
            usable[block] = types == 1;
        }
        u64 pages = 1 + rand() % 300, expected = 0, most = 0;
        for (u32 start = HIGH_MEMORY / BLOCK; start < BLOCKS; start += PAGE_BLOCKS) {
            u32 end = start;
            while (end < BLOCKS && usable[end]) end++;
            if ((u64)(end - start) * BLOCK > most) most = (u64)(end - start) * BLOCK;
            if (!expected && (u64)(end - start) * BLOCK >= pages * PAGE_SIZE) expected = (u64)start * BLOCK;
        }
        u64 largest, at = image_place(map, entries, pages * PAGE_SIZE, &largest);
        CHECK(at == expected);
        CHECK(at || largest == most);
    }
}

int main(void) {
    test_header();
    test_place();
    test_low_memory();
    test_random();
    return check_done("image");
}
