// Pipes, and several numbers of one open file, as Linux 6.18 has them. "sigpipe": writes where
// nobody reads. "memory": fills pipes until there is no memory for more.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return printf("line %d: %s does not hold, errno %d\n", __LINE__, #condition, errno),   \
                   1;                                                                              \
    } while (0)
#define FAILS(call, error) WANT((long)(call) == -1 && errno == (error))
#define CAPACITY           65536
#define IN                 (POLLIN | POLLRDNORM)
#define OUT                (POLLOUT | POLLWRNORM)

static char many[1 << 20], back[1 << 20];

static int state(int fd) { // what poll says of it
    struct pollfd one = {fd, IN | OUT | POLLPRI, 0};
    return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}

static int waiting(int fd) {
    int count = -1;
    return ioctl(fd, FIONREAD, &count) ? -1 : count;
}

static void nap(void) { nanosleep(&(struct timespec){0, 20000000}, NULL); }

// ---- numbers ----

static int numbers(void) {
    int p[2], q[2];
    FAILS(syscall(SYS_pipe, 8), EFAULT);
    FAILS(pipe2(p, O_CLOEXEC | O_APPEND), EINVAL);
    FAILS(syscall(SYS_pipe2, p, 1), EINVAL);
    WANT(!pipe(p) && p[0] == 3 && p[1] == 4);
    WANT(fcntl(3, F_GETFL) == O_RDONLY && fcntl(4, F_GETFL) == O_WRONLY && !fcntl(3, F_GETFD));
    WANT(!pipe2(q, O_CLOEXEC | O_NONBLOCK) && q[0] == 5 && q[1] == 6);
    WANT(fcntl(5, F_GETFL) == (O_RDONLY | O_NONBLOCK) && fcntl(6, F_GETFD) == FD_CLOEXEC);
    struct stat a, b, c;
    WANT(!fstat(3, &a) && !fstat(4, &b) && !fstat(5, &c) && S_ISFIFO(a.st_mode));
    WANT(a.st_ino == b.st_ino && a.st_ino != c.st_ino && a.st_blksize == 4096 && !a.st_size);
    FAILS(lseek(3, 0, SEEK_SET), ESPIPE);
    FAILS(pread(3, back, 1, 0), ESPIPE);
    FAILS(pwrite(4, back, 1, 0), ESPIPE);
    FAILS(read(4, back, 1), EBADF);
    FAILS(write(3, back, 1), EBADF);
    FAILS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0), ENODEV);
    FAILS(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0), EACCES);
    FAILS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 4, 0), EACCES);
    FAILS(syscall(SYS_getdents64, 3, back, 100), ENOTDIR);
    FAILS(openat(3, "x", O_RDONLY), ENOTDIR);
    FAILS(ioctl(3, TIOCGWINSZ, back), ENOTTY);
    for (int fd = 3; fd < 7; fd++) WANT(!close(fd));
    return 0;
}

