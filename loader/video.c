// The framebuffer that video=WxH[xBITS] asks for, by VBE (VESA BIOS Extension 3.0, 4.3-4.5), whose
// words are untrusted. The switch comes last, so that what is to be said before can be read.
#include "loader/loader.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/memory/e820.h"

// AX of calls; of one that succeeded
enum { VBE_INFO = 0x4f00, VBE_MODE, VBE_SET_MODE, VBE_DONE = 0x4f };
enum { MODES = 256, LIST_END = 0xffff }; // modes looked at; what is behind the last one
// supported, colour, graphics, linear framebuffer; memory models
enum { ATTRIBUTES = 0x99, PACKED = 4, DIRECT = 6 };
#define LINEAR_MODE (1u << 14) // of a mode's number: with its framebuffer
#define OTHERS      120        // bytes of text

struct vbe_info {
    char signature[4]; // "VBE2" asks for what "VESA" then has
    u16 version;
    u8 oem[8];
    u16 modes_offset, modes_segment;
} __attribute__((packed));

struct vbe_mode {
    u16 attributes;
    u8 windows[14];
    u16 pitch, width, height;
    u8 font[2], planes, bits, banks, model, pages[3];
    u8 masks[8]; // number of bits and lowest bit of red, green, blue, nothing
    u8 direct;
    u32 address;
    u8 reserved[6];
    u16 linear_pitch; // from here on VBE 3.0
    u8 linear_pages[2], linear_masks[8];
} __attribute__((packed));
_Static_assert(offsetof(struct vbe_mode, linear_masks) == 0x36, "as the BIOS writes it");

static u32 chosen; // mode of boot.framebuffer

// NULL and the framebuffer, or why it is not used.
static const char *video_describe(const struct vbe_mode *mode, u16 version,
                                  struct boot_framebuffer *out) {
    static const u8 usual[] = {8, 16, 8, 8, 8, 0};
    bool linear = version >= 0x300 && mode->linear_pitch;
    const u8 *masks = linear && mode->linear_masks[0] ? mode->linear_masks : mode->masks;
    if (mode->model == PACKED) masks = usual;
    *out = (struct boot_framebuffer){
        .address = mode->address, .width = mode->width, .height = mode->height};
    out->pitch = linear ? mode->linear_pitch : mode->pitch;
    out->bits = mode->bits == 15 ? 16 : mode->bits;
    out->red_bits = masks[0], out->green_bits = masks[2], out->blue_bits = masks[4];
    out->red_at = masks[1], out->green_at = masks[3], out->blue_at = masks[5];
    u64 start = ROUND_DOWN(out->address, PAGE_SIZE),
        end = out->address + (u64)out->pitch * out->height;
    bool packed = mode->model == PACKED, deep = out->bits == 24 || out->bits == 32;
    if ((mode->attributes & ATTRIBUTES) != ATTRIBUTES ||
        !(packed ? deep : mode->model == DIRECT && (deep || out->bits == 16)))
        return "it has no linear framebuffer in full colours";
    for (int i = 0; i < 6; i += 2)
        if (!masks[i] || masks[i] > 8 || masks[i] + masks[i + 1] > out->bits)
            return "its colours lie nowhere";
    if (!out->width || !out->height || out->pitch < out->width * (out->bits / 8u))
        return "its rows overlap";
    if (start < HIGH_MEMORY || end > IDENTITY_END) return "its framebuffer is out of reach";
    const struct e820_entry *e = (const struct e820_entry *)boot.e820;
    for (u32 i = 0; i < boot.e820_count; i++, e++)
        if (e->type == E820_USABLE && e->length && e->base < ROUND_UP(end, PAGE_SIZE) &&
            e->base + MIN(e->length - 1, ~e->base) >= start)
            return "the memory map has RAM where its framebuffer is";
    return NULL;
}

static bool video_vbe(u32 function, u32 number, u32 buffer) {
    struct bios_regs regs = {
        .eax = function, .ebx = number, .ecx = number, .es = (u16)(buffer >> 4)};
    bios_call(0x10, &regs);
    return (regs.eax & 0xffff) == VBE_DONE;
}

// Looks for the mode in the list of the BIOS. NULL, or why there is none; then others of this depth
// are in text.
static const char *video_choose_mode(char text[OTHERS]) {
    struct vbe_info *info = (struct vbe_info *)BOUNCE;
    struct vbe_mode *mode = (struct vbe_mode *)(BOUNCE + PAGE_SIZE);
    struct boot_framebuffer frame;
    const char *why = "the BIOS has no such mode", *objection;
    size_t size = OTHERS;
    memcpy(info->signature, "VBE2", sizeof info->signature);
    if (!video_vbe(VBE_INFO, 0, (u32)BOUNCE) || memcmp(info->signature, "VESA", 4) ||
        info->version < 0x200)
        return "the BIOS has no VBE 2.0";
    u32 list = info->modes_segment * 16u + info->modes_offset;
    for (u32 i = 0, number; i < MODES && (number = LOW_MEMORY(u16, list + 2 * i)) != LIST_END;
         i++) {
        memset(mode, 0,
               sizeof *mode); // some BIOSes leave out the fields of a later version than theirs
        if (!video_vbe(VBE_MODE, number, (u32)BOUNCE + PAGE_SIZE)) continue;
        objection = video_describe(mode, info->version, &frame);
        if (options.bits != (frame.bits == 16 && frame.green_bits == 5 ? 15 : frame.bits)) continue;
        bool same = mode->width == options.width && mode->height == options.height;
        if (same)
            why = objection;
        else if (!objection && size > 12)
            size -= (size_t)format(text + OTHERS - size, size, " %ux%u", frame.width, frame.height);
        if (!same || objection) continue;
        boot.framebuffer = frame;
        chosen = number;
        break;
    }
    return why;
}

void video_choose(void) {
    char others[OTHERS] = " none";
    const char *why = options.width ? video_choose_mode(others) : NULL;
    if (why)
        say("video=%ux%ux%u: %s; the screen stays in text mode. Modes of %u bits:%s", options.width,
            options.height, options.bits, why, options.bits, others);
}

void video_switch(void) {
    if (!boot.framebuffer.address) return;
    boot.screen = (struct boot_part){REAL_STACK, REAL_STACK_END - REAL_STACK}; // for the low stage
    if (video_vbe(VBE_SET_MODE, chosen | LINEAR_MODE, (u32)BOUNCE)) return;
    boot.framebuffer = (struct boot_framebuffer){0};
    say("the BIOS does not switch to mode 0x%x; the screen stays in text mode", chosen);
}
