// kernel/lib/elf.c: one hostile file for every error, loading and relocating checked byte by byte,
// symbols of asm and C, and real programs built on the spot. Files lie in blocks of exactly their
// length, so that the sanitizer sees every read behind them, at odd addresses too.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test/check.h"
#include "kernel/lib/elf.c"
#include "kernel/lib/elf_symbols.c"

// A small file: header, up to 8 segments, then data up to FILE_SIZE.
enum { FILE_SIZE = 0x3000 };
struct small {
    Elf64_Ehdr header;
    Elf64_Phdr segments[8];
    u8 data[FILE_SIZE - sizeof(Elf64_Ehdr) - 8 * sizeof(Elf64_Phdr)];
};

// Text at 0x1000, data with bss at 0x3010.
static struct small good_file(void) {
    struct small file = {.header = {.e_type = ET_DYN,
                                    .e_machine = EM_X86_64,
                                    .e_version = 1,
                                    .e_entry = 0x1004,
                                    .e_phoff = sizeof(Elf64_Ehdr),
                                    .e_ehsize = sizeof(Elf64_Ehdr),
                                    .e_phentsize = sizeof(Elf64_Phdr),
                                    .e_phnum = 3}};
    memcpy(file.header.e_ident, "\177ELF\2\1\1", 7);
    file.segments[0] = (Elf64_Phdr){PT_LOAD, PF_R | PF_X, 0x1000, 0x1000, 0, 0x800, 0x800, 0x1000};
    file.segments[1] = (Elf64_Phdr){PT_LOAD, PF_R | PF_W, 0x2010, 0x3010, 0, 0x500, 0x1800, 0x1000};
    file.segments[2] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W};
    for (size_t i = 0; i < sizeof file.data; i++) file.data[i] = (u8)(i % 251 + 1);
    return file;
}

// Opens a copy of the first length bytes that lies at an odd address, with nothing behind it.
static enum elf_error opens_at(const void *file, u64 length, struct elf *elf) {
    static u8 *block;
    free(block);
    block = malloc(length + 1);
    memcpy(block + 1, file, length);
    return elf_open(elf, block + 1, length);
}

static enum elf_error opens(const struct small *file) {
    struct elf elf;
    return opens_at(file, sizeof *file, &elf);
}

static enum elf_error opens_as_kernel(const struct small *file) {
    struct elf elf;
    enum elf_error error = opens_at(file, sizeof *file, &elf);
    return error ? error : elf_open_kernel(&elf, elf.file, elf.length);
}

#define EXPECT_OF(function, error, change)                                                         \
    do {                                                                                           \
        struct small file = good_file();                                                           \
        change;                                                                                    \
        CHECK(function(&file) == (error));                                                         \
    } while (0)
#define EXPECT(error, change)        EXPECT_OF(opens, error, change)
#define EXPECT_KERNEL(error, change) EXPECT_OF(opens_as_kernel, error, change)

static void test_headers(void) {
    struct small good = good_file();
    struct elf elf;
    CHECK(opens(&good) == ELF_OK);
    EXPECT(ELF_NOT_ELF, file.header.e_ident[1] = 'F');
    EXPECT(ELF_32_BIT, file.header.e_ident[EI_CLASS] = ELFCLASS32; file.header.e_machine = EM_386);
    EXPECT(ELF_32_BIT, file.header.e_ident[EI_CLASS] = ELFCLASS32;
           file.header.e_phentsize = 32); // x32
    EXPECT(ELF_BIG_ENDIAN, file.header.e_ident[EI_DATA] = ELFDATA2MSB;
           file.header.e_machine = EM_AARCH64 << 8);
    EXPECT(ELF_OTHER_MACHINE, file.header.e_machine = EM_AARCH64);
    EXPECT(ELF_NOT_PROGRAM, file.header.e_type = ET_REL);
    EXPECT(ELF_NOT_PROGRAM, file.header.e_type = ET_CORE);
    EXPECT(ELF_BAD_HEADERS, file.header.e_phentsize = 32);
    EXPECT(ELF_BAD_HEADERS, file.header.e_phnum = PN_XNUM);
    EXPECT(ELF_BAD_HEADERS, file.header.e_phnum = 65536 / 56 + 1);
    EXPECT(ELF_NO_SEGMENTS, file.header.e_phnum = 0);
    EXPECT(ELF_SHORT, file.header.e_phnum = 65536 / 56);
    EXPECT(ELF_SHORT, file.header.e_phoff = sizeof file - 3 * sizeof(Elf64_Phdr) + 1);
    EXPECT(ELF_SHORT, file.header.e_phoff = UINT64_MAX - 16);
    EXPECT(ELF_OK, memset(file.header.e_ident + 4, 0, 12)); // which Linux does not look at
    EXPECT(ELF_OK, memset(file.header.e_ident + 4, 1, 12));
    EXPECT(ELF_OK, memset(file.header.e_ident + 4, 2, 12));
    EXPECT(ELF_OK, file.header.e_version = 7; file.header.e_ehsize = 1; file.header.e_flags = 99);
    EXPECT(ELF_OK, memcpy((u8 *)&file + 0x2f01, file.segments, 3 * 56);
           file.header.e_phoff = 0x2f01);
    for (u64 length = 0; length < sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr); length++)
        CHECK(opens_at(&good, length, &elf) == ELF_SHORT);
    CHECK(opens_at("#!/bin/sh\n", 10, &elf) == ELF_NOT_ELF);
}

