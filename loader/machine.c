// What only the BIOS knows and the kernel will want: the text screen, the EBDA, the ACPI root
// pointer.
#include "loader/loader.h"

// word: KiB of memory below the EBDA, what int 12h returns
#define BDA_MEMORY_KIB   0x413
#define BDA_COLUMNS      0x44a              // word
#define BDA_LAST_ROW     0x484              // byte: rows - 1, 0 on adapters before EGA
#define VIDEO_SET_MODE_3 0x0003             // int 10h AH=00h: 80x25 colour text
#define RSDP_SIGNATURE   0x2052545020445352 // "RSD PTR "
#define RSDP_BYTES       20                 // of revision 0; the kernel checks what later ones add

// Text at TEXT_SCREEN needs mode 3, or 2, the same for monochrome monitors. Bit 7: the screen was
// not cleared.
static bool machine_in_text_mode(void) { return (LOW_MEMORY(u8, BDA_VIDEO_MODE) & 0x7e) == 2; }

// A firmware with a logo may leave a graphics mode behind.
static void machine_find_screen(void) {
    struct bios_regs regs = {.eax = VIDEO_SET_MODE_3};
    if (!LOW_MEMORY(u16, BDA_CRTC_PORT)) return;
    if (!machine_in_text_mode()) bios_call(0x10, &regs);
    if (!machine_in_text_mode()) return;
    u8 last_row = LOW_MEMORY(u8, BDA_LAST_ROW);
    boot.text_columns = LOW_MEMORY(u16, BDA_COLUMNS);
    boot.text_rows = 25;
    if (last_row) boot.text_rows = last_row + 1;
}

// ACPI 5.2.5.1 and 5.2.5.3: on a 16-byte line, with a signature and bytes that add up to 0.
static u64 machine_find_rsdp(u64 start, u64 end) {
    for (u64 at = start; at < end; at += 16) {
        u8 sum = 0;
        if (*(const u64 *)at != RSDP_SIGNATURE) continue;
        for (int i = 0; i < RSDP_BYTES; i++) sum += ((const u8 *)at)[i];
        if (!sum) return at;
    }
    return 0;
}

// Fills text_columns, text_rows, ebda and rsdp of boot. Two places say where conventional memory
// ends, and they need not agree: the lower one counts. Values below EBDA_LOWEST are nonsense. The
// root pointer lies in the first KiB of the EBDA or in the BIOS ROM.
void machine_describe(void) {
    u64 conventional = (u64)LOW_MEMORY(u16, BDA_MEMORY_KIB) << 10;
    u64 ebda = (u64)LOW_MEMORY(u16, BDA_EBDA_SEGMENT) << 4;
    machine_find_screen();
    boot.ebda = LEGACY_HOLE;
    if (conventional >= EBDA_LOWEST && conventional < boot.ebda) boot.ebda = conventional;
    if (ebda >= EBDA_LOWEST && ebda < LEGACY_HOLE) boot.rsdp = machine_find_rsdp(ebda, ebda + 1024);
    if (ebda >= EBDA_LOWEST && ebda < boot.ebda) boot.ebda = ebda;
    // Nearly all have it in the system BIOS.
    if (!boot.rsdp) boot.rsdp = machine_find_rsdp(SYSTEM_BIOS_ROM, HIGH_MEMORY);
    if (!boot.rsdp) boot.rsdp = machine_find_rsdp(BIOS_ROM, SYSTEM_BIOS_ROM);
}
