// tools/mkimage.c from its command line to the bytes it writes: each run is a child process in a
// directory of its own.
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "test/check.h"
#define main mkimage_main
#include "tools/mkimage.c"
#undef main
#include "kernel/lib/crc32c.c"
#include "kernel/lib/elf.c"
#include "kernel/lib/options.c"
#include "tools/iso.c"
#include "loader/image.c"
#include "tools/medium.c"
#include "tools/table.c"

// A tool that ends at once frees nothing.
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }

static char message[2000]; // what the last run said
static rlim_t file_limit;  // largest file the next run may write; 0: any
static const char *const good[] = {"--mbr",    "mbr",       "--loader", "loader", "--kernel",
                                   "kernel",   "--program", "program",  "--disk", "disk",
                                   "--floppy", "floppy",    "--",       "prog",   NULL};

// Runs mkimage and returns its exit status.
static int run(const char *const *words) {
    char *argv[40] = {"mkimage"};
    int argc = 1, status, fd;
    for (; words[argc - 1]; argc++) argv[argc] = (char *)words[argc - 1];
    pid_t child = fork();
    if (!child) {
        fd = open("message", O_WRONLY | O_CREAT | O_TRUNC, 0666);
        dup2(fd, 2);
        signal(SIGXFSZ, SIG_IGN);
        if (file_limit) setrlimit(RLIMIT_FSIZE, &(struct rlimit){file_limit, file_limit});
        exit(mkimage_main(argc, argv));
    }
    waitpid(child, &status, 0);
    fd = open("message", O_RDONLY);
    ssize_t got = read(fd, message, sizeof message - 1);
    message[got > 0 ? got : 0] = 0;
    close(fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int run_good(void) { return run(good); }
static bool says(const char *text) { return strstr(message, text) != NULL; }

static void put_file(const char *name, const void *data, size_t bytes) {
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file)) err(1, "%s", name);
}

static struct bytes get(const char *name) { return read_file(name); }
static bool exists(const char *name) { return !access(name, F_OK); }

static void put_mbr(void) {
    u8 mbr[512] = {0xeb, 0xfe, 0x90, [440] = 1, [510] = 0x55, [511] = 0xaa};
    put_file("mbr", mbr, sizeof mbr);
}

static void put_loader(void) {
    u8 loader[1024] = {0xeb, 0x0e, 0, 0, 'V', 'M', 'O', 'S', [500] = 77};
    memcpy(loader + 1020, "VEND", 4);
    put_file("loader", loader, sizeof loader);
}

static bool compile(const char *flags, const char *name, const char *source) {
    char command[600];
    snprintf(command, sizeof command, "printf '%%s' '%s' | gcc -x c %s -o %s -", source, flags,
             name);
    return !system(command);
}

static void put_programs(void) {
    CHECK(compile("-static-pie -nostdlib -ffreestanding -fpie", "kernel",
                  "static int x; int *p = &x; void _start(void) { *p = 1; for (;;) {} }"));
    CHECK(compile("-static -nostdlib -ffreestanding", "program",
                  "void _start(void) { for (;;) {} }"));
    CHECK(compile("", "dynamic", "int main(void) { return 0; }"));
    CHECK(compile("-static -nostdlib -ffreestanding -Wl,-Ttext-segment=0", "low",
                  "void _start(void) { for (;;) {} }"));
}

// ---- what is in an image ----

static u32 word32(const u8 *at) {
    return at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24;
}

static struct image_header header_of(const struct bytes *image) {
    struct image_header header;
    memcpy(&header, image->data + 512 + 1024, sizeof header);
    return header;
}

static bool part_is(const struct bytes *image, enum image_part_kind kind, const void *data,
                    u64 length) {
    struct image_part part = header_of(image).parts[kind];
    const u8 *at = image->data + 512 + 1024 + part.offset;
    return part.offset && part.length == length && part.crc == crc_of(data, length) &&
           !memcmp(at, data, length);
}