// Two numbers of one open file have their offset and their flags in common, and nothing else.
static int duplicates(void) {
    int text = open("/proc/meminfo", O_RDONLY), other = dup(text);
    WANT(text == 3 && other == 4 && read(text, many, 10) == 10 && lseek(other, 0, SEEK_CUR) == 10);
    WANT(lseek(other, 3, SEEK_SET) == 3 && read(text, back, 7) == 7 && !memcmp(back, many + 3, 7));
    WANT(!fcntl(text, F_SETFL, O_NONBLOCK | O_APPEND) && fcntl(other, F_GETFL) & O_NONBLOCK);
    WANT(fcntl(other, F_GETFL) & O_APPEND && !ioctl(other, FIONBIO, &(int){0}));
    WANT(!(fcntl(text, F_GETFL) & O_NONBLOCK) && fcntl(text, F_GETFL) & O_APPEND);
    WANT(!fcntl(text, F_SETFD, FD_CLOEXEC) && !fcntl(other, F_GETFD));
    WANT(fcntl(text, F_DUPFD, 10) == 10 && !fcntl(10, F_GETFD));
    WANT(fcntl(text, F_DUPFD_CLOEXEC, 10) == 11 && fcntl(11, F_GETFD) == FD_CLOEXEC);
    WANT(!close(text) && read(other, back, 1) == 1 && dup2(10, 3) == 3 && dup2(3, 11) == 11);
    WANT(!fcntl(11, F_GETFD) && lseek(11, 0, SEEK_CUR) == 11);
    WANT(dup2(3, 3) == 3 && dup3(3, 700, O_CLOEXEC) == 700 && fcntl(700, F_GETFD) == FD_CLOEXEC);
    int third = open("/proc/meminfo", O_RDONLY);
    WANT(third == 5 && !lseek(third, 0, SEEK_CUR) && dup2(third, 700) == 700);
    WANT(!lseek(700, 0, SEEK_CUR) && lseek(3, 0, SEEK_CUR) == 11);
    FAILS(dup3(3, 3, 0), EINVAL);
    FAILS(syscall(SYS_dup3, 3, 12, O_NONBLOCK), EINVAL);
    FAILS(dup3(77, 77, 0), EINVAL);
    FAILS(dup2(77, 77), EBADF);
    FAILS(dup2(77, 12), EBADF);
    FAILS(dup2(3, -1), EBADF);
    FAILS(dup2(77, 1 << 30), EBADF);
    FAILS(dup(77), EBADF);
    FAILS(dup(-1), EBADF);
    FAILS(fcntl(77, F_DUPFD, -1), EBADF);
    FAILS(fcntl(3, F_DUPFD, -1), EINVAL);
    FAILS(fcntl(3, F_DUPFD, 1 << 20), EINVAL);
    const int open_ones[] = {3, 4, 5, 10, 11, 700};
    for (int i = 0; i < 6; i++) WANT(!close(open_ones[i]));
    FAILS(close(700), EBADF);
    return 0;
}

// ---- one thread ----

static int bytes(void) {
    int p[2];
    WANT(!pipe(p) && waiting(p[0]) == 0 && state(p[0]) == 0 && state(p[1]) == OUT);
    WANT(write(p[1], "", 0) == 0 && read(p[0], back, 0) == 0 && write(p[1], "abcdef", 6) == 6);
    WANT(waiting(p[0]) == 6 && waiting(p[1]) == 6 && state(p[0]) == IN);
    struct iovec in[3] = {{back, 2}, {back + 9, 0}, {back + 10, 2}}, out[2] = {{"gh", 2}, {"i", 1}};
    WANT(readv(p[0], in, 3) == 4 && !memcmp(back, "ab", 2) && !memcmp(back + 10, "cd", 2));
    WANT(writev(p[1], out, 2) == 3 && read(p[0], back, 100) == 5 && !memcmp(back, "efghi", 5));
    FAILS(write(p[1], (void *)4096, 10), EFAULT);
    WANT(waiting(p[0]) == 0 && write(p[1], "jk", 2) == 2);
    FAILS(read(p[0], (void *)4096, 10), EFAULT);
    WANT(waiting(p[0]) == 2 && !close(p[1]) && state(p[0]) == (IN | POLLHUP));
    WANT(read(p[0], back, 10) == 2 && state(p[0]) == POLLHUP && read(p[0], back, 10) == 0);
    WANT(!close(p[0]));
    return 0;
}

static int full(void) {
    int p[2];
    WANT(!pipe2(p, O_NONBLOCK));
    FAILS(read(p[0], back, 1), EAGAIN);
    for (int i = 0; i < CAPACITY; i += 4096) WANT(write(p[1], many + i, 4096) == 4096);
    FAILS(write(p[1], many, 1), EAGAIN);
    FAILS(write(p[1], many, 5000), EAGAIN);
    WANT(state(p[1]) == 0 && waiting(p[1]) == CAPACITY && state(p[0]) == IN);
    WANT(read(p[0], back, 8192) == 8192 && state(p[1]) == OUT);
    WANT(write(p[1], many, 20000) == 8192); // what fits of more than PIPE_BUF
    WANT(read(p[0], back, 4096) == 4096 && write(p[1], many, 4096) == 4096);
    WANT(read(p[0], back, sizeof back) == CAPACITY && !memcmp(back + 53248, many, 8192));
    FAILS(read(p[0], back, 1), EAGAIN);
    WANT(!close(p[0]) && state(p[1]) == (OUT | POLLERR));
    FAILS(write(p[1], many, 1), EPIPE);
    WANT(write(p[1], many, 0) == 0 && !close(p[1]));
    return 0;
}