static void test_segments(void) {
    struct elf elf;
    EXPECT(ELF_DYNAMIC, file.segments[2].p_type = PT_INTERP);
    EXPECT(ELF_BAD_SEGMENT, file.segments[1].p_memsz = 0x4ff);
    EXPECT(ELF_BAD_SEGMENT, file.segments[1].p_filesz = UINT64_MAX);
    EXPECT(ELF_BAD_SEGMENT, file.segments[1].p_offset = 0x2018);
    EXPECT(ELF_BAD_SEGMENT, file.segments[1].p_offset = UINT64_MAX - 0xfef);
    EXPECT(ELF_BAD_SEGMENT, file.segments[1].p_offset = INT64_MAX - 0xfef);
    EXPECT(ELF_BAD_ADDRESS, file.segments[1].p_memsz = UINT64_MAX);
    EXPECT(ELF_BAD_ADDRESS, file.segments[1].p_memsz = UINT64_MAX - 0x3010);
    EXPECT(ELF_BAD_ADDRESS, file.segments[1].p_memsz = USER_END - 0x3010 + 1);
    EXPECT(ELF_OK, file.segments[1].p_memsz = USER_END - 0x3010);
    EXPECT(ELF_BAD_ADDRESS, file.segments[1].p_vaddr = UINT64_MAX - 0xfef;
           file.segments[1].p_memsz = 0x600);
    EXPECT(ELF_OK, file.segments[1].p_align = 0x1800);
    EXPECT(ELF_OK, file.segments[1].p_align = UINT64_MAX);
    EXPECT(ELF_OK, file.segments[1].p_vaddr = 0x10);
    EXPECT(ELF_OK, file.segments[0].p_memsz = 0x2011);
    EXPECT(ELF_OK, file.segments[1].p_vaddr = 0x1010);
    EXPECT(ELF_OK, file.segments[1].p_filesz = 0; file.segments[1].p_offset = 7);
    EXPECT(ELF_OK, file.segments[1].p_filesz = file.segments[1].p_memsz = 0;
           file.segments[1].p_offset = UINT64_MAX);
    EXPECT(ELF_NO_SEGMENTS, file.segments[0].p_type = file.segments[1].p_type = PT_NOTE);
    for (u64 entry = 0xfff; entry <= 0x1800; entry += 0x800)
        EXPECT(ELF_OK, file.header.e_entry = entry);

    EXPECT_KERNEL(ELF_OK, file.segments[0].p_memsz = 0x2010);
    EXPECT_KERNEL(ELF_OVERLAP, file.segments[0].p_memsz = 0x2011);
    EXPECT_KERNEL(ELF_OVERLAP, file.segments[1].p_vaddr = 0x10);
    EXPECT_KERNEL(ELF_SHORT, file.segments[1].p_filesz = file.segments[1].p_memsz = 0x1000);
    EXPECT_KERNEL(ELF_BAD_ENTRY, file.header.e_entry = 0x3010);
    EXPECT_KERNEL(ELF_BAD_ENTRY, file.header.e_entry = 0xfff);
    EXPECT_KERNEL(ELF_BAD_ENTRY, file.header.e_entry = 0x1800);
    EXPECT_KERNEL(ELF_OK, file.header.e_entry = 0x17ff);
    EXPECT_KERNEL(ELF_BAD_ENTRY, file.segments[0].p_flags = PF_R);

    struct small file = good_file();
    CHECK(opens_at(&file, sizeof file, &elf) == ELF_OK && elf.low == 0x1000 && elf.high == 0x5000);
    file.segments[2] =
        (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = 0x7123}; // Linux puts the heap behind empty ones
    CHECK(opens_at(&file, sizeof file, &elf) == ELF_OK && elf.low == 0x1000 && elf.high == 0x8000);
    file.segments[2].p_vaddr = 0;
    CHECK(opens_at(&file, sizeof file, &elf) == ELF_OK && elf.low == 0x1000 && elf.high == 0x5000);
}

