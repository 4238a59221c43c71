// What an image holds behind the loader: a header of one sector and the parts it describes. Written
// by mkimage. Offsets count from the header's first byte, which is loaded at the start of a page: a
// part at a multiple of 4096 is, too.
#pragma once

#include "boot/layout.h"
#include "kernel/lib/types.h"

#define IMAGE_MAGIC   "vmosIMG" // with its NUL: eight bytes
#define IMAGE_VERSION 1

enum image_part_kind { IMAGE_KERNEL, IMAGE_PROGRAM, IMAGE_INPUT, IMAGE_COMMAND, IMAGE_PARTS };

struct image_part {
    u64 offset; // from the header's first byte
    u64 length; // bytes; a part that is not there has offset 0 and length 0
    u32 crc;    // CRC-32C of the bytes
    u32 zero;
};

struct image_header {
    char magic[8];
    u32 version;
    u32 crc;           // CRC-32C of these 512 bytes, with this field 0
    u64 total;         // bytes from the header's first to the last part's end
    u64 kernel_memory; // bytes the kernel occupies when loaded: a multiple of PAGE_SIZE
    struct image_part parts[IMAGE_PARTS];
    u8 reserved[512 - 32 - IMAGE_PARTS * sizeof(struct image_part)];
};
_Static_assert(sizeof(struct image_header) == SECTOR_SIZE, "the header is one sector");

// The first bytes of the loader, patched by mkimage: length and CRC of the whole loader, this field
// counted as 0.
struct loader_header {
    u8 jump[4]; // to the 64-bit entry
    u32 magic;  // LOADER_MAGIC
    u32 length; // bytes, a multiple of SECTOR_SIZE; the last dword is LOADER_END_MAGIC
    u32 crc;
};
_Static_assert(sizeof(struct loader_header) == 16, "start.asm and mkimage rely on it");

// ---- loader/image.c ----
// NULL when all in the header holds together, else the end of a sentence: "the image ...". Then
// every part lies inside total, behind the header and the part before it, and total and
// kernel_memory are at most IDENTITY_END.
const char *image_check(const struct image_header *header, bool has_crc32) MUST_USE;
// An empty part may be there: standard input of no bytes.
bool image_has_part(const struct image_part *part);

// What the words of the command line part mean is in kernel/lib/options.h.
