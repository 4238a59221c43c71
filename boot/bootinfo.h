// What the loader hands the kernel, in RDI: one struct in the loader's memory. All addresses are
// physical.
#pragma once

#include "boot/layout.h"
#include "kernel/lib/types.h"

#define BOOT_INFO_MAGIC   0x4f464e49534f4d56 // "VMOSINFO"
#define BOOT_INFO_VERSION 4

struct e820_entry {
    u64 base;
    u64 length;
    u32 type; // 1 usable; everything else is not
} __attribute__((packed));
_Static_assert(sizeof(struct e820_entry) == E820_ENTRY_SIZE, "as the BIOS writes it");

struct boot_part {
    u64 start;
    u64 length;
};

// Time stamps of the boot chain, one per stage at the moment it starts.
enum boot_stage {
    STAGE_MBR,
    STAGE_LOADER,
    STAGE_KERNEL_LOW,
    STAGE_KERNEL_HIGH,
    STAGE_PROGRAM_LOAD,
    STAGE_PROGRAM,
    STAGES
};

// The TSC and a counter of known rate at one moment.
struct reading {
    u64 tsc; // 0: none was taken
    u32 count;
    u32 source; // which counter
    u64 gap;    // TSC ticks within which both were read
};

// A linear framebuffer: row by row from the upper left corner. A colour lies in so many bits from
// this bit of a pixel on.
struct boot_framebuffer {
    u64 address; // physical; 0: the screen shows text
    u32 pitch;   // bytes from one row to the next
    u16 width, height;
    u8 bits; // a pixel, as it is stored: 16, 24 or 32
    u8 red_at, red_bits, green_at, green_bits, blue_at, blue_bits;
    u8 zero[5];
};

// What its text takes: three screens of 16-bit cells, each 8 x 16 pixels.
static inline u64 screen_bytes(const struct boot_framebuffer *framebuffer) {
    return 3 * sizeof(u16) * (framebuffer->width / 8u) * (framebuffer->height / 16u);
}

// Memory that the kernel starts with beside its image: behind the loader no address is fixed. Whole
// pages; length 0: there is none.
struct boot_low {
    struct boot_part ap_start; // where the other CPUs begin, in real mode: below 1 MiB, for ever
    struct boot_part ap_root;  // their first PML4: below 4 GiB, for ever
    struct boot_part
        firmware;            // given to nobody, since firmware may write there; need not be usable
    struct boot_part loader; // the loader and all that it made: free when booting is over
    struct boot_part handover; // in it: what the low kernel hands to the high one, and plans in
};

// What the BIOS way boots in, and what becomes of it.
static inline struct boot_low boot_low_of_bios(void) {
    return (struct boot_low){
        .ap_start = {AP_START, PAGE_SIZE},
        .ap_root = {AP_ROOT, PAGE_SIZE},
        .firmware = {AP_END, BIOS_WRITES_END - AP_END},
        .loader = {BIOS_WRITES_END, BOOT_MEMORY_END - BIOS_WRITES_END},
        .handover = {BOUNCE, BOUNCE_END - BOUNCE},
    };
}

struct boot_info {
    u64 magic;
    u32 version;
    u32 size; // of this struct
    u64 e820; // struct e820_entry[e820_count], as the BIOS gave them
    u32 e820_count;
    u8 drive;        // BIOS number
    u8 edd;          // 1: read by int 13h AH=42h, 0: by AH=02h
    u8 text_columns; // 0: no text screen. With a framebuffer it is not used
    u8 text_rows;
    u32 bios_calls;              // made by the loader
    u32 sectors;                 // read by the loader
    u64 ebda;                    // lowest byte that belongs to the BIOS below 640 KiB
    u64 rsdp;                    // 0: none found
    struct boot_part kernel_low; // the kernel as the loader placed it; runs here first
    struct boot_part payload;    // header and all parts, as they lie in the image; starts on a page
    struct boot_part kernel;     // the kernel's ELF file, inside the payload
    struct boot_part program;
    struct boot_part input; // standard input; only meaningful with has_input
    struct boot_part command;
    u8 has_input; // standard input travels in the image (perhaps empty); else it is the terminal
    u8 zero;
    u16 sector_size; // of the medium: 512, or 2048 on a CD
    u32 read_most;   // sectors a BIOS call was asked for at last
    struct boot_framebuffer framebuffer;
    struct boot_part screen; // memory for the text on it
    u64 tsc[STAGES];         // the loader fills the first three
    struct reading pit;      // channel 2 of the PIT, which counts from here on
    struct boot_low low;
};