// A segment may reach past the end of the file, unless its sections say that the file was longer.
static void test_ends(void) {
    struct elf elf;
    struct small file = good_file();
    CHECK(opens_at(&file, 0x2510, &elf) == ELF_OK);
    CHECK(opens_at(&file, 0x200f, &elf) == ELF_OK);
    CHECK(opens_at(&file, 0x2000, &elf) ==
          ELF_BAD_SEGMENT); // Linux clears from 0x2510 on, where no page is left
    file.segments[1].p_flags = PF_R;
    CHECK(opens_at(&file, 0x2000, &elf) == ELF_OK);
    Elf64_Shdr *sections = (Elf64_Shdr *)((u8 *)&file + 0x400);
    file.header.e_shoff = 0x400, file.header.e_shentsize = sizeof *sections,
    file.header.e_shnum = 4;
    memset(sections, 0, 4 * sizeof *sections);
    sections[1] = (Elf64_Shdr){.sh_type = SHT_PROGBITS, .sh_offset = 0x1000, .sh_size = 0x1000};
    sections[2] = (Elf64_Shdr){.sh_type = SHT_NOBITS, .sh_offset = UINT64_MAX, .sh_size = 0x1000};
    CHECK(opens_at(&file, 0x2000, &elf) == ELF_OK);
    CHECK(opens_at(&file, 0x1fff, &elf) == ELF_SHORT);
    sections[1].sh_size = UINT64_MAX;
    CHECK(opens_at(&file, 0x2000, &elf) == ELF_SHORT);
    sections[1].sh_size = 0;
    file.header.e_shoff = 0x2000;
    CHECK(opens_at(&file, 0x2000, &elf) == ELF_SHORT);
    file.header.e_shoff = UINT64_MAX;
    CHECK(opens_at(&file, 0x2000, &elf) == ELF_SHORT);
    CHECK(opens_at(&file, 0x2510, &elf) == ELF_OK); // all that is loaded is there
    file.header.e_shentsize = 63;
    CHECK(opens_at(&file, 0x2000, &elf) == ELF_OK);
}

static bool maps(Elf64_Phdr segment, u64 length, struct elf_mapping wanted) {
    struct small file = good_file();
    struct elf elf;
    file.segments[1] = segment;
    if (opens_at(&file, length, &elf) != ELF_OK) return false;
    struct elf_mapping got = elf_map(&elf, &elf.segments[1]);
    return !memcmp(&got, &wanted, sizeof got);
}

