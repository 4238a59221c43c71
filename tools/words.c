// Prints the command line of an image where it lies, or changes it first:
//   words IMAGE|DEVICE [+WORD | -KEY]... [-- ARG0 [ARG...]]
// +WORD replaces the words with its key (env=NAME for env=NAME=VALUE) or is added, +arg=TEXT always
// is; -KEY removes all words with a key; -- replaces the arguments. Status: 0, 1 nothing was
// changed, 2 wrong usage.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/lib/options.h"
#include "tools/medium.h"

static struct medium medium;
static struct bytes command; // words, each with its NUL

// The words while they are changed, in their order; each knows the one before it with the same key.
struct word {
    const char *text;
    u64 length;
    struct word *before;
    bool removed;
};
static struct word *words;
static size_t count;

// A key (NAME of "env=NAME=VALUE" belongs to it) and the last word that has it. In a tree: an image
// may have a hundred thousand words, and as many may come.
struct key {
    const char *text;
    u64 length;
    struct word *last;
};
static void *keys;

static int compare_keys(const void *a, const void *b) {
    const struct key *one = a;
    const struct key *other = b;
    if (one->length != other->length) return one->length < other->length ? -1 : 1;
    return memcmp(one->text, other->text, one->length);
}

static u64 key_length(const char *word, u64 length) {
    u64 bytes = command_value(word, length, "env") ? 4 : 0;
    while (bytes < length && word[bytes] != '=') bytes++;
    return bytes;
}

static void add(const char *text, u64 length) {
    struct key key = {text, key_length(text, length), NULL};
    struct key **found = tsearch(&key, &keys, compare_keys);
    if (found && *found == &key) {
        *found = malloc(sizeof key);
        if (*found) **found = key;
    }
    if (!found || !*found) errx(1, "not enough memory for the word %.*s", (int)length, text);
    words[count] = (struct word){text, length, (*found)->last, false};
    (*found)->last = &words[count++];
}

static bool is_key(const struct word *word, const char *key, u64 bytes) {
    if (word->length < bytes || memcmp(word->text, key, bytes)) return false;
    return word->length == bytes || word->text[bytes] == '=';
}

// Returns whether there were any. What is no whole key, as "env" and "arg=TEXT" are none, is looked
// for in all words.
static bool remove_key(const char *key, u64 bytes) {
    bool any = false;
    if (key_length(key, bytes) != bytes || (bytes == 3 && !memcmp(key, "env", 3))) {
        for (struct word *word = words; word < words + count; word++) {
            if (word->removed || !is_key(word, key, bytes)) continue;
            word->removed = any = true;
        }
        return any;
    }
    struct key **found = tfind(&(struct key){key, bytes, NULL}, &keys, compare_keys);
    if (!found) return false;
    for (struct word *word = (*found)->last; word; word = word->before) {
        any |= !word->removed;
        word->removed = true;
    }
    (*found)->last = NULL;
    return any;
}

static void refuse(const char *word, u64 length, const char *why) {
    errx(1, "%.*s %s", (int)length, word, why);
}

static void set(const char *word) {
    struct options options;
    u64 length = strlen(word);
    u64 bytes = key_length(word, length);
    options_read(word, length, &options, refuse);
    if (command_value(word, length, "env") && (bytes == 4 || bytes == length))
        errx(1, "%s is not env=NAME=VALUE", word);
    if (!command_value(word, length, "arg")) remove_key(word, bytes);
    add(word, length);
}

static void add_argument(const char *text) {
    struct bytes word = {0};
    add_word(&word, "arg=", text, strlen(text));
    add((const char *)word.data, word.length - 1);
}

static void change(char **with) {
    for (; *with && strcmp(*with, "--"); with++) {
        const char *word = *with + 1;
        if (**with == '+' && *word)
            set(word);
        else if (**with != '-' || !*word)
            errx(2, "%s is neither +WORD nor -KEY nor --", *with);
        else if (!remove_key(word, strlen(word)))
            errx(1, "there is no word %s to remove", word);
    }
    if (*with) remove_key("arg", 3);
    while (*with && *++with) add_argument(*with);
}

