// A terminal's reads while its settings change, and while their file is closed. Says when something
// is to be typed.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static struct termios lines, keys;
static void set(int minimum, int tenths) {
    keys.c_cc[VMIN] = (cc_t)minimum;
    keys.c_cc[VTIME] = (cc_t)tenths;
    tcsetattr(0, TCSANOW, &keys);
}

// The requests of glibc from 2.42 on: those of before, and two speeds. Back to what was at the end.
static void with_speeds(void) {
    struct {
        unsigned flags[4];
        unsigned char line, keys[19];
        unsigned speeds[2];
    } first, then, again;
    unsigned char common[36]; // what TCGETS gives
    int got = ioctl(0, _IOR('T', 0x2a, first), &first) | ioctl(0, TCGETS, common);
    int same = !memcmp(common, &first, sizeof common);
    then = first;
    then.flags[3] &= ~(unsigned)ICANON;
    then.speeds[1] = 12345;
    int set = ioctl(0, _IOW('T', 0x2c, then), &then) | ioctl(0, _IOR('T', 0x2a, again), &again);
    int kept = !memcmp(&then, &again, sizeof then);
    int bad = ioctl(0, _IOW('T', 0x2b, then), 8) == -1 && errno == EFAULT;
    ioctl(0, _IOW('T', 0x2d, first), &first);
    printf("termios2: %d %u %u %d, %d %d %d\n", got, first.speeds[0], first.speeds[1], same, set,
           kept, bad);
}

static void *reader(void *arg) {
    char b[64] = "";
    ssize_t r = read(0, b, 20);
    printf("reader: %zd errno %d '%.*s'\n", r, r < 0 ? errno : 0, r > 0 ? (int)r : 0, b);
    return NULL;
}

static void *poller(void *revents) {
    struct pollfd p = {0, POLLIN, 99};
    *(short **)revents = &p.revents;
    int r = poll(&p, 1, -1);
    printf("poll: %d %d\n", r, p.revents);
    return NULL;
}

int main(void) {
    pthread_t t;
    char b[20];
    int count;
    short *revents = NULL;
    struct pollfd p = {0, POLLIN, 0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    with_speeds();
    tcgetattr(0, &lines);
    keys = lines;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    set(0, 5);
    double begin = now();
    ssize_t r = read(0, b, 1);
    printf("VTIME: %zd, after %s\n", r, now() - begin >= 0.5 ? "its time" : "less");
    set(0, 0);
    printf("neither: %zd, poll %d\n", read(0, b, 1), poll(&p, 1, 0));
    set(3, 0);
    puts("type ab");
    while (!ioctl(0, FIONREAD, &count) && count < 2) usleep(1000);
    printf("VMIN 3, two there: poll %d\n", poll(&p, 1, 0));
    set(3, 2);
    printf("and VTIME: poll %d", poll(&p, 1, 0));
    begin = now();
    r = read(0, b, sizeof b);
    printf(", read %zd after %s\n", r, now() - begin >= 0.2 ? "its time" : "less");

    tcsetattr(0, TCSANOW, &lines);
    pthread_create(&t, NULL, reader, NULL);
    usleep(100000);
    puts("type abc");
    sleep(2);
    set(1, 0); // now it can be read
    pthread_join(t, NULL);

    pthread_create(&t, NULL, poller, &revents);
    usleep(100000);
    printf("while it waits: %d\n", *revents);
    puts("type zxy");
    pthread_join(t, NULL);
    while (!ioctl(0, FIONREAD, &count) && count < 3) usleep(1000);
    char *end =
        (char *)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 4096;
    munmap(end, 4096);
    r = read(0, end, 5);
    printf("where no memory is: %zd, EFAULT %d\n", r, errno == EFAULT);
    r = read(0, end - 2, 5);
    printf("where it ends: %zd '%.2s', left: %zd", r, end - 2, read(0, b, sizeof b));
    printf(" '%c'\n", b[0]);

    pthread_create(&t, NULL, reader, NULL);
    usleep(100000);
    fcntl(0, F_SETFL, O_NONBLOCK); // it waits on
    close(0);
    printf("open: %d\n", open("/proc/meminfo", O_RDONLY));
    puts("type y");
    pthread_join(t, NULL);
    close(0);
    return 0;
}
