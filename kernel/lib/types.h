// Short names. Addresses have types of their own: address.h.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int64_t s64;
typedef int32_t s32;
// A quadword at any address, over anything.
typedef u64 loose_u64 __attribute__((aligned(1), may_alias));

#define ARRAY_SIZE(a)          (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)              ((a) < (b) ? (a) : (b))
#define MAX(a, b)              ((a) > (b) ? (a) : (b))
#define ROUND_UP(n, unit)      ((((n) + (unit)) - 1) / (unit) * (unit))
#define ROUND_DOWN(n, unit)    ((n) / (unit) * (unit))
#define MUST_USE               __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