// ---- threads ----

static int one[2];
static void *write_many(void *size) {
    return (void *)(write(one[1], many, (size_t)size) == (ssize_t)size ? 0 : 1l);
}
static void *read_one(void *to) { return (void *)read(one[0], to, 100); }
static void *poll_one(void *timeout) {
    // Of the writing end none: who polls it holds it.
    struct pollfd fds[3] = {{-1, POLLIN, 0}, {one[0], POLLIN, 0}, {one[0], POLLOUT, 0}};
    int ready = poll(fds, 3, (int)(long)timeout);
    return (void *)(long)(ready < 1 ? ready : fds[1].revents);
}

// Much more than fits, in pieces of all sizes.
static int streams(void) {
    pthread_t writer;
    void *wrong;
    size_t done = 0;
    WANT(!pipe(one) && !pthread_create(&writer, NULL, write_many, (void *)sizeof many));
    for (ssize_t count = 1, size = 1; count > 0 && done < sizeof many; size = size * 7 % 70001) {
        size_t wanted = (size_t)size < sizeof many - done ? (size_t)size : sizeof many - done;
        count = read(one[0], back + done, wanted);
        if (count > 0) done += (size_t)count;
    }
    WANT(!pthread_join(writer, &wrong) && !wrong && !memcmp(back, many, sizeof many));
    return close(one[0]) | close(one[1]);
}

#define WRITERS 4
#define RECORDS 300

// The length of each record is in its first two bytes.
static void *write_records(void *name) {
    unsigned char record[4096];
    for (unsigned i = 0; i < RECORDS; i++) {
        unsigned size = 2 + (i * 1237 + (unsigned)(long)name * 411) % 4095;
        memset(record, (int)(long)name, size);
        record[0] = (unsigned char)(size & 255);
        record[1] = (unsigned char)(size >> 8);
        if (write(one[1], record, size) != (ssize_t)size) return (void *)1;
    }
    return NULL;
}

