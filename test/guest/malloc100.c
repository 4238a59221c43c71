// 100 MiB of malloc: every page written and checked; given back and taken again as zeroes by
// calloc.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB   (1024 * 1024)
#define BLOCK (5 * MIB)

int main(void) {
    char *blocks[20];
    for (int round = 0; round < 3;
         round++) { // three rounds need 300 MiB unless what is freed comes back
        for (int i = 0; i < 20; i++) {
            blocks[i] = malloc(BLOCK);
            if (!blocks[i]) return printf("malloc of block %d failed in round %d\n", i, round), 1;
            for (int at = 0; at < BLOCK; at += 4096)
                memcpy(blocks[i] + at, &(int){i * 1000000 + at + round}, sizeof(int));
        }
        for (int i = 0; i < 20; i++) {
            for (int at = 0; at < BLOCK; at += 4096)
                if (*(int *)(blocks[i] + at) != i * 1000000 + at + round)
                    return printf("block %d differs\n", i), 1;
            free(blocks[i]);
        }
    }
    char *zero = calloc(1, 50 * MIB);
    for (int at = 0; at < 50 * MIB; at += 512)
        if (zero[at]) return puts("calloc gave old bytes"), 1;
    void *volatile tib =
        malloc(1ul << 40); // kept: gcc 16 leaves out a malloc() that is only compared with NULL
    if (tib) return puts("1 TiB of malloc succeeded"), 1;
    puts("malloc100 ok");
    return 0;
}
