// Builds the images from their parts:
//   mkimage --mbr F --loader F --kernel F --program F [--input F] [--env K=V]... [--set WORD]... [--tty]
//           --disk OUT [--floppy OUT] [--cd OUT --cd-mbr F] -- ARG0 [ARG...]
// Sector 0 is the MBR with the partition table, the loader follows, then the header of boot/image.h and what it
// describes. A CD holds the disk image as a file; its boot sector is another one. What could not boot is refused,
// status 1; a wrong command line is 2. Too long for a floppy is no error.
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/image.h"
#include "kernel/lib/crc32c.h"
#include "kernel/lib/elf.h"
#include "kernel/lib/options.h"
#include "tools/iso.h"

// The geometry that Bochs and old BIOSes take a disk of unknown shape for: 16 heads, 63 sectors. Whole cylinders only.
#define DISK_UNIT (16 * 63 * SECTOR_SIZE)
enum { DISK_SIGNATURE_AT = 440, PARTITIONS_AT = 446, BOOT_SIGNATURE_AT = 510 };

struct bytes {
    const char *name; // of the file they come from
    u8 *data;
    u64 length;
};

// The options, and what they said.
enum { MBR_FILE, LOADER_FILE, KERNEL_FILE, PROGRAM_FILE, INPUT_FILE, DISK, FLOPPY, CD, CD_MBR_FILE, FILES };
enum { ENV = FILES, SET, TTY };
static const char *files[FILES];
static struct bytes command;

static u32 crc_of(const void *data, u64 length) { return crc32c(0, data, length, __builtin_cpu_supports("sse4.2")); }

static void reserve(struct bytes *bytes, u64 capacity) {
    u8 *data = realloc(bytes->data, capacity);
    if (!data) errx(1, "not enough memory for %lu bytes", capacity);
    bytes->data = data;
}

static void append(struct bytes *to, const void *data, u64 length) {
    reserve(to, to->length + length);
    memcpy(to->data + to->length, data, length);
    to->length += length;
}

