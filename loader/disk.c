// Reads the boot medium through the BIOS (int 13h) into the bounce buffer and copies from there to
// its place. Disks by EDD (AH=42h) with up to 127 sectors a call, CDs with up to 31 of theirs,
// which have 2048 bytes; floppies by cylinder, head and sector (AH=02h), never across a track.
// Reads that fail, by a timeout of the BIOS or otherwise, are tried again after a reset, then
// halved; a disk is then tried by CHS. What worked is remembered in boot.
#include "loader/loader.h"
#include "kernel/cpu/x86.h"
#include "kernel/lib/string.h"

#define STATUS_CORRECTED 0x11 // ECC put it right: the data is good
#define FLOPPY_TRACK     18   // sectors, on 1.44 MB
#define CYLINDERS        1024
#define TRIES            2 // at each size
#define TRIES_ONE_SECTOR 6 // a floppy needs three to spin up and notice its change
#define READS_TO_GROW    8
// dword: counts 18.2 a second, while interrupts are on; 0 at midnight
#define BIOS_TICKS        0x46c
#define TICKS_SECOND      18
#define TICKS_10_SECONDS  182
#define FLOPPY_CONTROL    0x3f2 // digital output register: motors, select, reset
#define FLOPPY_MOTORS_OFF 0x0c  // controller out of reset, its interrupt on, no motor

enum {
    DISK_RESET,
    DISK_READ_CHS = 0x200,
    DISK_GEOMETRY = 0x800,
    DISK_EDD_READ = 0x4200
}; // AX of int 13h

// Disk address packet of AH=42h
struct packet {
    u8 size, zero;
    u16 sectors, offset, segment;
    u64 lba;
};
_Static_assert(sizeof(struct packet) == 16, "EDD 1.1");

static struct {
    u32 cd_image;     // sector of a CD where the image begins; 0: no CD
    u32 track, heads; // sectors a track; 0: no geometry
    u32 highest;      // sectors a call that are worth trying
    u32 failed;       // sectors of the last call that was halved
    u32 good;         // reads since then
} disk;

static bool disk_is_floppy(void) { return boot.drive < 0x80 && !disk.cd_image; }

// Calls int 13h for the boot drive. Returns 0 or the status of the failure. Some BIOSes set carry
// and status 0 when nothing failed.
static u8 disk_call(struct bios_regs *regs) {
    regs->edx |= boot.drive;
    bios_call(0x13, regs);
    u8 status = regs->eax >> 8;
    if (!(regs->flags & FLAGS_CF) || status == STATUS_CORRECTED) return 0;
    return status;
}

static void disk_read_at_most(u32 sectors) {
    boot.read_most = sectors;
    disk.highest = sectors;
}

// Finds out how boot.drive can be read; the drive must be set. On disks AH=08h may report 64
// sectors a track as 0: there is no geometry then. CDs have none, and some BIOSes hang when they
// are asked for it.
void disk_init(void) {
    struct bios_regs regs = {.eax = DISK_GEOMETRY};
    disk.cd_image = LOW_MEMORY(u32, MBR_CD);
    boot.sector_size = disk.cd_image ? CD_SECTOR_SIZE : SECTOR_SIZE;
    disk_read_at_most(DAP_MAX_SECTORS * SECTOR_SIZE / boot.sector_size);
    boot.edd = !disk_is_floppy();
    if (disk.cd_image) return;
    if (!disk_call(&regs)) disk.track = regs.ecx & 63;
    disk.heads = (regs.edx >> 8 & 0xff) + 1;
    if (disk_is_floppy() && !disk.track) {
        disk.track = FLOPPY_TRACK;
        disk.heads = 2;
    }
    if (disk_is_floppy()) disk_read_at_most(disk.track);
}

// EDD 1.1: the BIOS leaves in the packet how many sectors it read. Some read fewer and call it
// success; should such a number mean nothing, what it leaves out is only read twice.
static u8 disk_read_edd(u64 lba, u32 *sectors) {
    struct packet packet = {
        .size = sizeof(packet), .sectors = *sectors, .segment = BOUNCE >> 4, .lba = lba};
    uintptr_t at = (uintptr_t)&packet;
    struct bios_regs regs = {.eax = DISK_EDD_READ, .ds = at >> 4, .esi = at & 15};
    u8 status = disk_call(&regs);
    if (!status && packet.sectors && packet.sectors < *sectors) *sectors = packet.sectors;
    return status;
}

