// loader/video.c with a BIOS made up: what it chooses, and why not.
#include "test/fake_vbe.h"
#include "test/check.h"

static struct {
    struct vbe_mode modes[300]; // mode number 0x100 + index
    u16 count;                  // in the list
    u16 version;
    bool silent, broken_list, refuses, old; // old: writes no field of VBE 3.0
    u32 asked, set;                         // the last modes
    unsigned calls;
} bios;

void bios_call(u8 interrupt, struct bios_regs *regs) {
    CHECK(interrupt == 0x10 && !regs->edi);
    bios.calls++;
    u16 es = regs->es;
    u32 function = regs->eax, number = regs->ecx - 0x100;
    regs->eax = 0xffff004f;
    if (function == 0x4f00 && !bios.silent) {
        struct vbe_info *info = (struct vbe_info *)bounce;
        CHECK(es == (u16)(BOUNCE >> 4) && memcmp(info->signature, "VBE2", 4) == 0);
        *info = (struct vbe_info){"VESA", bios.version, {0}, 0xfff0, 0xc000};
        for (u32 i = 0; i <= bios.count; i++) LOW_MEMORY(u16, 0xcfff0 + 2 * i) = (u16)(0x100 + i);
        if (!bios.broken_list) LOW_MEMORY(u16, 0xcfff0 + 2 * bios.count) = 0xffff;
    } else if (function == 0x4f01 && number < 300) {
        CHECK(es == (u16)((BOUNCE >> 4) + 256));
        bios.asked = number;
        memcpy(bounce + 4096, &bios.modes[number], bios.old ? 0x32 : sizeof bios.modes[number]);
        if (!bios.modes[number].attributes) regs->eax = 0x14f;
    } else if (function == 0x4f02) {
        bios.set = regs->ebx;
        if (bios.refuses) regs->eax = 0x24f;
    } else {
        regs->eax = 0;
    }
}

static struct e820_entry map[3] = {
    {0, 0xa0000, 1}, {0x100000, 0x3ff00000, 1}, {0xe0000000, 0x10000000, 2}};

// What SeaBIOS has: 800x600x32 with the pitch of 832.
static const struct vbe_mode good = {.attributes = 0xbb,
                                     .pitch = 3328,
                                     .width = 800,
                                     .height = 600,
                                     .planes = 1,
                                     .bits = 32,
                                     .model = DIRECT,
                                     .masks = {8, 16, 8, 8, 8, 0, 8, 24},
                                     .address = 0xfd000000};

static void begin(u16 width, u16 height, u8 bits) {
    memset(&bios, 0, sizeof bios);
    memset(said, 0, sizeof said);
    memset(bounce, 0x11, sizeof bounce); // of what was read from the disk last
    bios.version = 0x200;
    bios.modes[0] = bios.modes[1] = bios.modes[2] = good;
    bios.modes[0].width = 640, bios.modes[0].height = 480;
    bios.count = 3;
    chosen = 0;
    boot = (struct boot_info){.text_columns = 80, .e820 = (u64)map, .e820_count = 3};
    options = (struct options){.width = width, .height = height, .bits = bits};
}

static void run(void) {
    video_choose();
    CHECK(!bios.set);
    video_switch();
}

static void refused(const char *why) {
    run();
    if (!strstr(said, why)) fprintf(stderr, "said: %s", said);
    CHECK(strstr(said, why) && !boot.framebuffer.address && !bios.set);
}

static struct boot_framebuffer taken(u32 mode) {
    run();
    CHECK(!said[0] && bios.set == (mode | 0x4000) && boot.screen.length == 8192 &&
          boot.screen.start == REAL_STACK);
    return boot.framebuffer;
}

static void test_choice(void) {
    begin(0, 0, 0);
    run();
    CHECK(!bios.calls && !said[0]);
    begin(800, 600, 32);
    struct boot_framebuffer f = taken(0x101);
    CHECK(f.address == 0xfd000000 && f.pitch == 3328 && f.width == 800 && f.height == 600 &&
          f.bits == 32);
    CHECK(f.red_at == 16 && f.green_at == 8 && f.blue_at == 0 && f.red_bits == 8 &&
          f.green_bits == 8 && f.blue_bits == 8);
    begin(800, 601, 32);
    refused(
        "video=800x601x32: the BIOS has no such mode; the screen stays in text mode. Modes of 32 bits: 640x480 800x600 "
        "800x600\n");
    begin(800, 600, 24);
    refused("no such mode; the screen stays in text mode. Modes of 24 bits: none\n");
    begin(800, 600, 32);
    bios.silent = true;
    refused("no VBE 2.0");
    begin(800, 600, 32);
    bios.version = 0x102;
    refused("no VBE 2.0");
    begin(800, 600, 32);
    bios.refuses = true;
    run();
    CHECK(strstr(said, "does not switch to mode 0x101") && !boot.framebuffer.width &&
          !boot.framebuffer.address && boot.text_columns == 80);
    begin(800, 600, 32);
    bios.modes[1].attributes = 0; // the BIOS does not know it, and has another
    taken(0x102);
    begin(1, 1, 32); // no end, and more modes than the line holds
    bios.count = 299;
    bios.broken_list = true;
    for (int i = 0; i < 300; i++) bios.modes[i] = good, bios.modes[i].width = (u16)(1000 + i);
    refused("no such mode");
    CHECK(bios.asked == 255 && strlen(said) < 240);
}