// The last page of the file is shown whole, but for a writable segment with zeros behind its bytes.
static void test_mappings(void) {
    Elf64_Phdr rw = {PT_LOAD, PF_R | PF_W, 0x1010, 0x3010, 0, 0x500, 0x500, 0}, r = rw;
    r.p_flags = PF_R;
    CHECK(maps(rw, FILE_SIZE, (struct elf_mapping){0x3000, 0x4000, 0x4000, 0x1000, 0x1000}));
    rw.p_memsz = 0x501;
    CHECK(maps(rw, FILE_SIZE, (struct elf_mapping){0x3000, 0x4000, 0x4000, 0x1000, 0x510}));
    rw.p_memsz = r.p_memsz = 0xff1;
    CHECK(maps(rw, FILE_SIZE, (struct elf_mapping){0x3000, 0x4000, 0x5000, 0x1000, 0x510}));
    CHECK(maps(r, FILE_SIZE, (struct elf_mapping){0x3000, 0x4000, 0x5000, 0x1000, 0x1000}));
    CHECK(maps(r, 0x1300, (struct elf_mapping){0x3000, 0x4000, 0x5000, 0x1000, 0x300}));
    CHECK(maps(r, 0x1000, (struct elf_mapping){0x3000, 0x4000, 0x5000, 0x1000, 0}));
    CHECK(maps(rw, 0x1300, (struct elf_mapping){0x3000, 0x4000, 0x5000, 0x1000, 0x300}));
    CHECK(!maps(rw, 0x1000, (struct elf_mapping){0}));
    rw.p_filesz = 0x1ff0, rw.p_memsz = 0x3000;
    CHECK(maps(rw, FILE_SIZE, (struct elf_mapping){0x3000, 0x5000, 0x7000, 0x1000, 0x2000}));
    CHECK(maps(rw, 0x1800, (struct elf_mapping){0x3000, 0x5000, 0x7000, 0x1000, 0x800}));
    rw.p_filesz = 0;
    CHECK(maps(rw, FILE_SIZE, (struct elf_mapping){0x3000, 0x3000, 0x7000, 0, 0}));
    rw.p_memsz = 0;
    CHECK(maps(rw, FILE_SIZE, (struct elf_mapping){0}));
}

static void test_stack(void) {
    struct elf elf;
    struct small file = good_file();
    CHECK(opens_at(&file, sizeof file, &elf) == ELF_OK && !elf.executable_stack);
    file.segments[2].p_flags |= PF_X;
    CHECK(opens_at(&file, sizeof file, &elf) == ELF_OK && elf.executable_stack);
    file.segments[1] = file.segments[2];
    file.segments[2].p_flags = 0; // the last one counts
    CHECK(opens_at(&file, sizeof file, &elf) == ELF_OK && !elf.executable_stack);
    file.segments[1].p_type = file.segments[2].p_type = PT_NULL;
    CHECK(opens_at(&file, sizeof file, &elf) == ELF_OK && !elf.executable_stack);
}

static void test_load(void) {
    struct small file = good_file();
    struct elf elf;
    CHECK(opens_at(&file, sizeof file, &elf) == ELF_OK);
    u8 *memory = malloc(elf.high - elf.low);
    memset(memory, 0xcc, elf.high - elf.low);
    elf_load(&elf, memory);
    int wrong = 0;
    for (u64 at = 0x1000; at < 0x5000; at++) {
        u8 want = 0;
        if (at < 0x1800) want = ((u8 *)&file)[at];
        if (at >= 0x3010 && at < 0x3510) want = ((u8 *)&file)[at - 0x1000];
        wrong += memory[at - 0x1000] != want;
    }
    CHECK(!wrong);
    free(memory);
}

// A dynamic table at 0x3100 and relocations at 0x3200, both in the data segment.
static struct small dynamic_file(Elf64_Rela *relocations, size_t count) {
    struct small file = good_file();
    Elf64_Dyn table[] = {{DT_RELA, {0x3200}},
                         {DT_RELASZ, {count * sizeof *relocations}},
                         {DT_RELAENT, {sizeof *relocations}},
                         {DT_NULL, {0}},
                         {DT_RELSZ, {99}}};
    file.header.e_phnum = 4;
    file.segments[3] =
        (Elf64_Phdr){PT_DYNAMIC, PF_R | PF_W, 0x2100, 0x3100, 0, sizeof table, sizeof table, 8};
    memcpy((u8 *)&file + 0x2100, table, sizeof table);
    memcpy((u8 *)&file + 0x2200, relocations, count * sizeof *relocations);
    return file;
}

static enum elf_error relocates(const struct small *file, u64 run_address, u8 *memory) {
    struct elf elf;
    enum elf_error error = opens_at(file, sizeof *file, &elf);
    if (error) return error;
    u8 *exact = malloc(elf.high - elf.low);
    elf_load(&elf, exact);
    error = elf_relocate(&elf, exact, run_address);
    if (memory) memcpy(memory, exact, elf.high - elf.low);
    free(exact);
    return error;
}

