// What only the BIOS knows and the kernel will want: the text screen, where the BIOS keeps data of its own below
// 640 KiB, and the ACPI root pointer.
#include "loader/loader.h"

#define BDA_MEMORY_KIB   0x413  // word: KiB of memory below the EBDA, what int 12h returns
#define BDA_COLUMNS      0x44a  // word
#define BDA_LAST_ROW     0x484  // byte: rows - 1, 0 on adapters before EGA
#define VIDEO_SET_MODE_3 0x0003 // int 10h AH=00h: 80x25 colour text
#define TEXT_MODE_2      2      // as 3, for monochrome monitors
#define TEXT_MODE_3      3
#define RSDP_SIGNATURE   0x2052545020445352 // "RSD PTR "
#define RSDP_REVISION    15                 // offset of the revision, ACPI 5.2.5.3
#define RSDP_LENGTH      20                 // dword from revision 2 on, and length of revision 0
#define RSDP_MOST        256                // a longer one is nonsense

// A firmware with a logo may leave a graphics mode behind; text at TEXT_SCREEN needs mode 2 or 3.
static void find_screen(void) {
    if (!LOW_MEMORY(u16, BDA_CRTC_PORT)) return;
    for (int tries = 0; tries < 2; tries++) {
        u8 mode = LOW_MEMORY(u8, BDA_VIDEO_MODE) & 0x7f;
        if (mode == TEXT_MODE_2 || mode == TEXT_MODE_3) {
            u8 last_row = LOW_MEMORY(u8, BDA_LAST_ROW);
            boot.text_columns = LOW_MEMORY(u16, BDA_COLUMNS);
            boot.text_rows = last_row ? last_row + 1 : 25;
            return;
        }
        struct bios_regs regs = {.eax = VIDEO_SET_MODE_3};
        bios_call(0x10, &regs);
    }
}

static u64 lower_if_plausible(u64 lowest, u64 candidate) {
    return candidate >= EBDA_LOWEST && candidate < lowest ? candidate : lowest;
}

// Two places say where conventional memory ends, and they need not agree: the lower one counts.
static void find_ebda(void) {
    boot.ebda = lower_if_plausible(LEGACY_HOLE, (u64)LOW_MEMORY(u16, BDA_MEMORY_KIB) << 10);
    boot.ebda = lower_if_plausible(boot.ebda, (u64)LOW_MEMORY(u16, BDA_EBDA_SEGMENT) << 4);
}

static bool sums_to_zero(const u8 *bytes, size_t count) {
    u8 sum = 0;
    while (count--) sum += *bytes++;
    return !sum;
}

static bool is_rsdp(const u8 *at) {
    u32 length = at[RSDP_REVISION] >= 2 ? *(const u32 *)(at + RSDP_LENGTH) : 20;
    return sums_to_zero(at, 20) && length >= 20 && length <= RSDP_MOST && sums_to_zero(at, length);
}

// ACPI 5.2.5.1: on a 16-byte line in the first KiB of the EBDA, or in the BIOS ROM.
static u64 find_rsdp(u64 start, u64 end) {
    for (u64 at = start; at < end; at += 16)
        if (*(const u64 *)at == RSDP_SIGNATURE && is_rsdp((const u8 *)at)) return at;
    return 0;
}

void machine_describe(void) {
    find_screen();
    find_ebda();
    u64 ebda = (u64)LOW_MEMORY(u16, BDA_EBDA_SEGMENT) << 4;
    if (ebda >= EBDA_LOWEST && ebda < LEGACY_HOLE) boot.rsdp = find_rsdp(ebda, ebda + 1024);
    if (!boot.rsdp) boot.rsdp = find_rsdp(BIOS_ROM, HIGH_MEMORY);
}