static void check_table(const struct bytes *image, u32 sectors) {
    const u8 *one = image->data + 446, *two = one + 16;
    CHECK(one[0] == 0x80 && one[4] == 0x7f && word32(one + 8) == 1 &&
          word32(one + 12) == sectors - 1);
    CHECK(two[0] == 0 && two[4] == 0xda && word32(two + 8) == sectors && word32(two + 12) == 1);
    CHECK(one[1] == 0 && one[2] == 2 && one[3] == 0);
    CHECK(!memcmp(two + 1, two + 5, 3));
    CHECK(image->data[510] == 0x55 && image->data[511] == 0xaa);
    CHECK((u64)(sectors + 1) * 512 <= image->length);
}

static void test_good(void) {
    CHECK(run_good() == 0 && !message[0]);
    struct bytes disk = get("disk"), floppy = get("floppy"), kernel = get("kernel"),
                 program = get("program");
    CHECK(disk.length && disk.length % 516096 == 0);
    CHECK(floppy.length == 1474560);
    CHECK(
        !memcmp(disk.data, floppy.data, disk.length < floppy.length ? disk.length : floppy.length));

    struct image_header header = header_of(&disk);
    u32 crc = header.crc;
    CHECK(!memcmp(header.magic, "vmosIMG", 8) && header.version == 1);
    header.crc = 0;
    CHECK(crc_of(&header, sizeof header) == crc);
    CHECK(part_is(&disk, IMAGE_KERNEL, kernel.data, kernel.length) &&
          header.parts[IMAGE_KERNEL].offset == 512);
    CHECK(part_is(&disk, IMAGE_PROGRAM, program.data, program.length));
    CHECK(header.parts[IMAGE_PROGRAM].offset % 4096 == 0);
    CHECK(part_is(&disk, IMAGE_COMMAND, "arg=prog", 9) &&
          header.parts[IMAGE_COMMAND].offset % 16 == 0);
    CHECK(header.parts[IMAGE_INPUT].offset == 0 && header.parts[IMAGE_INPUT].length == 0);
    CHECK(header.total == header.parts[IMAGE_COMMAND].offset + 9);
    CHECK(header.kernel_memory && header.kernel_memory % 4096 == 0);
    check_table(&disk, (u32)((512 + 1024 + header.total + 511) / 512));

    struct loader_header loader;
    memcpy(&loader, disk.data + 512, sizeof loader);
    CHECK(loader.magic == LOADER_MAGIC && loader.length == 1024);
    crc = loader.crc, loader.crc = 0;
    memcpy(disk.data + 512, &loader, sizeof loader);
    CHECK(crc_of(disk.data + 512, 1024) == crc);

    struct bytes before = get("disk");
    CHECK(run_good() == 0);
    struct bytes after = get("disk");
    CHECK(before.length == after.length && !memcmp(before.data, after.data, after.length));
}

// A number in both byte orders.
static u32 both32(const u8 *at) {
    u32 big = (u32)at[4] << 24 | (u32)at[5] << 16 | (u32)at[6] << 8 | at[7];
    CHECK(word32(at) == big);
    return big;
}

static u32 both16(const u8 *at) {
    CHECK(at[0] == at[3] && at[1] == at[2]);
    return at[0] | (u32)at[1] << 8;
}