static void test_relocations(void) {
    static u8 memory[0x4000];
    Elf64_Rela rela[] = {{0x3013, R_X86_64_RELATIVE, 0x1234},
                         {0, R_X86_64_NONE, 0},
                         {0x4ff8, R_X86_64_RELATIVE, -16}};
    struct small file = dynamic_file(rela, 3), good = file;
    Elf64_Dyn *table = (Elf64_Dyn *)((u8 *)&file + 0x2100);
    for (int again = 0; again < 2; again++) {
        u64 base = again ? 0xfffffeffc0000000 : 0x200000, word;
        CHECK(relocates(&file, base, memory) == ELF_OK);
        memcpy(&word, memory + 0x2013, 8);
        CHECK(word == base - 0x1000 + 0x1234);
        memcpy(&word, memory + 0x3ff8, 8);
        CHECK(word == base - 0x1000 - 16);
    }
    table[1].d_un.d_val = 0, table[0].d_un.d_ptr = 77;
    CHECK(relocates(&file, 0, NULL) == ELF_OK);
#define EXPECT_BAD(change)                                                                         \
    file = good;                                                                                   \
    change;                                                                                        \
    CHECK(relocates(&file, 0, NULL) == ELF_BAD_RELOCATION)
    EXPECT_BAD(table[0].d_un.d_ptr = 0x5000 - 71);
    EXPECT_BAD(table[0].d_un.d_ptr = 0xfff);
    EXPECT_BAD(table[0].d_un.d_ptr = UINT64_MAX - 8);
    EXPECT_BAD(table[1].d_un.d_val = UINT64_MAX / 24 * 24);
    EXPECT_BAD(table[1].d_un.d_val = 71);
    EXPECT_BAD(table[2].d_un.d_val = 16);
    EXPECT_BAD(table[3].d_tag = DT_PLTRELSZ; table[3].d_un.d_val = 24);
    EXPECT_BAD(table[3].d_tag = DT_DEBUG); // the DT_RELSZ behind it is now seen
    EXPECT_BAD(file.segments[3].p_vaddr = 0x5000 - 79);
    EXPECT_BAD(file.segments[3].p_vaddr = 0);
    EXPECT_BAD(file.segments[3].p_memsz = UINT64_MAX);
    static const Elf64_Rela bad[] = {
        {0x3010, R_X86_64_64, 0},        {0x3010, ELF64_R_INFO(1, R_X86_64_RELATIVE), 0},
        {0x3010, R_X86_64_IRELATIVE, 0}, {0x4ff9, R_X86_64_RELATIVE, 0},
        {0xfff, R_X86_64_RELATIVE, 0},   {UINT64_MAX, R_X86_64_RELATIVE, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        file = good;
        memcpy((u8 *)&file + 0x2200, &bad[i], sizeof bad[i]);
        CHECK(relocates(&file, 0, NULL) == ELF_BAD_RELOCATION);
    }
    file = good_file();
    CHECK(relocates(&file, 0x123000, NULL) == ELF_OK);
}

// Packed ones: a place, a bitmap for the 63 words behind it, and one for the 63 behind those.
static void test_packed_relocations(void) {
    static u8 memory[0x4000];
    static const u64 places[] = {0x3300, 0x3308, 0x34f8, 0x3500},
                     good[] = {0x3300, 1ull << 63 | 1 << 1 | 1, 1 << 1 | 1};
    struct small file = good_file();
    Elf64_Dyn table[] = {
        {DT_RELR, {0x3200}}, {DT_RELRSZ, {sizeof good}}, {DT_RELRENT, {8}}, {DT_NULL, {0}}};
    file.header.e_phnum = 4;
    file.segments[3] =
        (Elf64_Phdr){PT_DYNAMIC, PF_R | PF_W, 0x2100, 0x3100, 0, sizeof table, sizeof table, 8};
    memcpy((u8 *)&file + 0x2100, table, sizeof table);
    memcpy((u8 *)&file + 0x2200, good, sizeof good);
    for (u64 i = 0; i < 65; i++) memcpy((u8 *)&file + 0x2300 + 8 * i, &i, 8);
    CHECK(relocates(&file, 0x200000, memory) == ELF_OK);
    for (u64 i = 0, word, next = 0; i < 65; i++) {
        bool moved = next < ARRAY_SIZE(places) && places[next] == 0x3300 + 8 * i;
        memcpy(&word, memory + 0x2300 + 8 * i, 8);
        CHECK(word == i + (moved ? 0x200000 - 0x1000 : 0));
        next += moved;
    }
    static const u64 bad[] = {3, 0x4ffa, 0xffe,
                              UINT64_MAX - 1}; // no place before it; over either end
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        memcpy((u8 *)&file + 0x2200, &bad[i], 8);
        CHECK(relocates(&file, 0, NULL) == ELF_BAD_RELOCATION);
    }
    static const u64 over[] = {0x4ff0, 3, 5}; // the last word that is there, then one bit too many
    memcpy((u8 *)&file + 0x2200, over, sizeof over);
    CHECK(relocates(&file, 0, NULL) == ELF_BAD_RELOCATION);
    Elf64_Dyn *at = (Elf64_Dyn *)((u8 *)&file + 0x2100);
    at[1].d_un.d_val = 16;
    CHECK(relocates(&file, 0, NULL) == ELF_OK);
    at[1].d_un.d_val = 15;
    CHECK(relocates(&file, 0, NULL) == ELF_BAD_RELOCATION);
    at[1].d_un.d_val = 16;
    for (int i = 0; i < 2; i++) {
        at[0].d_un.d_ptr =
            (u64[]){0x5000 - 15, 0x1000 - 8}[i]; // over either end: the sanitizer sees who reads it
        CHECK(relocates(&file, 0, NULL) == ELF_BAD_RELOCATION);
    }
}

