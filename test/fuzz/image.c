// Fuzz target for loader/image.c: the input is a header, whose magic and CRC are put right so that
// the deeper checks are reached. What passes must keep the promises of image.h.
#include <stdlib.h>
#include <string.h>

#include "loader/image.c"
#include "kernel/lib/crc32c.c"

#define PROMISE(condition) ((condition) ? (void)0 : abort())

static void use_header(struct image_header header) {
    (void)!image_check(&header, true);
    memcpy(header.magic, IMAGE_MAGIC, sizeof(header.magic));
    header.version = IMAGE_VERSION;
    header.crc = 0;
    header.crc = crc32c(0, &header, sizeof(header), true);
    if (image_check(&header, false)) return;
    PROMISE(header.total <= IDENTITY_END && header.kernel_memory <= IDENTITY_END);
    for (int i = 0; i < IMAGE_PARTS; i++) {
        const struct image_part *part = &header.parts[i];
        if (!image_has_part(part)) continue;
        PROMISE(part->offset >= sizeof(header) && part->offset <= header.total);
        PROMISE(part->length <= header.total - part->offset);
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct image_header header = {0};
    memcpy(&header, data, size < sizeof(header) ? size : sizeof(header));
    use_header(header);
    return 0;
}