// By the fields of ECMA-119 and El Torito 1.0, from the volume descriptors on to every byte of the
// file.
static void test_cd(void) {
    const char *words[] = {"--mbr",     "mbr",     "--loader", "loader", "--kernel", "kernel",
                           "--program", "program", "--disk",   "disk",   "--cd",     "cd",
                           "--cd-mbr",  "cd-mbr",  "--",       "prog",   NULL};
    struct bytes mbr = get("mbr");
    mbr.data[3] = 99, put_file("cd-mbr", mbr.data, mbr.length);
    CHECK(run(words) == 0 && !message[0]);
    struct bytes cd = get("cd"), disk = get("disk");
    CHECK(cd.length % 2048 == 0);
    const u8 *primary = cd.data + 16 * 2048, *boot = primary + 2048, *end = boot + 2048;
    for (u64 i = 0; i < 16 * 2048; i++) CHECK(!cd.data[i]);
    CHECK(!memcmp(primary, "\1CD001\1", 8) &&
          !memcmp(primary + 40, "VMOS                            ", 32));
    CHECK(both32(primary + 80) == cd.length / 2048 && both16(primary + 128) == 2048);
    CHECK(both16(primary + 120) == 1 && both16(primary + 124) == 1 && primary[881] == 1);
    CHECK(!memcmp(primary + 813, "0000000000000000", 17)); // no date
    CHECK(!memcmp(boot, "\0CD001\1EL TORITO SPECIFICATION", 31) && !memcmp(end, "\377CD001\1", 7));

    const u8 *catalog = cd.data + word32(boot + 71) * 2048;
    u32 sum = 0;
    for (int i = 0; i < 32; i += 2) sum += catalog[i] | (u32)catalog[i + 1] << 8;
    CHECK(catalog[0] == 1 && catalog[30] == 0x55 && catalog[31] == 0xaa && (sum & 0xffff) == 0);
    CHECK(catalog[32] == 0x88 && catalog[33] == 0 && word32(catalog + 36) == 4 << 16);
    const u8 *started = cd.data + word32(catalog + 40) * 2048;
    CHECK(!memcmp(started, mbr.data, 512));

    const u8 *root = cd.data + both32(primary + 158) * 2048,
             *path = cd.data + word32(primary + 140) * 2048;
    CHECK(both32(primary + 132) == 10 && word32(path + 2) * 2048 == (u64)(root - cd.data) &&
          path[0] == 1 && path[6] == 1);
    path = cd.data + primary[151] * 2048; // the same, big end first
    CHECK(path[5] * 2048 == root - cd.data && path[0] == 1 && path[7] == 1);
    const u8 *self = root, *parent = self + self[0], *file = parent + parent[0];
    CHECK(!memcmp(primary + 156, self, 34) && self[25] == 2 && self[32] == 1 && self[33] == 0);
    CHECK(both32(self + 2) * 2048 == root - cd.data && both32(self + 10) == 2048);
    CHECK(!memcmp(parent + 2, self + 2, 30) && parent[33] == 1);
    CHECK(file[25] == 0 && file[32] == 10 && !memcmp(file + 33, "VMOS.IMG;1", 10) &&
          !file[file[0]]);
    u64 start = both32(file + 2) * 2048ull, length = both32(file + 10);
    CHECK(start == CD_IMAGE * 2048 && start + length <= cd.length && length % 512 == 0);
    CHECK(!memcmp(cd.data + start, disk.data, length));
    CHECK(length == (word32(disk.data + 446 + 16 + 8) + 1) * 512);
    CHECK(!memcmp(cd.data + CD_LOADER * 2048, disk.data + 512, 1024));

    words[12] = "--", words[13] = "prog", words[14] = NULL;
    CHECK(run(words) == 2 && says("--cd-mbr"));
}

static void test_words(void) {
    put_file("input", "hello\n", 6);
    const char *const words[] = {
        "--mbr",   "mbr",   "--loader", "loader", "--kernel", "kernel", "--program", "program",
        "--input", "input", "--env",    "A=1",    "--tty",    "--env",  "B=x y=z",   "--disk",
        "disk",    "--set", "quiet",    "--set",  "env=C",    "--set",  "mem=1G",    "--set",
        "arg=x",   "--",    "a b",      "",       "--tty",    "quiet",  NULL};
    CHECK(run(words) == 0);
    struct bytes disk = get("disk");
    static const char command[] =
        "env=A=1\0tty=1\0env=B=x y=z\0quiet\0env=C\0mem=1G\0arg=x\0arg=a b\0arg=\0"
        "arg=--tty\0arg=quiet";
    CHECK(part_is(&disk, IMAGE_COMMAND, command, sizeof command));
    CHECK(part_is(&disk, IMAGE_INPUT, "hello\n", 6));
    put_file("input", "", 0);
    CHECK(run(words) == 0);
    disk = get("disk");
    CHECK(part_is(&disk, IMAGE_INPUT, "", 0)); // there, and empty
}