// Reads to the end, so that a pipe will do too.
static struct bytes read_file(const char *name) {
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

// ---- what each part must be ----

static struct bytes read_mbr(const char *name) {
    struct bytes mbr = read_file(name);
    if (mbr.length != SECTOR_SIZE) errx(1, "%s has %lu bytes; an MBR has 512", name, mbr.length);
    if (mbr.data[BOOT_SIGNATURE_AT] != 0x55 || mbr.data[BOOT_SIGNATURE_AT + 1] != 0xaa)
        errx(1, "%s does not end in 55 AA; the BIOS would not start it", name);
    if (!memcmp(mbr.data + DISK_SIGNATURE_AT, "\0\0\0", 4))
        errx(1, "%s has a disk signature of 0; other systems would write their own into it", name);
    for (int at = PARTITIONS_AT; at < BOOT_SIGNATURE_AT; at++)
        if (mbr.data[at]) errx(1, "%s has code or data at byte %d, where the partition table goes", name, at);
    return mbr;
}

static struct bytes read_loader(const char *name) {
    struct bytes loader = read_file(name);
    if (loader.length < SECTOR_SIZE || loader.length % SECTOR_SIZE || loader.length > LOADER_END - LOADER)
        errx(1, "%s has %lu bytes; a loader has a multiple of 512, at most %d", name, loader.length,
             LOADER_END - LOADER);
    struct loader_header *header = (struct loader_header *)loader.data;
    if (header->magic != LOADER_MAGIC) errx(1, "%s has no loader magic at byte 4", name);
    if (*(u32 *)(loader.data + loader.length - sizeof(u32)) != LOADER_END_MAGIC)
        errx(1, "%s has no loader magic in its last four bytes", name);
    header->length = (u32)loader.length;
    header->crc = 0;
    header->crc = crc_of(loader.data, loader.length);
    return loader;
}

// Loads and relocates it once, as the loader will, to see that this works. Returns the memory it takes.
static u64 check_kernel(const struct bytes *kernel) {
    struct elf elf;
    enum elf_error error = elf_open(&elf, kernel->data, kernel->length, false);
    if (error) errx(1, "%s %s", kernel->name, elf_error_text(error));
    u64 span = elf.high - elf.low;
    if (elf.header->e_type != ET_DYN)
        errx(1, "%s is not position-independent; the kernel is moved twice", kernel->name);
    if (span > KERNEL_BASE_END - KERNEL_BASE) errx(1, "%s takes more than 1 GiB of memory", kernel->name);
    struct bytes memory = {0};
    reserve(&memory, span);
    elf_load(&elf, memory.data);
    error = elf_relocate(&elf, memory.data, KERNEL_BASE);
    if (error) errx(1, "%s %s", kernel->name, elf_error_text(error));
    free(memory.data);
    return span;
}

static void check_program(const struct bytes *program) {
    struct elf elf;
    enum elf_error error = elf_open(&elf, program->data, program->length, false);
    const elf_segment *linker = error == ELF_DYNAMIC ? elf_next(&elf, NULL, PT_INTERP) : NULL;
    if (linker && linker->p_offset <= program->length && linker->p_filesz <= program->length - linker->p_offset)
        errx(1, "%s is dynamically linked (needs %.*s); vmos runs static programs so far: link it with -static",
             program->name, (int)(linker->p_filesz < 255 ? linker->p_filesz : 255),
             (const char *)program->data + linker->p_offset);
    if (!error && ((elf.header->e_type == ET_EXEC && elf.low < USER_START) || elf.high > USER_END))
        error = ELF_BAD_ADDRESS;
    if (error) errx(1, "%s %s", program->name, elf_error_text(error));
}

// ---- the image ----

static struct image_part place(struct bytes *payload, struct bytes part, u64 alignment) {
    static const u8 zeros[PAGE_SIZE];
    append(payload, zeros, ROUND_UP(payload->length, alignment) - payload->length);
    u64 offset = payload->length;
    append(payload, part.data, part.length);
    return (struct image_part){.offset = offset, .length = part.length, .crc = crc_of(part.data, part.length)};
}

// CHS of a sector for 255 heads and 63 sectors as the table packs it; what lies beyond cylinder 1023 is FE FF FF.
static void put_chs(u8 *to, u64 lba) {
    u64 cylinder = lba / (255 * 63);
    if (cylinder > 1023) {
        memcpy(to, "\xfe\xff\xff", 3);
        return;
    }
    to[0] = (u8)(lba / 63 % 255);
    to[1] = (u8)(lba % 63 + 1) | (u8)(cylinder >> 2 & 0xc0);
    to[2] = (u8)cylinder;
}

static void put_partition(u8 *entry, u8 active, u8 type, u32 first, u32 sectors) {
    entry[0] = active;
    put_chs(entry + 1, first);
    entry[4] = type;
    put_chs(entry + 5, (u64)first + sectors - 1);
    memcpy(entry + 8, &first, sizeof first);
    memcpy(entry + 12, &sectors, sizeof sectors);
}

static struct bytes build_image(void) {
    struct bytes image = read_mbr(files[MBR_FILE]), loader = read_loader(files[LOADER_FILE]), payload = {0};
    struct bytes kernel = read_file(files[KERNEL_FILE]), program = read_file(files[PROGRAM_FILE]);
    struct image_header header = {
        .magic = IMAGE_MAGIC, .version = IMAGE_VERSION, .kernel_memory = check_kernel(&kernel)};
    check_program(&program);

    append(&payload, &header, sizeof header);
    header.parts[IMAGE_KERNEL] = place(&payload, kernel, SECTOR_SIZE);
    header.parts[IMAGE_PROGRAM] = place(&payload, program, PAGE_SIZE);
    if (files[INPUT_FILE]) header.parts[IMAGE_INPUT] = place(&payload, read_file(files[INPUT_FILE]), 16);
    header.parts[IMAGE_COMMAND] = place(&payload, command, 16);
    header.total = payload.length;
    if (header.total > IDENTITY_END - HIGH_MEMORY) errx(1, "the image does not fit below 4 GiB of memory");
    header.crc = crc_of(&header, sizeof header);
    memcpy(payload.data, &header, sizeof header);

