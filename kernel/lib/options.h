// The image's command line: NUL-terminated words, each KEY=VALUE or one of the bare ones, in any
// order. Pure; shared by the loader, the kernel and the tools. The last of several words with the
// same key counts.
//   arg=TEXT          one argument of the program, argv[0] first
//   env=K=V           one environment string
//   tty=1             standard output is a terminal although standard input is not (decides what
//                     isatty says)
//   console=WHERE     the program's terminal: com1, screen, or com1,screen (without the word)
//   video=WxH[xBITS]  a linear framebuffer of this size, 32 bits a pixel without BITS;
//                     video=text: none
//   mem=N[K|M|G|T]    memory from this physical address on is not used
//   cpus=N            at most so many CPUs run
//   quiet             the screen, and COM1 where the log shares it, show of the log only errors
//                     and the last line
//   timeline          a table of the boot's stages in the log
//   overcommit=2      fork promises the child all memory that its parent was promised, or fails;
//                     without it the child gets its own pages as long as there are any
//   after=WHAT        when the program has ended on a PC: halt, reboot or poweroff; without it
//                     any key restarts
#pragma once

#include "kernel/lib/types.h"

#define CONSOLE_COM1   1u
#define CONSOLE_SCREEN 2u

// Bytes that arguments, environment and what else a program finds on its first stack may take: all
// that Linux takes, 2 MiB counted without the keys of the words, is less.
#define START_DATA_MAX   (4u << 20)
#define START_DATA_OTHER 4096u // of it: auxiliary vector, random bytes, alignment

enum after { AFTER_KEY, AFTER_HALT, AFTER_REBOOT, AFTER_POWEROFF };

struct options {
    u64 memory;        // bytes; 0: no limit
    u32 cpus;          // 0: no limit
    u16 width, height; // 0: text
    u8 bits;           // of a pixel
    u8 console;        // CONSOLE_*
    u8 after;          // enum after
    u8 overcommit;     // 2, or 0
    bool quiet, timeline, tty;
};

// One word after the other, what stands behind "key=" in one, and what all may need of a stack.
const char *command_word(const char *command, u64 length, u64 *offset, u64 *word_length);
const char *command_value(const char *word, u64 word_length, const char *key);
u64 command_start_bytes(const char *command, u64 length);

// All the words that are vmos's own.
void options_read(const char *command, u64 length, struct options *options,
                  void (*ignored)(const char *word, u64 word_length, const char *why));
