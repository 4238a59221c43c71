// Calls uname twice; its status says how that went. A test puts code of its own into the kernel's function.
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    char name[6 * 65];
    for (int i = 0; i < 2; i++)
        if (syscall(SYS_uname, name)) return 1;
    return 42;
}