static u8 disk_read_chs(u64 lba, u32 sectors) {
    u64 track = lba / disk.track;
    u64 cylinder = track / disk.heads;
    u32 sector = lba % disk.track + 1;
    u32 head = track % disk.heads;
    if (cylinder >= CYLINDERS)
        fail("sector %lu lies behind cylinder 1023, where this BIOS cannot read", lba);
    struct bios_regs regs = {.eax = DISK_READ_CHS | sectors,
                             .ecx = (cylinder & 0xff) << 8 | (cylinder >> 8) << 6 | sector,
                             .edx = head << 8,
                             .es = BOUNCE >> 4};
    return disk_call(&regs);
}

// A bad moment must not make all reads small: after some that went well a larger one is tried
// again. A size that fails then, too, is more than this BIOS can do.
static void disk_went_well(void) {
    if (boot.read_most == disk.highest) return;
    disk.good++;
    if (disk.good < READS_TO_GROW) return;
    disk.good = 0;
    boot.read_most = MIN(2 * boot.read_most + 1, disk.highest);
}

static void disk_halve(u32 count) {
    if (count == disk.failed) disk.highest = count / 2;
    disk.failed = count;
    disk.good = 0;
    boot.read_most = count / 2;
}

// After the last try at this size: the next ones read less at once, or by CHS.
static void disk_give_way(u64 lba, u32 count, u8 status) {
    if (count > 1) {
        disk_halve(count);
    } else if (boot.edd && lba < (u64)CYLINDERS * disk.heads * disk.track) {
        boot.edd = false;
        disk_read_at_most(disk.track);
    } else {
        fail("the BIOS cannot read sector %lu of drive %02xh (status %02xh): the medium is "
             "damaged, or the image on it is not complete",
             lba, boot.drive, status);
    }
}

// Reads one run by the way that works so far. Returns 0 or the status of the failure; *sectors is
// what was wanted at first, and then what this call reads.
static u8 disk_read_once(u64 lba, u32 *sectors) {
    if (boot.edd) return disk_read_edd(lba, sectors);
    u32 left_of_track = disk.track - lba % disk.track;
    *sectors = MIN(*sectors, left_of_track);
    return disk_read_chs(lba, *sectors);
}

// Reads up to sectors of the medium into the bounce buffer and returns how many it were.
static u32 disk_read_some(u64 lba, u64 sectors) {
    for (int failures = 0;;) {
        u32 count = MIN(sectors, boot.read_most);
        u8 status = disk_read_once(lba, &count);
        if (!status) {
            disk_went_well();
            return count;
        }
        disk_call(&(struct bios_regs){.eax = DISK_RESET});
        failures++;
        if (failures < (count > 1 ? TRIES : TRIES_ONE_SECTOR)) continue;
        failures = 0;
        disk_give_way(lba, count, status);
    }
}

// Says how far it is once a second, and how fast since the last time.
static void disk_progress(u64 done, u64 sectors) {
    static u64 last_done;
    static u32 last;
    u32 now = LOW_MEMORY(u32, BIOS_TICKS);
    u32 ticks = now - last;
    if (done && now >= last) {
        if (ticks < TICKS_SECOND) return;
        say("read %lu of %lu KiB, %lu KiB/s", done / 2, sectors / 2,
            (done - last_done) / 2 * TICKS_10_SECONDS / 10 / ticks);
    }
    last = now;
    last_done = done;
}

// Reads sectors of 512 bytes of the image, from its sector lba on, to anywhere in the identity map,
// or fails with a sentence. Says once a second how far it is.
void disk_read(u64 lba, u64 sectors, void *to) {
    u32 unit = boot.sector_size / SECTOR_SIZE; // in one sector of the medium
    for (u64 done = 0; done < sectors;) {
        disk_progress(done, sectors);
        u32 skip = (lba + done) % unit; // the medium's sector begins before what is wanted of it
        u64 left = sectors - done;
        u64 wanted = (skip + left + unit - 1) / unit;
        u64 count = disk_read_some(disk.cd_image + (lba + done) / unit, wanted) * unit - skip;
        count = MIN(count, left);
        a20_enable(); // a BIOS that reaches above 1 MiB itself may have switched it off again
        memcpy((u8 *)to + done * SECTOR_SIZE, (const u8 *)BOUNCE + skip * SECTOR_SIZE,
               count * SECTOR_SIZE);
        done += count;
        boot.sectors += count;
    }
}

// Stops a floppy's motor: without the BIOS's timer interrupt nothing else would.
void disk_done(void) {
    if (disk_is_floppy()) outb(FLOPPY_CONTROL, FLOPPY_MOTORS_OFF);
}
