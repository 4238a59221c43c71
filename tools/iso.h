// What makes a row of 2048-byte sectors a CD that a BIOS starts: an ISO 9660 (ECMA-119) volume with one file, VMOS.IMG,
// and an El Torito boot record. Where things lie is in boot/layout.h.
#pragma once

#include "boot/layout.h"
#include "kernel/lib/types.h"

// Fills the sectors before CD_BOOT of a volume, which must be 0. The same file length gives the same bytes: no dates.
void iso_describe(u8 *volume, u32 file_length);
