// Builds the images from their parts:
//   mkimage --mbr F --loader F --kernel F --program F [--input F] [--env K=V]... [--tty]
//           --disk OUT [--floppy OUT] -- ARG0 [ARG...]
// Sector 0 is the MBR with the partition table, the loader follows, then the header of boot/image.h and what it
// describes. The same input gives the same bytes. What could not boot is refused here, with the reason and status 1; a
// wrong command line is status 2. A floppy image that does not fit is not an error.
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/image.h"
#include "kernel/lib/crc32c.h"
#include "kernel/lib/elf.h"

// The geometry that Bochs and old BIOSes take a disk of unknown shape for: 16 heads, 63 sectors. Whole cylinders only.
#define DISK_UNIT         (16 * 63 * SECTOR_SIZE)
#define DISK_SIGNATURE_AT 440
#define PARTITIONS_AT     446
#define BOOT_SIGNATURE_AT 510

struct bytes {
    const char *name; // of the file they come from
    u8 *data;
    u64 length;
};

struct options {
    const char *mbr, *loader, *kernel, *program, *input, *disk, *floppy;
    struct bytes command;
};

// Where everything lies, from the medium's first byte.
struct piece {
    u64 start;
    const void *data;
    u64 length;
};

struct image {
    struct piece pieces[3 + IMAGE_PARTS]; // MBR, loader, header, parts
    u64 end;                              // behind entry 2's sector: what a medium must hold
};

static void fail(int status, const char *fmt, ...) PRINTF_LIKE(2, 3) __attribute__((noreturn));
static void fail(int status, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fputs("mkimage: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(status);
}

static u32 crc_of(const void *data, u64 length) { return crc32c(0, data, length, __builtin_cpu_supports("sse4.2")); }

static void reserve(struct bytes *bytes, u64 capacity) {
    u8 *data = realloc(bytes->data, capacity);
    if (!data) fail(1, "not enough memory for %llu bytes", (unsigned long long)capacity);
    bytes->data = data;
}

// Reads to the end, so that a pipe will do too; the size a file says it has is only a hint. There is room for one
// byte more than the file has: that is how its end is seen without growing.
static struct bytes read_file(const char *name) {
    struct bytes file = {.name = name};
    struct stat status;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status)) fail(1, "cannot open %s: %s", name, strerror(errno));
    u64 capacity = (S_ISREG(status.st_mode) ? (u64)status.st_size : 0) + SECTOR_SIZE;
    reserve(&file, capacity);
    for (ssize_t got = 1; got; file.length += (u64)got) {
        if (file.length == capacity) reserve(&file, capacity *= 2);
        while ((got = read(fd, file.data + file.length, capacity - file.length)) < 0 && errno == EINTR) {}
        if (got < 0) fail(1, "cannot read %s: %s", name, strerror(errno));
    }
    close(fd);
    return file;
}

// ---- what each part must be ----

static struct bytes read_mbr(const char *name) {
    struct bytes mbr = read_file(name);
    if (mbr.length != SECTOR_SIZE) fail(1, "%s has %llu bytes; an MBR has 512", name, (unsigned long long)mbr.length);
    if (mbr.data[BOOT_SIGNATURE_AT] != 0x55 || mbr.data[BOOT_SIGNATURE_AT + 1] != 0xaa)
        fail(1, "%s does not end in 55 AA; the BIOS would not start it", name);
    if (!memcmp(mbr.data + DISK_SIGNATURE_AT, "\0\0\0", 4))
        fail(1, "%s has a disk signature of 0; other systems would write their own into it", name);
    for (int at = PARTITIONS_AT; at < BOOT_SIGNATURE_AT; at++)
        if (mbr.data[at]) fail(1, "%s has code or data at byte %d, where the partition table goes", name, at);
    return mbr;
}

static struct bytes read_loader(const char *name) {
    struct bytes loader = read_file(name);
    struct loader_header header;
    u32 last;
    if (loader.length < SECTOR_SIZE || loader.length % SECTOR_SIZE || loader.length > LOADER_END - LOADER)
        fail(1, "%s has %llu bytes; a loader has a multiple of 512, at most %d", name,
             (unsigned long long)loader.length, LOADER_END - LOADER);
    memcpy(&header, loader.data, sizeof header);
    memcpy(&last, loader.data + loader.length - sizeof last, sizeof last);
    if (header.magic != LOADER_MAGIC) fail(1, "%s has no loader magic at byte 4", name);
    if (last != LOADER_END_MAGIC) fail(1, "%s has no loader magic in its last four bytes", name);
    header.length = (u32)loader.length;
    header.crc = 0;
    memcpy(loader.data, &header, sizeof header);
    header.crc = crc_of(loader.data, loader.length);
    memcpy(loader.data, &header, sizeof header);
    return loader;
}

