// SQLite for a machine of its own, linked with Debian's libsqlite3.a (./build.sh program sqlite3):
//   sqlite3 [DATABASE]
// Runs the SQL on standard input on DATABASE, else on one in memory, and prints rows as the shell of SQLite does:
// fields with | between them, nothing for NULL. A statement that fails is told with its line, and the rest goes on.
// Status: 0, or 1 when any failed.
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int print_row(void *unused, int fields, char **values, char **names) {
    (void)unused;
    (void)names;
    for (int i = 0; i < fields; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "");
    printf("\n");
    return 0;
}

static bool run(sqlite3 *database, const char *sql, unsigned line) {
    char *message = NULL;
    if (sqlite3_exec(database, sql, print_row, NULL, &message) == SQLITE_OK) return true;
    fflush(stdout);
    fprintf(stderr, "Error: near line %u: %s\n", line, message);
    sqlite3_free(message);
    return false;
}

int main(int argc, char **argv) {
    sqlite3 *database;
    char *line = NULL, *sql = NULL;
    size_t room = 0, length = 0;
    unsigned number = 0, begin = 1;
    bool ok = true;
    if (sqlite3_open(argc > 1 ? argv[1] : ":memory:", &database) != SQLITE_OK) {
        fprintf(stderr, "Error: %s\n", sqlite3_errmsg(database));
        return 1;
    }
    run(database, "pragma temp_store = memory", 0); // a sort needs no file
    while (true) {
        if (isatty(0)) printf(length ? "   ...> " : "sqlite> ");
        fflush(stdout);
        ssize_t got = getline(&line, &room, stdin);
        if (got > 0) {
            sql = realloc(sql, length + (size_t)got + 1);
            if (!sql) return 1;
            memcpy(sql + length, line, (size_t)got + 1);
            length += (size_t)got;
            number++;
        }
        if (length && (got <= 0 || sqlite3_complete(sql))) {
            if (!run(database, sql, begin)) ok = false;
            length = 0;
            begin = number + 1;
        }
        if (got <= 0) break;
    }
    free(line);
    free(sql);
    sqlite3_close(database);
    return !ok;
}
