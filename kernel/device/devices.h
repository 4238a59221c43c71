// The few devices the spine needs, one file each. Nothing here calls up: who wants input registers
// a function.
#pragma once

#include "boot/bootinfo.h"
#include "kernel/lib/address.h"

// ---- emulator.c (shared with the loader): ports that belong to an emulator, touched only once it
// is recognised ----
enum emulator { EMULATOR_NONE, EMULATOR_QEMU, EMULATOR_BOCHS };
// QEMU by its CPUID signature, Bochs by port 0xe9 reading 0xe9 without one.
enum emulator emulator_recognise(void);
bool emulator_has_debugcon(void); // reading port 0xe9 gives 0xe9
// Asks the emulator to end; returns when it did not (no such device, or no emulator).
void emulator_exit(void);

// ---- logwire.c (shared with the loader): port 0xe9, else COM2, else COM1 ----
void logwire_init(void);
void logwire_write(const char *text, size_t bytes);
void logwire_flush(void); // waits, bounded, until the last bit has left
bool logwire_is_com1(void);

// ---- serial.c: COM1, the program's terminal, byte-transparent ----
bool serial_init(void); // false: no such port; before it, and then, nothing is done
// Interrupts from here on. Called in interrupt context: got (NULL: nobody reads) with each byte;
// room when there may be room again, or nothing waits any more. False: there is no port.
bool serial_begin(void (*got)(u8 byte), void (*room)(void));
void serial_write(const void *bytes, size_t count); // never waits; what does not fit is lost
bool serial_has_room(size_t bytes);                 // for so many; else room() is called
bool serial_is_empty(void);                         // all has left; else room() is called
u32 serial_waiting(void);                           // bytes that have not left
void serial_log(const char *text, size_t bytes);
// Waits until the last bit has left, but not for ever; patiently: for whoever reads it and pauses,
// too.
void serial_flush(bool patiently);
void serial_panic(const char *text, size_t bytes); // unless it is the wire of the log

// ---- screen.c: text, on VGA's text screen or on a framebuffer ----
void screen_init(const struct boot_info *boot);
void screen_begin(void); // from here on a framebuffer is drawn in steps
// Returns how many bytes were taken; not all of them may be drawn yet.
size_t screen_write(const char *text, size_t bytes);
bool screen_show(void);                          // the next step; true: all is drawn
void screen_later(void);                         // the next steps are left to CPU 0
void screen_log(const char *line, size_t bytes); // on a line of its own
unsigned screen_columns(void);                   // 0: there is no screen
unsigned screen_rows(void);
const struct boot_framebuffer *screen_framebuffer(void); // NULL: none
unsigned screen_yield(bool program_draws);               // returns how many lines it has room for

// ---- rtc.c, kvmclock.c ----
// Since 1970: KVM's clock or the RTC read at first use, time_now_ns() from there on.
u64 time_wall_ns(void);
u64 kvm_clock_ns(void); // since 1970; 0: there is none

// ---- acpi.c: pure parsers (host-tested, fuzzed); table memory is reached by window_map ----
#define ACPI_CPUS     1024 // that there are slots for
#define ACPI_IO_APICS 64   // servers with four sockets have 17
#define ACPI_TABLES   256  // that are looked at

#define PCI_ADDRESS 0xcf8
#define PCI_DATA    0xcfc
#define PCI_ENABLE  (1u << 31)

// A register of one byte that a table names by space and address.
struct acpi_register {
    enum { ACPI_NOWHERE, ACPI_PORT, ACPI_MEMORY, ACPI_PCI } space;
    u16 port;
    u32 pci; // what port PCI_ADDRESS wants; the two lowest bits say which byte of PCI_DATA
    volatile u8 *memory;
};

struct acpi_info {
    u16 pm1a_control, pm1b_control; // ports; 0: none
    u16 pm_timer;                   // port; 0: none
    bool no_keyboard;               // there is no 8042
    struct acpi_register sleep; // SLEEP_CONTROL_REG, instead of the PM1 ports on reduced hardware
    struct acpi_register reset; // RESET_REG
    u8 reset_value;             // restarts the machine there
    u8 acpi_on;                 // to smi_command: the ports above become the system's own
    u16 smi_command;            // port; 0: they are
    paddr hpet;                 // 0: none
    paddr pci_config;           // 0: none; of bus 0 of segment 0
    u8 pci_first_bus, pci_last_bus; // that it covers
    u32 cpu_count; // CPUs that firmware calls enabled, the boot CPU among them; 0: no table says
    u32 ignored;   // CPUs beyond ACPI_CPUS
    u32 cpus[ACPI_CPUS]; // their APIC ids, each once, in the table's order
    u32 io_apic_count;
    struct {
        u32 address, gsi; // physical; its first line
    } io_apics[ACPI_IO_APICS];
    struct {
        u32 gsi;    // the line of this ISA interrupt: the same number unless overridden
        bool low;   // active low; ISA's own are active high
        bool level; // level-triggered; ISA's own are edge-triggered
    } isa[16];
    // These may hold _S5_. They are mapped as a whole, and their checksums were not looked at.
    const u8 *dsdt;
    const u8 *ssdts[ACPI_TABLES];
    u32 ssdt_count;
    u8 nmi_lint;  // the local APICs' pin for NMIs, 0 or 1; 0xff: none said
    bool nmi_low; // which is active low
};
// info begins as zeroes; what is missing stays so, and the log says it.
void acpi_init(paddr rsdp, struct acpi_info *info);
bool acpi_find_s5(const struct acpi_info *info, u8 slp_typ[2]) MUST_USE; // SLP_TYPa and SLP_TYPb

// ---- ioapic.c ----
// The boot CPU's local APIC, and the IO-APICs with all lines masked; acpi must stay.
void interrupts_init(const struct acpi_info *acpi);

// ---- aps.c ----
void cpus_start(const struct acpi_info *acpi, const struct boot_low *low); // the others

// ---- keys.c: scan codes to bytes of a terminal, pure ----
#define KEYS_BYTES   8   // one scan code gives fewer
#define KEYS_RESTART 100 // as a number of bytes: Ctrl-Alt-Del
enum { KEYS_SHIFT = 1, KEYS_CTRL = 4, KEYS_ALT = 16, KEYS_CAPS = 64, KEYS_CAPS_ON = 128 };
struct keys { // zeroes to begin with
    // KEYS_*: which are down, the right one of two at twice the bit; and whether Caps Lock is on.
    u8 held;
    bool extended;
    u8 skip; // so many codes more mean nothing
};
// Returns how many bytes, or KEYS_RESTART.
size_t keys_decode(struct keys *keys, u8 code, u8 bytes[KEYS_BYTES]);

// ---- keyboard.c ----
void keyboard_init(const struct acpi_info *acpi); // lives for ever
bool keyboard_on_input(void (*got)(u8 byte));     // false: there is no keyboard

// ---- power.c ----
void power_init(const struct acpi_info *acpi); // lives for ever
// Ends the machine: "vmos: exit N" as the last line. An emulator that can be asked to ends. Then
// what after= says; without it a virtual machine goes off, and on a PC the report stays on the
// screen and any key restarts.
void power_end(int status) __attribute__((noreturn));
void power_restart(void) __attribute__((noreturn));
