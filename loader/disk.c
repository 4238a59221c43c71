// Reads the boot medium through the BIOS (int 13h) into the bounce buffer and copies from there to its place. Disks by
// EDD (AH=42h) with up to 127 sectors a call, floppies by cylinder, head and sector (AH=02h), never across a track.
// Reads that fail are tried again after a reset, then halved, which is remembered; a disk is then tried by CHS.
#include "loader/loader.h"
#include "kernel/cpu/x86.h"
#include "kernel/lib/string.h"

#define STATUS_CORRECTED  0x11 // ECC put it right: the data is good
#define FLOPPY_TRACK      18   // sectors, on 1.44 MB
#define CYLINDERS         1024
#define TRIES             2     // at each size
#define TRIES_ONE_SECTOR  6     // a floppy needs three to spin up and notice its change
#define BIOS_TICKS        0x46c // dword: counts 18.2 a second, while interrupts are on
#define TICKS_SECOND      18
#define FLOPPY_CONTROL    0x3f2 // digital output register: motors, select, reset
#define FLOPPY_MOTORS_OFF 0x0c  // controller out of reset, its interrupt on, no motor

enum { DISK_RESET, DISK_READ_CHS = 0x200, DISK_GEOMETRY = 0x800, DISK_EDD_READ = 0x4200 }; // AX of int 13h

// Disk address packet of AH=42h
struct packet {
    u8 size, zero;
    u16 sectors, offset, segment;
    u64 lba;
};
_Static_assert(sizeof(struct packet) == 16, "EDD 1.1");

static struct {
    u32 track, heads; // sectors a track; 0: no geometry
    u32 most;         // sectors a call
} disk;

static bool is_floppy(void) { return boot.drive < 0x80; }

// Calls int 13h for the boot drive. Returns 0 or the status of the failure; carry with status 0 is none on some BIOSes.
static u8 disk_call(struct bios_regs *regs) {
    regs->edx |= boot.drive;
    bios_call(0x13, regs);
    u8 status = regs->eax >> 8;
    return regs->flags & FLAGS_CF && status != STATUS_CORRECTED ? status : 0;
}

// On disks AH=08h may report 64 sectors a track as 0: no geometry then.
void disk_init(void) {
    struct bios_regs regs = {.eax = DISK_GEOMETRY};
    disk.most = DAP_MAX_SECTORS;
    boot.edd = !is_floppy();
    if (!disk_call(&regs)) disk.track = regs.ecx & 63;
    disk.heads = (regs.edx >> 8 & 0xff) + 1;
    if (is_floppy() && !disk.track) {
        disk.track = FLOPPY_TRACK;
        disk.heads = 2;
    }
}

static u8 read_edd(u64 lba, u32 sectors) {
    struct packet packet = {.size = sizeof(packet), .sectors = sectors, .segment = BOUNCE >> 4, .lba = lba};
    uintptr_t at = (uintptr_t)&packet;
    struct bios_regs regs = {.eax = DISK_EDD_READ, .ds = at >> 4, .esi = at & 15};
    return disk_call(&regs);
}

static u8 read_chs(u64 lba, u32 sectors) {
    u64 track = lba / disk.track, cylinder = track / disk.heads;
    u32 sector = lba % disk.track + 1, head = track % disk.heads;
    if (cylinder >= CYLINDERS) fail("sector %lu lies behind cylinder 1023, where this BIOS cannot read", lba);
    struct bios_regs regs = {.eax = DISK_READ_CHS | sectors,
                             .ecx = (cylinder & 0xff) << 8 | (cylinder >> 8) << 6 | sector,
                             .edx = head << 8,
                             .es = BOUNCE >> 4};
    return disk_call(&regs);
}

// Reads up to sectors into the bounce buffer and returns how many it were.
static u32 read_some(u64 lba, u64 sectors) {
    for (int failures = 0;;) {
        u32 count = sectors < disk.most ? sectors : disk.most;
        if (!boot.edd && count > disk.track - lba % disk.track) count = disk.track - lba % disk.track;
        u8 status = boot.edd ? read_edd(lba, count) : read_chs(lba, count);
        if (!status) return count;
        disk_call(&(struct bios_regs){.eax = DISK_RESET});
        if (++failures < (count > 1 ? TRIES : TRIES_ONE_SECTOR)) continue;
        failures = 0;
        if (count > 1) {
            disk.most = count / 2;
        } else if (boot.edd && lba < (u64)CYLINDERS * disk.heads * disk.track) {
            boot.edd = false;
            disk.most = DAP_MAX_SECTORS;
        } else {
            fail("the BIOS cannot read sector %lu of drive %02xh (status %02xh): the medium is damaged, or the image "
                 "on it is not complete",
                 lba, boot.drive, status);
        }
    }
}

void disk_read(u64 lba, u64 sectors, void *to) {
    u32 last = LOW_MEMORY(u32, BIOS_TICKS);
    for (u64 done = 0; done < sectors;) {
        u32 count = read_some(lba + done, sectors - done);
        a20_enable(); // a BIOS that reaches above 1 MiB itself may have switched it off again
        memcpy((u8 *)to + done * SECTOR_SIZE, (const void *)BOUNCE, count * SECTOR_SIZE);
        done += count;
        boot.sectors += count;
        u32 now = LOW_MEMORY(u32, BIOS_TICKS);
        if (now - last < TICKS_SECOND || done == sectors) continue;
        last = now;
        say("read %lu of %lu KiB", done / 2, sectors / 2);
    }
}

// Without the BIOS's timer interrupt nothing else would stop it.
void disk_done(void) {
    if (is_floppy()) outb(FLOPPY_CONTROL, FLOPPY_MOTORS_OFF);
}
