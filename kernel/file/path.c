// The tree of files, which is fixed, and how a path is walked through it (path_resolution(7)).
// There are no links. Pure.
#include <linux/limits.h>
#include "kernel/file/file.h"
#include "kernel/lib/string.h"

#define ROOT 0

static const struct {
    u8 parent, kind;
    char name[NODE_NAME];
} nodes[] = {
    [ROOT] = {ROOT, FILE_DIRECTORY, ""},
    [NODE_PROC] = {ROOT, FILE_DIRECTORY, "proc"},
    [2] = {ROOT, FILE_DIRECTORY, "dev"},
    [NODE_FB0] = {2, FILE_FRAMEBUFFER, "fb0"},
    [NODE_ZERO] = {2, FILE_ZERO, "zero"},
    [NODE_TEXT + TEXT_IOMEM] = {NODE_PROC, FILE_TEXT, "iomem"},
    [NODE_TEXT + TEXT_MEMINFO] = {NODE_PROC, FILE_TEXT, "meminfo"},
    [NODE_TEXT + TEXT_VMOS] = {NODE_PROC, FILE_TEXT, "vmos"},
};

u8 node_kind(u32 node) { return nodes[node].kind; }

static s64 path_child(u32 directory, const char *name, size_t length) {
    for (u32 node = 1; node < ARRAY_SIZE(nodes); node++) {
        bool is_it = nodes[node].parent == directory &&
                     strnlen(nodes[node].name, sizeof nodes[node].name) == length;
        if (is_it && memcmp(nodes[node].name, name, length) == 0) return node;
    }
    return -ENOENT;
}

static s64 path_step(u32 directory, const char *name, size_t length) {
    if (node_kind(directory) != FILE_DIRECTORY) return -ENOTDIR;
    if (length > NAME_MAX) return -ENAMETOOLONG;
    if (length == 1 && name[0] == '.') return directory;
    if (length == 2 && name[0] == '.' && name[1] == '.') return nodes[directory].parent;
    return path_child(directory, name, length);
}

// The node at a place of a directory, and its name: at first itself and what it is in. Place
// becomes the first one from there on where something is. -ENOENT: nothing more is.
s64 path_list(u32 directory, u64 *place, char name[NODE_NAME]) {
    for (; *place <= ARRAY_SIZE(nodes); ++*place) {
        u64 node = *place - 1; // the root is in no directory
        if (*place < 2) {
            memcpy(name, "..", 3);
            if (*place) return nodes[directory].parent;
            name[1] = '\0'; // the directory itself
            return directory;
        }
        if (nodes[node].parent != directory) continue;
        memcpy(name, nodes[node].name, NODE_NAME);
        return (s64)node;
    }
    return -ENOENT;
}

struct path_end path_walk(const char *path, u32 from) {
    struct path_end end = {.node = from};
    if (!path[0]) end.node = -ENOENT;
    if (path[0] == '/') end.node = ROOT;
    while (path[0] && end.node >= 0) {
        size_t slashes = 0;
        size_t length = 0;
        while (path[slashes] == '/') slashes++;
        path += slashes;
        while (path[length] && path[length] != '/') length++;
        // A slash behind a name asks for a directory, as a name behind it does.
        if (!length && node_kind((u32)end.node) != FILE_DIRECTORY) end.node = -ENOTDIR;
        if (!length) break;
        end.directory = (u32)end.node;
        end.node = path_step(end.directory, path, length);
        path += length;
        const char *rest = path;
        while (*rest == '/') rest++;
        end.is_last = !*rest;
        end.has_slash = *path == '/';
    }
    return end;
}