// Loads and relocates it once, as the loader will, to see that this works. Returns the memory it takes.
static u64 check_kernel(const struct bytes *kernel) {
    struct elf elf;
    enum elf_error error = elf_open(&elf, kernel->data, kernel->length, false);
    if (error) fail(1, "%s %s", kernel->name, elf_error_text(error));
    u64 span = elf.high - elf.low;
    if (elf.header->e_type != ET_DYN)
        fail(1, "%s is not position-independent; the kernel is moved twice", kernel->name);
    if (span > KERNEL_BASE_END - KERNEL_BASE) fail(1, "%s takes more than 1 GiB of memory", kernel->name);
    struct bytes memory = {0};
    reserve(&memory, span);
    elf_load(&elf, memory.data);
    error = elf_relocate(&elf, memory.data, KERNEL_BASE);
    if (error) fail(1, "%s %s", kernel->name, elf_error_text(error));
    free(memory.data);
    return span;
}

// The name of the dynamic linker that a program asks for.
static void fail_dynamic(const struct bytes *program, const struct elf *elf) {
    for (int i = 0; i < elf->header->e_phnum; i++) {
        const elf_segment *segment = &elf->segments[i];
        if (segment->p_type != PT_INTERP) continue;
        if (segment->p_offset > program->length || segment->p_filesz > program->length - segment->p_offset) break;
        fail(1, "%s is dynamically linked (needs %.*s); vmos runs static programs so far: link it with -static",
             program->name, (int)(segment->p_filesz < 255 ? segment->p_filesz : 255),
             (const char *)program->data + segment->p_offset);
    }
    fail(1, "%s %s", program->name, elf_error_text(ELF_DYNAMIC));
}

static void check_program(const struct bytes *program) {
    struct elf elf;
    enum elf_error error = elf_open(&elf, program->data, program->length, false);
    if (error == ELF_DYNAMIC) fail_dynamic(program, &elf);
    if (!error && elf.header->e_type == ET_EXEC && elf.low < USER_START) error = ELF_BAD_ADDRESS;
    if (!error && elf.high > USER_END) error = ELF_BAD_ADDRESS;
    if (error) fail(1, "%s %s", program->name, elf_error_text(error));
}

// ---- the image ----

static void place(struct image *image, struct image_header *header, enum image_part_kind kind, struct bytes part,
                  u64 alignment) {
    u64 offset = ROUND_UP(header->total, alignment);
    header->parts[kind] = (struct image_part){.offset = offset, .length = part.length};
    header->parts[kind].crc = crc_of(part.data, part.length);
    header->total = offset + part.length;
    image->pieces[3 + kind] = (struct piece){image->pieces[2].start + offset, part.data, part.length};
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

// Entry 2 is there because a stick with one entry is taken for a ZIP drive by some BIOSes.
static void put_partitions(u8 *mbr, u32 sectors) {
    put_partition(mbr + PARTITIONS_AT, 0x80, 0x7f, 1, sectors - 1);
    put_partition(mbr + PARTITIONS_AT + 16, 0, 0xda, sectors, 1);
}

static struct image build_image(const struct options *options) {
    static struct image_header header = {.magic = IMAGE_MAGIC, .version = IMAGE_VERSION, .total = sizeof header};
    struct bytes mbr = read_mbr(options->mbr), loader = read_loader(options->loader);
    struct bytes kernel = read_file(options->kernel), program = read_file(options->program);
    header.kernel_memory = check_kernel(&kernel);
    check_program(&program);

    struct image image = {0};
    u64 start = SECTOR_SIZE + loader.length;
    image.pieces[0] = (struct piece){0, mbr.data, mbr.length};
    image.pieces[1] = (struct piece){SECTOR_SIZE, loader.data, loader.length};
    image.pieces[2] = (struct piece){start, &header, sizeof header};
    place(&image, &header, IMAGE_KERNEL, kernel, SECTOR_SIZE);
    place(&image, &header, IMAGE_PROGRAM, program, PAGE_SIZE);
    if (options->input) place(&image, &header, IMAGE_INPUT, read_file(options->input), 16);
    place(&image, &header, IMAGE_COMMAND, options->command, 16);
    if (header.total > IDENTITY_END - HIGH_MEMORY) fail(1, "the image does not fit below 4 GiB of memory");
    header.crc = crc_of(&header, sizeof header);

    u64 sectors = ROUND_UP(start + header.total, SECTOR_SIZE) / SECTOR_SIZE;
    put_partitions(mbr.data, (u32)sectors);
    image.end = (sectors + 1) * SECTOR_SIZE;
    return image;
}

// ---- output ----

// Only regular files are written and removed: root could remove a device. Media are written with dd.
static void check_output(const char *name) {
    struct stat status;
    if (!stat(name, &status) && !S_ISREG(status.st_mode)) fail(1, "cannot write %s: it is not a regular file", name);
}

// Removes what it could not finish: half an image must not look like one.
static void fail_output(const char *name) __attribute__((noreturn));
static void fail_output(const char *name) {
    int error = errno;
    unlink(name);
    fail(1, "cannot write %s: %s", name, strerror(error));
}

static void write_piece(int fd, const char *name, const struct piece *piece) {
    for (u64 done = 0; done < piece->length;) {
        const u8 *from = (const u8 *)piece->data + done;
        ssize_t put = pwrite(fd, from, piece->length - done, (off_t)(piece->start + done));
        if (put < 0 && errno != EINTR) fail_output(name);
        if (put > 0) done += (u64)put;
    }
}

// What lies between and behind the pieces is zero.
static void write_image(const char *name, const struct image *image, u64 size) {
    check_output(name);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) fail(1, "cannot write %s: %s", name, strerror(errno));
    if (ftruncate(fd, (off_t)size)) fail_output(name);
    for (size_t i = 0; i < ARRAY_SIZE(image->pieces); i++) write_piece(fd, name, &image->pieces[i]);
    if (close(fd)) fail_output(name);
}