// Sections at 0x2600: null, .text 1000-1800, .data 3010-4810, symbols, names. Names at 0x2c00,
// symbols at 0x2d00.
#define NAMES "\0routine\0c_function\0inner\0datum\0text_start\0padded\0..@5.inner"
static struct small symbol_file(void) {
    struct small file = good_file();
    static const Elf64_Shdr sections[] = {
        {0},
        {.sh_type = SHT_PROGBITS, .sh_flags = SHF_EXECINSTR, .sh_addr = 0x1000, .sh_size = 0x800},
        {.sh_type = SHT_NOBITS, .sh_addr = 0x3010, .sh_size = 0x1800},
        {.sh_type = SHT_SYMTAB,
         .sh_offset = 0x2d00,
         .sh_size = 10 * sizeof(Elf64_Sym),
         .sh_link = 4,
         .sh_entsize = sizeof(Elf64_Sym)},
        {.sh_type = SHT_STRTAB, .sh_offset = 0x2c00, .sh_size = sizeof NAMES}};
    static const Elf64_Sym symbols[] = {
        {0},
        {32, STT_NOTYPE, 0, 1, 0x1100, 0},       // text_start: a second name
        {1, STT_NOTYPE, 0, 1, 0x1100, 0},        // routine, in assembly
        {9, STT_FUNC, 0, 1, 0x1200, 0x80},       // c_function
        {20, STT_NOTYPE, 0, 1, 0x1210, 0},       // inner: a label in it
        {26, STT_OBJECT, 0, 1, 0x1101, 0x100},   // datum
        {26, STT_NOTYPE, 0, 2, 0x3010, 0},       // datum
        {43, STT_FUNC, 0, 1, 0x1300, 0x10},      // padded
        {43, STT_NOTYPE, 0, SHN_ABS, 0x1310, 0}, // not an address at all
        {50, STT_NOTYPE, 0, 1, 0x1180, 0}};      // ..@5.inner: in a macro
    file.header.e_shoff = 0x2600;
    file.header.e_shentsize = sizeof *sections;
    file.header.e_shnum = ARRAY_SIZE(sections);
    memcpy((u8 *)&file + 0x2600, sections, sizeof sections);
    memcpy((u8 *)&file + 0x2c00, NAMES, sizeof NAMES);
    memcpy((u8 *)&file + 0x2d00, symbols, sizeof symbols);
    return file;
}