static void test_modes(void) {
    struct vbe_mode *mode = &bios.modes[1];
#define WITH(change, why) (begin(800, 600, 32), bios.count = 2, change, refused(why))
    WITH(mode->attributes = 0x3b, "it has no linear framebuffer in full colours");
    WITH(mode->attributes = 0xba, "no linear framebuffer");
    WITH(mode->attributes = 0xb3, "no linear framebuffer");
    WITH(mode->attributes = 0xab, "no linear framebuffer");
    WITH(mode->model = 5, "no linear framebuffer");
    WITH(mode->masks[0] = 0, "its colours lie nowhere");
    WITH(mode->masks[2] = 10, "its colours");
    WITH(mode->masks[1] = 25, "its colours");
    WITH(mode->masks[5] = 255, "its colours");
    WITH(mode->pitch = 3199, "its rows overlap");
    WITH(mode->address = 0, "out of reach");
    WITH(mode->address = 0xfffff, "out of reach");
    WITH(mode->address = 0xffffffff, "out of reach");
    WITH(mode->address = (u32)(0x100000000 - 3328 * 600 + 1), "out of reach");
    WITH(mode->address = 0x3ffff000, "the memory map has RAM where its framebuffer is");
    WITH(mode->address = 0x3fffffff, "has RAM");
    WITH(mode->address = 0x100000, "has RAM");
    begin(800, 600, 32);
    bios.modes[1].address = (u32)(0x100000000 - 3328 * 600);
    taken(0x101);
    begin(800, 600, 32);
    bios.modes[1].address = 0x40000000; // right behind RAM
    taken(0x101);
    begin(800, 600, 32);
    bios.count = 2;
    map[2] = (struct e820_entry){0xfd000fff, ~0ull, 1}; // wraps
    refused("has RAM");
    const u64 near[][3] = {
        {0xfcfff000, 0x1001}, {0xfcfff000, 0x1400, 0x800}, {0xfd1e7f00, 1}, {0xfd000000, 1}};
    for (size_t i = 0; i < ARRAY_SIZE(near); i++) { // in a page that the framebuffer touches
        begin(800, 600, 32);
        bios.count = 2;
        bios.modes[1].address += (u32)near[i][2];
        map[2] = (struct e820_entry){near[i][0], near[i][1], 1};
        refused("has RAM");
    }
    begin(800, 600, 32);
    map[2] = (struct e820_entry){0xfd1e8000, 0x1000, 1};
    taken(0x101);
    map[2] = (struct e820_entry){0xe0000000, 0x10000000, 2};
}

static void test_depths(void) {
    begin(800, 600, 32); // packed pixels: no places
    bios.modes[1].model = PACKED;
    memset(bios.modes[1].masks, 0, 8);
    CHECK(taken(0x101).red_at == 16);
    begin(800, 600, 16);
    bios.modes[1].model = PACKED, bios.modes[1].bits = 16;
    refused("full colours");
    begin(800, 600, 15); // which some call 16
    bios.modes[1].bits = bios.modes[2].bits = 16;
    memcpy(bios.modes[1].masks, (u8[]){5, 11, 6, 5, 5, 0}, 6);
    memcpy(bios.modes[2].masks, (u8[]){5, 10, 5, 5, 5, 0}, 6);
    CHECK(taken(0x102).bits == 16);
    begin(800, 600, 15);
    bios.modes[1] = bios.modes[2];
    bios.modes[1].bits = 15;
    memcpy(bios.modes[1].masks, (u8[]){5, 10, 5, 5, 5, 0}, 6);
    CHECK(taken(0x101).bits == 16);
    begin(800, 600, 16);
    bios.modes[2].bits = 16;
    memcpy(bios.modes[2].masks, (u8[]){5, 11, 6, 5, 5, 0}, 6);
    CHECK(taken(0x102).green_bits == 6);
    begin(800, 600, 32); // VBE 3: another pitch and other places in the linear framebuffer
    bios.version = 0x300;
    bios.modes[1].linear_pitch = 3200;
    memcpy(bios.modes[1].linear_masks, (u8[]){8, 0, 8, 8, 8, 16}, 6);
    struct boot_framebuffer f = taken(0x101);
    CHECK(f.pitch == 3200 && f.blue_at == 16 && f.red_at == 0);
    begin(800, 600, 32); // it calls itself 3.0, but its modes are of 2.0
    bios.version = 0x300, bios.old = true;
    f = taken(0x101);
    CHECK(f.pitch == 3328 && f.red_at == 16);
    begin(800, 600, 32); // before, what is there means nothing
    bios.modes[1].linear_pitch = 3200;
    CHECK(taken(0x101).pitch == 3328);
}

int main(void) {
    test_choice();
    test_modes();
    test_depths();
    return check_done("video");
}
