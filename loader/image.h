// The decision about an image, as a pure function: is its header sound?
#pragma once

#include "boot/image.h"

// NULL when everything the header says holds together, else what does not: "the image ..." as the end of a sentence.
// Afterwards every part lies inside total, behind the header and behind the part before it, and total and
// kernel_memory are at most IDENTITY_END.
const char *image_check(const struct image_header *header, bool has_crc32) MUST_USE;
bool image_has_part(const struct image_part *part); // an empty part may be there: standard input of no bytes
