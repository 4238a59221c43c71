// Fuzz target for loader/video.c: the BIOS answers with any bytes, in its registers and in the
// loader's buffers. What is taken must be a framebuffer that can be used.
#include "test/fake_vbe.h"

#define PROMISE(condition) ((condition) ? (void)0 : abort())

static const u8 *input;
static size_t left;

static void fill(void *to, size_t bytes) {
    if (bytes > left) bytes = left;
    memcpy(to, input, bytes);
    input += bytes;
    left -= bytes;
}

void bios_call(u8 interrupt, struct bios_regs *regs) {
    PROMISE(interrupt == 0x10);
    u8 how = 0;
    bool is_info = regs->eax == 0x4f00;
    fill(&how, 1);
    if (is_info)
        fill(bounce, sizeof(struct vbe_info));
    else if (regs->eax == 0x4f01)
        fill(bounce + 4096, sizeof(struct vbe_mode));
    if (is_info && how & 2) memcpy(bounce, "VESA\0\3", 6);
    struct vbe_mode *mode = (struct vbe_mode *)(bounce + 4096);
    if (how & 4) mode->attributes |= 0x99;
    if (how & 8)
        mode->width = options.width, mode->height = options.height, mode->bits = options.bits;
    if (how & 16) mode->model = DIRECT;
    if (how & 32) memcpy(mode->masks, (u8[]){5, 10, 5, 5, 5, 0}, 6);
    regs->eax = how & 1 ? 0x14f : 0x4f;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct e820_entry map[2] = {{0x100000, 0x3ff00000, 1}};
    input = data, left = size;
    boot = (struct boot_info){.e820 = (u64)map, .e820_count = 2};
    options = (struct options){.width = 800, .height = 600, .bits = 32};
    said[0] = 0;
    memset(bounce, 0, 8192);
    fill(&map[1], sizeof map[1]);
    fill(&options.bits, 1);
    options.bits = (u8[]){15, 16, 24, 32}[options.bits % 4];
    video_choose();
    const struct boot_framebuffer *f = &boot.framebuffer;
    PROMISE(!f->address == !!said[0]);
    if (!f->address) return 0;
    u64 end = f->address + (u64)f->pitch * f->height;
    PROMISE(f->address >= HIGH_MEMORY && end <= IDENTITY_END && (f->address >= 0x40000000));
    if (map[1].type == 1 && map[1].length && map[1].length < 1ull << 62 && map[1].base < 1ull << 62)
        PROMISE(map[1].base >= end || map[1].base + map[1].length <= f->address);
    PROMISE(f->width == 800 && f->height == 600 && f->pitch >= f->width * f->bits / 8u);
    PROMISE(f->bits == (options.bits == 15 ? 16 : options.bits));
    const u8 parts[] = {f->red_bits, f->red_at,    f->green_bits,
                        f->green_at, f->blue_bits, f->blue_at};
    for (int i = 0; i < 6; i += 2)
        PROMISE(parts[i] && parts[i] <= 8 && parts[i] + parts[i + 1] <= f->bits);
    video_switch();
    return 0;
}
