// The memory functions that gcc may call by itself, and the few string functions vmos uses. Built
// with -fno-tree-loop-distribute-patterns: otherwise gcc turns the loops below into calls of the
// very functions they are. The direction flag is clear on entry, as the ABI demands, and nothing
// here sets it.
#include "kernel/lib/string.h"

// Quadwords first, then the rest: emulators count each iteration of rep as one instruction, and
// CPUs without ERMS copy bytes one at a time. Right for overlaps too when to lies below from: a
// quadword is read before it is written over.
static inline void string_copy_up(void *to, const void *from, size_t bytes) {
    size_t quads = bytes / 8;
    size_t rest = bytes % 8;
    __asm__ volatile("rep movsq\n\tmov %3, %2\n\trep movsb"
                     : "+&D"(to), "+&S"(from), "+&c"(quads)
                     : "r"(rest)
                     : "memory");
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    string_copy_up(to, from, bytes);
    return to;
}

// Downwards only when to lies inside from's bytes: a loop, since CPUs run rep with the direction
// flag byte by byte.
void *memmove(void *to, const void *from, size_t bytes) {
    if ((uintptr_t)to - (uintptr_t)from >= bytes) {
        string_copy_up(to, from, bytes);
        return to;
    }
    u8 *t = to;
    const u8 *f = from;
    for (; bytes >= 8; bytes -= 8)
        *(loose_u64 *)(t + bytes - 8) = *(const loose_u64 *)(f + bytes - 8);
    while (bytes--) t[bytes] = f[bytes];
    return to;
}

void *memset(void *to, int byte, size_t bytes) {
    void *at = to;
    size_t quads = bytes / 8;
    size_t rest = bytes % 8;
    __asm__ volatile("rep stosq\n\tmov %3, %1\n\trep stosb"
                     : "+&D"(at), "+&c"(quads)
                     : "a"((u8)byte * 0x0101010101010101u), "r"(rest)
                     : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes) {
    const u8 *x = a;
    const u8 *y = b;
    for (; bytes >= 8 && *(const loose_u64 *)x == *(const loose_u64 *)y; bytes -= 8) {
        x += 8;
        y += 8;
    }
    for (; bytes; bytes--, x++, y++)
        if (*x != *y) return *x - *y;
    return 0;
}

size_t strnlen(const char *s, size_t max) {
    size_t length = 0;
    while (length < max && s[length]) length++;
    return length;
}

size_t strlen(const char *s) { return strnlen(s, SIZE_MAX); }

int strcmp(const char *a, const char *b) {
    for (; *a && *a == *b; a++) b++;
    return (u8)*a - (u8)*b;
}