static ssize_t read_all(unsigned char *to, size_t bytes) {
    size_t done = 0;
    while (done < bytes) {
        ssize_t count = read(one[0], to + done, bytes - done);
        if (count <= 0) return count;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

// What is written at once, up to PIPE_BUF, is there in one piece.
static int whole_records(void) {
    pthread_t writers[WRITERS];
    unsigned char record[4096];
    WANT(!pipe(one));
    for (long i = 0; i < WRITERS; i++)
        WANT(!pthread_create(&writers[i], NULL, write_records, (void *)(i + 1)));
    for (int i = 0; i < WRITERS * RECORDS; i++) {
        WANT(read_all(record, 2) == 2);
        unsigned size = record[0] | (unsigned)record[1] << 8;
        WANT(size >= 2 && size <= 4096 && read_all(record, size - 2) == (ssize_t)(size - 2));
        for (unsigned at = 1; at + 2 < size; at++) WANT(record[at] == record[0]);
    }
    for (int i = 0; i < WRITERS; i++) {
        void *wrong;
        WANT(!pthread_join(writers[i], &wrong) && !wrong);
    }
    return close(one[0]) | close(one[1]);
}

#define READERS 300

// All who wait are told that the last writer went, and who waits has its file however it is closed.
static int ends_of_waiting(void) {
    static pthread_t readers[READERS];
    pthread_t other;
    char byte;
    void *result;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32768);
    WANT(!pipe(one) && !pthread_create(&other, NULL, read_one, &byte));
    nap();
    int number = one[0], kept = dup(one[0]);
    WANT(!close(number) && dup2(1, number) == number && write(one[1], "x", 1) == 1);
    WANT(!pthread_join(other, &result) && result == (void *)1 && byte == 'x');
    WANT(dup2(kept, number) == number && !close(kept));
    for (int i = 0; i < READERS; i++)
        WANT(!pthread_create(&readers[i], &small, i % 3 ? read_one : poll_one,
                             i % 3 ? back : (void *)-1l));
    nap();
    WANT(!close(one[1]));
    for (int i = 0; i < READERS; i++) {
        WANT(!pthread_join(readers[i], &result));
        if (i % 3) WANT(!result);
    }
    return close(one[0]);
}

// Its only reader goes while it waits for room.
static int broken_while_waiting(void) {
    pthread_t writer;
    void *wrong;
    WANT(!pipe(one) && !pthread_create(&writer, NULL, write_many, (void *)200000));
    nap();
    WANT(waiting(one[1]) == CAPACITY && !close(one[0]));
    WANT(!pthread_join(writer, &wrong) && wrong && !close(one[1]));
    return 0;
}

static int polls(void) {
    pthread_t other;
    void *result;
    WANT(!pipe(one) && poll_one((void *)5) == 0);
    for (int i = 0; i < 3; i++) {
        WANT(!pthread_create(&other, NULL, poll_one, (void *)-1l));
        nap();
        WANT(i == 2 ? !close(one[1]) : write(one[1], "x", 1) == 1);
        WANT(!pthread_join(other, &result));
        WANT((long)result == (i < 2 ? POLLIN : POLLHUP));
        if (i < 2) WANT(read(one[0], back, 10) == 1);
    }
    WANT(!close(one[0]));
    return 0;
}

// One poll that waits for very many.
static int polls_of_many(void) {
    static struct pollfd fds[1000];
    pthread_t other;
    WANT(!pipe(one) && dup2(one[0], 500) == 500);
    for (int i = 0; i < 1000; i++) fds[i] = (struct pollfd){i % 2 ? one[0] : 500, POLLIN, 0};
    WANT(poll(fds, 1000, 1) == 0 && !pthread_create(&other, NULL, write_many, (void *)100));
    // What comes while poll looks is seen from there on, as on Linux.
    WANT(poll(fds, 1000, -1) > 0 && fds[999].revents == POLLIN);
    WANT(poll(fds, 1000, -1) == 1000 && fds[0].revents == POLLIN);
    WANT(!pthread_join(other, NULL) && read(500, back, 1000) == 100);
    return close(500) | close(one[0]) | close(one[1]);
}

// As many as there are numbers, full, three times: nothing is kept of those that went.
static int very_many(void) {
    int p[2], count = 0;
    for (int turn = 0; turn < 3; turn++) {
        for (count = 0; !pipe(p); count++) WANT(write(p[1], many, 5000) == 5000);
        WANT(errno == EMFILE && count > 400);
        while (count) {
            WANT(!close(2 * count + 2) && !close(2 * count + 1));
            count--;
        }
    }
    return 0;
}

static int memory(void) {
    int p[2], full_ones = 0;
    while (!pipe2(p, O_NONBLOCK)) {
        ssize_t count = 0;
        while ((count = write(p[1], many, 4096)) > 0) {}
        if (errno != EAGAIN) break;
        full_ones++;
    }
    WANT((errno == ENOMEM || errno == ENFILE) && full_ones > 20);
    for (int fd = 3; fd < 2 * full_ones; fd++) WANT(!close(fd));
    WANT(!bytes());
    return 0;
}

int main(int argc, char **argv) {
    int p[2];
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "sigpipe")) return pipe(p) || close(p[0]) || write(p[1], "x", 1) != 1;
    signal(SIGPIPE, SIG_IGN);
    for (int fd = 3; fd < 1024; fd++) close(fd); // what a shell may have left
    setvbuf(stdout, NULL, _IONBF, 0);
    for (size_t i = 0; i < sizeof many; i++) many[i] = (char)(i * 2654435761u >> 13);
    if (!strcmp(what, "memory")) return memory();
    if (numbers() || duplicates() || bytes() || full() || streams() || whole_records()) return 1;
    if (ends_of_waiting() || broken_while_waiting() || polls() || polls_of_many()) return 1;
    if (very_many()) return 1;
    puts("pipes ok");
    return 0;
}
