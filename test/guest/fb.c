// The framebuffer as a program uses it: "fb draw" checks what the ioctls say, draws a picture and
// waits for a byte, unmaps it and waits again; the other words are one experiment each. Every pixel
// of the picture is computed, so that whoever looks at the screen from outside knows it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fb.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PAGE 4096ul
#define RW   (PROT_READ | PROT_WRITE)
#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return printf("line %d: %s does not hold, errno %d\n", __LINE__, #condition, errno),   \
                   1;                                                                              \
    } while (0)
#define FAILS(call, error) WANT((long)(call) == -1 && errno == (error))

static int fd;
static struct fb_var_screeninfo var;
static struct fb_fix_screeninfo fix;
static uint8_t *pixels;

static uint32_t part(unsigned value, const struct fb_bitfield *field) {
    return value >> (8 - field->length) << field->offset;
}

// Eight bars, darker towards the bottom, under a white diagonal and inside a white frame.
static void colour(unsigned x, unsigned y, unsigned rgb[3]) {
    unsigned bar = 1 + x * 8 / var.xres, light = 255 - y * 128 / var.yres;
    int white = x == y || !x || !y || x == var.xres - 1 || y == var.yres - 1;
    for (int i = 0; i < 3; i++) rgb[i] = white ? 255 : bar >> i & 1 ? light : (x ^ y) & 63;
}

static void draw_rows(unsigned from, unsigned to) {
    unsigned rgb[3], bytes = var.bits_per_pixel / 8;
    for (unsigned y = from; y < to; y++)
        for (unsigned x = 0; x < var.xres; x++) {
            colour(x, y, rgb);
            uint32_t pixel =
                part(rgb[0], &var.red) | part(rgb[1], &var.green) | part(rgb[2], &var.blue);
            memcpy(pixels + y * fix.line_length + x * bytes, &pixel, bytes);
        }
}

static void *lower_half(void *nothing) { return draw_rows(var.yres / 2, var.yres), nothing; }

static void wait_for_byte(const char *say) {
    char byte;
    write(1, say, strlen(say));
    read(0, &byte, 1);
}

static int begin(void) {
    WANT((fd = open("/dev/fb0", O_RDWR | O_CLOEXEC)) > 2);
    WANT(ioctl(fd, FBIOGET_VSCREENINFO, &var) == 0 && ioctl(fd, FBIOGET_FSCREENINFO, &fix) == 0);
    pixels = mmap(NULL, fix.smem_len, RW, MAP_SHARED, fd, 0);
    WANT(pixels != MAP_FAILED);
    return 0;
}

static int modes(void) {
    struct fb_var_screeninfo other = var;
    struct stat by_name, by_number;
    WANT(stat("/dev/fb0", &by_name) == 0 && fstat(fd, &by_number) == 0);
    WANT(S_ISCHR(by_name.st_mode) && by_name.st_rdev == makedev(29, 0) &&
         !memcmp(&by_name, &by_number, sizeof by_name));
    WANT(var.xres == var.xres_virtual && var.yres == var.yres_virtual && !var.xoffset &&
         !var.yoffset);
    WANT(var.red.length >= 5 && var.green.length >= 5 && var.blue.length >= 5 && !var.grayscale &&
         !var.red.msb_right);
    uint64_t all = 0;
    const struct fb_bitfield *fields[] = {&var.red, &var.green, &var.blue};
    for (int i = 0; i < 3; i++) {
        uint64_t mask = ((1ull << fields[i]->length) - 1) << fields[i]->offset;
        WANT(!(all & mask) && fields[i]->offset + fields[i]->length <= var.bits_per_pixel);
        all |= mask;
    }
    WANT(fix.type == FB_TYPE_PACKED_PIXELS && fix.visual == FB_VISUAL_TRUECOLOR &&
         memchr(fix.id, 0, sizeof fix.id));
    WANT(fix.line_length >= var.xres * var.bits_per_pixel / 8);
    WANT(fix.smem_start && fix.smem_len >= fix.line_length * var.yres);
    WANT((fix.smem_start + fix.smem_len) % PAGE == 0 &&
         fix.smem_len - fix.line_length * var.yres < PAGE);
    memset(&other.red, 0, 4 * sizeof other.red); // SDL asks without colours
    other.activate = FB_ACTIVATE_NOW;
    WANT(ioctl(fd, FBIOPUT_VSCREENINFO, &other) == 0 && !memcmp(&other, &var, sizeof var));
    other.yres_virtual *= 2;
    FAILS(ioctl(fd, FBIOPUT_VSCREENINFO, &other), EINVAL);
    other = var;
    WANT(ioctl(fd, FBIOPAN_DISPLAY, &other) == 0);
    other.yoffset = 1;
    FAILS(ioctl(fd, FBIOPAN_DISPLAY, &other), EINVAL);
    FAILS(ioctl(fd, 0x5401, &other), ENOTTY);
    FAILS(ioctl(fd, FBIOGET_VSCREENINFO, 8), EFAULT);
    FAILS(ioctl(fd, FBIOPUT_VSCREENINFO, 8), EFAULT);
    FAILS(ioctl(fd, FBIOGET_FSCREENINFO, 8), EFAULT);
    return 0;
}

