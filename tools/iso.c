// See medium.h. Sections are those of ECMA-119 (ISO 9660), or of El Torito where it is named.
#include <string.h>

#include "tools/medium.h"

#define FILE_NAME      "VMOS.IMG;1"
#define DIRECTORY_FLAG 2
enum { PRIMARY = 1, BOOT_RECORD = 0, TERMINATOR = 255 }; // volume descriptor types, ECMA-119 8.1.1
enum { PATH_TABLE_LENGTH = 10 };                         // of the root alone

// Most numbers stand in both byte orders, the little end first (7.2.3, 7.3.3).
static void put_little(u8 *to, u32 value, int bytes) {
    for (int i = 0; i < bytes; i++) to[i] = (u8)(value >> 8 * i);
}

static void put_big(u8 *to, u32 value, int bytes) {
    for (int i = 0; i < bytes; i++) to[bytes - 1 - i] = (u8)(value >> 8 * i);
}

static void put_both(u8 *to, u32 value, int bytes) {
    put_little(to, value, bytes);
    put_big(to + bytes, value, bytes);
}

static u8 *descriptor(u8 *volume, u32 index, u8 type) {
    u8 *at = volume + (CD_DESCRIPTORS + index) * CD_SECTOR_SIZE;
    at[0] = type;
    memcpy(at + 1, "CD001\1", 6);
    return at;
}

// A directory record (9.1); its date stays 0: not given. Returns where the next one goes.
static u8 *put_record(u8 *at, const char *name, u32 name_length, u32 sector, u32 length, u8 flags) {
    u32 record_length = ROUND_UP(33 + name_length, 2);
    at[0] = (u8)record_length;
    put_both(at + 2, sector, 4);
    put_both(at + 10, length, 4);
    at[25] = flags;
    put_both(at + 28, 1, 2); // number of the volume in its set
    at[32] = (u8)name_length;
    memcpy(at + 33, name, name_length);
    return at + record_length;
}

// 8.4
static void put_primary(u8 *at, u32 sectors) {
    memset(at + 8, ' ', 64); // names of the system and the volume
    memcpy(at + 40, "VMOS", 4);
    put_both(at + 80, sectors, 4);
    put_both(at + 120, 1, 2); // volumes in the set
    put_both(at + 124, 1, 2); // which of them
    put_both(at + 128, CD_SECTOR_SIZE, 2);
    put_both(at + 132, PATH_TABLE_LENGTH, 4);
    put_little(at + 140, CD_PATHS, 4);
    put_big(at + 148, CD_PATHS + 1, 4);
    put_record(at + 156, "", 1, CD_ROOT, CD_SECTOR_SIZE, DIRECTORY_FLAG);
    memset(at + 190, ' ', 813 - 190); // who made it, and names of files about it
    for (int date = 0; date < 4; date++) memset(at + 813 + 17 * date, '0', 16);
    at[881] = 1; // version of the file structure
}

// The path table's one entry (9.4): the root, which is its own parent.
static void put_path(u8 *at, void (*put)(u8 *, u32, int)) {
    at[0] = 1; // length of its name: one byte, 0
    put(at + 2, CD_ROOT, 4);
    put(at + 6, 1, 2);
}

// El Torito 2.1 and 2.2: that it is valid, so that its words add up to 0, and what to start,
// without emulation.
static void put_catalog(u8 *at) {
    at[0] = 1;
    put_little(at + 30, 0xaa55, 2);
    put_little(at + 28, 0x10000 - 0xaa55 - 1, 2);
    at[32] = 0x88;                                // bootable
    put_little(at + 38, CD_SECTOR_SIZE / 512, 2); // to load, in units of 512 bytes
    put_little(at + 40, CD_BOOT, 4);
}

void iso_describe(u8 *volume, const u8 *mbr, const u8 *loader, u32 file_length) {
    memcpy(volume + CD_BOOT * CD_SECTOR_SIZE, mbr, SECTOR_SIZE);
    memcpy(volume + CD_LOADER * CD_SECTOR_SIZE, loader,
           ((const struct loader_header *)loader)->length);
    put_primary(descriptor(volume, 0, PRIMARY),
                CD_IMAGE + ROUND_UP(file_length, CD_SECTOR_SIZE) / CD_SECTOR_SIZE);
    u8 *boot_record = descriptor(volume, 1, BOOT_RECORD);
    memcpy(boot_record + 7, "EL TORITO SPECIFICATION", 23);
    put_little(boot_record + 71, CD_CATALOG, 4);
    descriptor(volume, 2, TERMINATOR);
    put_catalog(volume + CD_CATALOG * CD_SECTOR_SIZE);
    put_path(volume + CD_PATHS * CD_SECTOR_SIZE, put_little);
    put_path(volume + (CD_PATHS + 1) * CD_SECTOR_SIZE, put_big);
    u8 *record = volume + CD_ROOT * CD_SECTOR_SIZE;
    record = put_record(record, "", 1, CD_ROOT, CD_SECTOR_SIZE, DIRECTORY_FLAG);
    record = put_record(record, "\1", 1, CD_ROOT, CD_SECTOR_SIZE, DIRECTORY_FLAG);
    put_record(record, FILE_NAME, sizeof(FILE_NAME) - 1, CD_IMAGE, file_length, 0);
}