// Takes the image's words apart; room: for so many more.
static void read_words(struct bytes part, size_t room) {
    u64 offset = 0;
    u64 length;
    const char *word;
    while (command_word((const char *)part.data, part.length, &offset, &length)) room++;
    words = calloc(room + 1, sizeof *words);
    if (!words) errx(1, "not enough memory for %zu words", room);
    offset = 0;
    while ((word = command_word((const char *)part.data, part.length, &offset, &length)))
        add(word, length);
}

// Puts them together again: arguments last, as in mkimage.
static void join_words(void) {
    for (int arguments = 0; arguments < 2; arguments++)
        for (const struct word *word = words; word < words + count; word++)
            if (!word->removed && is_key(word, "arg", 3) == arguments)
                add_word(&command, "", word->text, word->length);
}

static void write_at(u64 at, const void *data, u64 length) {
    if (fseeko(medium.stream, (off_t)at, SEEK_SET) ||
        fwrite(data, 1, length, medium.stream) != length || fflush(medium.stream) ||
        fsync(fileno(medium.stream)))
        err(1, "cannot write %lu bytes at byte %lu of %s; write the image again", length, at,
            medium.name);
}

// First the part, with zeroes to the end of what it or the old one took, then the partition table,
// last the header: until that is on the medium the loader finds a wrong CRC and says so.
static void write_command(void) {
    struct image_header *header = &medium.header;
    struct image_part *part = &header->parts[IMAGE_COMMAND];
    u64 at = medium.header_at + part->offset, old_end = medium_end(&medium), size = medium.size;
    *part =
        (struct image_part){part->offset, command.length, crc_of(command.data, command.length), 0};
    header->total = part->offset + part->length;
    header->crc = 0;
    header->crc = crc_of(header, sizeof *header);
    u64 end = medium_end(&medium), bytes = MAX(end, old_end) * SECTOR_SIZE - at,
        needed = (end + 1) * SECTOR_SIZE;
    if (needed > size && medium.is_file && size != FLOPPY_SIZE) size = ROUND_UP(needed, DISK_UNIT);
    if (needed > size)
        errx(1, "the words do not fit on %s: %lu bytes too many", medium.name, needed - size);
    table_put(medium.mbr, (u32)end);
    const char *wrong = table_check(medium.mbr, end, size / SECTOR_SIZE);
    if (wrong) errx(1, "the words do not fit: %s", wrong);
    if (medium.is_file &&
        (errno = posix_fallocate(fileno(medium.stream), 0, (off_t)size))) // no holes on a full disk
        err(1, "cannot extend %s", medium.name);
    reserve(&command, bytes);
    memset(command.data + command.length, 0, bytes - command.length);
    write_at(at, command.data, bytes);
    write_at(0, medium.mbr, sizeof medium.mbr);
    write_at(medium.header_at, header, sizeof *header);
}

// A word ends with a NUL; line breaks inside one make no lines.
static void print_byte(u8 c) {
    if (!c)
        putchar('\n');
    else if (c < ' ' || c == 0x7f)
        printf("\\x%02x", c);
    else
        putchar(c);
}

int main(int argc, char **argv) {
    words_from_stdin(&argc, &argv);
    if (argc < 2) errx(2, "usage: words IMAGE|DEVICE [+WORD | -KEY]... [-- ARG0 [ARG...]]");
    medium_open(&medium, argv[1], argc > 2);
    const struct image_part *part = &medium.header.parts[IMAGE_COMMAND];
    read_words(medium_part(&medium, IMAGE_COMMAND), (size_t)argc);
    if (argc > 2) {
        if (medium.base)
            errx(1, "%s is a CD: its words are changed by making it anew", medium.name);
        if (!part->offset || part->offset + part->length != medium.header.total)
            errx(1,
                 "the command line is not the last part of the image on %s and cannot be changed",
                 medium.name);
        change(argv + 2);
    }
    join_words();
    if (argc > 2) {
        command_check(&command, 1);
        write_command();
    }
    for (u64 i = 0; i < command.length; i++) print_byte(command.data[i]);
    return fflush(stdout) || ferror(stdout);
}
