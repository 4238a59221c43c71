// See sorted.h.
#define __unused __attribute__((unused)) // tree.h marks its functions with BSD's name for it

#include "kernel/lib/sorted.h"

#include "kernel/kernel.h"

static int sorted_compare(const struct sorted_node *a, const struct sorted_node *b) {
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return a->then < b->then ? -1 : a->then > b->then;
}
RB_GENERATE_STATIC(sorted_tree, sorted_node, link, sorted_compare)

// Whoever looks without the lock (sorted_in) sees all that was done to the node before.
static void set_in(struct sorted_node *node, struct sorted *list) {
    __atomic_store_n(&node->in, list, __ATOMIC_RELEASE);
}

static void sorted_insert_node(struct sorted *list, struct sorted_node *node, u64 key, u64 then) {
    node->key = key;
    node->then = then;
    struct sorted_node *same = RB_INSERT(sorted_tree, &list->tree, node);
    ASSERT(!same);
    set_in(node, list);
}

void sorted_add(struct sorted *list, struct sorted_node *node, u64 key, u64 then) {
    ASSERT(!node->in);
    sorted_insert_node(list, node, key, then);
}

void sorted_move(struct sorted *from, struct sorted *to, struct sorted_node *node, u64 key,
                 u64 then) {
    ASSERT(node->in == from);
    RB_REMOVE(sorted_tree, &from->tree, node);
    sorted_insert_node(to, node, key, then);
}

void sorted_remove(struct sorted *list, struct sorted_node *node) {
    ASSERT(node->in == list);
    RB_REMOVE(sorted_tree, &list->tree, node);
    set_in(node, NULL);
}

struct sorted_node *sorted_first(const struct sorted *list) {
    return RB_MIN(sorted_tree, (struct sorted_tree *)&list->tree);
}

struct sorted_node *sorted_last(const struct sorted *list) {
    return RB_MAX(sorted_tree, (struct sorted_tree *)&list->tree);
}

struct sorted_node *sorted_next(struct sorted_node *node) {
    return RB_NEXT(sorted_tree, NULL, node);
}

struct sorted_node *sorted_from(const struct sorted *list, u64 key, u64 then) {
    const struct sorted_node at = {.key = key, .then = then};
    return RB_NFIND(sorted_tree, (struct sorted_tree *)&list->tree, (struct sorted_node *)&at);
}
