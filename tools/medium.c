// See medium.h. What is read is untrusted: no length is believed before the medium was found to
// have as much.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/lib/crc32c.h"
#include "kernel/lib/elf.h"
#include "kernel/lib/options.h"
#include "tools/medium.h"

u32 crc_of(const void *data, u64 length) {
    return crc32c(0, data, length, __builtin_cpu_supports("sse4.2"));
}

void reserve(struct bytes *bytes, u64 capacity) {
    u8 *data = realloc(bytes->data, MAX(capacity, 1u));
    if (!data) errx(1, "not enough memory for %lu bytes", capacity);
    bytes->data = data;
}

void append(struct bytes *to, const void *data, u64 length) {
    reserve(to, to->length + length);
    if (length) memcpy(to->data + to->length, data, length);
    to->length += length;
}

static struct bytes read_stream(const char *name, FILE *stream) {
    struct bytes file = {.name = name};
    for (u64 got = 1; got; file.length += got) {
        u64 room = file.length + PAGE_SIZE; // doubles each time
        reserve(&file, file.length + room);
        got = fread(file.data + file.length, 1, room, stream);
    }
    if (ferror(stream)) err(1, "cannot read %s", name);
    return file;
}

struct bytes read_file(const char *name) {
    FILE *stream = fopen(name, "rb");
    if (!stream) err(1, "cannot open %s", name);
    struct bytes file = read_stream(name, stream);
    fclose(stream);
    return file;
}

void words_from_stdin(int *argc, char ***argv) {
    if (*argc < 2 || strcmp((*argv)[1], "--stdin")) return;
    static struct bytes file; // for ever: the words lie there
    file = read_stream("standard input", stdin);
    if (file.length && file.data[file.length - 1]) errx(2, "%s does not end in a NUL", file.name);
    size_t count = 0;
    for (u64 i = 0; i < file.length; i++) count += !file.data[i];
    char **all = calloc((size_t)*argc + count, sizeof *all);
    if (!all) errx(1, "not enough memory for %zu words", count);
    int words = 0;
    all[words++] = (*argv)[0];
    for (int i = 2; i < *argc; i++) all[words++] = (*argv)[i];
    for (u64 at = 0; at < file.length; at += strlen((char *)file.data + at) + 1)
        all[words++] = (char *)file.data + at;
    *argc = words;
    *argv = all;
}

void add_word(struct bytes *to, const char *key, const char *word, u64 length) {
    append(to, key, strlen(key));
    append(to, word, length);
    append(to, "", 1);
}

void command_check(const struct bytes *command, int status) {
    u64 bytes = command_start_bytes((const char *)command->data, command->length);
    if (bytes > START_DATA_MAX)
        errx(
            status,
            "the arguments and the environment are too long: %lu bytes on the program's stack, of at most %u",
            bytes, START_DATA_MAX);
}

// ---- what each part must be ----

void mbr_check(const char *name, const u8 *sector) {
    const u8 *end = sector + BOOT_SIGNATURE_AT;
    if (end[0] != 0x55 || end[1] != 0xaa)
        errx(1, "%s ends in %02X %02X, not in 55 AA; the BIOS would not start it", name, end[0],
             end[1]);
    if (sector[0] != 0xeb || sector[2] != 0x90)
        errx(1, "%s begins with %02X %02X %02X, not with a jump, EB xx 90", name, sector[0],
             sector[1], sector[2]);
    if (!memcmp(sector + DISK_SIGNATURE_AT, "\0\0\0", 4))
        errx(1, "%s has a disk signature of 0; other systems would write their own into it", name);
}

void loader_check(const char *name, const u8 *loader, u64 length) {
    if (length < SECTOR_SIZE || length % SECTOR_SIZE || length > LOADER_END - LOADER)
        errx(1, "%s has %lu bytes; a loader has a multiple of 512, at most %d", name, length,
             LOADER_END - LOADER);
    if (((const struct loader_header *)loader)->magic != LOADER_MAGIC)
        errx(1, "%s has no loader magic at byte 4", name);
    if (*(const u32 *)(loader + length - sizeof(u32)) != LOADER_END_MAGIC)
        errx(1, "%s has no loader magic in its last four bytes", name);
}

u64 kernel_check(const char *name, const u8 *kernel, u64 length) {
    struct elf elf;
    enum elf_error error = elf_open_kernel(&elf, kernel, length);
    if (error) errx(1, "%s %s", name, elf_error_text(error));
    u64 span = elf.high - elf.low;
    if (elf.header->e_type != ET_DYN)
        errx(1, "%s is not position-independent; the kernel is moved twice", name);
    if (span > KERNEL_BASE_END - KERNEL_BASE) errx(1, "%s takes more than 1 GiB of memory", name);
    struct bytes memory = {0};
    reserve(&memory, span);
    elf_load(&elf, memory.data);
    error = elf_relocate(&elf, memory.data, KERNEL_BASE);
    if (error) errx(1, "%s %s", name, elf_error_text(error));
    free(memory.data);
    return span;
}

