// Who a process is: users, groups and capabilities (credentials(7), capabilities(7)). The program
// begins as root with all capabilities; nothing here is asked by files yet. Pure.
#include "kernel/process/credentials.h"

#include <asm/errno.h>
#include <linux/capability.h>

bool credentials_can(const struct credentials *who, int capability) {
    return who->effective >> capability & 1;
}

static bool ids_have(const struct ids *ids, u32 id) {
    return id == ids->real || id == ids->effective || id == ids->saved;
}

// What becomes of capabilities when users change (capabilities(7), "Effect of user ID changes").
static void credentials_follow(struct credentials *who, const struct ids *before) {
    const struct ids *now = &who->users;
    bool had_root = !before->real || !before->effective || !before->saved;
    bool has_root = !now->real || !now->effective || !now->saved;
    if (had_root && !has_root && !who->keeps) who->permitted = who->ambient = 0;
    if ((had_root && !has_root && !who->keeps) || (!before->effective && now->effective))
        who->effective = 0;
    if (before->effective && !now->effective) who->effective = who->permitted;
}

// The new ids of one kind, which are allowed.
static void credentials_set(struct credentials *who, bool is_user, const struct ids *ids) {
    struct ids before = who->users;
    if (is_user)
        who->users = *ids;
    else
        who->groups = *ids;
    if (is_user) credentials_follow(who, &before);
}

static const struct ids *credentials_ids(const struct credentials *who, bool is_user,
                                         bool *may_change) {
    if (is_user) {
        *may_change = credentials_can(who, CAP_SETUID);
        return &who->users;
    }
    *may_change = credentials_can(who, CAP_SETGID);
    return &who->groups;
}

s64 credentials_set_id(struct credentials *who, bool is_user, u32 id) {
    bool may;
    struct ids ids = *credentials_ids(who, is_user, &may);
    if (id == ID_NONE) return -EINVAL;
    if (!may && id != ids.real && id != ids.saved) return -EPERM;
    if (may) ids.real = ids.saved = id;
    ids.effective = ids.file = id;
    credentials_set(who, is_user, &ids);
    return 0;
}

s64 credentials_set_two(struct credentials *who, bool is_user, u32 real, u32 effective) {
    bool may;
    const struct ids before = *credentials_ids(who, is_user, &may);
    struct ids ids = before;
    if (real != ID_NONE) {
        if (!may && real != before.real && real != before.effective) return -EPERM;
        ids.real = real;
    }
    if (effective != ID_NONE) {
        if (!may && !ids_have(&before, effective)) return -EPERM;
        ids.effective = effective;
    }
    bool is_other = effective != ID_NONE && effective != before.real;
    if (real != ID_NONE || is_other) ids.saved = ids.effective;
    ids.file = ids.effective;
    credentials_set(who, is_user, &ids);
    return 0;
}

s64 credentials_set_three(struct credentials *who, bool is_user, const u32 wanted[3]) {
    bool may;
    const struct ids before = *credentials_ids(who, is_user, &may);
    struct ids ids = before;
    for (int i = 0; i < 3; i++)
        if (!may && wanted[i] != ID_NONE && !ids_have(&before, wanted[i])) return -EPERM;
    if (wanted[0] != ID_NONE) ids.real = wanted[0];
    if (wanted[1] != ID_NONE) ids.effective = wanted[1];
    if (wanted[2] != ID_NONE) ids.saved = wanted[2];
    ids.file = ids.effective;
    credentials_set(who, is_user, &ids);
    return 0;
}

u32 credentials_set_file(struct credentials *who, bool is_user, u32 id) {
    bool may;
    struct ids ids = *credentials_ids(who, is_user, &may);
    u32 before = ids.file;
    if (id == ID_NONE || (!may && !ids_have(&ids, id) && id != before)) return before;
    ids.file = id;
    if (is_user)
        who->users = ids;
    else
        who->groups = ids;
    return before;
}

s64 credentials_set_capabilities(struct credentials *who, const struct credentials *wanted) {
    u64 all = who->permitted | who->inheritable;
    if (wanted->inheritable & ~(all | who->bounding)) return -EPERM;
    if (!credentials_can(who, CAP_SETPCAP) && wanted->inheritable & ~all) return -EPERM;
    if (wanted->permitted & ~who->permitted || wanted->effective & ~wanted->permitted)
        return -EPERM;
    who->permitted = wanted->permitted;
    who->effective = wanted->effective;
    who->inheritable = wanted->inheritable;
    who->ambient &= who->permitted & who->inheritable;
    return 0;
}

void credentials_execute(struct credentials *who) {
    bool is_root = !who->users.real || !who->users.effective;
    who->users.saved = who->users.file = who->users.effective;
    who->groups.saved = who->groups.file = who->groups.effective;
    who->keeps = false;
    u64 permitted = who->ambient;
    if (is_root) permitted = who->bounding | who->inheritable;
    who->permitted = permitted;
    who->effective = who->ambient;
    if (!who->users.effective) who->effective = permitted;
}

bool credentials_may_signal(const struct credentials *from, const struct credentials *to) {
    if (credentials_can(from, CAP_KILL)) return true;
    u32 real = from->users.real;
    u32 effective = from->users.effective;
    return effective == to->users.real || effective == to->users.saved || real == to->users.real ||
           real == to->users.saved;
}

void credentials_init(struct credentials *who) {
    *who = (struct credentials){.permitted = CAPABILITIES, .effective = CAPABILITIES};
    who->bounding = CAPABILITIES;
}
