// loader/image.c: a header with one lie for every check; and where the loader puts an image in odd
// memory maps (the maps themselves are tested in memory.c).
#include <stdlib.h>
#include <string.h>

#include "test/check.h"
#include "loader/image.c"
#include "kernel/lib/crc32c.c"
#include "kernel/memory/e820.c"

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

#define LIE(field, value, word)                                                                    \
    do {                                                                                           \
        struct image_header lie = good_header();                                                   \
        lie.field = (value);                                                                       \
        CHECK(says(lie, word));                                                                    \
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

// What the loader makes of a map: where bytes fit below 4 GiB, and how much there is in all.
static struct range ranges[E820_MAX];
static u64 edges[E820_EDGES(E820_MAX)];

struct case_of {
    struct e820_entry map[8];
    u32 entries;
    u64 bytes, at, usable; // at: 0 when it does not fit into what is usable
};

static void test_place(void) {
    static const struct case_of cases[] = {
        {.entries = 0, .bytes = 0x1000},
        {{{0, 0x9fc00, 1}, {0x100000, 0x300000, 1}}, 2, 0x300000, 0x100000, 0},
        {{{0, 0x9fc00, 1}, {0x100000, 0x300000, 1}}, 2, 0x301000, 0, 0x39f000},
        {{{0, 0x400000, 1}}, 1, 0x300000, 0x100000, 0},    // one entry over all of it
        {{{0x100800, 0x3000, 1}}, 1, 0x2000, 0x101000, 0}, // rounded up
        {{{0x100800, 0x3000, 1}}, 1, 0x3000, 0, 0x2000},
        {{{0x300000, 0x100000, 1}, {0x100000, 0x200000, 1}},
         2,
         0x300000,
         0x100000,
         0}, // unsorted, touching
        {{{0x100000, 0x200000, 1}, {0x180000, 0x280000, 1}},
         2,
         0x300000,
         0x100000,
         0}, // overlapping
        {{{0x100000, 0x300000, 1}, {0x180000, 1, 2}},
         2,
         0x100000,
         0x181000,
         0}, // one reserved byte inside
        {{{0x100000, 0x300000, 1}, {0x180000, 1, 2}}, 2, 0x280000, 0, 0x2ff000},
        {{{0x100000, 0x300000, 1}, {0x180000, 0, 2}},
         2,
         0x300000,
         0x100000,
         0}, // empty ones claim nothing
        {{{0x100000, 0x300000, 1}, {0x80000, 0x81000, 0xb0bb1e00}},
         2,
         0x1000,
         0x101000,
         0}, // garbage type
        {{{0x100000, 0x300000, 1}, {0x200000, -0x1000ull, 2}},
         2,
         0x200000,
         0,
         0x100000},                                     // wraps: claims all behind it
        {{{0x100000, -0x1000ull, 1}}, 1, 0x1000, 0, 0}, // wraps: offers nothing
        {{{0x100000, UINT64_MAX - 0x100000, 1}}, 1, IDENTITY_END - 0x100000, 0x100000, 0},
        {{{0x100000, UINT64_MAX - 0x100000, 1}}, 1, IDENTITY_END, 0, IDENTITY_END - 0x100000},
        {{{IDENTITY_END, 0x10000000, 1}}, 1, 0x1000, 0, 0}, // out of reach
        {{{IDENTITY_END - 0x800, 0x10000000, 1}}, 1, 0x1000, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t count = e820_ranges(cases[i].map, cases[i].entries, E820_USABLE, edges, ranges);
        count = ranges_subtract(ranges, count, IDENTITY_END, E820_TOP);
        u64 at = ranges_place(ranges, count, cases[i].bytes, HIGH_MEMORY);
        CHECK(at == cases[i].at);
        CHECK(at || ranges_bytes(ranges, count) == cases[i].usable);
    }
}

int main(void) {
    test_header();
    test_place();
    return check_done("image");
}
