// Lua for a machine of its own, linked with Debian's liblua5.4.a (./build.sh program lua):
//   lua [-e STATEMENT]... [- [ARG...]]
// Without -e, and with "-", it runs the script on standard input; on a terminal it runs line after line and prints what
// an expression is worth. Status: 0, or 1 with a message.
#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>
#include <lua5.4/lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int traceback(lua_State *lua) {
    luaL_traceback(lua, lua, lua_tostring(lua, 1), 1);
    return 1;
}

// Runs the chunk on top of the stack, when it could be loaded; all that it returns stays there.
static bool run(lua_State *lua, int loaded) {
    int status = loaded;
    if (status == LUA_OK) {
        int base = lua_gettop(lua);
        lua_pushcfunction(lua, traceback);
        lua_insert(lua, base);
        status = lua_pcall(lua, 0, LUA_MULTRET, base);
        lua_remove(lua, base);
    }
    if (status == LUA_OK) return true;
    fflush(stdout);
    fprintf(stderr, "lua: %s\n", lua_tostring(lua, -1));
    lua_settop(lua, 0);
    return false;
}

static void print_results(lua_State *lua) {
    int count = lua_gettop(lua);
    if (count == 0) return;
    lua_getglobal(lua, "print");
    lua_insert(lua, 1);
    if (lua_pcall(lua, count, 0, 0) != LUA_OK) fprintf(stderr, "lua: %s\n", lua_tostring(lua, -1));
    lua_settop(lua, 0);
}

static int load_line(lua_State *lua, const char *line) {
    lua_pushfstring(lua, "return %s", line);
    int status = luaL_loadstring(lua, lua_tostring(lua, -1));
    if (status != LUA_OK) {
        lua_settop(lua, 0);
        return luaL_loadstring(lua, line);
    }
    lua_remove(lua, 1);
    return status;
}

static void converse(lua_State *lua) {
    char line[4096];
    printf("%s\n", LUA_COPYRIGHT);
    while (printf("> "), fflush(stdout), fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (run(lua, load_line(lua, line))) print_results(lua);
    }
    printf("\n");
}

int main(int argc, char **argv) {
    lua_State *lua = luaL_newstate();
    bool ok = lua != NULL;
    int i = 1;
    if (!ok) return 1;
    luaL_openlibs(lua);
    for (; ok && i + 1 < argc && !strcmp(argv[i], "-e"); i += 2) ok = run(lua, luaL_loadstring(lua, argv[i + 1]));
    bool script = i < argc && !strcmp(argv[i], "-");
    if (ok && i < argc && !script) {
        fprintf(stderr, "usage: lua [-e STATEMENT]... [- [ARG...]]\n");
        ok = false;
    }
    lua_createtable(lua, argc, 0);
    for (int n = 1; i + n < argc; n++) {
        lua_pushstring(lua, argv[i + n]);
        lua_rawseti(lua, -2, n);
    }
    lua_setglobal(lua, "arg");
    if (ok && i == 1 && !script && isatty(0)) converse(lua);
    else if (ok && (i == 1 || script)) ok = run(lua, luaL_loadfile(lua, NULL));
    lua_close(lua);
    return !ok;
}
