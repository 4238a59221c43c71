// Fuzz target: everything elf.c does, on any bytes as a file and on a good file with patches from
// the input, so that the deeper checks are reached at once. Kernels of more than 1 MiB are not
// loaded. Run with clang -fsanitize=fuzzer,address,undefined and -runs=20000.
#define main elf_test_main
#include "test/host/elf.c"
#undef main

static void use_mapping(const struct elf *elf, const elf_segment *segment) {
    struct elf_mapping map = elf_map(elf, segment);
    if ((map.start | map.zeros | map.end | map.offset) % PAGE_SIZE) abort();
    if (map.start > map.zeros || map.zeros > map.end || map.kept > map.zeros - map.start) abort();
    if (map.start != map.end && (map.start < elf->low || map.end > elf->high || map.end > USER_END))
        abort();
    u8 sum = 0;
    for (u64 i = 0; i < map.kept; i++) sum += elf->file[map.offset + i];
    volatile u8 used = sum;
    (void)used;
}

static void use(const u8 *data, size_t bytes) {
    struct elf elf;
    struct elf_symbol symbol;
    if (elf_open(&elf, data, bytes)) return;
    if (elf.low >= elf.high || elf.low % PAGE_SIZE || elf.high % PAGE_SIZE) abort();
    for (const elf_segment *segment = NULL; (segment = elf_next(&elf, segment, PT_LOAD));)
        use_mapping(&elf, segment);
    (void)elf_headers_address(&elf);
    struct elf_symbols symbols = elf_find_symbols(&elf);
    for (u64 address = elf.low; address < elf.low + 0x400; address += 0x20)
        if (elf_symbol(&symbols, address, &symbol) && symbol.name[strlen(symbol.name)]) abort();
    (void)elf_symbol(&symbols, elf.header->e_entry, &symbol);
    if (elf_open_kernel(&elf, data, bytes) || elf.high - elf.low > 1 << 20) return;
    void *memory = malloc(elf.high - elf.low);
    elf_load(&elf, memory);
    if (elf_relocate(&elf, memory, 0xfffffeffc0000000) == ELF_OK) elf_load(&elf, memory);
    free(memory);
}

static struct small whole_file(void) {
    Elf64_Rela rela[] = {{0x3013, R_X86_64_RELATIVE, 0x1234},
                         {0, R_X86_64_NONE, 0},
                         {0x4ff8, R_X86_64_RELATIVE, -16}};
    struct small file = dynamic_file(rela, 3), symbols = symbol_file();
    file.header.e_shoff = symbols.header.e_shoff;
    file.header.e_shentsize = symbols.header.e_shentsize;
    file.header.e_shnum = symbols.header.e_shnum;
    memcpy((u8 *)&file + 0x2600, (u8 *)&symbols + 0x2600, 0x800);
    return file;
}

// The places that mean something: headers, dynamic table, relocations, section headers, names,
// symbols.
static u64 patch_place(u32 choice) {
    static const struct {
        u32 start, bytes;
    } regions[] = {{0, 0x200},      {0x2100, 0x50}, {0x2200, 0x48},
                   {0x2600, 0x140}, {0x2c00, 0x40}, {0x2d00, 0xf0}};
    return regions[choice % 6].start + choice / 6 % regions[choice % 6].bytes;
}

// Each patch is 1 to 8 bytes: how many and where in three bytes, then the bytes.
int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes) {
    use(data, bytes);
    struct small file = whole_file();
    for (size_t at = 0; at + 3 < bytes;) {
        size_t length = 1u << data[at] % 4, left = bytes - at - 3;
        u64 place = patch_place(data[at + 1] | (u32)data[at + 2] << 8);
        memcpy((u8 *)&file + place, data + at + 3, length < left ? length : left);
        at += 3 + length;
    }
    u8 *exact = malloc(sizeof file);
    memcpy(exact, &file, sizeof file);
    use(exact, sizeof file);
    free(exact);
    return 0;
}