    append(&image, loader.data, loader.length);
    append(&image, payload.data, payload.length);
    u32 sectors = (u32)(ROUND_UP(image.length, SECTOR_SIZE) / SECTOR_SIZE);
    // entry 2 is there because a stick with one entry is taken for a ZIP drive by some BIOSes
    put_partition(image.data + PARTITIONS_AT, 0x80, 0x7f, 1, sectors - 1);
    put_partition(image.data + PARTITIONS_AT + 16, 0, 0xda, sectors, 1);
    return image;
}

// ---- output ----

// Only regular files are written and removed: root could remove a device. Media are written with dd.
static void check_output(const char *name) {
    struct stat status;
    if (!stat(name, &status) && !S_ISREG(status.st_mode)) errx(1, "cannot write %s: it is not a regular file", name);
}

// What lies behind the image is zero. What could not be finished is removed: half an image must not look like one.
static void write_image(const char *name, const struct bytes *image, u64 size) {
    check_output(name);
    FILE *file = fopen(name, "wb");
    if (file && fwrite(image->data, 1, image->length, file) == image->length && !fflush(file) &&
        !ftruncate(fileno(file), (off_t)size) && !fclose(file))
        return;
    warn("cannot write %s", name);
    if (file) unlink(name);
    exit(1);
}

static void write_floppy(const char *name, const struct bytes *image, u64 end) {
    if (end <= FLOPPY_SIZE) {
        write_image(name, image, FLOPPY_SIZE);
        return;
    }
    check_output(name);
    if (unlink(name) && errno != ENOENT) err(1, "cannot remove the old %s", name);
    fprintf(stderr, "mkimage: no floppy image: %lu bytes too many for one\n", end - FLOPPY_SIZE);
}

static void write_cd(const char *name, const struct bytes *image, u64 end) {
    struct bytes volume = {0}, mbr = read_mbr(files[CD_MBR_FILE]);
    u64 start = CD_IMAGE * CD_SECTOR_SIZE;
    const u8 *loader = image->data + SECTOR_SIZE;
    if (start + end > UINT32_MAX) errx(1, "the image is too long for a file on a CD: 4 GiB");
    reserve(&volume, start);
    memset(volume.data, 0, start);
    iso_describe(volume.data, (u32)end);
    memcpy(volume.data + CD_BOOT * CD_SECTOR_SIZE, mbr.data, mbr.length);
    memcpy(volume.data + CD_LOADER * CD_SECTOR_SIZE, loader, ((const struct loader_header *)loader)->length);
    volume.length = start;
    append(&volume, image->data, image->length);
    write_image(name, &volume, ROUND_UP(start + end, CD_SECTOR_SIZE));
}

// ---- the command line ----

static void add_word(const char *key, const char *value) {
    append(&command, key, strlen(key));
    append(&command, value, strlen(value) + 1);
}

static void refuse(const char *word, u64 length, const char *why) {
    errx(2, "--set %.*s: the word %s", (int)length, word, why);
}

static void read_options(int argc, char **argv) {
    static const struct option known[] = {{"mbr", 1, 0, MBR_FILE},
                                          {"loader", 1, 0, LOADER_FILE},
                                          {"kernel", 1, 0, KERNEL_FILE},
                                          {"program", 1, 0, PROGRAM_FILE},
                                          {"input", 1, 0, INPUT_FILE},
                                          {"disk", 1, 0, DISK},
                                          {"floppy", 1, 0, FLOPPY},
                                          {"cd", 1, 0, CD},
                                          {"cd-mbr", 1, 0, CD_MBR_FILE},
                                          {"env", 1, 0, ENV},
                                          {"set", 1, 0, SET},
                                          {"tty", 0, 0, TTY},
                                          {0, 0, 0, 0}};
    for (int option; (option = getopt_long(argc, argv, "+", known, NULL)) != -1;) {
        if (option == '?') exit(2); // getopt_long has said what it did not like
        if (option < FILES) files[option] = optarg;
        if (option == ENV && (optarg[0] == '=' || !strchr(optarg, '='))) errx(2, "--env %s is not K=V", optarg);
        if (option == ENV) add_word("env=", optarg);
        if (option == SET) add_word("", optarg);
        if (option == TTY) add_word("tty=", "1");
    }
    if (!files[MBR_FILE] || !files[LOADER_FILE] || !files[KERNEL_FILE] || !files[PROGRAM_FILE] || !files[DISK] ||
        optind == argc || (files[CD] && !files[CD_MBR_FILE]))
        errx(2, "usage: mkimage --mbr F --loader F --kernel F --program F [--input F] [--env K=V]... [--set WORD]... "
                "[--tty] --disk OUT [--floppy OUT] [--cd OUT --cd-mbr F] -- ARG0 [ARG...]");
    for (; optind < argc; optind++) add_word("arg=", argv[optind]);
    options_read((const char *)command.data, command.length, &(struct options){0}, refuse);
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    struct bytes image = build_image();
    u64 end = ROUND_UP(image.length, SECTOR_SIZE) + SECTOR_SIZE; // behind entry 2's sector: what a medium must hold
    write_image(files[DISK], &image, ROUND_UP(end, DISK_UNIT));
    if (files[FLOPPY]) write_floppy(files[FLOPPY], &image, end);
    if (files[CD]) write_cd(files[CD], &image, end);
    return 0;
}