// A program padded to be larger than a floppy: the old floppy image goes, and the message has the
// exact number.
static void test_too_big_for_a_floppy(void) {
    CHECK(exists("floppy"));
    struct bytes program = get("program");
    CHECK(!truncate("program", 2000000));
    CHECK(run_good() == 0);
    CHECK(!exists("floppy") && exists("disk"));
    struct bytes disk = get("disk");
    u64 end = (word32(disk.data + 446 + 16 + 8) + 1ull) * 512;
    char number[100];
    snprintf(number, sizeof number, "%llu bytes", (unsigned long long)(end - FLOPPY_SIZE));
    CHECK(says(number));
    CHECK(run_good() == 0); // none to remove is fine

    // exactly full, and one sector too many: with kernel and command around it, the program's
    // length decides
    u64 others = end - 2000000 / 512 * 512, length = FLOPPY_SIZE - others;
    CHECK(!truncate("program", (off_t)length / 512 * 512) && run_good() == 0 && exists("floppy"));
    CHECK(!truncate("program", (off_t)length / 512 * 512 + 1024) && run_good() == 0 &&
          !exists("floppy"));
    put_file("program", program.data, program.length);
    CHECK(run_good() == 0 && exists("floppy"));
}

static void test_chs(void) {
    static const struct {
        u64 lba;
        u8 chs[3];
    } known[] = {{0, {0, 1, 0}},
                 {1, {0, 2, 0}},
                 {62, {0, 63, 0}},
                 {63, {1, 1, 0}},
                 {16064, {254, 63, 0}},
                 {16065, {0, 1, 1}},
                 {16065 * 256, {0, 65, 0}},
                 {16065 * 1024 - 1, {254, 255, 255}},
                 {16065 * 1024, {254, 255, 255}},
                 {0xffffffff, {254, 255, 255}}};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        u32 chs = chs_of(known[i].lba);
        CHECK(!memcmp(&chs, known[i].chs, 3) && chs < 1 << 24);
    }
}

// ---- what it refuses ----

static void test_mbr_and_loader(void) {
    struct bytes mbr = get("mbr"), loader = get("loader");
#define REFUSES(name, file, change, text)                                                          \
    file = get(name);                                                                              \
    change;                                                                                        \
    put_file(name, file.data, file.length);                                                        \
    CHECK(run_good() == 1 && says(text));                                                          \
    put_mbr(), put_loader()
    REFUSES("mbr", mbr, mbr.length = 511, "has 511 bytes");
    REFUSES("mbr", mbr, mbr.length = 0, "has 0 bytes");
    REFUSES("mbr", mbr, mbr.data[510] = 0, "55 AA");
    REFUSES("mbr", mbr, mbr.data[0] = 0xe9, "begins with E9 FE 90");
    REFUSES("mbr", mbr, mbr.data[2] = 0, "begins with EB FE 00");
    REFUSES("mbr", mbr, mbr.data[440] = 0, "signature");
    REFUSES("mbr", mbr, mbr.data[446] = 1, "byte 446");
    REFUSES("mbr", mbr, mbr.data[509] = 1, "byte 509");
    REFUSES("loader", loader, loader.length = 1000, "1000 bytes");
    REFUSES("loader", loader, loader.length = 0, "0 bytes");
    REFUSES("loader", loader, loader.data[4] = 0, "byte 4");
    REFUSES("loader", loader, loader.data[1023] = 0, "last four");
    CHECK(!truncate("loader", 0x10200) && run_good() == 1 && says("66048 bytes"));
    put_loader();
}

static int run_program(const char *program) {
    const char *words[ARRAY_SIZE(good)];
    memcpy(words, good, sizeof good);
    words[7] = program;
    return run(words);
}

