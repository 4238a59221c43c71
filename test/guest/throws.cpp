// A handler of SIGSEGV throws: the unwinder goes through the frame of the signal.
#include <csignal>
#include <cstdio>
#include <stdexcept>
static void handler(int) { throw std::runtime_error("from a handler"); }
__attribute__((noinline)) static int touch(volatile int *p) { return *p; }
int main() {
    std::signal(SIGSEGV, handler);
    struct sigaction a = {};
    a.sa_handler = handler;
    a.sa_flags = SA_NODEFER;
    sigaction(SIGSEGV, &a, nullptr);
    for (int i = 0; i < 3; i++) try {
            touch(nullptr);
        } catch (const std::exception &e) { std::printf("caught: %s\n", e.what()); }
    return 5;
}
