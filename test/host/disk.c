// flags: -O1 -fsanitize=address,undefined --param=asan-use-after-return=0
// loader/disk.c on BIOSes made up here, which refuse, fail, forget and take their time. A disk
// address packet is reached by a 16-bit segment, so the code runs on a stack below 1 MiB; newer
// ASan would put locals elsewhere.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "test/check.h"
#include "loader/loader.h"
#undef LOW_MEMORY // the host has nothing there
static u8 low[0x8000];
#define LOW_MEMORY(type, address) (*(volatile type *)(low + (address)))
#include "loader/disk.c"

#define STACK     0x30000 // behind the bounce buffer
#define STACK_END 0x90000

struct boot_info boot;

// What this BIOS does. Reads count from 1.
static struct {
    u32 limit;              // sectors a call; 0: no EDD
    u32 track, heads;       // 0: AH=08h fails
    u32 fail_from, fail_to; // reads that fail
    u64 bad_lba;            // a sector that cannot be read; 0: none
    u32 ticks;              // of the clock that a read takes
    u8 status;              // of a failure
    bool carry;             // set by reads that succeed, too, with the same status
    bool tells;             // how many sectors it read, in the packet: told, whatever is true
    u16 told;
} bios;
static u32 reads, resets, geometries;
static char said[100][100], failed[300];
static int lines;
static jmp_buf on_failure;

static u32 sector_size(void) { return disk.cd_image ? 2048 : 512; }

// Every four bytes of the medium are the number of their 512 bytes, counted from where the image
// begins.
static bool transfer(u64 lba, u32 sectors) {
    bool fails = ++reads >= bios.fail_from && reads <= bios.fail_to;
    LOW_MEMORY(u32, BIOS_TICKS) =
        (LOW_MEMORY(u32, BIOS_TICKS) + bios.ticks) % 0x1800b0; // a day has so many
    CHECK(sectors && sectors * sector_size() <= 0x10000);
    if (fails || (bios.bad_lba >= lba && bios.bad_lba < lba + sectors && bios.bad_lba))
        return false;
    u32 unit = sector_size() / 512, *to = (u32 *)BOUNCE;
    for (u32 i = 0; i < sectors * sector_size() / 4; i++)
        to[i] = (u32)((lba - disk.cd_image) * unit + i / 128);
    return true;
}

static bool edd(const struct bios_regs *regs) {
    struct packet *packet = (struct packet *)((uintptr_t)regs->ds * 16 + (u16)regs->esi);
    u32 sectors = packet->sectors;
    CHECK(packet->size == 16 && !packet->zero && packet->segment == BOUNCE / 16 && !packet->offset);
    if (bios.tells) packet->sectors = bios.told;
    return sectors <= bios.limit && transfer(packet->lba, sectors);
}

static bool chs(const struct bios_regs *regs) {
    u32 sectors = regs->eax & 0xff, head = regs->edx >> 8 & 0xff, sector = regs->ecx & 63;
    u32 cylinder = (regs->ecx >> 8 & 0xff) | (regs->ecx & 0xc0) << 2;
    u32 track = bios.track ? bios.track : 18, heads = bios.track ? bios.heads : 2;
    CHECK(regs->es == BOUNCE / 16 && !(regs->ebx & 0xffff));
    CHECK(sector && sector + sectors - 1 <= track && head < heads);
    return transfer((cylinder * heads + head) * track + sector - 1, sectors);
}

void bios_call(u8 interrupt, struct bios_regs *regs) {
    u32 function = regs->eax >> 8;
    bool good = true;
    CHECK(interrupt == 0x13 && (regs->edx & 0xff) == boot.drive);
    if (function == 0x42)
        good = edd(regs);
    else if (function == 2)
        good = chs(regs);
    else if (function == 8)
        good = bios.track, geometries++;
    else
        resets += !function;
    memset(regs, 0xee, sizeof *regs); // nothing survives
    if (function == 8) regs->ecx = 0xff00 | (bios.track & 63), regs->edx = (bios.heads - 1) << 8;
    regs->eax = (u32)(good && !bios.carry ? 0 : bios.status) << 8;
    regs->flags = !good || bios.carry;
}