static void test_programs(void) {
    struct bytes program = get("program"), kernel = get("kernel");
    unlink("disk");
    CHECK(run_program("dynamic") == 1);
    CHECK(says(
        "dynamic is dynamically linked (needs /lib64/ld-linux-x86-64.so.2); vmos runs static programs so far"));
    CHECK(run_program("low") == 1 && says("low wants an address"));
    CHECK(run_program("mbr") == 1 && says("mbr is not an ELF program"));
    CHECK(run_program("missing") == 1 && says("cannot open missing: No such file"));
    CHECK(run_program(".") == 1 && says("cannot read .: Is a directory"));
    program.data[EI_CLASS] = ELFCLASS32, program.data[18] = EM_386;
    put_file("other", program.data, program.length);
    CHECK(run_program("other") == 1 && says("32-bit"));
    program.data[EI_CLASS] = ELFCLASS64, program.data[18] = EM_AARCH64;
    put_file("other", program.data, program.length);
    CHECK(run_program("other") == 1 && says("another processor"));
    CHECK(!truncate("other", 0) && run_program("other") == 1 && says("is cut off"));
    CHECK(!exists("disk")); // nothing was written for any of them
    program = get("program");
    memset(program.data + 24, 0, 8), put_file("other", program.data, program.length); // e_entry
    CHECK(run_program("other") == 0 && says("other has no code at its entry point"));

    put_file("kernel", program.data, 100);
    CHECK(run_good() == 1 && says("kernel is"));
    program = get("program"), put_file("kernel", program.data, program.length);
    CHECK(run_good() == 1 && says("not position-independent"));
    CHECK(compile("-static-pie", "kernel", "int main(void) { return 0; }"));
    CHECK(run_good() == 1 && says("kernel has relocations that cannot be applied"));
    put_file("kernel", kernel.data, kernel.length);
    CHECK(run_good() == 0);
}

static void test_usage(void) {
    const char *words[ARRAY_SIZE(good)];
    for (int missing = 0; missing < 10; missing += 2) {
        int count = 0;
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
            if ((int)i / 2 != missing / 2) words[count++] = good[i];
        CHECK(run(words) == 2 && says("usage:"));
    }
    memcpy(words, good, sizeof good), words[13] = NULL;
    CHECK(run(words) == 2 && says("usage:"));
    CHECK(run((const char *[]){"--what", NULL}) == 2 && says("what"));
    CHECK(run((const char *[]){"--env", "novalue", NULL}) == 2 && says("novalue"));
    CHECK(run((const char *[]){"--env", "=x", NULL}) == 2 && says("=x"));
    CHECK(run((const char *[]){"--disk", NULL}) == 2);
    CHECK(run((const char *[]){"--set", NULL}) == 2);
    static const char *const bad[][2] = {
        {"after=noon", "--set after=noon: the word wants halt, reboot or poweroff\n"},
        {"mem=0", "mem=0: the word wants a number of bytes"},
        {"", "the word is not known"},
        {"quiet ", "the word is not known"}};
    const char *more[ARRAY_SIZE(good) + 2] = {"--set"};
    memcpy(more + 2, good, sizeof good);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        unlink("disk");
        more[1] = bad[i][0];
        CHECK(run(more) == 2 && says(bad[i][1]) && !exists("disk"));
    }
    memcpy(words, good, sizeof good), words[9] = "no/such/place";
    CHECK(run(words) == 1 && says("cannot write no/such/place: No such file"));

    // neither written nor removed
    CHECK(!mkfifo("pipe", 0666));
    memcpy(words, good, sizeof good), words[9] = "pipe";
    CHECK(run(words) == 1 && says("cannot write pipe: it is not a regular file") && exists("pipe"));

    CHECK(run_good() == 0 && exists("disk"));
    file_limit = 1024; // as if the disk were full
    CHECK(run_good() == 1 && says("cannot write disk: File too large") && !exists("disk"));
    file_limit = 0;
}

int main(void) {
    char directory[] = "/tmp/mkimage-test-XXXXXX", command[100];
    if (!mkdtemp(directory) || chdir(directory)) return 1;
    put_mbr();
    put_loader();
    put_programs();
    test_good();
    test_cd();
    test_words();
    test_too_big_for_a_floppy();
    test_chs();
    test_mbr_and_loader();
    test_programs();
    test_usage();
    snprintf(command, sizeof command, "rm -r %s", directory);
    CHECK(!system(command));
    return check_done("mkimage");
}
