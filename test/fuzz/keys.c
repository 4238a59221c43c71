// Fuzz target: keys.c on any scan codes. What comes out is short, of bytes a terminal sends, and no
// state outlives the keys that made it. Run with clang -fsanitize=fuzzer,address,undefined and
// -runs=20000.
#include <stdlib.h>
#include <string.h>
#include "kernel/device/keys.c"

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes) {
    struct keys keys = {0};
    for (size_t i = 0; i < bytes; i++) {
        u8 *out = malloc(KEYS_BYTES - 1); // one less than promised to be there
        size_t count = keys_decode(&keys, data[i], out);
        if (count != KEYS_RESTART && count >= KEYS_BYTES) abort();
        if (keys.skip > 2 || (keys.extended && keys.skip)) abort();
        bool released = data[i] & KEY_RELEASED;
        if (released && count) abort();
        for (size_t at = 0; count != KEYS_RESTART && at < count; at++)
            if (out[at] & 0x80) abort();
        free(out);
    }
    static const u8 let_go[] = {0, 0, 0xaa, 0xb6, 0x9d, 0xe0, 0x9d, 0xb8, 0xe0, 0xb8, 0xba};
    u8 out[KEYS_BYTES];
    for (size_t i = 0; i < sizeof let_go; i++) (void)keys_decode(&keys, let_go[i], out);
    if (keys.held & ~KEYS_CAPS_ON || keys.extended || keys.skip) abort();
    if (keys_decode(&keys, 0x02, out) != 1 || out[0] != '1') abort();
    return 0;
}
