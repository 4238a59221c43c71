// Fuzz target: path.c on any string, from any directory. What it names is a node of the tree or one
// of three errors; a path that names one still does behind "/.", if it is a directory, and does not
// otherwise. Run with clang -fsanitize=fuzzer,address,undefined and -runs=20000.
#include <stdlib.h>
#include <string.h>
#include "kernel/file/path.c"

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes) {
    if (!bytes) return 0;
    char *path = malloc(bytes + 3);
    u32 from = data[0] % 3;
    memcpy(path, data + 1, bytes - 1);
    path[bytes - 1] = '\0';
    struct path_end end = path_walk(path, from);
    s64 node = end.node;
    if (node >= (s64)ARRAY_SIZE(nodes)) abort();
    if (node < 0 && node != -ENOENT && node != -ENOTDIR && node != -ENAMETOOLONG) abort();
    if (end.directory >= ARRAY_SIZE(nodes)) abort();
    size_t length = strlen(path);
    if (length) {
        memcpy(path + length, "/.", 3);
        s64 again = path_walk(path, from).node;
        bool is_directory = node >= 0 && node_kind((u32)node) == FILE_DIRECTORY;
        if (node >= 0 && again != (is_directory ? node : -ENOTDIR)) abort();
        if (node < 0 && again != node) abort();
    }
    free(path);
    return 0;
}
