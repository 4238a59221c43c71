// Jumps into its data: must die of SIGSEGV (139).
static unsigned char code[] = {0xc3}; // ret

int main(void) {
    ((void (*)(void))code)();
    return 0;
}