static int maps(void) {
    unsigned long bytes = (fix.smem_len + PAGE - 1) / PAGE * PAGE;
    int reading = open("/dev/fb0", O_RDONLY),
        writing = open("/dev/fb0", O_WRONLY | O_CREAT | O_TRUNC);
    WANT(reading > 0 && writing > 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR &&
         (fcntl(writing, F_GETFL) & O_ACCMODE) == O_WRONLY);
    FAILS(open("/dev/fb0", O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS(open("/dev/fb1", O_RDWR), ENOENT);
    FAILS(mmap(NULL, bytes, RW, MAP_PRIVATE, fd, 0), EINVAL);
    FAILS(mmap(NULL, bytes + PAGE, RW, MAP_SHARED, fd, 0), EINVAL);
    FAILS(mmap(NULL, bytes, RW, MAP_SHARED, fd, PAGE), EINVAL);
    FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, fd, bytes), EINVAL);
    FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, fd, -PAGE), EINVAL);
    FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 1), EINVAL);
    FAILS(mmap(NULL, PAGE, RW | PROT_EXEC, MAP_SHARED, fd, 0), EPERM);
    FAILS(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_HUGETLB, fd, 0), EINVAL);
    FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, reading, 0), EACCES);
    FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, writing, 0), EACCES);
    FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, 1, 0), EACCES); // a pipe, to be written alone
    FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, 60, 0), EBADF);
    FAILS(mprotect(pixels, PAGE, RW | PROT_EXEC), EACCES);
    FAILS(madvise(pixels, PAGE, MADV_DONTNEED), EINVAL);
    FAILS(mremap(pixels, bytes, bytes + PAGE, MREMAP_MAYMOVE), EFAULT);

    // Every mapping shows the same memory, whatever happens to the others.
    uint8_t *second = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_SHARED, fd, PAGE);
    const uint8_t *shown = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reading, PAGE);
    WANT(second != MAP_FAILED && shown != MAP_FAILED);
    FAILS(mprotect((void *)shown, PAGE, RW), EACCES);
    WANT(mprotect((void *)shown, PAGE, PROT_NONE) == 0 &&
         mprotect((void *)shown, PAGE, PROT_READ) == 0);
    FAILS(ioctl(fd, FBIOGET_VSCREENINFO, second), EFAULT); // PROT_NONE holds for the kernel, too
    WANT(mprotect(second, 3 * PAGE, RW) == 0);
    for (int i = 0; i < 3; i++) second[i * PAGE] = 7 + i;
    WANT(pixels[PAGE] == 7 && pixels[3 * PAGE] == 9 && *shown == 7);
    FAILS(mremap(second, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, pixels - 9 * PAGE), EFAULT);
    WANT(mremap(second, 3 * PAGE, 2 * PAGE, 0) == second);
    FAILS(ioctl(fd, FBIOGET_VSCREENINFO, second + 2 * PAGE), EFAULT);
    WANT(mmap(second, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == second);
    WANT(!second[0] && second[PAGE] == 8 && pixels[PAGE] == 7); // replaced, not cleared
    WANT(munmap(second, 2 * PAGE) == 0 && munmap((void *)shown, PAGE) == 0);
    WANT(pixels[PAGE] == 7 && pixels[2 * PAGE] == 8 && close(reading) == 0 && close(writing) == 0);

    // The kernel copies to and from it as anywhere.
    WANT(ioctl(fd, FBIOGET_FSCREENINFO, pixels) == 0 && !memcmp(pixels, &fix, sizeof fix));
    memcpy(pixels + PAGE, &var, sizeof var);
    WANT(ioctl(fd, FBIOPUT_VSCREENINFO, pixels + PAGE) == 0);
    return 0;
}

