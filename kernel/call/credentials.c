// Users, groups and capabilities: the calls that ask for them, and change them. As on Linux's C
// libraries they are those of the whole process.
#include <linux/capability.h>
#include "kernel/call/call.h"
#include "kernel/process/credentials.h"

static struct credentials *own(struct thread *thread) { return &thread->process->credentials; }

s64 call_getuid(struct thread *thread, const u64 *arg) { return own(thread)->users.real; }
s64 call_geteuid(struct thread *thread, const u64 *arg) { return own(thread)->users.effective; }
s64 call_getgid(struct thread *thread, const u64 *arg) { return own(thread)->groups.real; }
s64 call_getegid(struct thread *thread, const u64 *arg) { return own(thread)->groups.effective; }

static s64 ids_tell(const struct ids *ids, const u64 *arg) {
    const u32 all[] = {ids->real, ids->effective, ids->saved};
    for (int i = 0; i < 3; i++)
        if (!copy_to_user(user(arg[i]), &all[i], sizeof all[i])) return -EFAULT;
    return 0;
}

s64 call_getresuid(struct thread *thread, const u64 *arg) {
    return ids_tell(&own(thread)->users, arg);
}

s64 call_getresgid(struct thread *thread, const u64 *arg) {
    return ids_tell(&own(thread)->groups, arg);
}

// The kinds of set*id, under the lock.
static s64 ids_set(struct thread *thread, bool is_user, int count, const u64 *arg) {
    const u32 wanted[] = {(u32)arg[0], (u32)arg[1], (u32)arg[2]};
    s64 result;
    lock_take(&threads_lock);
    if (count == 1)
        result = credentials_set_id(own(thread), is_user, wanted[0]);
    else if (count == 2)
        result = credentials_set_two(own(thread), is_user, wanted[0], wanted[1]);
    else
        result = credentials_set_three(own(thread), is_user, wanted);
    lock_give(&threads_lock);
    return result;
}

s64 call_setuid(struct thread *thread, const u64 *arg) { return ids_set(thread, true, 1, arg); }
s64 call_setgid(struct thread *thread, const u64 *arg) { return ids_set(thread, false, 1, arg); }
s64 call_setreuid(struct thread *thread, const u64 *arg) { return ids_set(thread, true, 2, arg); }
s64 call_setregid(struct thread *thread, const u64 *arg) { return ids_set(thread, false, 2, arg); }
s64 call_setresuid(struct thread *thread, const u64 *arg) { return ids_set(thread, true, 3, arg); }
s64 call_setresgid(struct thread *thread, const u64 *arg) { return ids_set(thread, false, 3, arg); }

static s64 ids_set_file(struct thread *thread, bool is_user, u32 id) {
    lock_take(&threads_lock);
    u32 before = credentials_set_file(own(thread), is_user, id);
    lock_give(&threads_lock);
    return before;
}

s64 call_setfsuid(struct thread *thread, const u64 *arg) {
    return ids_set_file(thread, true, (u32)arg[0]);
}

s64 call_setfsgid(struct thread *thread, const u64 *arg) {
    return ids_set_file(thread, false, (u32)arg[0]);
}

// getgroups(int room, list)
s64 call_getgroups(struct thread *thread, const u64 *arg) {
    const struct credentials *who = own(thread);
    u32 count = who->more_count;
    if ((s32)arg[0] < 0) return -EINVAL;
    if (!arg[0]) return count;
    if ((u32)arg[0] < count) return -EINVAL;
    if (!copy_to_user(user(arg[1]), who->more, count * sizeof who->more[0])) return -EFAULT;
    return count;
}

// setgroups(how many, list)
s64 call_setgroups(struct thread *thread, const u64 *arg) {
    struct credentials *who = own(thread);
    u32 list[GROUPS_MOST];
    if (arg[0] > GROUPS_OF_LINUX) return -EINVAL;
    bool may = credentials_can(who, CAP_SETGID);
    if (!may) return -EPERM;
    if (arg[0] > GROUPS_MOST)
        return refused("setgroups", "number", arg[0], "a process has 32 at most", -ENOMEM);
    if (!copy_from_user(list, user(arg[1]), arg[0] * sizeof list[0])) return -EFAULT;
    lock_take(&threads_lock);
    for (u64 i = 0; i < arg[0]; i++) who->more[i] = list[i];
    who->more_count = (u32)arg[0];
    lock_give(&threads_lock);
    return 0;
}

// The version of a header for capget and capset, whose process is its own or another one's.
static s64 capabilities_begin(u64 at, struct __user_cap_header_struct *header, u32 *words) {
    const u32 newest = _LINUX_CAPABILITY_VERSION_3;
    if (!copy_from_user(header, user(at), sizeof *header)) return -EFAULT;
    *words = 2;
    if (header->version == _LINUX_CAPABILITY_VERSION_1) *words = 1;
    bool is_known = header->version == _LINUX_CAPABILITY_VERSION_1 ||
                    header->version == _LINUX_CAPABILITY_VERSION_2 || header->version == newest;
    if (is_known) return 0;
    if (!copy_to_user(user(at), &newest, sizeof newest)) return -EFAULT;
    return -EINVAL;
}

// capget(header, data)
s64 call_capget(struct thread *thread, const u64 *arg) {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[2];
    u32 words;
    s64 error = capabilities_begin(arg[0], &header, &words);
    if (error == -EINVAL && !arg[1]) return 0; // it asks for the version
    if (error) return error;
    if (header.pid < 0) return -EINVAL;
    lock_take(&threads_lock);
    const struct process *process = thread->process;
    if (header.pid) process = process_of((u32)header.pid);
    struct credentials who = {0};
    if (process) who = process->credentials;
    lock_give(&threads_lock);
    if (!process) return -ESRCH;
    for (u32 i = 0; i < 2; i++)
        data[i] = (struct __user_cap_data_struct){(u32)(who.effective >> 32 * i),
                                                  (u32)(who.permitted >> 32 * i),
                                                  (u32)(who.inheritable >> 32 * i)};
    return put_user(user(arg[1]), data, words * sizeof data[0]);
}

// capset(header, data)
s64 call_capset(struct thread *thread, const u64 *arg) {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[2] = {0};
    struct credentials wanted = {0};
    u32 words;
    s64 error = capabilities_begin(arg[0], &header, &words);
    if (error) return error;
    if (header.pid && (u32)header.pid != thread->process->id) return -EPERM;
    if (!copy_from_user(data, user(arg[1]), words * sizeof data[0])) return -EFAULT;
    for (u32 i = 0; i < 2; i++) {
        wanted.effective |= (u64)data[i].effective << 32 * i & CAPABILITIES;
        wanted.permitted |= (u64)data[i].permitted << 32 * i & CAPABILITIES;
        wanted.inheritable |= (u64)data[i].inheritable << 32 * i & CAPABILITIES;
    }
    lock_take(&threads_lock);
    error = credentials_set_capabilities(own(thread), &wanted);
    lock_give(&threads_lock);
    return error;
}
