// CRC-32C (Castagnoli, RFC 3720 B.4), reflected, initial value and final xor all ones.
#pragma once

#include "kernel/lib/types.h"

u32 crc32c(u32 crc, const void *data, size_t bytes, bool has_crc32);