static bool finds(const struct small *file, u64 address, const char *name, u64 offset) {
    struct elf elf;
    struct elf_symbol symbol;
    if (opens_at(file, sizeof *file, &elf) != ELF_OK) return false;
    struct elf_symbols symbols = elf_find_symbols(&elf);
    bool found = elf_symbol(&symbols, address, &symbol);
    if (!name) return !found;
    return found && !strcmp(symbol.name, name) && symbol.offset == offset;
}

static void test_symbols(void) {
    struct small file = symbol_file(), good = file;
    Elf64_Shdr *sections = (Elf64_Shdr *)((u8 *)&file + 0x2600);
    CHECK(finds(&file, 0x1000, NULL, 0));
    CHECK(finds(&file, 0x1100, "text_start", 0) || finds(&file, 0x1100, "routine", 0));
    CHECK(finds(&file, 0x1181, "text_start", 0x81) || finds(&file, 0x1181, "routine", 0x81));
    CHECK(finds(&file, 0x1200, "c_function", 0));
    CHECK(finds(&file, 0x1211, "c_function", 0x11));
    CHECK(finds(&file, 0x127f, "c_function", 0x7f));
    CHECK(finds(&file, 0x1280, "inner", 0x70)); // an unsized label is the nearest below
    CHECK(finds(&file, 0x130f, "padded", 0xf));
    CHECK(finds(&file, 0x1310, NULL, 0));
    CHECK(finds(&file, 0x17ff, NULL, 0));
    CHECK(finds(&file, 0x1800, NULL, 0));
    CHECK(finds(&file, 0x2fff, NULL, 0));
    CHECK(finds(&file, 0, NULL, 0));
    CHECK(finds(&file, UINT64_MAX, NULL, 0));
#define EXPECT_NONE(change)                                                                        \
    file = good;                                                                                   \
    change;                                                                                        \
    CHECK(finds(&file, 0x1200, NULL, 0))
    EXPECT_NONE(file.header.e_shnum = 0);
    EXPECT_NONE(file.header.e_shentsize = 63);
    EXPECT_NONE(file.header.e_shoff = FILE_SIZE - 5 * 64 + 1);
    EXPECT_NONE(file.header.e_shoff = FILE_SIZE);
    EXPECT_NONE(file.header.e_shoff = UINT64_MAX);
    EXPECT_NONE(sections[3].sh_type = SHT_NULL);
    EXPECT_NONE(sections[3].sh_entsize = 8);
    EXPECT_NONE(sections[3].sh_size = FILE_SIZE);
    EXPECT_NONE(sections[3].sh_offset = UINT64_MAX);
    EXPECT_NONE(sections[3].sh_link = 5; sections[5] = sections[4]); // behind the last
    EXPECT_NONE(sections[3].sh_link = 1);
    EXPECT_NONE(sections[4].sh_size = 0);
    EXPECT_NONE(sections[4].sh_size = FILE_SIZE);
    EXPECT_NONE(sections[4].sh_size -= 2);
    EXPECT_NONE(sections[1].sh_addr = 0x1201);
    Elf64_Sym *symbols = (Elf64_Sym *)((u8 *)&file + 0x2d00);
    EXPECT_NONE(for (int i = 0; i < 10; i++) symbols[i].st_shndx = 5); // behind the last section
    EXPECT_NONE(for (int i = 0; i < 10; i++) symbols[i].st_shndx = SHN_COMMON);
    EXPECT_NONE(for (int i = 0; i < 10; i++) symbols[i].st_name = sizeof NAMES);
    file = good;
    sections[4].sh_size = 9; // only the first name is left
    CHECK(finds(&file, 0x1200, "routine", 0x100));
}

static u8 *read_all(const char *name, u64 *length) {
    struct stat status;
    int fd = open(name, O_RDONLY);
    if (fd < 0 || fstat(fd, &status)) return NULL;
    u8 *data = malloc((size_t)status.st_size);
    *length = (u64)read(fd, data, (size_t)status.st_size);
    close(fd);
    return data;
}