void a20_enable(void) {}

void say(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    if (lines < 100) vsnprintf(said[lines++], sizeof said[0], fmt, args);
    va_end(args);
}

void fail(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(failed, sizeof failed, fmt, args);
    va_end(args);
    longjmp(on_failure, 1);
}

// ---- ----

static u32 memory[32768 * 128];

static void start(u8 drive, u32 cd) {
    memset(&boot, 0, sizeof boot), memset(&disk, 0, sizeof disk);
    reads = resets = geometries = 0, lines = 0, failed[0] = 0;
    boot.drive = drive;
    LOW_MEMORY(u32, MBR_CD) = cd;
    disk_init();
}

// Reads, and looks at every word.
static bool reads_well(u64 lba, u32 sectors) {
    memset(memory, 0xff, sectors * 512ul + 512);
    if (setjmp(on_failure)) return false;
    disk_read(lba, sectors, memory);
    for (u32 i = 0; i < sectors * 128; i++)
        if (memory[i] != (u32)lba + i / 128) return false;
    return memory[sectors * 128] == UINT32_MAX;
}

#define GOOD .limit = 127, .track = 63, .heads = 16, .status = 0x0c
#define BIOS(...)                                                                                  \
    memset(&bios, 0, sizeof bios), bios = (typeof(bios)) { __VA_ARGS__ }

static void test_sizes(void) {
    for (u32 limit = 1; limit <= 127; limit++) {
        BIOS(GOOD);
        bios.limit = limit;
        start(0x80, 0);
        u32 most = 127;
        while (most > limit) most /= 2;
        CHECK(reads_well(50, 1) && reads_well(51, 3000));
        CHECK(boot.edd && boot.read_most == most && boot.sector_size == 512 &&
              boot.sectors == 3001);
        CHECK(reads <= 3001 / most + 30);
    }
    BIOS(GOOD);
    start(0x80, 0);
    CHECK(reads_well(50, 1) && reads_well(51, 32767) && reads <= 260); // 16 MiB
}

static void test_bad_moments(void) {
    for (u32 first = 1; first < 12; first++)
        for (u32 count = 1; count < 12; count++) {
            BIOS(GOOD);
            bios.fail_from = first, bios.fail_to = first + count - 1;
            start(0x80, 0);
            CHECK(reads_well(7, 5000) && boot.edd && boot.read_most == 127 && resets == count);
        }
    for (u8 status = 0; status <= 0x11;
         status += 0x11) { // carry without an error; ECC put it right
        BIOS(GOOD);
        bios.status = status, bios.carry = true;
        start(0x80, 0);
        CHECK(reads_well(7, 500) && !resets);
    }
}

// A count that means nothing takes time, but loses and adds nothing.
static void test_counts(void) {
    static const u16 told[] = {0, 1, 64, 127, 128, 0xffff};
    for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
        BIOS(GOOD);
        bios.tells = true, bios.told = told[i];
        start(0x80, 0);
        CHECK(reads_well(7, 1000) && !resets &&
              reads == (told[i] - 1u < 127 ? (1000 + told[i] - 1u) / told[i] : 8));
    }
}

static void test_bad_sector(void) {
    BIOS(GOOD);
    bios.bad_lba = 1234, bios.status = 0x10;
    start(0x81, 0);
    CHECK(!reads_well(50, 2000) &&
          strstr(failed, "cannot read sector 1234 of drive 81h (status 10h)"));
    CHECK(reads < 60 && !boot.edd); // by CHS it is as bad
    BIOS(GOOD);
    bios.track = 64, bios.bad_lba = 1234; // 64 looks like 0: there is no CHS
    start(0x80, 0);
    CHECK(!reads_well(50, 2000) && strstr(failed, "sector 1234") && boot.edd);
    BIOS(GOOD);
    bios.track = bios.heads = 1,
    bios.bad_lba = 1234; // behind the last cylinder: it is not CHS that fails
    start(0x80, 0);
    CHECK(!reads_well(50, 2000) && strstr(failed, "cannot read sector 1234") && boot.edd);
}

