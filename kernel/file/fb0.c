// /dev/fb0: the screen's framebuffer as Linux gives it to programs (linux/fb.h), in the one mode
// that the loader asked the BIOS for. It ends with the page in which the last row ends.
#include <linux/fb.h>
#include "kernel/cpu/trap.h"
#include "kernel/device/devices.h"
#include "kernel/file/file.h"
#include "kernel/lib/string.h"
#include "kernel/memory/window.h"

static u64 fb0_length_of(const struct boot_framebuffer *fb) {
    return ROUND_UP(fb->address + (u64)fb->pitch * fb->height, PAGE_SIZE) - fb->address;
}

paddr fb0_pages(u64 offset, u64 bytes) {
    const struct boot_framebuffer *fb = screen_framebuffer();
    u64 start = ROUND_DOWN(fb->address, PAGE_SIZE);
    u64 all = fb->address + fb0_length_of(fb) - start;
    if (offset <= all && bytes <= all - offset) return (paddr){start + offset};
    return (paddr){0};
}

s64 fb0_copy(uaddr program, u64 bytes, u64 offset, bool write) {
    const struct boot_framebuffer *fb = screen_framebuffer();
    void *place = window((paddr){fb->address + offset});
    u64 all = fb0_length_of(fb);
    u64 count = 0;
    if (offset < all) count = MIN(bytes, all - offset);
    bool is_full = write && bytes && !count;
    if (is_full && offset > all) return -EFBIG;
    if (is_full) return -ENOSPC;
    if (write && !copy_from_user(place, program, count)) return -EFAULT;
    if (!write && !copy_to_user(program, place, count)) return -EFAULT;
    return (s64)count;
}

// A mode is asked for by its size and where it begins: colours are what they are, and some programs
// leave them empty.
s64 fb0_ioctl(u32 request, u64 arg) {
    const struct boot_framebuffer *fb = screen_framebuffer();
    struct fb_fix_screeninfo fix = {
        .id = "VESA VGA", .type = FB_TYPE_PACKED_PIXELS, .visual = FB_VISUAL_TRUECOLOR};
    struct fb_var_screeninfo wanted;
    struct fb_var_screeninfo var = {.bits_per_pixel = fb->bits};
    var.height = ~0u; // in mm, and nobody knows it
    var.width = ~0u;
    fix.smem_start = fb->address;
    fix.smem_len = (u32)fb0_length_of(fb);
    fix.line_length = fb->pitch;
    var.xres = fb->width;
    var.xres_virtual = fb->width;
    var.yres = fb->height;
    var.yres_virtual = fb->height;
    var.red = (struct fb_bitfield){fb->red_at, fb->red_bits, 0};
    var.green = (struct fb_bitfield){fb->green_at, fb->green_bits, 0};
    var.blue = (struct fb_bitfield){fb->blue_at, fb->blue_bits, 0};
    switch (request) {
    case FBIOGET_FSCREENINFO: return put_user(user(arg), &fix, sizeof fix);
    case FBIOPUT_VSCREENINFO:
    case FBIOPAN_DISPLAY:
        if (!copy_from_user(&wanted, user(arg), sizeof wanted)) return -EFAULT;
        if (memcmp(&wanted, &var, offsetof(struct fb_var_screeninfo, red))) return -EINVAL;
        __attribute__((fallthrough));
    case FBIOGET_VSCREENINFO: return put_user(user(arg), &var, sizeof var);
    }
    return -ENOTTY;
}
