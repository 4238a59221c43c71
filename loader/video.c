// The framebuffer that video=WxH[xBITS] asks for, by VBE (VESA BIOS Extension 3.0, 4.3-4.5), whose
// words are untrusted. The switch comes last, so that what is to be said before can be read.
#include "loader/loader.h"
#include "kernel/lib/print.h"
#include "kernel/lib/string.h"
#include "kernel/memory/e820.h"

// AX of calls, and of one that succeeded.
enum { VBE_INFO = 0x4f00, VBE_MODE, VBE_SET_MODE, VBE_DONE = 0x4f };
// How many modes are looked at, and what stands behind the last one.
enum { MODES = 256, LIST_END = 0xffff };
// Supported, colour, graphics and a linear framebuffer; memory models.
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

// Number of bits and lowest bit of red, green and blue. From VBE 3.0 on a mode has them once more
// for its linear framebuffer.
static const u8 *video_masks(const struct vbe_mode *mode, bool linear) {
    static const u8 usual[] = {8, 16, 8, 8, 8, 0};
    if (mode->model == PACKED) return usual;
    if (linear && mode->linear_masks[0]) return mode->linear_masks;
    return mode->masks;
}

static bool video_has_full_colours(const struct vbe_mode *mode, u8 bits) {
    bool deep = bits == 24 || bits == 32;
    if ((mode->attributes & ATTRIBUTES) != ATTRIBUTES) return false;
    if (mode->model == PACKED) return deep;
    return mode->model == DIRECT && (deep || bits == 16);
}

// Whether the memory map has RAM in [start, end).
static bool video_over_memory(u64 start, u64 end) {
    const struct e820_entry *e = (const struct e820_entry *)boot.e820;
    for (u32 i = 0; i < boot.e820_count; i++, e++) {
        if (e->type != E820_USABLE || !e->length) continue;
        u64 last = e->base + MIN(e->length - 1, ~e->base);
        if (e->base < end && last >= start) return true;
    }
    return false;
}

// Fills out. NULL, or why the framebuffer is not used.
static const char *video_describe(const struct vbe_mode *mode, u16 version,
                                  struct boot_framebuffer *out) {
    bool linear = version >= 0x300 && mode->linear_pitch;
    const u8 *masks = video_masks(mode, linear);
    *out = (struct boot_framebuffer){.address = mode->address,
                                     .width = mode->width,
                                     .height = mode->height,
                                     .pitch = mode->pitch,
                                     .bits = mode->bits,
                                     .red_bits = masks[0],
                                     .red_at = masks[1],
                                     .green_bits = masks[2],
                                     .green_at = masks[3],
                                     .blue_bits = masks[4],
                                     .blue_at = masks[5]};
    if (linear) out->pitch = mode->linear_pitch;
    if (mode->bits == 15) out->bits = 16; // as it lies in memory
    u64 start = ROUND_DOWN(out->address, PAGE_SIZE);
    u64 end = out->address + (u64)out->pitch * out->height;
    if (!video_has_full_colours(mode, out->bits))
        return "it has no linear framebuffer in full colours";
    for (int i = 0; i < 6; i += 2)
        if (!masks[i] || masks[i] > 8 || masks[i] + masks[i + 1] > out->bits)
            return "its colours lie nowhere";
    if (!out->width || !out->height || out->pitch < out->width * (out->bits / 8u))
        return "its rows overlap";
    if (start < HIGH_MEMORY || end > IDENTITY_END) return "its framebuffer is out of reach";
    if (video_over_memory(start, ROUND_UP(end, PAGE_SIZE)))
        return "the memory map has RAM where its framebuffer is";
    return NULL;
}

// As the command line counts: 15 are 16 in memory.
static u8 video_depth(const struct boot_framebuffer *frame) {
    if (frame->bits == 16 && frame->green_bits == 5) return 15;
    return frame->bits;
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
    const char *why = "the BIOS has no such mode";
    size_t size = OTHERS;
    memcpy(info->signature, "VBE2", sizeof info->signature);
    if (!video_vbe(VBE_INFO, 0, (u32)BOUNCE) || memcmp(info->signature, "VESA", 4) ||
        info->version < 0x200)
        return "the BIOS has no VBE 2.0";
    u32 list = info->modes_segment * 16u + info->modes_offset;
    for (u32 i = 0; i < MODES; i++) {
        u32 number = LOW_MEMORY(u16, list + 2 * i);
        if (number == LIST_END) break;
        // Some BIOSes leave out the fields of a later version than theirs.
        memset(mode, 0, sizeof *mode);
        if (!video_vbe(VBE_MODE, number, (u32)BOUNCE + PAGE_SIZE)) continue;
        struct boot_framebuffer frame;
        const char *objection = video_describe(mode, info->version, &frame);
        if (options.bits != video_depth(&frame)) continue;
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

// Looks for the framebuffer that the command line asks for, or says why there is none.
void video_choose(void) {
    if (!options.width) return;
    char others[OTHERS] = " none";
    const char *why = video_choose_mode(others);
    if (why)
        say("video=%ux%ux%u: %s; the screen stays in text mode. Modes of %u bits:%s", options.width,
            options.height, options.bits, why, options.bits, others);
}

// Switches to the mode that was chosen, if one was. This is the last BIOS call.
void video_switch(void) {
    if (!boot.framebuffer.address) return;
    boot.screen = (struct boot_part){REAL_STACK, REAL_STACK_END - REAL_STACK}; // for the low kernel
    if (video_vbe(VBE_SET_MODE, chosen | LINEAR_MODE, (u32)BOUNCE)) return;
    boot.framebuffer = (struct boot_framebuffer){0};
    say("the BIOS does not switch to mode 0x%x; the screen stays in text mode", chosen);
}
