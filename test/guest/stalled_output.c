// One thread writes to whoever reads slowly, the other changes the rights of a page that both use.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_bool done;

static void *write_much(void *arg) {
    for (int i = 0; i < 100; i++)
        for (size_t n = 0; n < 4096;) {
            ssize_t part = write(1, (char *)arg + n, 4096 - n);
            if (part <= 0) exit(2);
            n += (size_t)part;
        }
    done = 1;
    return NULL;
}

int main(void) {
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t writer;
    memset(page, 'x', 8192);
    pthread_create(&writer, NULL, write_much, page);
    long rounds = 0;
    for (; !done; rounds++) {
        if (mprotect(page + 4096, 4096, PROT_READ) ||
            mprotect(page + 4096, 4096, PROT_READ | PROT_WRITE))
            return 3;
        page[4096]++;
    }
    pthread_join(writer, NULL);
    return rounds < 10;
}
