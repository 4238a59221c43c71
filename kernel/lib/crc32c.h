// CRC-32C (Castagnoli, RFC 3720 B.4), reflected, initial value and final xor all ones.
#pragma once

#include "kernel/lib/types.h"

// The CRC of bytes appended to data whose CRC is crc (0 for none); by the SSE4.2 instruction when
// has_crc32.
u32 crc32c(u32 crc, const void *data, size_t bytes, bool has_crc32);
