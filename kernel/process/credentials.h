// The rules by which users, groups and capabilities of a process change. All of it is under the
// lock of the threads, or asked by the process itself.
#pragma once

#include "kernel/thread/process.h"

#define ID_NONE      (~0u) // leaves an id as it is
#define CAPABILITIES ((1ull << 41) - 1)

void credentials_init(struct credentials *who);                      // root's
bool credentials_can(const struct credentials *who, int capability); // CAP_*
// setuid or setgid, setre*, setres*, setfs* with their arguments: 0, -EPERM, or -EINVAL; the last
// returns the id before.
s64 credentials_set_id(struct credentials *who, bool is_user, u32 id);
s64 credentials_set_two(struct credentials *who, bool is_user, u32 real, u32 effective);
s64 credentials_set_three(struct credentials *who, bool is_user, const u32 wanted[3]);
u32 credentials_set_file(struct credentials *who, bool is_user, u32 id);
// The three sets of capset(2): 0 or -EPERM.
s64 credentials_set_capabilities(struct credentials *who, const struct credentials *wanted);
void credentials_execute(struct credentials *who); // the process runs another program
bool credentials_may_signal(const struct credentials *from, const struct credentials *to);
