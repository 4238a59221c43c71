// The loader checks itself. All of this file lies in the loader's first sector (loader.ld), which
// must be sound for the rest to be checked, and uses nothing outside of it: no variable, no
// function, no string.
#include "loader/loader.h"
#include "kernel/device/uart.h"

#define CRC32C_REFLECTED 0x82f63b78
#define WHITE_ON_RED     0x4f00

extern const u8 loader_gdt_pointer[10], loader_idt_pointer[10];

// CRC-32C of the whole loader, its own field counted as 0. Without the instruction bit by bit:
// slow, but small.
static bool check_sound(void) {
    bool has_crc32 = cpuid(1, 0).ecx & CPUID_1_ECX_SSE42;
    u32 expected = loader_header.crc;
    if (loader_header.length > LOADER_END - LOADER) return false;
    const u64 *at = (const u64 *)&loader_header;
    const u64 *end = at + loader_header.length / sizeof(u64);
    u64 crc = UINT32_MAX;
    loader_header.crc = 0;
    // By fours, of which a sector is a whole number. A wrong length gives a wrong CRC.
    while (has_crc32 && at < end) {
        __asm__("crc32q %1, %0\n\tcrc32q %2, %0\n\tcrc32q %3, %0\n\tcrc32q %4, %0"
                : "+r"(crc)
                : "m"(at[0]), "m"(at[1]), "m"(at[2]), "m"(at[3]));
        at += 4;
    }
    for (; at < end; at++) {
        crc ^= *at;
        for (int bit = 0; bit < 64; bit++) {
            bool carry = crc & 1;
            crc >>= 1;
            if (carry) crc ^= CRC32C_REFLECTED;
        }
    }
    loader_header.crc = expected;
    return (u32)~crc == expected;
}

// Says so in text memory, on port e9 if an emulator listens there, else on COM1 as the BIOS left
// it. Then ends the emulator or stands still: the way back to real mode is not to be trusted.
static void __attribute__((noreturn)) check_damaged(void) {
    u16 port = inb(DEBUGCON_PORT) == DEBUGCON_PORT ? DEBUGCON_PORT : COM1_PORT;
    u64 screen = TEXT_SCREEN;
    const char *at =
        "vmos! the image is damaged: its loader has a wrong CRC; write it again\nvmos: exit 125\n";
    for (; *at; at++) {
        if (*at == '\n') {
            screen = TEXT_SCREEN + 160; // the next line
        } else {
            LOW_MEMORY(u16, screen) = WHITE_ON_RED | *at;
            screen += 2;
        }
        // Where there is no COM1 its port reads ff, and the wait ends at once.
        uart_wait(COM1_PORT, LSR_THRE, UART_WAIT_SHORT);
        outb(port, *at);
    }
    if (port == DEBUGCON_PORT) {
        outsb(BOCHS_SHUTDOWN_PORT, "Shutdown", 8);
        outb(DEBUG_EXIT_PORT, DEBUG_EXIT_ORDERLY);
    }
    for (;;) __asm__ volatile("hlt");
}

void __attribute__((noreturn)) loader_start(void) {
    u64 started = rdtsc();
    if (!check_sound()) check_damaged();
    __asm__ volatile("lgdt %0\n\tlidt %1" ::"m"(loader_gdt_pointer), "m"(loader_idt_pointer));
    loader_main(started);
}
