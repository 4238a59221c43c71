// Prints hello, its arguments and its environment, one per line.
#include <stdio.h>

int main(int argc, char **argv, char **envp) {
    puts("hello");
    for (int i = 0; i < argc; i++) printf("arg %s\n", argv[i]);
    while (*envp) printf("env %s\n", *envp++);
    return 0;
}
