// Says that it runs, as its first act, and stays: whoever measures ends the machine.
#include <unistd.h>

int main(void) {
    write(1, "first act\n", 10);
    for (;;) sleep(1000);
}
