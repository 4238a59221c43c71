// Lists sorted by two numbers, in a red-black tree. Every function but sorted_in() needs the list's
// lock.
#define __unused __attribute__((unused)) // tree.h marks its functions with BSD's name for it

#include "kernel/lib/sorted.h"

#include "kernel/kernel.h"

static int sorted_compare(const struct sorted_node *a, const struct sorted_node *b) {
    if (a->key < b->key) return -1;
    if (a->key > b->key) return 1;
    if (a->then < b->then) return -1;
    return a->then > b->then;
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

// Adds a node that is in no list. No two nodes of a list have both numbers in common.
void sorted_add(struct sorted *list, struct sorted_node *node, u64 key, u64 then) {
    ASSERT(!node->in);
    sorted_insert_node(list, node, key, then);
}

// From one list to another, or to another place in the same. Both locks are held; whoever looks
// without them never finds the node in none, as it would between sorted_remove() and sorted_add().
void sorted_move(struct sorted *from, struct sorted *to, struct sorted_node *node, u64 key,
                 u64 then) {
    ASSERT(node->in == from);
    RB_REMOVE(sorted_tree, &from->tree, node);
    sorted_insert_node(to, node, key, then);
}

// Takes a node out of the list that it is in.
void sorted_remove(struct sorted *list, struct sorted_node *node) {
    ASSERT(node->in == list);
    RB_REMOVE(sorted_tree, &list->tree, node);
    set_in(node, NULL);
}

// The first node; NULL: there is none.
struct sorted_node *sorted_first(const struct sorted *list) {
    return RB_MIN(sorted_tree, (struct sorted_tree *)&list->tree);
}

// The last node; NULL: there is none.
struct sorted_node *sorted_last(const struct sorted *list) {
    return RB_MAX(sorted_tree, (struct sorted_tree *)&list->tree);
}

// The node behind another one; NULL: there is none.
struct sorted_node *sorted_next(struct sorted_node *node) {
    return RB_NEXT(sorted_tree, NULL, node);
}

// The first node that is at these numbers or behind them; NULL: there is none.
struct sorted_node *sorted_from(const struct sorted *list, u64 key, u64 then) {
    const struct sorted_node at = {.key = key, .then = then};
    return RB_NFIND(sorted_tree, (struct sorted_tree *)&list->tree, (struct sorted_node *)&at);
}