static void test_chs(void) {
    static const u32 tracks[] = {1, 8, 9, 18, 36, 63};
    for (size_t i = 0; i < ARRAY_SIZE(tracks); i++)
        for (u32 heads = 1; heads <= 255; heads += 127) {
            BIOS(GOOD);
            bios.limit = 0, bios.track = tracks[i], bios.heads = heads;
            start(0x80, 0);
            CHECK(reads_well(50, 1) && !boot.edd && boot.read_most == tracks[i]);
            u32 before = reads,
                sectors = 900 < 1024 * heads * tracks[i] - 51 ? 900 : 1024 * heads * tracks[i] - 51;
            CHECK(reads_well(51, sectors) &&
                  reads - before <= sectors / tracks[i] + 2); // whole tracks
        }
    BIOS(GOOD);
    bios.limit = 0, bios.track = 1, bios.heads = 1;
    start(0x80, 0);
    CHECK(!reads_well(1000, 30) && strstr(failed, "sector 1024"));
    for (u32 known = 0; known < 2; known++) {
        BIOS(.limit = 0, .track = known * 18, .heads = 2, .status = 6);
        start(0, 0);
        bios.fail_to = 3; // it spins up
        CHECK(reads_well(50, 1) && reads_well(51, 1000) && !boot.edd && boot.read_most == 18 &&
              boot.sector_size == 512);
        CHECK(reads <= 1000 / 18 + 8 && resets == 3); // EDD was not tried
    }
}

static void test_cd(void) {
    static const u8 drives[] = {0, 1, 0x7f, 0x80, 0xe0, 0xff};
    for (u32 i = 0; i < sizeof drives; i++) {
        BIOS(.limit = 31, .status = 0x0c);
        start(drives[i], 56);
        for (u32 lba = 1; lba < 9; lba++)
            for (u32 sectors = 1; sectors < 140; sectors++) CHECK(reads_well(lba, sectors));
        CHECK(boot.edd && boot.read_most == 31 && boot.sector_size == 2048 && !geometries);
        reads = 0;
        CHECK(reads_well(51, 32000) && reads <= 32000 / 124 + 2);
    }
    BIOS(.limit = 16, .status = 9);
    start(0xe0, 56);
    CHECK(reads_well(50, 1) && reads_well(51, 3000) && boot.read_most == 15);
    bios.bad_lba = 100;
    CHECK(!reads_well(51, 3000) && strstr(failed, "sector 100 of drive e0h") && boot.edd);
}

static void test_progress(void) {
    BIOS(GOOD);
    bios.ticks = 9;
    start(0x80, 0);
    CHECK(reads_well(50, 1) && reads_well(51, 1270) && lines == 4);
    CHECK(!strcmp(said[0], "read 127 of 635 KiB, 128 KiB/s") &&
          !strcmp(said[3], "read 508 of 635 KiB, 128 KiB/s"));
    bios.ticks = 1;
    start(0x80, 0);
    CHECK(reads_well(50, 1) && reads_well(51, 127 * 18) && !lines);
    bios.ticks = 100000; // an hour and a half a call
    start(0x80, 0);
    LOW_MEMORY(u32, BIOS_TICKS) = 1400000;
    CHECK(reads_well(51, 1270) && lines == 8); // midnight comes, and one line is left out
    for (int i = 0; i < lines; i++) CHECK(strstr(said[i], " KiB, 0 KiB/s"));
}

static void all(void) {
    test_sizes();
    test_bad_moments();
    test_counts();
    test_bad_sector();
    test_chs();
    test_cd();
    test_progress();
}

int main(void) {
    ucontext_t here, there;
    void *wanted = (void *)BOUNCE;
    if (mmap(wanted, STACK_END - BOUNCE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
             0) != wanted) {
        perror("memory below 1 MiB");
        return 1;
    }
    getcontext(&there);
    there.uc_stack.ss_sp = (void *)STACK, there.uc_stack.ss_size = STACK_END - STACK,
    there.uc_link = &here;
    makecontext(&there, all, 0);
    swapcontext(&here, &there);
    return check_done("disk");
}
