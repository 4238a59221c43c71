// See medium.h. What no image could boot with is refused here, whether it is about to be written or was read.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/lib/crc32c.h"
#include "kernel/lib/elf.h"
#include "tools/medium.h"

u32 crc_of(const void *data, u64 length) { return crc32c(0, data, length, __builtin_cpu_supports("sse4.2")); }

void reserve(struct bytes *bytes, u64 capacity) {
    u8 *data = realloc(bytes->data, MAX(capacity, 1u));
    if (!data) errx(1, "not enough memory for %lu bytes", capacity);
    bytes->data = data;
}

void append(struct bytes *to, const void *data, u64 length) {
    reserve(to, to->length + length);
    memcpy(to->data + to->length, data, length);
    to->length += length;
}

struct bytes read_file(const char *name) {
    struct bytes file = {.name = name};
    FILE *stream = fopen(name, "rb");
    if (!stream) err(1, "cannot open %s", name);
    for (u64 got = 1; got; file.length += got) {
        u64 room = file.length + PAGE_SIZE; // doubles each time
        reserve(&file, file.length + room);
        got = fread(file.data + file.length, 1, room, stream);
    }
    if (ferror(stream)) err(1, "cannot read %s", name);
    fclose(stream);
    return file;
}

void mbr_check(const char *name, const u8 *sector) {
    const u8 *end = sector + BOOT_SIGNATURE_AT;
    if (end[0] != 0x55 || end[1] != 0xaa)
        errx(1, "%s ends in %02X %02X, not in 55 AA; the BIOS would not start it", name, end[0], end[1]);
    if (sector[0] != 0xeb || sector[2] != 0x90)
        errx(1, "%s begins with %02X %02X %02X, not with EB xx 90, a jump; some BIOSes would not start it", name,
             sector[0], sector[1], sector[2]);
    if (!memcmp(sector + DISK_SIGNATURE_AT, "\0\0\0", 4))
        errx(1, "%s has a disk signature of 0; other systems would write their own into it", name);
}

void loader_check(const char *name, const u8 *loader, u64 length) {
    if (length < SECTOR_SIZE || length % SECTOR_SIZE || length > LOADER_END - LOADER)
        errx(1, "%s has %lu bytes; a loader has a multiple of 512, at most %d", name, length, LOADER_END - LOADER);
    if (((const struct loader_header *)loader)->magic != LOADER_MAGIC)
        errx(1, "%s has no loader magic at byte 4", name);
    if (*(const u32 *)(loader + length - sizeof(u32)) != LOADER_END_MAGIC)
        errx(1, "%s has no loader magic in its last four bytes", name);
}

u64 kernel_check(const char *name, const u8 *kernel, u64 length) {
    struct elf elf;
    enum elf_error error = elf_open(&elf, kernel, length, false);
    if (error) errx(1, "%s %s", name, elf_error_text(error));
    u64 span = elf.high - elf.low;
    if (elf.header->e_type != ET_DYN) errx(1, "%s is not position-independent; the kernel is moved twice", name);
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
    enum elf_error error = elf_open(&elf, program, length, false);
    const elf_segment *linker = error == ELF_DYNAMIC ? elf_next(&elf, NULL, PT_INTERP) : NULL;
    if (linker && linker->p_offset <= length && linker->p_filesz <= length - linker->p_offset)
        errx(1, "%s is dynamically linked (needs %.*s); vmos runs static programs so far: link it with -static", name,
             (int)MIN(linker->p_filesz, 255u), (const char *)program + linker->p_offset);
    if (!error && ((elf.header->e_type == ET_EXEC && elf.low < USER_START) || elf.high > USER_END))
        error = ELF_BAD_ADDRESS;
    if (error) errx(1, "%s %s", name, elf_error_text(error));
}
