// What calls about files answer: what Linux 6.18 does where standard input is a pipe with 65,537
// bytes, whose writer goes when the rest fits into a pipe, and standard output is a pipe, too.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return dprintf(2, "line %d: %s does not hold, errno %d\n", __LINE__, #condition,       \
                           errno),                                                                 \
                   1;                                                                              \
    } while (0)
#define FAILS(call, error) WANT((long)(call) == -1 && errno == (error))
#define UPPER              0xabcd00000000l // the upper half of an int's register
#define TEXT               "/proc/meminfo"
#define ACCESS(...)        syscall(439, __VA_ARGS__) // faccessat2

static char page[8192] __attribute__((aligned(4096))), again[100];
static struct stat a, b;

static int poll_one(int fd, short events, int revents) {
    struct pollfd one = {fd, events, 0x7fff};
    WANT(poll(&one, 1, 0) == (revents != 0) && one.revents == revents);
    return 0;
}

static int input_stays(void) {
    char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int before, left;
    WANT(at != MAP_FAILED && !munmap(at + 4096, 4096) && !ioctl(0, FIONREAD, &before));
    FAILS(read(0, at + 4096, 16), EFAULT);
    WANT(!ioctl(0, FIONREAD, &left) && left == before);
    ssize_t count = read(0, at + 4090, 16); // of a pipe nothing, of a file what fits
    WANT(count == -1 || count == 6);
    WANT(!ioctl(0, FIONREAD, &left) && left == before - (count < 0 ? 0 : count) &&
         !munmap(at, 4096));
    return 0;
}

static int polls(void) {
    const short all = POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM;
    int text = open(TEXT, O_RDONLY), left;
    WANT(!ioctl(0, FIONREAD, &left) && left == 65537);
    WANT(!poll_one(0, all, POLLIN | POLLRDNORM));
    WANT(read(0, page, 1) == 1 && !ioctl(0, FIONREAD, &left) && left == 65536);
    WANT(!poll_one(0, all, POLLIN | POLLRDNORM | POLLHUP));
    WANT(!input_stays());
    while (read(0, page, sizeof page) > 0) {}
    WANT(!poll_one(0, all, POLLHUP) && !poll_one(0, 0, POLLHUP));
    WANT(!poll_one(1, all, POLLOUT | POLLWRNORM) && !poll_one(1, POLLIN, 0));
    WANT(!ioctl(1, FIONREAD, &left) && left == 0); // the other end of a pipe
    WANT(!poll_one(text, 0x7fff, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM) &&
         !poll_one(text, POLLPRI, 0));
    WANT(!poll_one(77, 0, POLLNVAL) && !poll_one(-5, all, 0));
    FAILS(poll((void *)8, 1, 0), EFAULT);
    FAILS(poll(NULL, 1 << 30, 0), EINVAL);
    WANT(syscall(SYS_poll, (void *)8, 1l << 32, 0) == 0);
    struct pollfd none = {-1, POLLIN, 5};
    struct timespec soon = {0, 20000000}, later = {5, 0}, wrong = {0, 1000000000};
    WANT(syscall(SYS_ppoll, &none, 1, &soon, NULL, 8) == 0 && !soon.tv_sec && !soon.tv_nsec &&
         !none.revents);
    none = (struct pollfd){text, POLLIN, 5};
    WANT(syscall(SYS_ppoll, &none, 1, &later, NULL, 0) == 1 && none.revents == POLLIN &&
         later.tv_sec == 4);
    FAILS(syscall(SYS_ppoll, &none, 1, &wrong, NULL, 8), EINVAL);
    FAILS(syscall(SYS_ppoll, &none, 1, &later, &wrong, 7), EINVAL);
    FAILS(syscall(SYS_ppoll, &none, 1, NULL, (void *)8, 8), EFAULT);
    FAILS(syscall(SYS_ppoll, (void *)8, 1, NULL, NULL, 8), EFAULT);
    struct pollfd many[100] = {[99] = {text, POLLIN, 0}};
    for (int i = 0; i < 99; i++) many[i] = (struct pollfd){-1, POLLIN, 5};
    WANT(poll(many, 100, -1) == 1 && many[99].revents == POLLIN && many[0].revents == 0 &&
         many[0].fd == -1);
    WANT(!close(text));
    return 0;
}

