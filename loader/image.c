// The decision about an image, pure. The header is untrusted: every length, sum and wrap-around is
// checked before use.
#include "boot/image.h"
#include "kernel/lib/crc32c.h"
#include "kernel/lib/string.h"

bool image_has_part(const struct image_part *part) { return part->offset || part->length; }

static const char *image_check_parts(const struct image_header *header) {
    u64 end = sizeof(*header);
    for (int i = 0; i < IMAGE_PARTS; i++) {
        const struct image_part *part = &header->parts[i];
        if (!image_has_part(part)) continue;
        if (part->offset < end) return "has parts that overlap";
        if (part->offset > header->total || part->length > header->total - part->offset)
            return "has a part that reaches behind its end";
        end = part->offset + part->length;
    }
    if (!header->parts[IMAGE_KERNEL].length) return "has no kernel";
    if (!header->parts[IMAGE_PROGRAM].length) return "has no program";
    return NULL;
}

const char *image_check(const struct image_header *header, bool has_crc32) {
    if (memcmp(header->magic, IMAGE_MAGIC, sizeof(header->magic)))
        return "has no header behind the loader (damaged, or not written from the start of the "
               "medium)";
    struct image_header copy = *header;
    copy.crc = 0;
    if (crc32c(0, &copy, sizeof(copy), has_crc32) != header->crc)
        return "has a damaged header (wrong CRC)";
    if (header->version != IMAGE_VERSION) return "has a header of another version than this loader";
    if (header->total < sizeof(*header) || header->total > IDENTITY_END)
        return "has an impossible length";
    if (!header->kernel_memory || header->kernel_memory % PAGE_SIZE ||
        header->kernel_memory > IDENTITY_END)
        return "has a kernel of impossible size";
    return image_check_parts(header);
}
