// The ranges that may be copied: wholly below USER_END, so that no length or address of the program reaches the kernel
// or wraps around.
#include "kernel/cpu/cpu.h"
#include "kernel/lib/string.h"

static bool in_user_range(u64 start, u64 bytes) { return start <= USER_END && bytes <= USER_END - start; }

bool copy_from_user(void *to, u64 from, u64 bytes) {
    return in_user_range(from, bytes) && usercopy(to, (const void *)from, bytes);
}

bool copy_to_user(u64 to, const void *from, u64 bytes) {
    return in_user_range(to, bytes) && usercopy((void *)to, from, bytes);
}

bool clear_user(u64 to, u64 bytes) {
    static u8 zeroes[512];
    for (; bytes > sizeof(zeroes); to += sizeof(zeroes), bytes -= sizeof(zeroes))
        if (!copy_to_user(to, zeroes, sizeof(zeroes))) return false;
    return copy_to_user(to, zeroes, bytes);
}

// Copies up to the end of each page, since what follows the NUL need not be there beyond it.
s64 copy_string_from_user(char *to, u64 from, u64 max) {
    for (u64 done = 0; done < max;) {
        u64 piece = PAGE_SIZE - (from + done) % PAGE_SIZE;
        if (piece > max - done) piece = max - done;
        if (!copy_from_user(to + done, from + done, piece)) return -1;
        u64 length = strnlen(to + done, piece);
        if (length < piece) return (s64)(done + length);
        done += piece;
    }
    return (s64)max;
}
