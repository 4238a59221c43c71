// Every number that two parts of vmos agree on, sorted by address. Shared by C, NASM and the linker
// scripts: only "#define NAME value // note" lines and #if guards, no suffixes, so that one sed
// turns this file into NASM.
#pragma once

// ---- physical memory while booting (README.md beside it has the same table) ----
#define BDA_EBDA_SEGMENT 0x40e // word: segment of the extended BIOS data area
#define BDA_VIDEO_MODE   0x449 // byte: current video mode; 3 is 80x25 colour text
#define BDA_CRTC_PORT    0x463 // word: 0x3d4 on colour adapters, 0 when there is no adapter

#define BOOT_PML4 0x1000 // first page tables, made by start.asm
#define BOOT_PDPT 0x2000
// What the BIOS way puts into boot_info; behind the loader nothing relies on these two.
#define AP_START 0x1000 // later, and for ever: where the other CPUs begin, in real mode
#define AP_ROOT  0x2000 // their first PML4: CR3 has 32 bits then
#define AP_END   0x3000
// dword: count of entries; the entries follow at E820_ENTRIES, as the BIOS gave them
#define E820_MAP        0x3000
#define E820_ENTRIES    0x3008
#define E820_ENTRY_SIZE 20
#define E820_MAX        614 // (E820_END - E820_ENTRIES) / E820_ENTRY_SIZE
#define E820_END        0x6000
#define BOOT_PD         0x6000 // 2 MiB pages: not every CPU has 1 GiB pages
#define BOOT_PD_END     0x7000
#define MBR_E820_BUFFER 0x7000 // one fixed E820 entry, copied out after each call
#define MBR_CD          0x701c // dword: CD_IMAGE when start.asm came from a CD, else 0
#define BOOT_STACK      0x7020 // of start.asm, grows down from BOOT_STACK_END
#define BOOT_STACK_END  0x7bf4
#define MBR_TSC         0x7bf4 // qword: time stamp when start.asm began
#define MBR_DRIVE       0x7bfe // byte: BIOS drive number that start.asm read the loader from
#define MBR             0x7c00
#define MBR_END         0x7e00
#define LOADER          0x8000
// what lies below is given to nobody, as on Linux: BIOSes write there later, too
#define BIOS_WRITES_END  0x10000
#define LOADER_END       0x18000
#define REAL_STACK       0x18000 // stack of BIOS calls, grows down from REAL_STACK_END
#define REAL_STACK_END   0x1a000
#define LOADER_STACK     0x1a000 // grows down from LOADER_STACK_END
#define LOADER_STACK_END 0x20000
// BIOS transfers: 64 KiB on a 64 KiB line, since ISA DMA cannot cross one
#define BOUNCE     0x20000
#define BOUNCE_END 0x30000
// what lies below is in use until memory_end_boot() gives a part back
#define BOOT_MEMORY_END 0x30000
#define EBDA_LOWEST     0x80000 // an EBDA segment below this is nonsense (boot-time sanity check)
// video memory and ROMs up to 1 MiB, never RAM whatever the map says
#define LEGACY_HOLE     0xa0000
#define TEXT_SCREEN     0xb8000
#define BIOS_ROM        0xe0000     // RSDP search range on BIOS machines
#define SYSTEM_BIOS_ROM 0xf0000     // its upper half, in which the BIOS itself lies
#define HIGH_MEMORY     0x100000    // kernel and program go above
#define IDENTITY_END    0x100000000 // the loader maps the first 4 GiB one to one

// ---- the image: [MBR | loader | header, kernel, program, standard input, command line] ----
#define SECTOR_SIZE      512
#define DAP_MAX_SECTORS  127 // Phoenix EDD limit of one read
#define FLOPPY_SIZE      1474560
#define LOADER_MAGIC     0x534f4d56 // "VMOS", second dword of the loader
#define LOADER_END_MAGIC 0x444e4556 // "VEND", last dword of the loader
#define PAGE_SIZE        4096