static int vectors(void) {
    struct iovec v[2] = {{"never\n", 6}, {page + 4096, (size_t)-1}}, many[1025];
    FAILS(writev(1, v, 2), EINVAL);
    v[1].iov_len = SSIZE_MAX; // which no address can have behind it
    FAILS(writev(1, v, 2), EFAULT);
    v[1] =
        (struct iovec){NULL, 2}; // a vector may be as long as it is only as far as there is memory
    FAILS(writev(1, &v[1], 1), EFAULT);
    v[1] = (struct iovec){(void *)(1ul << 63), 0};
    FAILS(writev(1, v, 2), EFAULT);
    FAILS(writev(1, v, -1), EINVAL);
    FAILS(writev(1, (void *)8, 1), EFAULT);
    FAILS(writev(0, v, 1), EBADF);
    FAILS(readv(1, v, 1), EBADF);
    WANT(writev(1, (void *)8, 0) == 0);
    FAILS(write(1, page, -1), EFAULT);
    FAILS(read(0, page, SSIZE_MAX), EFAULT);
    FAILS(read(77, (void *)8, 0), EBADF);
    for (int i = 0; i < 1025; i++) many[i] = (struct iovec){"0123456789" + i % 10, 1};
    FAILS(writev(1, many, 1025), EINVAL);
    WANT(writev(1, many, 1000) == 1000);
    int text = open(TEXT, O_RDONLY);
    for (int i = 0; i < 24; i++) many[i] = (struct iovec){again + i, 1};
    WANT(readv(text, many, 24) == 24);
    WANT(lseek(text, 0, SEEK_SET) == 0 && read(text, page, 24) == 24 && !memcmp(page, again, 24));
    WANT(syscall(SYS_read, text | UPPER, page, 0) == 0);
    WANT(!close(text));
    return 0;
}

static int flags(void) {
    int on = 1,
        text = open(TEXT, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_DSYNC);
    WANT(fcntl(text, F_GETFL) == (O_NONBLOCK | O_NOFOLLOW | O_DSYNC | 0100000));
    WANT(fcntl(text, F_SETFL, O_APPEND | O_RDWR | O_DIRECTORY) == 0);
    WANT(fcntl(text, F_GETFL) == (O_APPEND | O_NOFOLLOW | O_DSYNC | 0100000));
    FAILS(fcntl(text, F_SETFL, O_DIRECT), EINVAL);
    FAILS(fcntl(text, 999), EINVAL);
    FAILS(fcntl(77, 999), EBADF);
    WANT(syscall(SYS_fcntl, text | UPPER, F_GETFD | UPPER) == FD_CLOEXEC);
    WANT(fcntl(text, F_SETFD, 0xfe) == 0 && fcntl(text, F_GETFD) == 0);
    WANT(fcntl(text, F_SETFD, 0xff) == 0 && fcntl(text, F_GETFD) == FD_CLOEXEC);
    WANT(!ioctl(text, FIONCLEX) && fcntl(text, F_GETFD) == 0 && !ioctl(text, FIOCLEX) &&
         fcntl(text, F_GETFD) == 1);
    WANT(!ioctl(0, FIONBIO, &on) && fcntl(0, F_GETFL) == (O_RDONLY | O_NONBLOCK));
    WANT(!syscall(SYS_ioctl, 0, FIONBIO | UPPER, &(int){0}) && fcntl(0, F_GETFL) == O_RDONLY);
    FAILS(ioctl(0, FIONBIO, 8), EFAULT);
    FAILS(ioctl(77, FIOCLEX), EBADF);
    FAILS(ioctl(0, TCGETS, page), ENOTTY);
    FAILS(ioctl(text, TIOCGWINSZ, page), ENOTTY);
    FAILS(write(0, "x", 1), EBADF);
    FAILS(write(text, "x", 1), EBADF);
    WANT(!close(text));
    FAILS(close(text), EBADF);
    return 0;
}

