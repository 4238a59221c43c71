// Looks at what the loader says before anything is built on it: another loader, for another
// firmware, has its own idea of where memory is.
#include "kernel/memory/build.h"

#include "kernel/lib/print.h"

#define AT(member) offsetof(struct boot_info, member)
#define NOWHERE    AT(magic)

// What boot_info says of one part: where it stands there, and what must hold. Parts that stand
// by themselves do not overlap.
static const struct bootinfo_rule {
    const char *name;
    u16 at;        // of a struct boot_part in boot_info
    u16 in;        // where that stands in which it lies; NOWHERE: by itself
    bool optional; // its length may be 0: there is none
    bool below_1m; // else below 4 GiB
    bool usable;   // the map says so of all of it, and it consists of whole pages
} rules[] = {
    {"hand-over buffer", AT(low.handover), AT(low.loader), false, false, true},
    {"page where other CPUs start", AT(low.ap_start), NOWHERE, true, true, true},
    {"first page table of other CPUs", AT(low.ap_root), NOWHERE, true, false, true},
    {"memory of the firmware", AT(low.firmware), NOWHERE, true, false, false},
    {"memory of the loader", AT(low.loader), NOWHERE, false, false, true},
    {"memory of the kernel", AT(kernel_low), NOWHERE, false, false, true},
    {"image", AT(payload), NOWHERE, false, false, false},
    {"kernel's file", AT(kernel), AT(payload), false, false, false},
};

// Whether the loader is of another version; text says of which. Nothing else of boot may be used
// then.
bool bootinfo_is_other(const struct boot_info *boot, char *text, size_t size) {
    if (boot->magic == BOOT_INFO_MAGIC && boot->version == BOOT_INFO_VERSION &&
        boot->size == sizeof(*boot))
        return false;
    format(
        text, size,
        "the loader is of another version than the kernel: boot_info %#lx, version %u, %u bytes; "
        "not %#lx, %u, %lu",
        boot->magic, boot->version, boot->size, BOOT_INFO_MAGIC, BOOT_INFO_VERSION, sizeof(*boot));
    return true;
}

static const struct boot_part *bootinfo_part(const struct boot_info *boot, u16 at) {
    return (const struct boot_part *)((const u8 *)boot + at);
}

// The map has to stay until it was planned with, and planning needs room.
static const char *bootinfo_map_wrong(const struct boot_info *boot, u64 *value) {
    const struct boot_part *handover = &boot->low.handover;
    u64 end = boot->e820 + boot->e820_count * sizeof(struct e820_entry);
    *value = boot->e820;
    if (!boot->e820_count || boot->e820 >= IDENTITY_END || end > IDENTITY_END)
        return "cannot serve: the memory map is said to be at";
    if (boot->e820 < handover->start + handover->length && end > handover->start)
        return "would lie over the memory map at";
    *value = HANDOVER_BYTES((u64)boot->e820_count);
    if (handover->length < *value) return "is too short for this memory map: it needs";
    return NULL;
}

// What is wrong with a part, NULL for nothing, and a value that tells more.
static const char *bootinfo_why(const struct boot_info *boot, const struct bootinfo_rule *rule,
                                u64 *value) {
    const struct boot_part *part = bootinfo_part(boot, rule->at);
    const struct boot_part *in = bootinfo_part(boot, rule->in);
    u64 start = part->start;
    u64 end = start + part->length;
    if (!part->length && rule->optional) return NULL;
    *value = IDENTITY_END;
    if (rule->below_1m) *value = HIGH_MEMORY;
    if (start < PAGE_SIZE || end <= start || end > *value)
        return "should lie behind the first page and below";
    *value = PAGE_SIZE;
    if (rule->usable && (start | end) % PAGE_SIZE) return "should consist of whole pages of";
    *value = in->start;
    if (rule->in != NOWHERE) {
        bool inside = start >= in->start && end <= in->start + in->length;
        if (inside) return NULL;
        return "should lie in what is at";
    }
    *value = e820_usable_until((const struct e820_entry *)boot->e820, boot->e820_count, start);
    if (rule->usable && *value < end) return "is not usable memory from here on:";
    for (const struct bootinfo_rule *other = rules; other < rule; other++) {
        part = bootinfo_part(boot, other->at);
        *value = part->start;
        if (other->in != NOWHERE || !part->length) continue;
        if (start < part->start + part->length && part->start < end)
            return "overlaps with what is at";
    }
    return NULL;
}

// Whether something that boot names cannot be where it says; text says what, with its values.
bool bootinfo_is_wrong(const struct boot_info *boot, char *text, size_t size) {
    const struct bootinfo_rule *rule = rules; // the hand-over buffer's
    u64 value;
    const char *why = bootinfo_map_wrong(boot, &value);
    for (size_t i = 0; !why && i < ARRAY_SIZE(rules); i++) {
        rule = &rules[i];
        why = bootinfo_why(boot, rule, &value);
    }
    if (!why) return false;
    const struct boot_part *part = bootinfo_part(boot, rule->at);
    format(text, size, "boot_info of the loader: %s, %#lx bytes at %#lx, %s %#lx", rule->name,
           part->length, part->start, why, value);
    return true;
}
