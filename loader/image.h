// The decisions about an image, as pure functions: is its header sound, and where in memory does it fit.
#pragma once

#include "boot/bootinfo.h"
#include "boot/image.h"

// NULL when everything the header says holds together, else what does not: "the image ..." as the end of a sentence.
// Afterwards every part lies inside total, behind the header and behind the part before it, and total and
// kernel_memory are at most IDENTITY_END.
const char *image_check(const struct image_header *header, bool has_crc32) MUST_USE;
bool image_has_part(const struct image_part *part); // an empty part may be there: standard input of no bytes

// The lowest page at or above HIGH_MEMORY from which bytes fit below IDENTITY_END in memory that some entry calls
// usable and no entry claims otherwise; 0 when there is none, then *largest says how much would fit. The map is as the
// BIOS gave it: unsorted, with overlaps.
u64 image_place(const struct e820_entry *map, u32 entries, u64 bytes, u64 *largest) MUST_USE;

// True when all of [start, end) is usable. Else *conflict is the first range in it that is not.
bool image_usable(const struct e820_entry *map, u32 entries, u64 start, u64 end, struct boot_part *conflict) MUST_USE;
