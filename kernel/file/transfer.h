// How bytes move between a file and the program's memory. The file, and where in memory, is settled
// when the call begins, in its record; it goes on from there however often it is executed.
#pragma once

#include "kernel/file/files.h"

enum transfer_copy { COPY_IN, COPY_OUT, COPY_NOTHING };

// Copies at most so many bytes between a buffer and the memory where the call goes on, or only
// tries whether that can be written to. Returns how many it could before memory ended or, unless it
// is to the program, a page had to be made: with that there the call is executed anew. The caller
// adds to the record's done how many of them count.
u64 transfer_copy(struct thread *thread, u8 *buffer, u64 bytes, enum transfer_copy what);
// How many of the wanted bytes can be stored where the call goes on, before something is taken that
// nobody else gets; or CALL_WAITS, which the call returns. wanted becomes less when fewer were
// tried.
s64 transfer_room(struct thread *thread, u64 *wanted);
// How a call ends that cannot go on: with what is done, else with an error.
s64 transfer_stop(const struct thread *thread, s64 error);
// The operations read and write of files whose bytes have places.
s64 transfer_read_pieces(struct thread *thread);
s64 transfer_write_pieces(struct thread *thread);