void program_check(const char *name, const u8 *program, u64 length) {
    struct elf elf;
    enum elf_error error = elf_open(&elf, program, length);
    const elf_segment *linker = error == ELF_DYNAMIC ? elf_next(&elf, NULL, PT_INTERP) : NULL;
    if (linker && linker->p_offset <= length && linker->p_filesz <= length - linker->p_offset)
        errx(
            1,
            "%s is dynamically linked (needs %.*s); vmos runs static programs so far: link it with -static",
            name, (int)MIN(linker->p_filesz, 255u), (const char *)program + linker->p_offset);
    if (!error && elf.header->e_type == ET_EXEC && elf.low < USER_START) error = ELF_BAD_ADDRESS;
    if (error) errx(1, "%s %s", name, elf_error_text(error));
    if (!elf_has_code(&elf, elf.header->e_entry)) // Linux starts it, and it faults
        warnx("%s %s: it will end with SIGSEGV", name, elf_error_text(ELF_BAD_ENTRY));
}

// ---- reading ----

static void read_at(const struct medium *medium, const char *what, u64 at, void *to, u64 length) {
    if (at > medium->size || length > medium->size - at)
        errx(1, "%s is cut off: it has %lu bytes, and its %s takes bytes %lu to %lu", medium->name,
             medium->size, what, at, at + length - 1);
    if (fseeko(medium->stream, (off_t)(medium->base + at), SEEK_SET) ||
        fread(to, 1, length, medium->stream) != length)
        err(1, "cannot read the %s, bytes %lu to %lu, from %s", what, at, at + length - 1,
            medium->name);
}

static void medium_loader(struct medium *medium) {
    struct loader_header *header = (struct loader_header *)medium->loader;
    read_at(medium, "loader", SECTOR_SIZE, header, SECTOR_SIZE);
    u64 length = header->length;
    if (header->magic != LOADER_MAGIC)
        errx(1,
             "%s has no image of vmos in its first sectors: sector 1 has %08x at byte 4, not %08x",
             medium->name, header->magic, LOADER_MAGIC);
    read_at(medium, "loader", SECTOR_SIZE, header, MIN(length, sizeof medium->loader));
    loader_check("the loader", medium->loader, length);
    u32 stated = header->crc;
    header->crc = 0;
    u32 crc = crc_of(header, length);
    header->crc = stated;
    if (crc != stated)
        errx(1, "the loader is damaged: it has CRC-32C %08x, and should have %08x", crc, stated);
    medium->header_at = SECTOR_SIZE + length;
}

void medium_open(struct medium *medium, const char *name, bool write) {
    struct stat status;
    FILE *stream = fopen(
        name, write ? "r+x" : "r"); // x, that is O_EXCL: a device that is mounted or held is busy
    if (!stream || fstat(fileno(stream), &status) || fseeko(stream, 0, SEEK_END))
        err(1, "cannot open %s", name);
    *medium = (struct medium){name, stream, .size = (u64)ftello(stream),
                              .is_file = S_ISREG(status.st_mode)};
    if (medium->size > CD_START)
        read_at(medium, "label", CD_DESCRIPTORS * CD_SECTOR_SIZE + 1, medium->loader, 5);
    if (!memcmp(medium->loader, "CD001", 5)) medium->size -= medium->base = CD_START;
    read_at(medium, "boot sector", 0, medium->mbr, SECTOR_SIZE);
    mbr_check("sector 0", medium->mbr);
    medium_loader(medium);
    read_at(medium, "header", medium->header_at, &medium->header, sizeof medium->header);
    const char *wrong = image_check(&medium->header, false);
    if (wrong) errx(1, "the image %s", wrong);
    wrong = table_check(medium->mbr, medium_end(medium), medium->size / SECTOR_SIZE);
    if (wrong) errx(1, "%s", wrong);
}

struct bytes medium_part(const struct medium *medium, enum image_part_kind kind) {
    static const char *const names[IMAGE_PARTS] = {"kernel", "program", "standard input",
                                                   "command line"};
    const struct image_part *part = &medium->header.parts[kind];
    struct bytes bytes = {.name = names[kind], .length = part->length};
    u64 at = medium->header_at + part->offset;
    if (part->length <= medium->size)
        reserve(&bytes, part->length); // else there is nothing to read
    read_at(medium, bytes.name, at, bytes.data, part->length);
    u32 crc = crc_of(bytes.data, part->length);
    if (crc != part->crc)
        errx(
            1,
            "the %s, %lu bytes at byte %lu of %s, is damaged: it has CRC-32C %08x, and should have %08x",
            bytes.name, part->length, at, medium->name, crc, part->crc);
    return bytes;
}

u64 medium_end(const struct medium *medium) {
    return ROUND_UP(medium->header_at + medium->header.total, SECTOR_SIZE) / SECTOR_SIZE;
}
