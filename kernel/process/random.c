// Random numbers, for getrandom and for what a program finds at its start. They come from ChaCha20
// with a key that each use replaces ("fast key erasure"), so that who finds out the key does not
// learn what was given out before. The first key is a hash (BLAKE2s) of what the CPU has for this,
// RDSEED or RDRAND, and of the jitter of its time stamp counter.
#include "kernel/cpu/lock.h"
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86.h"
#include "kernel/kernel.h"
#include "kernel/lib/blake2s.h"
#include "kernel/lib/string.h"
#include "kernel/process/program.h"

#define CPUID_1_ECX_RDRAND (1u << 30)
#define CPUID_7_EBX_RDSEED (1u << 18)
#define WORDS              4    // of 64 bits from RDSEED or RDRAND: the key's length
#define JITTER             12   // readings beside these,
#define JITTER_ALONE       1024 // and where there is nothing else
// RDRAND fails ten times in a row only if it is broken (SDM 1, 7.3.17.1). RDSEED may fail because
// others draw from it, too; it is asked as often, with pauses.
#define TRIES 10

// The generator. Under its lock.
static struct lock lock = {.rank = LOCK_RANDOM};
static u32 key[CHACHA20_KEY_WORDS];
static bool has_rdrand;
static bool has_rdseed;

static bool random_rdseed(u64 *value) {
    u8 ok = 0;
    for (int i = 0; i < TRIES && !ok; i++)
        __asm__ volatile("rdseed %0; setc %1; pause" : "=r"(*value), "=qm"(ok)::"cc");
    return ok;
}

static bool random_rdrand(u64 *value) {
    u8 ok = 0;
    for (int i = 0; i < TRIES && !ok; i++)
        __asm__ volatile("rdrand %0; setc %1" : "=r"(*value), "=qm"(ok)::"cc");
    return ok;
}

// One word of the CPU's; 0 where it has none.
static u64 random_word(void) {
    u64 value = 0;
    if (has_rdrand && !random_rdrand(&value)) value = 0;
    return value;
}

// How long the same few instructions take: on a PC that depends on caches, interrupts, the memory's
// refresh, and in a virtual machine on its host. Returns how many readings were unlike the one
// before.
static u32 random_jitter(u64 *readings, u32 count) {
    static volatile u8 touched[PAGE_SIZE];
    u32 changes = 0;
    u64 before = tsc();
    for (u32 i = 0; i < count; i++) {
        touched[before * CHACHA20_KEY_WORDS % PAGE_SIZE]++;
        u64 now = tsc();
        readings[i] = now - before;
        if (i && readings[i] != readings[i - 1]) changes++;
        before = now;
    }
    return changes;
}

void random_init(void) {
    static u64 seed[WORDS + JITTER_ALONE];
    const char *source = NULL;
    u32 words = 0;
    has_rdrand = cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND;
    has_rdseed = cpuid(0, 0).eax >= 7 && cpuid(7, 0).ebx & CPUID_7_EBX_RDSEED;
    while (has_rdseed && words < WORDS && random_rdseed(&seed[words])) words++;
    if (words == WORDS) source = "RDSEED";
    for (; has_rdrand && words < WORDS && random_rdrand(&seed[words]); words++) source = "RDRAND";
    u32 readings = JITTER_ALONE;
    if (words == WORDS) readings = JITTER;
    u32 changes = random_jitter(seed + words, readings);
    blake2s(seed, (words + readings) * sizeof seed[0], key);
    memset(seed, 0, sizeof seed);
    if (words == WORDS)
        log("random: numbers come from %s", source);
    else
        log("random: this CPU has no RDSEED or RDRAND that works; numbers come from the jitter of "
            "the time stamp counter (%u of %u readings differed), not for secrets",
            changes, readings);
}

void random_begin(struct random *stream) {
    u32 block[CHACHA20_BLOCK_WORDS];
    u64 now = tsc();
    u64 word = random_word();
    const u32 nonce[] = {(u32)now, (u32)word, (u32)(word >> 32)};
    lock_take(&lock);
    chacha20_block(key, 0, nonce, block);
    memcpy(key, block, sizeof key);
    lock_give(&lock);
    memcpy(stream->key, block + CHACHA20_KEY_WORDS, sizeof stream->key);
    stream->blocks = 0;
}

void random_block(struct random *stream, u32 block[CHACHA20_BLOCK_WORDS]) {
    static const u32 nonce[CHACHA20_NONCE_WORDS];
    chacha20_block(stream->key, stream->blocks++, nonce, block);
}

void random_bytes(void *to, u64 bytes) {
    struct random stream;
    u32 block[CHACHA20_BLOCK_WORDS];
    ASSERT(bytes <= sizeof block);
    random_begin(&stream);
    random_block(&stream, block);
    memcpy(to, block, bytes);
}
