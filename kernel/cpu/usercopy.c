// The ranges that may be copied: wholly below USER_END, so that no length or address of the program reaches the kernel
// or wraps around.
#include "kernel/cpu/trap.h"

// usercopy.asm
bool usercopy_copy(void *to, const void *from, u64 bytes);
bool usercopy_clear(void *to, u64 bytes);
s64 usercopy_string(char *to, const void *from, u64 max);

static bool in_user_range(u64 start, u64 bytes) { return start <= USER_END && bytes <= USER_END - start; }

bool copy_from_user(void *to, u64 from, u64 bytes)
{
    return in_user_range(from, bytes) && usercopy_copy(to, (const void *)from, bytes);
}

bool copy_to_user(u64 to, const void *from, u64 bytes)
{
    return in_user_range(to, bytes) && usercopy_copy((void *)to, from, bytes);
}

bool clear_user(u64 to, u64 bytes) { return in_user_range(to, bytes) && usercopy_clear((void *)to, bytes); }

s64 copy_string_from_user(char *to, u64 from, u64 max)
{
    if (from >= USER_END) return -1;
    u64 limit = max < USER_END - from ? max : USER_END - from;
    s64 length = usercopy_string(to, (const void *)from, limit);
    if (length < 0) return -1;
    return (u64)length == limit && limit < max ? -1 : length; // ran into the end of the program's half
}
