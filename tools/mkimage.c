// Builds the images from their parts:
//   mkimage --mbr F --loader F --kernel F --program F [--input F] [--env K=V]... [--set WORD]...
//   [--tty]
//           --disk OUT [--floppy OUT] [--cd OUT --cd-mbr F] -- ARG0 [ARG...]
// Sector 0 is the MBR with the partition table, the loader follows, then the header of boot/image.h
// and what it describes. A CD holds the disk image as a file; its boot sector is another one. What
// could not boot is refused, status 1; a wrong command line is 2. Too long for a floppy is no
// error.
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/lib/options.h"
#include "tools/medium.h"

// The options, and what they said.
enum {
    MBR_FILE,
    LOADER_FILE,
    KERNEL_FILE,
    PROGRAM_FILE,
    INPUT_FILE,
    DISK,
    FLOPPY,
    CD,
    CD_MBR,
    FILES,
    ENV,
    SET,
    TTY
};
static const char *files[FILES];
static struct bytes command;

// ---- what each part must be ----

static struct bytes read_mbr(const char *name) {
    struct bytes mbr = read_file(name);
    if (mbr.length != SECTOR_SIZE) errx(1, "%s has %lu bytes; an MBR has 512", name, mbr.length);
    mbr_check(name, mbr.data);
    for (int at = PARTITIONS_AT; at < BOOT_SIGNATURE_AT; at++)
        if (mbr.data[at])
            errx(1, "%s has code or data at byte %d, where the partition table goes", name, at);
    return mbr;
}

static struct bytes read_loader(const char *name) {
    struct bytes loader = read_file(name);
    loader_check(name, loader.data, loader.length);
    struct loader_header *header = (struct loader_header *)loader.data;
    header->length = (u32)loader.length;
    header->crc = 0;
    header->crc = crc_of(loader.data, loader.length);
    return loader;
}

// ---- the image ----

static struct image_part place(struct bytes *payload, struct bytes part, u64 alignment) {
    static const u8 zeros[PAGE_SIZE];
    append(payload, zeros, ROUND_UP(payload->length, alignment) - payload->length);
    u64 offset = payload->length;
    append(payload, part.data, part.length);
    return (struct image_part){
        .offset = offset, .length = part.length, .crc = crc_of(part.data, part.length)};
}

static struct bytes build_image(void) {
    struct bytes image = read_mbr(files[MBR_FILE]), loader = read_loader(files[LOADER_FILE]),
                 payload = {0};
    struct bytes kernel = read_file(files[KERNEL_FILE]), program = read_file(files[PROGRAM_FILE]);
    struct image_header header = {.magic = IMAGE_MAGIC, .version = IMAGE_VERSION};
    header.kernel_memory = kernel_check(kernel.name, kernel.data, kernel.length);
    program_check(program.name, program.data, program.length);

    append(&payload, &header, sizeof header);
    header.parts[IMAGE_KERNEL] = place(&payload, kernel, SECTOR_SIZE);
    header.parts[IMAGE_PROGRAM] = place(&payload, program, PAGE_SIZE);
    if (files[INPUT_FILE])
        header.parts[IMAGE_INPUT] = place(&payload, read_file(files[INPUT_FILE]), 16);
    header.parts[IMAGE_COMMAND] = place(&payload, command, 16);
    header.total = payload.length;
    if (header.total > IDENTITY_END - HIGH_MEMORY)
        errx(1, "the image does not fit below 4 GiB of memory");
    header.crc = crc_of(&header, sizeof header);
    memcpy(payload.data, &header, sizeof header);

    append(&image, loader.data, loader.length);
    append(&image, payload.data, payload.length);
    u32 sectors = (u32)(ROUND_UP(image.length, SECTOR_SIZE) / SECTOR_SIZE);
    table_put(image.data, sectors);
    return image;
}

// ---- output ----

// Only regular files are written and removed: root could remove a device. Media are written with
// dd.
static void check_output(const char *name) {
    struct stat status;
    if (!stat(name, &status) && !S_ISREG(status.st_mode))
        errx(1, "cannot write %s: it is not a regular file", name);
}

// What lies behind the image is zero. What could not be finished is removed: half an image must not
// look like one.
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
    fprintf(stderr,
            "mkimage: the image is too long for a floppy (by %lu bytes), so none is made for one\n",
            end - FLOPPY_SIZE);
}

static void write_cd(const char *name, const struct bytes *image, u64 end) {
    struct bytes volume = {0}, mbr = read_mbr(files[CD_MBR]);
    if (CD_START + end > UINT32_MAX) errx(1, "the image is too long for a file on a CD: 4 GiB");
    static u8 head[CD_START];
    iso_describe(head, mbr.data, image->data + SECTOR_SIZE, (u32)end);
    append(&volume, head, sizeof head);
    append(&volume, image->data, image->length);
    write_image(name, &volume, ROUND_UP(CD_START + end, CD_SECTOR_SIZE));
}

// ---- the command line ----

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
                                          {"cd-mbr", 1, 0, CD_MBR},
                                          {"env", 1, 0, ENV},
                                          {"set", 1, 0, SET},
                                          {"tty", 0, 0, TTY},
                                          {0, 0, 0, 0}};
    words_from_stdin(&argc, &argv);
    for (int option; (option = getopt_long(argc, argv, "+", known, NULL)) != -1;) {
        if (option == '?') exit(2); // getopt_long has said what it did not like
        if (option < FILES) files[option] = optarg;
        if (option == ENV && (optarg[0] == '=' || !strchr(optarg, '=')))
            errx(2, "--env %s is not K=V", optarg);
        if (option == ENV) add_word(&command, "env=", optarg, strlen(optarg));
        if (option == SET) add_word(&command, "", optarg, strlen(optarg));
        if (option == TTY) add_word(&command, "tty=", "1", 1);
    }
    if (!files[MBR_FILE] || !files[LOADER_FILE] || !files[KERNEL_FILE] || !files[PROGRAM_FILE] ||
        !files[DISK] || optind == argc || (files[CD] && !files[CD_MBR]))
        errx(
            2,
            "usage: mkimage --mbr F --loader F --kernel F --program F [--input F] [--env K=V]... "
            "[--set WORD]... [--tty] --disk OUT [--floppy OUT] [--cd OUT --cd-mbr F] -- ARG0 [ARG...]");
    for (; optind < argc; optind++) add_word(&command, "arg=", argv[optind], strlen(argv[optind]));
    command_check(&command, 2);
    options_read((const char *)command.data, command.length, &(struct options){0}, refuse);
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    struct bytes image = build_image();
    u64 end = ROUND_UP(image.length, SECTOR_SIZE) +
              SECTOR_SIZE; // behind entry 2's sector: what a medium must hold
    write_image(files[DISK], &image, ROUND_UP(end, DISK_UNIT));
    if (files[FLOPPY]) write_floppy(files[FLOPPY], &image, end);
    if (files[CD]) write_cd(files[CD], &image, end);
    return 0;
}
