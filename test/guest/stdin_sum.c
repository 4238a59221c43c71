// Reads all of standard input in odd pieces; prints how many bytes there were and an Adler-32 of
// them.
#include <stdio.h>
#include <unistd.h>

int main(void) {
    static unsigned char buffer[70001];
    unsigned long total = 0, a = 1, b = 0;
    ssize_t count;
    while ((count = read(0, buffer, sizeof buffer)) > 0) {
        total += (unsigned long)count;
        for (ssize_t i = 0; i < count; i++) {
            a = (a + buffer[i]) % 65521;
            b = (b + a) % 65521;
        }
    }
    if (count < 0) return perror("read"), 1;
    printf("%lu bytes, adler32 %08lx\n", total, b << 16 | a);
    return 0;
}
