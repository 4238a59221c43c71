// What the tools around an image share: mkimage makes one, verify and words look at one where it
// lies. What cannot be or is wrong ends the tool with status 1 and a sentence.
#pragma once

#include "boot/image.h"

// a cylinder of the geometry that Bochs and old BIOSes take a disk for
#define DISK_UNIT (16 * 63 * SECTOR_SIZE)
enum { DISK_SIGNATURE_AT = 440, PARTITIONS_AT = 446, BOOT_SIGNATURE_AT = 510 };

// ---- medium.c ----
struct bytes {
    const char *name; // of the file they come from
    u8 *data;
    u64 length;
};

void reserve(struct bytes *bytes, u64 capacity);
void append(struct bytes *to, const void *data, u64 length);
// "TOOL --stdin WORD...": more words, each with its NUL, come from standard input, and no limit of
// exec is theirs.
void words_from_stdin(int *argc, char ***argv);
void command_check(const struct bytes *command,
                   int status); // ends with status when it is too long for a program's first stack
void add_word(struct bytes *to, const char *key, const char *word, u64 length); // of a command line
struct bytes read_file(const char *name); // a pipe will do, too
u32 crc_of(const void *data, u64 length);

// What each part must be; name begins the sentence that says what it is not. The kernel is loaded
// and relocated once, as the loader will; the memory it takes is returned.
void mbr_check(const char *name, const u8 *sector);
void loader_check(const char *name, const u8 *loader, u64 length);
u64 kernel_check(const char *name, const u8 *kernel, u64 length);
void program_check(const char *name, const u8 *program, u64 length);

// A file or a device that an image lies on.
struct medium {
    const char *name;
    void *stream;        // FILE
    u64 base;            // where the image begins: 0, but CD_START on a CD
    u64 size, header_at; // from there: bytes, and where the header begins
    u8 mbr[SECTOR_SIZE], loader[LOADER_END - LOADER];
    struct image_header header;
    bool is_file;
};

// Opens it; reads and checks all but the parts. A device that is opened for writing must not be in
// use.
void medium_open(struct medium *medium, const char *name, bool write);
struct bytes medium_part(const struct medium *medium,
                         enum image_part_kind kind); // its CRC is right
u64 medium_end(const struct medium *medium);         // the sector behind the image's last

// ---- table.c: the partition table, in the medium's first sector ----
// Entry 1 is active, from sector 1 to the image's end; entry 2 is one sector behind it. Others stay
// as they are.
void table_put(u8 *sector, u32 image_end);
// NULL when the table is that for an image that ends before sector image_end of a medium of so many
// sectors, else a sentence. Entries 3 and 4 may be somebody else's: not active, behind the image,
// on the medium.
const char *table_check(const u8 *sector, u64 image_end, u64 sectors) MUST_USE;

// ---- iso.c: a CD that a BIOS starts: an ISO 9660 volume with one file, VMOS.IMG, and an El Torito
// boot record ---- Fills what is before the image, CD_START bytes, which must be 0. The same input
// gives the same bytes: no dates.
#define CD_START (CD_IMAGE * CD_SECTOR_SIZE)
void iso_describe(u8 *volume, const u8 *mbr, const u8 *loader, u32 file_length);