// What a program does that has no mmap: cat file > /dev/fb0.
static int files(void) {
    char row[64];
    WANT(lseek(fd, 3, SEEK_SET) == 3 && write(fd, "framebuffer", 11) == 11 &&
         lseek(fd, 0, SEEK_CUR) == 14);
    WANT(!memcmp(pixels + 3, "framebuffer", 11));
    WANT(lseek(fd, -11, SEEK_CUR) == 3 && read(fd, row, sizeof row) == sizeof row &&
         !memcmp(row, "framebuffer", 11));
    WANT(lseek(fd, fix.smem_len - 5, SEEK_SET) == fix.smem_len - 5 && write(fd, row, 64) == 5);
    WANT(!memcmp(pixels + fix.smem_len - 5, row, 5));
    FAILS(write(fd, row, 1), ENOSPC);
    WANT(write(fd, row, 0) == 0 && read(fd, row, 1) == 0);
    WANT(lseek(fd, 1, SEEK_CUR) == fix.smem_len + 1);
    FAILS(write(fd, row, 1), EFBIG);
    WANT(lseek(fd, 1ul << 62, SEEK_SET) == 1l << 62 && read(fd, row, 1) == 0);
    FAILS(lseek(fd, -1, SEEK_END), EINVAL);
    FAILS(lseek(fd, 0, 9), EINVAL);
    WANT(lseek(fd, 0, SEEK_SET) == 0);
    FAILS(write(fd, (void *)8, 100), EFAULT);
    FAILS(read(fd, (void *)8, 100), EFAULT);
    FAILS(lseek(1, 0, SEEK_SET), ESPIPE);
    int other = open("/dev/fb0", O_WRONLY);
    FAILS(read(other, row, 1), EBADF);
    WANT(read(fd, pixels + 100 * PAGE, 100) == 100 &&
         !memcmp(pixels + 100 * PAGE + 3, "framebuffer", 11));
    return close(other);
}

static int draw(void) {
    pthread_t other;
    WANT(pthread_create(&other, NULL, lower_half, NULL) == 0);
    draw_rows(0, var.yres / 2);
    WANT(pthread_join(other, NULL) == 0);
    printf("%u x %u x %u\n", var.xres, var.yres, var.bits_per_pixel);
    fflush(stdout);
    wait_for_byte("drawn\n");
    WANT(munmap(pixels + PAGE, fix.smem_len - PAGE) == 0);
    wait_for_byte("one page left\n");
    WANT(munmap(pixels, PAGE) == 0);
    wait_for_byte("unmapped\n");
    return 0;
}

static void *draw_for_ever(void *nothing) {
    for (;;) draw_rows(0, var.yres);
    return nothing;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "check";
    if (!strcmp(what, "none")) {
        struct stat stat_of;
        FAILS(open("/dev/fb0", O_RDWR), ENOENT);
        FAILS(stat("/dev/fb0", &stat_of), ENOENT);
        return 0;
    }
    if (!strcmp(what, "draw")) wait_for_byte("before\n");
    if (begin()) return 1;
    if (!strcmp(what, "draw")) return draw();
    if (!strcmp(what, "crash")) { // while another thread draws
        pthread_t other;
        WANT(pthread_create(&other, NULL, draw_for_ever, NULL) == 0);
        draw_rows(0, var.yres);
        *(volatile char *)0 = 1;
    }
    return modes() || maps() || files();
}
