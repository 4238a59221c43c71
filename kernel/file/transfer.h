// How bytes move between a file and the program's memory. The file, and where in memory, is settled
// when the call begins, in its record; it goes on from there however often it is executed.
#pragma once

#include "kernel/file/files.h"

enum transfer_copy { COPY_IN, COPY_OUT, COPY_NOTHING };

// Both return for how many bytes there was memory.
u64 transfer_copy(struct thread *thread, u8 *buffer, u64 bytes, enum transfer_copy what);
s64 transfer_room(struct thread *thread, u64 *wanted);

// How a call ends that cannot go on: with what is done, else with an error.
s64 transfer_stop(const struct thread *thread, s64 error);
// The operations read and write of files whose bytes have places.
s64 transfer_read_pieces(struct thread *thread);
s64 transfer_write_pieces(struct thread *thread);