static void write_floppy(const char *name, const struct image *image) {
    if (image->end <= FLOPPY_SIZE) {
        write_image(name, image, FLOPPY_SIZE);
        return;
    }
    check_output(name);
    if (unlink(name) && errno != ENOENT) fail(1, "cannot remove the old %s: %s", name, strerror(errno));
    fprintf(stderr, "mkimage: no floppy image: %llu bytes too many for one\n",
            (unsigned long long)(image->end - FLOPPY_SIZE));
}

// ---- the command line ----

static void add_word(struct bytes *command, const char *key, const char *value) {
    u64 key_length = strlen(key), value_length = strlen(value) + 1;
    reserve(command, command->length + key_length + value_length);
    memcpy(command->data + command->length, key, key_length);
    memcpy(command->data + command->length + key_length, value, value_length);
    command->length += key_length + value_length;
}

static struct options read_options(int argc, char **argv) {
    enum { MBR_FILE = 256, LOADER_FILE, KERNEL_FILE, PROGRAM_FILE, INPUT_FILE, DISK, FLOPPY, ENV, TTY };
    static const struct option known[] = {{"mbr", 1, 0, MBR_FILE},
                                          {"loader", 1, 0, LOADER_FILE},
                                          {"kernel", 1, 0, KERNEL_FILE},
                                          {"program", 1, 0, PROGRAM_FILE},
                                          {"input", 1, 0, INPUT_FILE},
                                          {"disk", 1, 0, DISK},
                                          {"floppy", 1, 0, FLOPPY},
                                          {"env", 1, 0, ENV},
                                          {"tty", 0, 0, TTY},
                                          {0, 0, 0, 0}};
    struct options options = {0};
    const char **files[] = {&options.mbr,   &options.loader, &options.kernel, &options.program,
                            &options.input, &options.disk,   &options.floppy};
    for (int option; (option = getopt_long(argc, argv, "+", known, NULL)) != -1;) {
        if (option == '?') exit(2); // getopt_long has said what it did not like
        if (option <= FLOPPY) *files[option - MBR_FILE] = optarg;
        if (option == ENV && (optarg[0] == '=' || !strchr(optarg, '='))) fail(2, "--env %s is not K=V", optarg);
        if (option == ENV) add_word(&options.command, "env=", optarg);
        if (option == TTY) add_word(&options.command, "tty=", "1");
    }
    if (!options.mbr || !options.loader || !options.kernel || !options.program || !options.disk || optind == argc)
        fail(2, "usage: mkimage --mbr F --loader F --kernel F --program F [--input F] [--env K=V]... [--tty] "
                "--disk OUT [--floppy OUT] -- ARG0 [ARG...]");
    for (; optind < argc; optind++) add_word(&options.command, "arg=", argv[optind]);
    return options;
}

int main(int argc, char **argv) {
    struct options options = read_options(argc, argv);
    struct image image = build_image(&options);
    write_image(options.disk, &image, ROUND_UP(image.end, DISK_UNIT));
    if (options.floppy) write_floppy(options.floppy, &image);
    return 0;
}
