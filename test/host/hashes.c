// chacha20.c and blake2s.c: the examples of RFC 8439 (2.3.2 and A.1) and RFC 7693 (B), and hashes
// of many lengths as a chain, whose end Python's hashlib gives.
#include <string.h>
#include "kernel/lib/blake2s.c"
#include "kernel/lib/chacha20.c"
#include "test/check.h"

static bool is_text(const void *bytes, size_t count, const char *hex) {
    char text[200] = "";
    for (size_t i = 0; i < count; i++) sprintf(text + 2 * i, "%02x", ((const u8 *)bytes)[i]);
    if (strcmp(text, hex) != 0) fprintf(stderr, "%s instead of %s\n", text, hex);
    return strcmp(text, hex) == 0;
}

int main(void) {
    u32 key[8], out[16], hash[8];
    u8 bytes[32], message[1000] = {0};
    for (int i = 0; i < 32; i++) bytes[i] = (u8)i;
    memcpy(key, bytes, sizeof key);
    chacha20_block(key, 1, (const u32[]){0x09000000, 0x4a000000, 0}, out);
    CHECK(is_text(out, sizeof out,
                  "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
                  "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"));
    memset(key, 0, sizeof key);
    chacha20_block(key, 0, (const u32[]){0, 0, 0}, out);
    CHECK(is_text(out, sizeof out,
                  "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
                  "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"));
    blake2s("abc", 3, hash);
    CHECK(is_text(hash, sizeof hash,
                  "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"));
    blake2s("", 0, hash);
    CHECK(is_text(hash, sizeof hash,
                  "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9"));
    for (u64 length = 0; length < sizeof message; length++) {
        blake2s(message, length, hash);
        message[length] = ((u8 *)hash)[length % 32];
    }
    CHECK(is_text(hash, sizeof hash,
                  "406af3825fa9ad8e58768d1151cf1394fb3df2660c56ea41ece73a96fc34969e"));
    return check_done("hashes");
}
