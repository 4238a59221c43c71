// The threads of liblzma: data packed by several, unpacked by several. What they make does not
// depend on how many they are, so its checksum is that of any other system.
#include <lzma.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES (1u << 20)
#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) return printf("line %d: %s does not hold\n", __LINE__, #condition), 1;   \
    } while (0)

static uint8_t *data, *packed, *again;

static void make(void) {
    static const char *words[] = {"page ",    "table ",     "of ",     "the ",
                                  "kernel\n", "interrupt ", "0x1000 ", "thread "};
    uint64_t state = 42;
    for (size_t i = 0; i < BYTES;) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        const char *word = words[state >> 40 & 7];
        if ((state & 15) == 0) data[i++] = (uint8_t)(state >> 32);
        for (; *word && i < BYTES; word++) data[i++] = (uint8_t)*word;
    }
}

static int both_ways(uint32_t threads) {
    lzma_mt options = {
        .threads = threads, .block_size = BYTES / 8, .preset = 1, .check = LZMA_CHECK_CRC64};
    lzma_stream stream = LZMA_STREAM_INIT;
    WANT(lzma_stream_encoder_mt(&stream, &options) == LZMA_OK);
    stream.next_in = data, stream.avail_in = BYTES, stream.next_out = packed,
    stream.avail_out = 2 * BYTES;
    lzma_ret result;
    do result = lzma_code(&stream, LZMA_FINISH);
    while (result == LZMA_OK);
    WANT(result == LZMA_STREAM_END);
    size_t size = stream.total_out;
    lzma_end(&stream);
    printf("lzma %zu bytes, crc64 %016lx\n", size, (unsigned long)lzma_crc64(packed, size, 0));
    lzma_mt back = {.threads = threads, .memlimit_threading = 64 << 20, .memlimit_stop = 64 << 20};
    stream = (lzma_stream)LZMA_STREAM_INIT;
    WANT(lzma_stream_decoder_mt(&stream, &back) == LZMA_OK);
    memset(again, 0, BYTES);
    stream.next_in = packed, stream.avail_in = size, stream.next_out = again,
    stream.avail_out = BYTES;
    do result = lzma_code(&stream, LZMA_FINISH);
    while (result == LZMA_OK);
    WANT(result == LZMA_STREAM_END && stream.total_out == BYTES && memcmp(again, data, BYTES) == 0);
    lzma_end(&stream);
    return 0;
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 4;
    data = malloc(BYTES), packed = malloc(2 * BYTES), again = malloc(BYTES);
    WANT(data && packed && again);
    make();
    return both_ways((uint32_t)threads);
}