// Builds a program with these flags in a directory of its own and opens it.
static enum elf_error builds(const char *flags, struct elf *elf) {
    char directory[] = "/tmp/elf-test-XXXXXX", command[400], name[100];
    u64 length = 0;
    if (!mkdtemp(directory)) return ELF_NOT_ELF;
    snprintf(name, sizeof name, "%s/program", directory);
    snprintf(command, sizeof command, "echo 'int main(void){return 0;}' | gcc -x c %s -o %s -",
             flags, name);
    bool built = !system(command);
    u8 *file = built ? read_all(name, &length) : NULL;
    unlink(name), rmdir(directory);
    return file ? elf_open(elf, file, length) : ELF_NOT_ELF;
}

// What elf_symbol() reads is what elf_find_symbols() names: the rest of the file may be somebody's
// memory by then.
static void test_only_symbols_are_read(void) {
    struct small file = symbol_file();
    struct elf elf;
    struct elf_symbol found;
    CHECK(opens_at(&file, sizeof file, &elf) == ELF_OK);
    struct elf_symbols symbols = elf_find_symbols(&elf);
    u8 *block = malloc(sizeof file);
    memset(block, 0xa5, sizeof file);
    for (const struct elf_part *part = &symbols.table; part <= &symbols.sections; part++)
        memcpy(block + part->offset, elf.file + part->offset, part->length);
    symbols.file = block;
    CHECK(elf_symbol(&symbols, 0x1211, &found) && !strcmp(found.name, "c_function") &&
          found.offset == 0x11);
    ((Elf64_Shdr *)((u8 *)&file + 0x2600))[3].sh_type =
        SHT_NULL; // stripped: nothing is read at all
    CHECK(opens_at(&file, sizeof file, &elf) == ELF_OK);
    symbols = elf_find_symbols(&elf);
    CHECK(!symbols.file && !symbols.table.length && !symbols.names.length &&
          !symbols.sections.length);
    CHECK(!elf_symbol(&symbols, 0x1211, &found));
    free(block);
}

static bool has_symbol(const struct elf *elf, u64 address, struct elf_symbol *symbol) {
    struct elf_symbols symbols = elf_find_symbols(elf);
    return elf_symbol(&symbols, address, symbol);
}

static void test_real_programs(void) {
    struct elf elf;
    struct elf_symbol symbol;
    CHECK(builds("-static-pie", &elf) == ELF_OK && elf.header->e_type == ET_DYN &&
          !elf.executable_stack);
    CHECK(has_symbol(&elf, elf.header->e_entry + 3, &symbol) && !strcmp(symbol.name, "_start") &&
          symbol.offset == 3);
    u8 *memory = malloc(elf.high - elf.low);
    elf_load(&elf, memory);
    // glibc's own has IRELATIVE ones, which need code to run: refused
    CHECK(elf_relocate(&elf, memory, 0x400000) == ELF_BAD_RELOCATION);
    free(memory), free((void *)elf.file);

    CHECK(builds("-static -z execstack", &elf) == ELF_OK && elf.header->e_type == ET_EXEC &&
          elf.executable_stack);
    free((void *)elf.file);
    CHECK(builds("-static -s", &elf) == ELF_OK && !has_symbol(&elf, elf.header->e_entry, &symbol));
    free((void *)elf.file);
    CHECK(builds("", &elf) == ELF_DYNAMIC);
    free((void *)elf.file);
    CHECK(builds("-c", &elf) == ELF_NOT_PROGRAM);
    free((void *)elf.file);
    CHECK(builds("-shared -fPIC", &elf) == ELF_OK && !elf_has_code(&elf, elf.header->e_entry));
    free((void *)elf.file);
    u64 length;
    u8 *busybox = read_all("/bin/busybox", &length);
    CHECK(!busybox || elf_open(&elf, busybox, length) == ELF_OK);
    free(busybox);
}

static void test_texts(void) {
    for (int error = ELF_OK; error <= ELF_BAD_RELOCATION; error++) CHECK(elf_error_text(error)[0]);
    CHECK(elf_error_text(99)[0]);
}

int main(void) {
    test_headers();
    test_segments();
    test_ends();
    test_mappings();
    test_stack();
    test_load();
    test_relocations();
    test_packed_relocations();
    test_symbols();
    test_only_symbols_are_read();
    test_real_programs();
    test_texts();
    return check_done("elf");
}
