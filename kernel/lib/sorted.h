// Things sorted by two numbers, in a red-black tree: what a thread can be in (queues, sleepers,
// waiters, tids). A node says itself which list it is in, so no value of a key means "in none", and
// nothing is added twice or forgotten: both are checked. A list begins as zeroes, and so does a
// node.
#pragma once

#include <bsd/sys/tree.h>
#include "kernel/lib/types.h"

RB_HEAD(sorted_tree, sorted_node);

struct sorted {
    struct sorted_tree tree;
};

struct sorted_node {
    u64 key, then;     // then: among those with the same key
    struct sorted *in; // NULL: in none. Only under the list's lock, but for sorted_in()
    RB_ENTRY(sorted_node) link;
};

void sorted_add(struct sorted *list, struct sorted_node *node, u64 key, u64 then);
void sorted_remove(struct sorted *list, struct sorted_node *node);
void sorted_move(struct sorted *from, struct sorted *to, struct sorted_node *node, u64 key,
                 u64 then);

struct sorted_node *sorted_first(const struct sorted *list);
struct sorted_node *sorted_last(const struct sorted *list);
struct sorted_node *sorted_next(struct sorted_node *node);
struct sorted_node *sorted_from(const struct sorted *list, u64 key, u64 then);

// Without the list's lock: what it says can be over at once, but NULL stays when nobody else adds
// the node anywhere.
static inline struct sorted *sorted_in(const struct sorted_node *node) {
    return __atomic_load_n(&node->in, __ATOMIC_ACQUIRE);
}