// ---- a CD: ISO 9660 descriptors, then these, by numbers of 2048-byte sectors ----
#define CD_SECTOR_SIZE 2048
#define CD_DESCRIPTORS 16 // of the volume, its El Torito boot record, their end
#define CD_CATALOG     19 // which boot sector the BIOS shall load
#define CD_PATHS       20 // list of directories, once for each byte order
#define CD_ROOT        22 // directory
// start.asm as it is for a CD; alone in its sector, since many BIOSes load no more than one
#define CD_BOOT 23
// a copy of its own: where a file begins, and 64 KiB reads, are what every BIOS can do
#define CD_LOADER 24
#define CD_IMAGE  56 // the disk image, as the file VMOS.IMG

// ---- selectors (the same in the loader and the kernel; SYSCALL and SYSRET force the order) ----
#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
// SYSRET takes SS from here + 8 and the 64-bit CS from here + 16; nobody runs in it
#define USER_CS32    0x18
#define USER_SS      0x23
#define USER_CS      0x2b
#define TSS_SELECTOR 0x30
// its limit is the CPU's number, which ring 3 reads by LSL
#define NUMBER_SELECTOR 0x43

// ---- entries and exits of the kernel: what traps.asm shares with cpu.h and trap.h ----
// registers.vector of a context that entered by SYSCALL: it may leave by SYSRET
#define VECTOR_SYSCALL   0x100
#define REGISTERS_SIZE   176 // struct registers, which begins a context
#define REGISTERS_VECTOR 120 // offsets in it
#define REGISTERS_RIP    136
#define REGISTERS_RFLAGS 152
#define QUICK_NUMBERS    512       // of system calls that can be quick
#define QUICK_NOT        (-100003) // what a quick call returns that is not done: no error number
#define CPU_CURRENT      8         // offsets in struct cpu
#define CPU_SCRATCH      16
#define CPU_STACK_TOP    24
#define CPU_OPEN         45
#define TRAP_STUB_SIZE   9

// ---- the final address space ----
#define USER_START 0x1000 // page 0 is never mapped
// a SYSCALL in the last page would return to a non-canonical address
#define USER_END        0x7ffffffff000
#define WINDOW          0xffff800000000000 // physical memory, at the same offset
#define WINDOW_END      0xffffc00000000000
#define LINEAR          0xffffc00000000000 // usable memory without holes, largest pages first
#define LINEAR_END      0xfffffeffc0000000
#define KERNEL_BASE     0xfffffeffc0000000 // kernel image, 4 KiB pages
#define KERNEL_BASE_END 0xffffff0000000000
// slot n belongs to CPU n: data at its bottom, stack from its top
#define SLOTS         0xffffff0000000000
#define SLOT_SIZE     0x40000000
#define SLOT_DATA_MAX 0x1000000 // the CPU's own data, mapped as needed

// ---- emulator ports, touched only after the emulator was recognised ----
#define DEBUGCON_PORT       0xe9 // reads 0xe9 in QEMU and Bochs
#define DEBUG_EXIT_PORT     0xf4 // isa-debug-exit: QEMU's status becomes value * 2 + 1
#define DEBUG_EXIT_ORDERLY  0x10 // QEMU status 33: the guest ended in order and the log says how
#define BOCHS_SHUTDOWN_PORT 0x8900

#if E820_ENTRIES + E820_MAX * E820_ENTRY_SIZE > E820_END
#error "the E820 map runs into the page directory"
#endif
#if LOADER_END > REAL_STACK || REAL_STACK_END > LOADER_STACK || LOADER_STACK_END > BOUNCE
#error "boot memory regions overlap"
#endif
#if (CD_IMAGE - CD_LOADER) * CD_SECTOR_SIZE < LOADER_END - LOADER
#error "the largest loader runs into the image on a CD"
#endif
#if BOUNCE % 0x10000 != 0 || BOUNCE_END - BOUNCE < DAP_MAX_SECTORS * SECTOR_SIZE
#error "a BIOS transfer would cross a 64 KiB line"
#endif
