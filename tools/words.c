// Prints the command line of an image where it lies, or changes it first:
//   words IMAGE|DEVICE [+WORD | -KEY]... [-- ARG0 [ARG...]]
// +WORD replaces the words with its key (env=NAME for env=NAME=VALUE) or is added, +arg=TEXT always is; -KEY removes
// all words with a key; -- replaces the arguments. Status: 0, 1 nothing was changed, 2 wrong usage.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/lib/options.h"
#include "tools/medium.h"

static struct medium medium;
static struct bytes command; // words, each with its NUL

// Adds the words that have a key, and those that have not. "env" is the key of every env=NAME=VALUE.
static void sort(const char *key, u64 bytes, struct bytes *having, struct bytes *rest) {
    u64 offset = 0, length;
    const char *word;
    while ((word = command_word((const char *)command.data, command.length, &offset, &length))) {
        bool has = length >= bytes && !memcmp(word, key, bytes) && (length == bytes || word[bytes] == '=');
        add_word(has ? having : rest, "", word, length);
    }
}

// Returns whether there were any.
static bool remove_key(const char *key, u64 bytes) {
    struct bytes removed = {0}, rest = {0};
    sort(key, bytes, &removed, &rest);
    command = rest;
    return removed.length;
}

static void refuse(const char *word, u64 length, const char *why) { errx(1, "%.*s %s", (int)length, word, why); }

static void set(const char *word) {
    struct options options;
    u64 length = strlen(word), is_env = command_value(word, length, "env") ? 4 : 0;
    u64 key = is_env + strcspn(word + is_env, "=");
    options_read(word, length, &options, refuse);
    if (is_env && (key == is_env || key == length)) errx(1, "%s is not env=NAME=VALUE", word);
    if (!command_value(word, length, "arg")) remove_key(word, key);
    add_word(&command, "", word, length);
}

static void change(char **words) {
    for (; *words && strcmp(*words, "--"); words++) {
        const char *word = *words + 1;
        if (**words == '+' && *word) set(word);
        else if (**words != '-' || !*word) errx(2, "%s is neither +WORD nor -KEY nor --", *words);
        else if (!remove_key(word, strlen(word))) errx(1, "there is no word %s to remove", word);
    }
    if (*words) remove_key("arg", 3);
    while (*words && *++words) add_word(&command, "arg=", *words, strlen(*words));
}

static void write_at(u64 at, const void *data, u64 length) {
    if (fseeko(medium.stream, (off_t)at, SEEK_SET) || fwrite(data, 1, length, medium.stream) != length ||
        fflush(medium.stream) || fsync(fileno(medium.stream)))
        err(1, "cannot write %lu bytes at byte %lu of %s; write the image again", length, at, medium.name);
}

// First the part, with zeroes to the end of what it or the old one took, then the partition table, last the header:
// until that is on the medium the loader finds a wrong CRC and says so.
static void write_command(void) {
    struct image_header *header = &medium.header;
    struct image_part *part = &header->parts[IMAGE_COMMAND];
    u64 at = medium.header_at + part->offset, old_end = medium_end(&medium), size = medium.size;
    *part = (struct image_part){part->offset, command.length, crc_of(command.data, command.length), 0};
    header->total = part->offset + part->length;
    header->crc = 0;
    header->crc = crc_of(header, sizeof *header);
    u64 end = medium_end(&medium), bytes = MAX(end, old_end) * SECTOR_SIZE - at, needed = (end + 1) * SECTOR_SIZE;
    if (needed > size && medium.is_file && size != FLOPPY_SIZE) size = ROUND_UP(needed, DISK_UNIT);
    if (needed > size) errx(1, "the words do not fit on %s: %lu bytes too many", medium.name, needed - size);
    table_put(medium.mbr, (u32)end);
    const char *wrong = table_check(medium.mbr, end, size / SECTOR_SIZE);
    if (wrong) errx(1, "the words do not fit: %s", wrong);
    if (medium.is_file && (errno = posix_fallocate(fileno(medium.stream), 0, (off_t)size))) // no holes on a full disk
        err(1, "cannot extend %s", medium.name);
    reserve(&command, bytes);
    memset(command.data + command.length, 0, bytes - command.length);
    write_at(at, command.data, bytes);
    write_at(0, medium.mbr, sizeof medium.mbr);
    write_at(medium.header_at, header, sizeof *header);
}

int main(int argc, char **argv) {
    if (argc < 2) errx(2, "usage: words IMAGE|DEVICE [+WORD | -KEY]... [-- ARG0 [ARG...]]");
    medium_open(&medium, argv[1], argc > 2);
    const struct image_part *part = &medium.header.parts[IMAGE_COMMAND];
    struct bytes arguments = {0}, others = {0};
    command = medium_part(&medium, IMAGE_COMMAND);
    if (argc > 2) {
        if (medium.base) errx(1, "%s is a CD: its words are changed by making it anew", medium.name);
        if (!part->offset || part->offset + part->length != medium.header.total)
            errx(1, "the command line is not the last part of the image on %s and cannot be changed", medium.name);
        change(argv + 2);
    }
    sort("arg", 3, &arguments, &others);
    append(&others, arguments.data, arguments.length); // last, as in mkimage
    command = others;
    if (argc > 2) write_command();
    for (const u8 *c = command.data; c < command.data + command.length; c++) // line breaks in a word make no lines
        printf(!*c ? "\n" : *c < ' ' || *c == 0x7f ? "\\x%02x" : "%c", *c);
    return fflush(stdout) || ferror(stdout);
}