// Two pages, of which the second is not there: what fits is read, and what does not is not lost. Of
// a write to a pipe nothing goes out.
static int memory_ends(void) {
    char *at = mmap(NULL, 41 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
         *end = at + 40 * 4096;
    WANT(at != MAP_FAILED && !mprotect(end, 4096, PROT_NONE));
    struct iovec v[2] = {{end - 10, 10}, {end, 100}};
    int text = open(TEXT, O_RDONLY), zero = open("/dev/zero", O_RDWR);
    WANT(read(zero, end - 96, 200) == 96 && read(zero, at + 100, 41 * 4096) == end - at - 100);
    WANT(readv(zero, v, 2) == 10);
    FAILS(read(zero, end, 1), EFAULT);
    WANT(read(text, end - 6, 20) == 6 && lseek(text, 0, SEEK_CUR) == 6 &&
         !memcmp(end - 6, "MemTot", 6));
    WANT(lseek(text, 0, SEEK_SET) == 0 && readv(text, v, 2) == 10 &&
         !memcmp(end - 10, "MemTotal: ", 10));
    FAILS(pread(text, end, 10, 0), EFAULT);
    FAILS(write(1, end - 96, 200), EFAULT);
    FAILS(writev(1, v, 2), EFAULT);
    WANT(!close(text) && !close(zero) && !munmap(at, 41 * 4096));
    return 0;
}

static int places(void) {
    struct iovec v[2] = {{again, 3}, {again + 3, 3}};
    int text = open(TEXT, O_RDONLY), zero = open("/dev/zero", O_RDWR), root = open("/", O_RDONLY);
    WANT(read(text, page, 6) == 6 && pread(text, again, 4, 1) == 4 && !memcmp(page + 1, again, 4));
    WANT(preadv(text, v, 2, 0) == 6 && !memcmp(page, again, 6) && lseek(text, 0, SEEK_CUR) == 6);
    WANT(pread(zero, again, 3, 77) == 3 && !again[2] && pwrite(zero, page, 3, 0) == 3 &&
         pwritev(zero, v, 2, 0) == 6);
    WANT(syscall(SYS_preadv, text, v, 2, 0, 5) == 6 && pread(text, again, 1, 1 << 20) == 0);
    FAILS(pread(77, again, 1, -1), EINVAL);
    FAILS(pread(77, again, 1, 0), EBADF);
    FAILS(preadv(text, v, 2000, 0), EINVAL);
    FAILS(pread(text, again, 1, LONG_MAX), EINVAL);
    FAILS(pread(root, again, 1, 0), EISDIR);
    FAILS(pread(0, again, 1, 0), ESPIPE);
    FAILS(pread(1, again, 1, 0), ESPIPE);
    FAILS(preadv(0, v, 2000, 0), ESPIPE);
    FAILS(pwrite(1, again, 1, 0), ESPIPE);
    FAILS(pwrite(text, again, 1, 0), ESPIPE);
    FAILS(pwritev(root, v, 2, 0), EBADF);
    WANT(!close(text) && !close(zero) && !close(root));
    return 0;
}

static int names(void) {
    int proc = open("/proc", O_RDONLY | O_DIRECTORY), text = open(TEXT, O_RDONLY);
    long one, all = 0, again_all = 0, found = 0;
    FAILS(syscall(SYS_getdents64, text, page, 4096), ENOTDIR);
    FAILS(syscall(SYS_getdents64, 77, page, 4096), EBADF);
    FAILS(syscall(SYS_getdents64, proc, page, 20), EINVAL);
    FAILS(syscall(SYS_getdents64, proc, 8, 4096), EFAULT);
    WANT(lseek(proc, 0, SEEK_CUR) == 0 && !stat(TEXT, &a));
    while ((one = syscall(SYS_getdents64, proc, page, 64)) > 0) all += one;
    WANT(one == 0 && all > 100 && lseek(proc, 0, SEEK_SET) == 0);
    while ((one = syscall(SYS_getdents64, proc, page, sizeof page)) > 0) {
        again_all += one;
        for (char *at = page; at < page + one; at += *(unsigned short *)(at + 16)) {
            if (strcmp(at + 19, "meminfo")) continue;
            WANT(*(unsigned long *)at == a.st_ino && at[18] == 8);
            found++;
        }
    }
    WANT(one == 0 && all == again_all && found == 1);
    WANT(lseek(proc, 1, SEEK_SET) == 1 && syscall(SYS_getdents64, proc, page, 32) >= 24 &&
         !strcmp(page + 19, ".."));
    WANT(page[18] == 4 && !close(proc) && !close(text));
    return 0;
}

static int seeks(void) {
    int text = open(TEXT, O_RDONLY), left;
    struct iovec v[2] = {{page, 3}, {page, 3}};
    WANT(read(text, page, 10) == 10 && lseek(text, 0, SEEK_CUR) == 10 &&
         lseek(text, 5, SEEK_SET) == 5);
    WANT(read(text, page, 4) == 4 && !memcmp(page, "tal:", 4) && lseek(text, -2, SEEK_CUR) == 7);
    WANT(!ioctl(text, FIONREAD, &left) && left == -7);
    FAILS(lseek(text, -100, SEEK_CUR), EINVAL);
    FAILS(lseek(text, 0, SEEK_END), EINVAL);
    FAILS(lseek(text, 0, 7), EINVAL);
    WANT(lseek(text, 100000, SEEK_SET) == 100000 && read(text, page, 10) == 0);
    WANT(lseek(text, LONG_MAX, SEEK_SET) == LONG_MAX && lseek(text, 0, SEEK_CUR) == LONG_MAX);
    FAILS(lseek(text, 1, SEEK_CUR), EINVAL);
    FAILS(read(text, page, 1), EINVAL);
    FAILS(read(text, (void *)(1ul << 63), 1), EFAULT);
    WANT(read(text, page, 0) == 0 && lseek(text, -5, SEEK_CUR) == LONG_MAX - 5 &&
         read(text, page, 5) == 0);
    FAILS(read(text, page, 6), EINVAL);
    FAILS(readv(text, v, 2), EINVAL);
    WANT(syscall(SYS_lseek, text | UPPER, 0l, UPPER) == 0);
    FAILS(lseek(0, 0, SEEK_SET), ESPIPE);
    FAILS(lseek(77, 0, SEEK_SET), EBADF);
    WANT(!close(text));
    return 0;
}

static const char *repeated(char c, int count, const char *rest) {
    page[0] = '/';
    memset(page + 1, c, (size_t)count);
    strcpy(page + 1 + count, rest);
    return page;
}

static int paths(void) {
    FAILS(open("", O_RDONLY), ENOENT);
    FAILS(open(TEXT "/", O_RDONLY), ENOTDIR);
    FAILS(open(TEXT "/x", O_RDONLY), ENOTDIR);
    FAILS(open(TEXT "/..", O_RDONLY), ENOTDIR);
    FAILS(open(TEXT "/.", O_RDONLY), ENOTDIR);
    FAILS(open("/absent/../proc/meminfo", O_RDONLY), ENOENT);
    FAILS(open("/proc/meminf", O_RDONLY), ENOENT);
    FAILS(open("/proc", O_WRONLY), EISDIR);
    FAILS(open("/proc", O_RDWR | O_CREAT, 0600), EISDIR);
    FAILS(open(TEXT, O_DIRECTORY), ENOTDIR);
    FAILS(open(TEXT, O_CREAT | O_EXCL, 0600), EEXIST);
    FAILS(open("/proc/new", O_CREAT | O_RDWR, 0600), ENOENT);
    FAILS(open("/proc/new/", O_CREAT | O_RDWR, 0600), EISDIR);
    FAILS(open(repeated('a', 256, ""), O_RDONLY), ENAMETOOLONG);
    FAILS(open(repeated('a', 255, ""), O_RDONLY), ENOENT);
    FAILS(open(repeated('a', 255, "/x"), O_RDONLY), ENOENT);
    FAILS(open(repeated('/', 4095, ""), O_RDONLY), ENAMETOOLONG);
    FAILS(open((void *)8, O_RDONLY), EFAULT);
    WANT(!stat(repeated('/', 4094, ""), &a) && S_ISDIR(a.st_mode) && !stat("/..", &b) &&
         a.st_ino == b.st_ino);
    WANT(!stat("//proc/./../proc///meminfo", &a) && !stat(TEXT, &b) && a.st_ino == b.st_ino &&
         S_ISREG(a.st_mode));
    int proc = open("/proc/", O_RDONLY | O_DIRECTORY), text = openat(proc, "meminfo", O_RDONLY);
    WANT(proc > 2 && text > proc && !fstat(text, &a) && a.st_ino == b.st_ino &&
         a.st_dev == b.st_dev);
    FAILS(read(proc, page, 0), EISDIR);
    FAILS(write(proc, page, 1), EBADF);
    WANT(lseek(proc, 0, SEEK_CUR) == 0 && !fstatat(proc, "..", &a, 0) && !stat("/", &b) &&
         a.st_ino == b.st_ino);
    FAILS(openat(0, "x", O_RDONLY), ENOTDIR);
    FAILS(openat(text, "x", O_RDONLY), ENOTDIR);
    FAILS(openat(77, "x", O_RDONLY), EBADF);
    FAILS(openat(77, "", O_RDONLY), ENOENT);
    FAILS(openat(AT_FDCWD, "meminfo", O_RDONLY), ENOENT);
    WANT(openat(77, TEXT, O_RDONLY) == text + 1 && !close(text + 1));
    WANT(syscall(SYS_openat, UPPER | (unsigned)AT_FDCWD, TEXT, UPPER) == text + 1 &&
         !close(text + 1));
    FAILS(fstatat(77, "", &a, AT_EMPTY_PATH), EBADF);
    FAILS(fstatat(0, "", &a, 0), ENOENT);
    FAILS(fstatat(0, "x", &a, 0), ENOTDIR);
    FAILS(fstatat(0, "x", &a, 0x10000), EINVAL);
    WANT(!fstatat(text, "", &a, AT_EMPTY_PATH) && S_ISREG(a.st_mode));
    FAILS(readlink(TEXT, page, 9), EINVAL);
    FAILS(readlink(TEXT "/", page, 9), ENOTDIR);
    FAILS(readlink("/absent", page, 9), ENOENT);
    FAILS(syscall(SYS_readlink, "/absent", page, 0), EINVAL);
    FAILS(syscall(SYS_readlinkat, 77, "x", page, 9), EBADF);
    WANT(!access(TEXT, R_OK) && !access("/proc", R_OK | X_OK) &&
         !syscall(SYS_access, "/proc", UPPER));
    FAILS(access(TEXT, X_OK), EACCES);
    FAILS(access("/absent", 8), EINVAL);
    FAILS(access("/absent", F_OK), ENOENT);
    FAILS(syscall(SYS_faccessat, 77, "x", 0), EBADF);
    WANT(!ACCESS(AT_FDCWD, TEXT, R_OK, 0) && !ACCESS(text, "", R_OK, AT_EMPTY_PATH));
    WANT(!ACCESS(AT_FDCWD, "", X_OK, AT_EMPTY_PATH) &&
         !ACCESS(proc, "meminfo", R_OK, AT_SYMLINK_NOFOLLOW));
    FAILS(ACCESS(AT_FDCWD, TEXT, X_OK, AT_EACCESS), EACCES);
    FAILS(ACCESS(text, "", R_OK, 0), ENOENT);
    FAILS(ACCESS(77, "", R_OK, AT_EMPTY_PATH), EBADF);
    FAILS(ACCESS(AT_FDCWD, "/absent", 8, 0), EINVAL);
    FAILS(ACCESS(AT_FDCWD, "/absent", F_OK, AT_NO_AUTOMOUNT), EINVAL);
    WANT(!close(proc) && !close(text));
    return 0;
}

// All numbers there are, and one more.
static int numbers(void) {
    int last = 2, next;
    while ((next = open(TEXT, O_RDONLY)) == last + 1) last = next;
    WANT(next == -1 && errno == EMFILE && last == (int)sysconf(_SC_OPEN_MAX) - 1);
    WANT(!close(5) && open(TEXT, O_RDONLY) == 5);
    while (last > 2) WANT(!close(last--));
    return 0;
}

int main(void) {
    if (polls() || memory_ends() || places() || vectors() || flags() || seeks() || names() ||
        paths() || numbers())
        return 1;
    return 0;
}
