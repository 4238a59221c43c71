// The program's address space, for real: space.c, mappings.c, areas.c, the page tables and the
// allocator on simulated physical memory, with random calls and touches against a naive model of
// every page's rights and contents. After every step the tracer walks the roots: each page of
// memory must be in use exactly once, or free, and nothing that the simulated TLBs of two CPUs
// still remember may differ from the tables. No page and no table may be given back while one
// remembers it, and while one CPU clears a large page without the lock, the other one does
// something else. A device's pages are among the mappings, often several times: they must never be
// taken for memory, and the screen is the program's just as long.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "test/check.h"
#include "kernel/lib/types.h"
#define log kernel_log // the C library has one of its own

static void while_clearing(void);
// Clearing much at once leaves the pages to the host.
static void *clear_fast(void *to, int byte, size_t bytes) {
    if (byte || bytes < 0x200000) return (memset)(to, byte, bytes);
    while_clearing();
    madvise(to, bytes, 4); // MADV_DONTNEED: zeroes, as the memory is anonymous
    return to;
}
#define memset(to, byte, bytes) clear_fast(to, byte, bytes)

#define LINEAR_POINTER(linear) window(linear_to_physical(&pages.map, (laddr){linear}))
#define frames                 pages_frames
#define SLOT_NUMBER(number)    (&slots[number])
#define THIS_SLOT()            (&slots[0])
#include "kernel/memory/slots.h"
static struct slot slots[2];
#include "kernel/memory/frames.c"
#include "kernel/memory/frames_runs.c"
#include "kernel/memory/linear.c"
#include "kernel/memory/pages.c"
static void check_forgotten(paddr page, u64 bytes, bool is_table);
#define page_free(table) (check_forgotten(table, PAGE_SIZE, true), page_free(table))
#include "kernel/memory/tables.c"
#undef page_free
#define page_free(page) (check_forgotten(page, PAGE_SIZE, false), page_free(page))
#define frames_free_run(physical, count)                                                           \
    (check_forgotten(physical, FRAME_BYTES * (count), false), frames_free_run(physical, count))
#include "kernel/space/areas.c"
#include "kernel/space/counted.c"
#include "kernel/memory/promises.c"
#include "kernel/space/space.c"
#include "kernel/space/fault.c"
#include "kernel/space/objects.c"
#include "kernel/space/mappings.c"
#include "kernel/space/ranges.c"
#include "kernel/call/mmap.c"
#include "kernel/call/madvise.c"
#include "kernel/space/move.c"
#include "kernel/space/remap.c"
#include "kernel/call/mremap.c"
#include "kernel/space/populate.c"

#define MIB       (1ull << 20)
#define GIB       (1ull << 30)
#define MAX_PAGES (4 * GIB / PAGE_SIZE)

u64 window_base;
static struct extent extents[64];
static paddr test_root;
static u64 physical_end, space_start;
static u64 file_start, file_pages;
static struct thread threads[2];    // one of each CPU
static struct process processes[2]; // of each space
static struct space spaces[2];      // the second one in two_spaces() alone
static struct space *space = spaces;

void panic(const char *fmt, ...) {
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}
void unfit(const char *fmt, ...) { panic("%s", fmt); }
void log(const char *fmt, ...) { (void)fmt; }
s64 refused(const char *call, const char *option, u64 value, const char *missing, s64 error) {
    (void)call, (void)option, (void)value, (void)missing;
    return error;
}

#define DEVICE_FD    7                     // and the next one, which is open for reading alone
#define DEVICE_START (4 * GIB + 512 * MIB) // where no machine here has memory
#define DEVICE_PAGES 1500ull
static u32 device_values[DEVICE_PAGES];
static bool screen_yielded;

s64 file_map(struct files *files, u64 number, u64 offset, u64 bytes, u32 rights, bool shared,
             paddr *physical) {
    (void)files;
    CHECK(!space->lock.taken && !(rights & ~7u));
    if (number - DEVICE_FD > 1) return -EBADF;
    physical->at = DEVICE_START + offset;
    if (!shared || offset + bytes > DEVICE_PAGES * PAGE_SIZE) return -EINVAL;
    return number == DEVICE_FD ? 0 : AREA_SEALED;
}
unsigned screen_yield(bool program_draws) {
    CHECK(space->lock.taken);
    screen_yielded = program_draws;
    return 0;
}

static u64 state = 88172645463325252;
static u64 random_below(u64 n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? state % n : 0;
}

// ---- the CPUs ----

#define REMEMBERED 4096
struct remembered {
    u64 address, bytes, entry;
};
static struct remembered tlbs[2][REMEMBERED];
static u64 walked[REMEMBERED]; // tables, by any CPU, idle ones too
static int cpu;                // whose turn it is

static void lock_check(const struct lock *lock) {
    bool is_expected = lock == &space->lock || lock->rank == LOCK_OBJECT || slots[0].allocating;
    CHECK(!lock->taken && is_expected);
}
void lock_take(struct lock *lock) {
    lock_check(lock);
    lock->taken = true;
}

void lock_order(const struct lock *lock) { (void)lock; }
bool lock_try(struct lock *lock) { return lock_take(lock), true; }
bool tlb_leave(void) { return false; }
void cpu_serve(void) { promises.away = 0; } // as if it were done: the other CPU cannot go on here
void tlb_enter(struct tlb *tlb) { (void)tlb; }

paddr tables_root(void) { return test_root; }
paddr tables_root_here(void) { return test_root; }
const struct limits *space_limits(void) { return &threads[0].process->limits; }
// Nothing is shared by two spaces here.
void collector_dropped(u64 pages) { CHECK(!pages); }
void shares_moved(paddr physical, u64 bytes) { CHECK(!physical.at && !bytes); }
void shares_split(paddr physical) { CHECK(!physical.at); }
void tlb_forget(u64 address) {
    for (int i = 0; i < REMEMBERED; i++)
        if (address - tlbs[cpu][i].address < tlbs[cpu][i].bytes) tlbs[cpu][i].bytes = 0;
}
void tlb_flush(struct tlb *tlb, u64 start, u64 end, bool tables) {
    CHECK(space->lock.taken && start < end);
    if (tables) (memset)(walked, 0, sizeof walked);
    for (struct remembered *entry = tlbs[0]; entry < tlbs[2]; entry++)
        if (entry->address < end && entry->address + entry->bytes > start) entry->bytes = 0;
}

static void check_tlb(void) {
    for (struct remembered *at = tlbs[0]; at < tlbs[2]; at++) {
        u64 bytes, *entry = at->bytes ? tables_leaf(space->tlb.root, at->address, &bytes) : NULL;
        if (at->bytes) CHECK(entry && bytes == at->bytes && *entry == at->entry);
    }
}

static void check_forgotten(paddr page, u64 bytes, bool is_table) {
    u64 physical = page.at;
    bool forgotten = !is_table || walked[physical / PAGE_SIZE % REMEMBERED] != physical;
    for (struct remembered *at = tlbs[0]; at < tlbs[2] && !is_table; at++)
        forgotten &= !at->bytes || (at->entry & PTE_ADDRESS) >= physical + bytes ||
                     (at->entry & PTE_ADDRESS) + at->bytes <= physical;
    if (!forgotten) CHECK(forgotten);
}

static void walk(u64 address) {
    paddr table = space->tlb.root;
    for (int level = 3; level > 0; level--) {
        u64 entry = *tables_at(table, address, level);
        if (!(entry & PTE_P) || entry & PTE_PS) return;
        table = pte_target(entry);
        walked[table.at / PAGE_SIZE % REMEMBERED] = table.at;
    }
}

// The memory at an address for an access with this error code; NULL, and why.
static u64 *access(u64 address, u64 error, const char **why) {
    for (int i = 0; i < 4; i++) { // while one page is cleared another CPU may have undone it
        walk(address);
        u64 bytes, *entry = tables_leaf(space->tlb.root, address, &bytes),
                   at = ROUND_DOWN(address, bytes);
        bool allowed = entry && *entry & PTE_P && *entry & PTE_U &&
                       !(error & FAULT_WRITE && !(*entry & PTE_W)) &&
                       !(error & FAULT_FETCH && *entry & PTE_NX);
        if (allowed) {
            tlbs[cpu][at / PAGE_SIZE % REMEMBERED] = (struct remembered){at, bytes, *entry};
            return window(paddr_add(pte_target(*entry), address - at));
        }
        if ((*why = space_fault(space, address, error))) return NULL;
    }
    CHECK(!"the fault comes back");
    return NULL;
}

// ---- the tracer ----

enum use { NOBODY, FREE, PROGRAM, TABLE, NODES, THE_FILE, SHARED_PAGE, OUTSIDE };
static u8 uses[MAX_PAGES + GIB / PAGE_SIZE];

static void own(u64 physical, u64 bytes, enum use use) {
    for (u64 at = physical; at < physical + bytes; at += PAGE_SIZE) {
        if (at >= physical_end || uses[at / PAGE_SIZE] != NOBODY) {
            CHECK(at < physical_end && uses[at / PAGE_SIZE] == NOBODY);
            return;
        }
        uses[at / PAGE_SIZE] = use;
    }
}

static struct promises found; // by the tracer
static u64 unmarked;          // tables that are promised, but not marked so

static void trace_shared(u64 table, int level, bool promised) {
    own(table & PTE_ADDRESS, PAGE_SIZE, TABLE);
    found.taken[OWNER_TABLES]++;
    found.kept += promised;
    for (int i = 0; i < (level == 3 ? ENTRIES / 2 : ENTRIES); i++) {
        u64 entry = ((u64 *)window(pte_target(table)))[i];
        if (!entry) continue;
        if (level) {
            trace_shared(entry, level - 1, promised);
            continue;
        }
        own(entry & PTE_ADDRESS, PAGE_SIZE, SHARED_PAGE);
        found.taken[OWNER_DATA]++;
    }
}

static u64 objects_promised; // to all shared memory together

static void trace_objects(void) {
    struct area *area;
    objects_promised = 0;
    RB_FOREACH(area, area_tree, &space->areas.tree) {
        const struct object *object = area->object;
        if (!object || !object->root.at || uses[object->root.at / PAGE_SIZE] != NOBODY) continue;
        trace_shared(object->root.at, 3, object->promised);
        objects_promised += object->promised;
    }
}

// Of a table and what is below it, for addresses from start on.
static void trace_table(u64 table, int level, u64 start) {
    own(table & PTE_ADDRESS, PAGE_SIZE, TABLE);
    if (level < 3) {
        u64 promised = table & PTE_COUNTED, bytes = LEVEL_BYTES(level + 1);
        bool needed = areas_have_counted(&space->areas, start, start + bytes);
        if (promised) CHECK(needed);
        found.kept += !!promised;
        found.taken[OWNER_TABLES]++;
        unmarked += needed && !promised;
    }
    for (int i = 0; i < (level == 3 ? ENTRIES / 2 : ENTRIES); i++) {
        u64 entry = ((u64 *)window(pte_target(table)))[i], at = entry & PTE_ADDRESS,
            worth = LEVEL_BYTES(level) / PAGE_SIZE;
        if (!entry) continue;
        bool is_table = level && !(entry & PTE_PS);
        if (!is_table && entry & PTE_COUNTED) found.kept += worth;
        if (!is_table && entry & PTE_OURS)
            found.taken[entry & PTE_STACK ? OWNER_STACK : OWNER_DATA] += worth;
        if (is_table)
            trace_table(entry, level - 1, start + (u64)i * LEVEL_BYTES(level));
        else if (entry & PTE_OURS)
            own(at, LEVEL_BYTES(level), PROGRAM);
        else if (entry & PTE_PWT)
            CHECK(level == 0 && at - DEVICE_START < DEVICE_PAGES * PAGE_SIZE);
        else if (at - file_start < file_pages * PAGE_SIZE)
            CHECK(level == 0 && !(entry & PTE_W));
        else
            CHECK(level == 0 && uses[at / PAGE_SIZE] == SHARED_PAGE);
        if (entry & PTE_PS) CHECK(level && at % LEVEL_BYTES(level) == 0 && entry & PTE_OURS);
    }
}

static void own_node(const struct area *area) {
    u64 page = ROUND_DOWN(window_physical(area).at, PAGE_SIZE);
    if (uses[page / PAGE_SIZE] == NODES) return;
    own(page, PAGE_SIZE, NODES);
    found.taken[OWNER_NODES]++;
}

// What the space has that is not in use just now.
static void trace_other(void) {
    struct space *used = space;
    struct area *area;
    space = &spaces[used == spaces];
    if (space->tlb.root.at) trace_table(space->tlb.root.at, 3, 0);
    RB_FOREACH(area, area_tree, &space->areas.tree) own_node(area);
    for (area = space->areas.spare; area; area = RB_LEFT(area, link)) own_node(area);
    space = used;
}

static void own_frames_free(void) {
    u64 known = 0;
    for (u64 word = 0; word * 64 < pages_frames.count; word++)
        for (u64 bits = pages_frames.bits[word]; bits; bits &= bits - 1, known++)
            own(frame_physical(word * 64 + (u64)__builtin_ctzll(bits)).at, FRAME_BYTES, FREE);
    const struct frames_cpu *held = &slots[0].frames;
    for (size_t i = 0; i < ARRAY_SIZE(held->held); i++)
        for (u64 bits = held->held[i] & UINT32_MAX; bits; bits &= bits - 1, known++)
            own(frame_physical((held->held[i] >> 32) * 32 + (u64)__builtin_ctzll(bits)).at,
                FRAME_BYTES, FREE);
    for (size_t i = 0; i < ARRAY_SIZE(held->cleared); i++)
        if (held->cleared[i])
            own(frame_physical(held->cleared[i] - 1).at, FRAME_BYTES, FREE), known++;
    CHECK(known == frames_free(&pages_frames));
}

static void own_group_free(const struct group *group, u64 linear) {
    u64 count = 0;
    for (u64 page = 0; page < GROUP_PAGES; page++)
        if (group->map[page / 64] >> page % 64 & 1)
            own(linear_to_physical(&pages.map, (laddr){linear + page * PAGE_SIZE}).at, PAGE_SIZE,
                FREE),
                count++;
    CHECK(count == group->free);
}

static void trace(void) {
    (memset)(uses, OUTSIDE, physical_end / PAGE_SIZE);
    for (u64 at = LINEAR; at < pages.top; at += PAGE_SIZE)
        uses[linear_to_physical(&pages.map, (laddr){at}).at / PAGE_SIZE] = NOBODY;
    found = (struct promises){0};
    unmarked = 0;
    trace_objects();
    trace_table(space->tlb.root.at, 3, 0);
    trace_other();
    own(file_start, file_pages * PAGE_SIZE, THE_FILE);
    struct area *area;
    RB_FOREACH(area, area_tree, &space->areas.tree) own_node(area);
    for (area = space->areas.spare; area; area = RB_LEFT(area, link)) own_node(area);
    own_frames_free();
    for (u64 i = pages_frames.count; i < pages_frames.count + tail_count; i++)
        own_group_free(&groups[i], LINEAR + i * FRAME_BYTES);
    struct group *group;
    LIST_FOREACH(group, &split_groups, link)
    own_group_free(group, LINEAR + (u64)(group - groups) * FRAME_BYTES);
    u64 lost = 0;
    for (u64 page = 0; page < physical_end / PAGE_SIZE; page++) lost += uses[page] == NOBODY;
    CHECK(lost == 0);
    for (int owner = 0; owner < OWNERS; owner++) CHECK(found.taken[owner] == promises.taken[owner]);
    CHECK(found.kept == promises.kept && !promises.away);
    u64 promised = objects_promised;
    for (int i = 0; i < 2; i++) promised += spaces[i].areas.counted + spaces[i].areas.tables;
    CHECK(promises.promised == promised);
}

// ---- the model ----

static struct model_page {
    bool used, counted, noreserve, sealed;
    u8 rights;
    bool past;  // the end of the file, or of the shared memory
    u8 file;    // 1 + number of the file's page
    u16 device; // 1 + number of the device's page
    u32 shared; // 1 + number of the shared page
    u32 value;  // stands at several places of the page; 0: nothing does, it is all zeroes
} model[MAX_PAGES];
static u64 model_pages; // from space_start to SPACE_PLACE_END

static const u64 places[] = {0, 255, 511};

static void check_page(const u64 *content, u32 value) {
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        if (content[places[i]] != value) CHECK(content[places[i]] == value);
    u64 other = 1 + random_below(250);
    if (content[other] != 0) CHECK(content[other] == 0);
}

#define SHARED_MAX 400000u
#define FILE_VALUE 77u // of the file's first page; the next one has one more
static u32 shared_values[SHARED_MAX], shared_count;

static u32 *value_of(struct model_page *page) {
    if (page->device) return &device_values[page->device - 1];
    return page->shared ? &shared_values[page->shared - 1] : &page->value;
}

// What is there when the program has written nothing.
static u32 first_value(const struct model_page *page) {
    return page->file && !page->past ? FILE_VALUE + page->file - 1u : 0;
}

// What a mapping shows so many pages behind one of its pages, never written to; bytes: of its
// object.
static struct model_page page_behind(struct model_page page, u64 pages, u64 offset, u64 bytes) {
    if (page.file) page.file += pages;
    if (page.shared) page.shared += pages;
    page.past = (page.file || page.shared) && offset + pages * PAGE_SIZE >= bytes;
    page.value = first_value(&page);
    return page;
}

static u64 device_page(u64 number) { return DEVICE_START + number * PAGE_SIZE; }

static void check_model(void) {
    u64 counted = 0, devices = 0, tables = 0, last[3] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
    const struct area *area = NULL;
    u64 bytes = 0, *entry = NULL, until = 0;
    for (u64 i = 0; i < model_pages; i++) {
        struct model_page *page = &model[i];
        u64 at = space_start + i * PAGE_SIZE;
        if (!area || area->end <= at) area = areas_find(&space->areas, at);
        bool used = area && area->start <= at;
        counted += page->used && page->counted;
        for (int level = 0; level < 3 && page->used && page->counted; level++) {
            tables += at >> LEVEL_SHIFT(level + 1) != last[level];
            last[level] = at >> LEVEL_SHIFT(level + 1);
        }
        devices += !!page->device;
        if (used != page->used || (used && (area->rights != page->rights ||
                                            !!(area->flags & AREA_COUNTED) != page->counted)))
            CHECK(!"the area is as the model has it");
        if (at >= until) {
            entry = tables_leaf(space->tlb.root, at, &bytes);
            until = ROUND_DOWN(at, bytes) + bytes;
            if (entry) CHECK(used && ROUND_DOWN(at, bytes) >= area->start && until <= area->end);
        }
        if (!entry) {
            if (!page->shared) CHECK(page->value == first_value(page) && !page->device);
            continue;
        }
        u64 ours = *entry & PTE_OURS || page->shared;
        u64 writable = (ours || page->device) && page->rights & AREA_WRITE;
        CHECK(!page->past);
        if (page->device)
            CHECK((*entry & PTE_ADDRESS) == device_page(page->device - 1u) && bytes == PAGE_SIZE &&
                  !ours);
        if (!(*entry & PTE_PWT) != !page->device) CHECK(!"the page has the memory type it should");
        if (!!(*entry & PTE_P) != !!page->rights || !!(*entry & PTE_W) != !!writable ||
            !!(*entry & PTE_NX) != !(page->rights & AREA_EXEC) ||
            !!(*entry & PTE_COUNTED) != (ours && page->counted))
            CHECK(!"the page's rights are as the model has them");
        check_page(window((paddr){(*entry & PTE_ADDRESS & -bytes) + at % bytes}), *value_of(page));
    }
    for (u64 i = random_below(20); i < DEVICE_PAGES; i += 20)
        check_page(window((paddr){device_page(i)}), device_values[i]);
    CHECK(devices == space->areas.device && screen_yielded == (devices > 0));
    CHECK(counted == space->areas.counted);
    CHECK(tables == space->areas.tables);
    CHECK(pages_free() + promises.kept >= promises.promised); // what was promised is there
}

static void model_put(u64 at, u64 count, u32 rights, bool noreserve) {
    for (u64 i = at; i < at + count; i++)
        model[i] = (struct model_page){.used = true,
                                       .counted = rights & AREA_WRITE && !noreserve,
                                       .noreserve = noreserve,
                                       .rights = (u8)rights};
}
static void model_cut(u64 at, u64 count) { (memset)(model + at, 0, count * sizeof model[0]); }
static bool model_all(u64 at, u64 count, bool used) {
    for (u64 i = at; i < at + count; i++)
        if (model[i].used != used) return false;
    return true;
}

// ---- calls ----

static u64 address_of(u64 page) { return space_start + page * PAGE_SIZE; }
static u64 page_of(u64 address) { return (address - space_start) / PAGE_SIZE; }
#define CALL6(name, ...) run(call_##name, (const u64[6]){__VA_ARGS__})

static u64 avoid,
    avoid_end; // model pages: between two pieces of a call the other CPU may do something elsewhere
static u64 broken;
static bool is_between; // it is at that, and has nobody else between its own
static void while_broken(void);
static u64 done_pages(void) {
    return threads[cpu].record.done / PAGE_SIZE;
} // of a call that failed in its middle

s64 call_again(struct thread *thread) {
    thread->again = true;
    return CALL_WAITS;
}

// A call as the kernel executes it, anew until it has its result.
static s64 run(s64 (*call)(struct thread *, const u64 *), const u64 *arg) {
    struct thread *thread = &threads[cpu];
    thread->record.begun = false;
    thread->record.done = 0;
    thread->record.taken = (struct taken){0};
    for (;;) {
        while (!space_collect(space)) {} // as syscall_run() does before each
        thread->again = false;
        s64 result = call(thread, arg);
        CHECK(!space->lock.taken && (result == CALL_WAITS) == thread->again);
        while (result != CALL_WAITS && !space_collect(space)) {}
        if (result != CALL_WAITS) return result;
        broken++;
        promises.away = 0;
        if (avoid_end && !is_between) while_broken();
    }
}

// The last call, for the report of a failure.
static struct call {
    const char *name;
    u64 address, old, count, flags, to;
    s64 result;
} last;

// Out of memory may only be said when there is little left for so many pages.
static bool is_short(u64 pages) {
    u64 tables = unmarked + areas_tables(0, pages * PAGE_SIZE) + 3;
    return pages_free() + promises.kept < promises.promised + pages + tables + RESERVE + 1;
}

static u64 some_rights(void) { return random_below(3) ? AREA_READ | AREA_WRITE : random_below(8); }

static void random_range(u64 *at, u64 *count) {
    u64 unit = random_below(3) ? 1 : 512, shift = page_of(ROUND_UP(space_start, 2 * MIB)) % 512;
    *at = random_below(model_pages);
    if (unit > 1) *at = ROUND_DOWN(*at, unit) + shift;
    u64 most = model_pages - *at;
    *count = 1 + random_below(random_below(2) ? 20 : random_below(3) ? 3000 : most);
    if (random_below(3) == 0) *count = ROUND_UP(*count, 512);
    if (*at >= model_pages) *at = model_pages - 1;
    if (*count > model_pages - *at) *count = model_pages - *at;
}

static void do_mmap(u64 at, u64 count) {
    bool shared = random_below(5) == 0 && shared_count + 3000 < SHARED_MAX;
    u64 rights = some_rights(), flags = (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS,
        kind = random_below(6);
    if (shared) count = MIN(count, 2000);
    bool noreserve = random_below(6) == 0, was_free = model_all(at, count, false);
    if (kind < 3) flags |= MAP_FIXED;
    if (kind == 3) flags |= MAP_FIXED_NOREPLACE;
    if (noreserve) flags |= MAP_NORESERVE;
    if (random_below(8) == 0) flags |= MAP_POPULATE;
    if (random_below(10) == 0 && count <= 2048) {
        flags |= MAP_HUGETLB;
        count = ROUND_UP(count, 512);
        if (kind < 4 && (address_of(at) % (2 * MIB) || at + count > model_pages)) return;
        was_free = model_all(at, count, false);
    }
    if (kind < 3) avoid = at, avoid_end = at + count;
    s64 result = CALL6(mmap, address_of(at), count * PAGE_SIZE, rights, flags, ~0ull, 0);
    avoid_end = 0;
    last = (struct call){"mmap", at, 0, count, flags, rights, result};
    if (result == -EEXIST)
        CHECK(kind == 3 && !was_free);
    else if (result == -ENOMEM) {
        if (kind < 3 || (kind == 3 && was_free))
            CHECK(is_short(count + (shared ? 20 : 0)) || flags & MAP_HUGETLB);
        if (kind < 3 && done_pages())
            model_put(at, done_pages(), shared ? 0 : (u32)rights, noreserve || shared);
    } else {
        CHECK(result > 0 && (u64)result >= space_start &&
              (u64)result + count * PAGE_SIZE <= SPACE_PLACE_END);
        if (kind < 4) CHECK((u64)result == address_of(at));
        if (kind == 3) CHECK(was_free);
        if (kind > 3) CHECK(model_all(page_of((u64)result), count, false));
        if (kind > 3 && was_free && !(flags & MAP_HUGETLB))
            CHECK((u64)result == address_of(at)); // the hint
        u64 to_page = page_of((u64)result);
        model_put(to_page, count, (u32)rights, noreserve);
        for (u64 i = 0; shared && i < count; i++) {
            model[to_page + i].shared = ++shared_count;
            shared_values[shared_count - 1] = 0;
        }
    }
}

static void do_mmap_small(u64 at, u64 count) {
    u64 rights = some_rights();
    s64 result = CALL6(mmap, address_of(at), count * PAGE_SIZE, rights,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, ~0ull);
    if (result < 0) CHECK(result == -ENOMEM && is_short(count + 8));
    model_put(at, result > 0 ? count : done_pages(), (u32)rights, false);
}

static void do_map_device(u64 at, u64 count) {
    bool sealed = random_below(2);
    u64 rights = some_rights() & (sealed ? AREA_READ : 7), first = random_below(DEVICE_PAGES);
    u64 flags =
        MAP_SHARED | (random_below(3) ? MAP_FIXED : 0) | (random_below(4) ? 0 : MAP_POPULATE);
    if (random_below(8)) count = MIN(count, DEVICE_PAGES - first);
    bool inside = first + count <= DEVICE_PAGES;
    s64 result = CALL6(mmap, address_of(at), count * PAGE_SIZE, rights, flags, DEVICE_FD + sealed,
                       first * PAGE_SIZE);
    last = (struct call){"mmap of the device", at, first, count, flags, rights, result};
    if (result < 0) {
        bool no_place = result == -ENOMEM &&
                        !(flags & MAP_FIXED); // which Linux looks for before it asks the file
        CHECK(no_place || (inside ? result == -ENOMEM && is_short(20) : result == -EINVAL));
        return;
    }
    u64 to_page = page_of((u64)result);
    CHECK(inside && (flags & MAP_FIXED ? to_page == at : model_all(to_page, count, false)));
    model_put(to_page, count, (u32)rights, true);
    for (u64 i = 0; i < count; i++)
        model[to_page + i].device = (u16)(first + i + 1), model[to_page + i].sealed = sealed;
}

static void do_protect(u64 at, u64 count) {
    u64 rights = some_rights(), end = at; // of what can be changed
    u32 fixed = (rights & AREA_EXEC ? 1 : 0) | (rights & AREA_WRITE ? 2 : 0);
    while (end < at + count && model[end].used &&
           !(model[end].device && (fixed & 1 || (fixed & 2 && model[end].sealed))))
        end++;
    avoid = at, avoid_end = at + count;
    s64 result = CALL6(mprotect, address_of(at), count * PAGE_SIZE, rights);
    avoid_end = 0;
    last = (struct call){"mprotect", at, 0, count, rights, 0, result};
    if (end == at + count)
        CHECK(result == 0 || (result == -ENOMEM && is_short(count)));
    else
        CHECK(result == (model[end].used ? -EACCES : -ENOMEM) ||
              (result == -ENOMEM && is_short(count)));
    for (u64 i = at; i < end; i++) {
        const struct area *area = space_area(space, address_of(i));
        if (area->rights != rights) { // memory ran out there
            CHECK(result == -ENOMEM && is_short(count));
            break;
        }
        model[i].rights = (u8)rights;
        if (rights & AREA_WRITE && !model[i].noreserve) model[i].counted = true;
    }
}

static void do_advise(u64 at, u64 count) {
    bool frees = random_below(4) == 0, covered = model_all(at, count, true);
    u64 end = at; // of what is given up
    for (; end < at + count; end++)
        if (model[end].device || (frees && (model[end].shared || model[end].file))) break;
    avoid = at, avoid_end = at + count;
    s64 result =
        CALL6(madvise, address_of(at), count * PAGE_SIZE, frees ? MADV_FREE : MADV_DONTNEED);
    avoid_end = 0;
    last = (struct call){"madvise", at, frees, count, 0, 0, result};
    if (end < at + count)
        CHECK(result == -EINVAL || (result == -ENOMEM && is_short(8)));
    else
        CHECK(result == (covered ? 0 : -ENOMEM) || (result == -ENOMEM && is_short(8)));
    bool is_whole = result == -EINVAL || result == 0 || !is_short(8);
    for (u64 i = at, bytes; i < end; i++) {
        if (!is_whole && !model[i].shared && tables_leaf(space->tlb.root, address_of(i), &bytes))
            break;
        if (!model[i].shared) model[i].value = first_value(&model[i]);
    }
}

static void do_unmap(u64 at, u64 count) {
    avoid = at, avoid_end = at + count;
    s64 result = CALL6(munmap, address_of(at), count * PAGE_SIZE);
    avoid_end = 0;
    last = (struct call){"munmap", at, 0, count, 0, 0, result};
    CHECK(result == 0 || is_short(8));
    model_cut(at, result == 0 ? count : done_pages());
}

// What a move has done to pages [at, at + count) that went to new ones.
static void model_move(u64 at, u64 to_page, u64 count, bool stays) {
    static struct model_page moved[MAX_PAGES];
    memcpy(moved, model + at, count * sizeof model[0]);
    for (u64 i = at; stays && i < at + count; i++) model[i].value = first_value(&model[i]);
    if (!stays) model_cut(at, count);
    memcpy(model + to_page, moved, count * sizeof model[0]);
}

// Several areas and holes, each on its own; it may have stopped before one.
static void moved_several(u64 at, u64 count, u64 to, s64 result) {
    for (u64 i = 0; i < count; i++) {
        if (!model[at + i].used) continue;
        bool went = !space_area(space, address_of(at + i));
        if (!went) CHECK(result < 0);
        if (went)
            model_move(at + i, to + i, 1, false);
        else if (model[to + i].used && !space_area(space, address_of(to + i)))
            model_cut(to + i, 1);
    }
}

// What was done before memory ran out stays done.
static void remap_failed(u64 at, u64 old, u64 to, u64 count) {
    const struct move *call = &threads[cpu].record.move;
    CHECK(call->step < 3);
    if (call->step == 1) model_cut(at + count, done_pages());
    if (call->step < 2) return;
    if (count < old) model_cut(at + count, old - count);
    model_cut(to, done_pages());
}

static void do_remap(u64 at, u64 old) {
    u64 count, to, flags = random_below(4) ? MREMAP_MAYMOVE : 0, fixed = 0, stays = 0;
    random_range(&to, &count);
    if (random_below(3) == 0) count = old;
    if (flags && random_below(2)) flags |= fixed = MREMAP_FIXED;
    if (flags && random_below(6) == 0) count = old, flags |= stays = MREMAP_DONTUNMAP;
    bool doubles = model[at].shared && random_below(2);
    if (doubles) old = 0;
    if (doubles && stays) return;
    if (random_below(2) == 0 && to / 512 && fixed)
        to = ROUND_DOWN(to, 512) + at % 512; // large pages stay large
    if (to + count > model_pages) return;
    const struct area *area = space_area(space, address_of(at));
    const struct area before = area ? *area : (struct area){0};
    u64 bytes = before.object ? before.object->bytes : ~0ull,
        offset = before.offset + (address_of(at) - before.start);
    bool overlap = to < at + old && at < to + count && (fixed || stays);
    bool several = fixed && !stays && count == old && area && area->end < address_of(at + old);
    bool one = area && area->end >= address_of(at + (old < count ? old : count));
    bool needs_one = fixed || stays || count > old;
    u64 more = count > old ? count - old : 0;
    bool is_huge = model[at].shared && area && !area->object;
    if (fixed)
        avoid = at < to ? at : to,
        avoid_end = at < to ? to + count : at + (old > count ? old : count);
    s64 result =
        CALL6(mremap, address_of(at), old * PAGE_SIZE, count * PAGE_SIZE, flags, address_of(to));
    avoid_end = 0;
    last = (struct call){"mremap", at, old, count, flags, to, result};
    if (overlap || !model[at].used) {
        CHECK(result == (overlap ? -EINVAL : -EFAULT));
        return;
    }
    if (several) {
        CHECK(result > 0 || result == -EFAULT || (result == -ENOMEM && is_short(count)));
        return moved_several(at, count, to, result);
    }
    if (doubles && !is_huge && fixed && to == at) {
        CHECK(result == -EFAULT ||
              (result == -ENOMEM && is_short(HELD + count + areas_tables(0, count * PAGE_SIZE))));
        if (result == -ENOMEM) return remap_failed(at, old, to, count);
        return model_cut(to, count);
    }
    if (result < 0) {
        if (doubles && is_huge)
            CHECK(result == -EINVAL);
        else if (doubles && !flags)
            CHECK(result == -ENOMEM);
        else if (model[at].device && stays)
            CHECK(result == -EINVAL);
        else if ((needs_one && !one) || (model[at].device && needs_one))
            CHECK(result == -EFAULT);
        else // splitting takes pages, and a move holds some
            CHECK(result == -ENOMEM &&
                  (is_short(count + areas_tables(0, count * PAGE_SIZE) + 2 + HELD) || !fixed));
        if (result == -ENOMEM) remap_failed(at, old, to, count);
        return;
    }
    CHECK(!model[at].device || !needs_one);
    if (count < old) model_cut(at + count, old - count);
    u64 stay = old < count ? old : count, to_page = page_of((u64)result);
    if (fixed) CHECK(to_page == to);
    if (!flags) CHECK(to_page == at);
    CHECK(one || !needs_one);
    const struct model_page like = model[at];
    if (to_page != at) {
        if (fixed) model_cut(to, count);
        CHECK(model_all(to_page, count, false));
        model_move(at, to_page, stay, stays);
    } else
        CHECK(!doubles && model_all(at + stay, count - stay, false));
    for (u64 i = stay; i < stay + more; i++)
        model[to_page + i] = page_behind(like, i, offset, bytes);
}

static void do_brk(void) {
    u64 now = (u64)CALL6(brk, 0), to = space->brk_start + random_below(8 * MIB);
    u64 old_end = page_of(ROUND_UP(now, PAGE_SIZE)), end = page_of(ROUND_UP(to, PAGE_SIZE));
    bool was_free = end > old_end && model_all(old_end, end - old_end, false);
    u64 result = (u64)CALL6(brk, to);
    last = (struct call){"brk", old_end, 0, end, 0, 0, (s64)result};
    if (result != to) {
        CHECK(result == now && end > old_end && (!was_free || is_short(end - old_end)));
        return;
    }
    CHECK(end <= old_end || was_free);
    if (end > old_end)
        model_put(old_end, end - old_end, AREA_READ | AREA_WRITE, false);
    else
        model_cut(end, old_end - end);
}

static bool interferes; // the other CPU may, once
static u64 touched, interfered;

static void touch(u64 at) {
    static const u64 errors[] = {0, FAULT_WRITE, FAULT_WRITE, FAULT_FETCH};
    static u32 values;
    struct model_page *page = &model[at];
    u64 error = errors[random_below(4)];
    const char *why = NULL;
    if (random_below(8) == 0)
        space_fault(space, address_of(at), error); // as of a CPU that remembers something else
    interferes = !is_between;
    touched = at < model_pages - 3 ? at : 0;
    u64 *content = access(address_of(at), error, &why);
    interferes = false;
    bool allowed = page->used && page->rights &&
                   !(error & FAULT_WRITE && !(page->rights & AREA_WRITE)) &&
                   !(error & FAULT_FETCH && !(page->rights & AREA_EXEC));
    if (!content) {
        if (why == space_past_end)
            CHECK(allowed && page->past);
        else
            CHECK(why == space_no_memory ? allowed && !page->counted && !page->device
                                         : !allowed); // what was promised is there
        return;
    }
    CHECK(allowed);
    check_page(content, *value_of(page));
    if (!(error & FAULT_WRITE)) return;
    *value_of(page) = ++values;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) content[places[i]] = values;
}

static void random_step(void) {
    u64 at, count;
    cpu = random_below(2) != 0;
    random_range(&at, &count);
    switch (random_below(16)) {
    case 0 ... 3: random_below(10) ? do_mmap(at, count) : do_map_device(at, count); break;
    case 4: do_unmap(at, count); break;
    case 5 ... 6: do_protect(at, count); break;
    case 7 ... 8: do_advise(at, count); break;
    case 9 ... 10: do_remap(at, count); break;
    case 11: do_brk(); break;
    case 12: frames_idle(); break;
    default:
        if (random_below(2)) count = 1 + random_below(100);
        for (u64 i = at; i < at + count && i < model_pages;
             i += 1 + random_below(random_below(2) ? 2 : 600))
            touch(i);
    }
}

// What the other CPU does, often to the very page.
static void while_clearing(void) {
    if (!interferes || space->lock.taken) return;
    int self = cpu;
    u64 away = promises.away;
    interferes = false;
    interfered++;
    if (random_below(2))
        random_step();
    else if (random_below(2))
        touch(touched + random_below(3));
    else
        do_unmap(touched, 1 + random_below(600) % (model_pages - touched));
    cpu = self;
    promises.away = away;
}

// What it does elsewhere, and to a page next to the range above all, which it may join with what is
// done of it.
static void while_broken(void) {
    u64 from = avoid, end = avoid_end, count = 1 + random_below(600),
        at = random_below(model_pages - count);
    struct call call = last;
    if (random_below(4) == 0) at = random_below(2) ? end : from - MIN(from, count);
    if (at + count > model_pages || (at < end && at + count > from) || random_below(2)) return;
    cpu = !cpu;
    avoid_end = 0;
    is_between = true;
    switch (random_below(3)) {
    case 0: do_mmap_small(at, count); break;
    case 1: do_unmap(at, count); break;
    default: touch(at);
    }
    is_between = false;
    avoid = from;
    avoid_end = end;
    cpu = !cpu;
    last = call;
}

// ---- machines ----

// Both CPUs go on in that space; what they remember of the other one is gone, as CR3 is written.
static void use_space(int number) {
    space = &spaces[number];
    processes[number].space = space;
    threads[0].process = threads[1].process = &processes[number];
    (memset)(tlbs, 0, sizeof tlbs);
    (memset)(walked, 0, sizeof walked);
}

// A machine with these ranges of memory, and of the program's space its last so many bytes; the
// rest is taken.
static void start(const struct range *ranges, size_t count, u64 bytes, bool has_1g) {
    physical_end = ranges[count - 1].end;
    madvise(window((paddr){0}), physical_end, 4);
    (memset)(spaces, 0, sizeof spaces);
    for (int i = 0; i < 2 * LIMITS; i++) {
        struct limit none = {~0ull, ~0ull};
        processes[i / LIMITS].limits.of[i % LIMITS] = none;
    }
    for (int i = 0; i < 2; i++) processes[i].limits.of[RLIMIT_STACK].soft = 8 << 20;
    use_space(0);
    promises = (struct promises){0};
    LIST_INIT(&tail_groups);
    LIST_INIT(&split_groups);
    (memset)(&pages_frames, 0, sizeof pages_frames);
    (memset)(model, 0, sizeof model);
    (memset)(tlbs, 0, sizeof tlbs);
    (memset)(walked, 0, sizeof walked);
    (memset)(device_values, 0, sizeof device_values);
    madvise(window((paddr){DEVICE_START}), DEVICE_PAGES * PAGE_SIZE, 4);
    struct pages handed = {.map = {.extents = extents, .room = ARRAY_SIZE(extents)}};
    linear_lay_out(&handed.map, ranges, count, true);
    handed.top = handed.map.end;
    pages_init(&handed, 0);
    test_root = spaces[0].tlb.root = page_alloc_cleared();
    file_pages = 0;
    space_start = ROUND_DOWN(SPACE_PLACE_END - bytes, 2 * MIB);
    model_pages = (SPACE_PLACE_END - space_start) / PAGE_SIZE;
    shared_count = 0;
    space_begin(space, space_start + 4 * MIB + 0x10);
    space->largest = has_1g ? LEVEL_1G : LEVEL_2M;
    struct area below = {.start = USER_START, .end = space_start};
    struct area above = {.start = SPACE_PLACE_END, .end = USER_END};
    CHECK(space_put(space, &below) && space_put(space, &above));
}

static void random_machine(const struct range *ranges, size_t count, u64 bytes, bool has_1g,
                           int steps) {
    start(ranges, count, bytes, has_1g);
    u64 free_before = pages_free();
    cpu = 0;
    file_pages = 3;
    u64 pages[] = {page_alloc().at, page_alloc().at, page_alloc().at};
    file_start = MIN(pages[0], pages[2]);
    CHECK(pages[1] == file_start + PAGE_SIZE &&
          MAX(pages[0], pages[2]) == file_start + 2 * PAGE_SIZE);
    for (u64 page = 0; page < file_pages; page++)
        for (size_t i = 0; i < ARRAY_SIZE(places); i++)
            ((u64 *)window((paddr){file_start + page * PAGE_SIZE}))[places[i]] = FILE_VALUE + page;
    objects_set_file((paddr){file_start}, file_pages * PAGE_SIZE);
    struct area area = {
        .start = address_of(3), .end = address_of(6), .rights = AREA_READ | AREA_WRITE};
    area.object = &objects_file;
    struct area zeroes = {
        .start = address_of(6), .end = address_of(7), .rights = AREA_READ | AREA_WRITE};
    CHECK(space_put_file(space, &area, file_pages * PAGE_SIZE) && space_put(space, &zeroes));
    model_put(3, 4, 3, false);
    for (u64 page = 0; page < file_pages; page++) {
        model[3 + page].file = (u8)(1 + page);
        model[3 + page].value = first_value(&model[3 + page]);
    }
    const char *why;
    CHECK(
        access(address_of(3), 0, &why)); // CPU 0 remembers the file's page when CPU 1 makes a copy
    cpu = 1;
    CHECK(access(address_of(3), FAULT_WRITE, &why));
    check_tlb();
    for (int i = 0; i < steps && !checks_failed; i++) {
        random_step();
        check_model();
        check_tlb();
        trace();
        if (checks_failed)
            fprintf(stderr,
                    "step %d; last call: %s page %lu, %lu pages, then %lu; %lx to %lu = %ld\n", i,
                    last.name, last.address, last.old, last.count, last.flags, last.to,
                    (long)last.result);
    }
    CHECK(CALL6(munmap, space_start, SPACE_PLACE_END - space_start) == 0);
    model_cut(0, model_pages);
    check_model();
    trace();
    for (u64 page = 0; page < file_pages; page++) {
        check_page(window((paddr){file_start + page * PAGE_SIZE}), FILE_VALUE + (u32)page);
        page_free(((paddr){file_start + page * PAGE_SIZE}));
    }
    u64 lost = free_before - pages_free(); // nodes stay
    CHECK(lost < 40);
}

static void count_leaves(u64 *leaves) {
    leaves[0] = leaves[1] = leaves[2] = 0;
    for (u64 at = space_start, bytes; at < SPACE_PLACE_END; at = ROUND_DOWN(at, bytes) + bytes)
        if (tables_leaf(space->tlb.root, at, &bytes))
            leaves[bytes == GIB ? 2 : bytes == 2 * MIB ? 1 : 0]++;
}
#define LEAVES(g, m, k)                                                                            \
    (count_leaves(leaves), leaves[2] == (g) && leaves[1] == (m) && leaves[0] == (k))

// Pages of 1 GiB: asked for, joined, split at both borders, moved, given back.
static void gigabytes(void) {
    u64 leaves[3];
    start((struct range[]){{MIB, 8 * MIB}, {1020 * MIB, 4096 * MIB + 0x40000}}, 2, 3 * GIB, true);
    u64 rw = AREA_READ | AREA_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    u64 at = (u64)CALL6(mmap, 0, 2 * GIB, rw, flags | MAP_POPULATE);
    CHECK(at % GIB == 0 && LEAVES(2, 0, 0));
    CHECK(CALL6(mprotect, at + GIB + 5 * MIB, PAGE_SIZE, AREA_READ) == 0 && LEAVES(1, 511, 512));
    CHECK(CALL6(madvise, at + 2 * MIB, 3 * MIB, MADV_DONTNEED) == 0 &&
          LEAVES(0, 511 + 510, 512 + 256));
    trace();
    CHECK(CALL6(munmap, at, 2 * GIB) == 0 && LEAVES(0, 0, 0));
    trace();
    u64 free_before = pages_free();
    at =
        (u64)CALL6(mmap, 0, GIB, rw, flags | MAP_HUGETLB | LEVEL_SHIFT(LEVEL_1G) << MAP_HUGE_SHIFT);
    CHECK(at % GIB == 0 && LEAVES(1, 0, 0));
    u64 next =
        (u64)CALL6(mmap, 0, GIB, rw, flags | MAP_HUGETLB | LEVEL_SHIFT(LEVEL_2M) << MAP_HUGE_SHIFT);
    CHECK(next % GIB == 0 && LEAVES(1, 512, 0));
    CHECK(CALL6(mmap, 0, 2 * GIB, rw,
                flags | MAP_HUGETLB | LEVEL_SHIFT(LEVEL_1G) << MAP_HUGE_SHIFT) == -ENOMEM);
    CHECK(CALL6(mmap, 0, PAGE_SIZE, rw, flags | MAP_HUGETLB | 16 << MAP_HUGE_SHIFT) == -EINVAL);
    CHECK(CALL6(munmap, next, GIB) == 0);
    CHECK((u64)CALL6(mremap, at, GIB, GIB, MREMAP_MAYMOVE | MREMAP_FIXED, at - GIB) == at - GIB &&
          LEAVES(1, 0, 0));
    at -= GIB;
    CHECK((u64)CALL6(mremap, at, GIB, GIB, MREMAP_MAYMOVE | MREMAP_FIXED, at + GIB + 2 * MIB) ==
          at + GIB + 2 * MIB);
    CHECK(LEAVES(0, 512, 0));
    trace();
    CHECK(CALL6(munmap, at + GIB + 2 * MIB, GIB) == 0 && pages_free() + 3 >= free_before);
    // Touched in order, pages of 2 MiB become one of 1 GiB.
    start((struct range[]){{MIB, 8 * MIB}, {1020 * MIB, 4096 * MIB + 0x40000}}, 2,
          4 * GIB - 8 * MIB, true);
    at = (u64)CALL6(mmap, 0, 3 * GIB - 64 * MIB, rw, flags);
    const char *why;
    for (u64 i = 0; i < 3 * GIB - 64 * MIB; i += 2 * MIB) {
        CHECK(access(at + i, FAULT_WRITE, &why));
        check_tlb();
    }
    count_leaves(leaves);
    trace();
    CHECK(leaves[0] == 0 && leaves[2] == 2);
    CHECK(CALL6(munmap, at, 3 * GIB - 64 * MIB) == 0 && LEAVES(0, 0, 0));
    trace();
}

// Nine tenths of what is free in one mapping, all of it touched; and again after it was given back.
static void nine_tenths(const struct range *ranges, size_t count) {
    start(ranges, count, physical_end + 64 * MIB, false);
    for (int round = 0; round < 3; round++) {
        u64 bytes = pages_free() * 9 / 10 * PAGE_SIZE;
        u64 at = (u64)CALL6(mmap, 0, bytes, 3, MAP_PRIVATE | MAP_ANONYMOUS), refused = 0;
        const char *why;
        CHECK(at < USER_END);
        for (u64 i = 0; i < bytes; i += PAGE_SIZE) refused += !access(at + i, FAULT_WRITE, &why);
        CHECK(refused == 0);
        CHECK(CALL6(mmap, 0, pages_free() * PAGE_SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS) == -ENOMEM);
        trace();
        if (round == 1) {
            CHECK(CALL6(madvise, at, bytes, MADV_DONTNEED) == 0);
            for (u64 i = 0; i < bytes; i += PAGE_SIZE)
                refused += !access(at + i, FAULT_WRITE, &why);
            CHECK(refused == 0);
        }
        CHECK(CALL6(munmap, at, bytes) == 0);
        trace();
    }
}

// Two programs at the same addresses: each has its own memory, the account is one, and what one
// gives back leaves the other's alone.
static void two_spaces(const struct range *ranges, size_t count) {
    const u64 pages = 600, protected = 100, rw = AREA_READ | AREA_WRITE;
    const char *why;
    u64 at[2], left[2], wrong = 0;
    start(ranges, count, 48 * MIB, false);
    spaces[1] = (struct space){.largest = LEVEL_2M};
    spaces[1].tlb.root = page_alloc_cleared();
    for (int i = 0; i < 2; i++) {
        use_space(i);
        at[i] = (u64)CALL6(mmap, space_start + 2 * MIB, pages * PAGE_SIZE, rw,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
        for (u64 page = 0; page < pages; page++) {
            u64 *word = access(at[i] + page * PAGE_SIZE, FAULT_WRITE, &why);
            if (word) *word = 1000 * (u64)i + page;
        }
        left[i] = pages_free();
        trace();
    }
    CHECK(at[0] == at[1] && left[0] >= left[1] + pages);
    CHECK(CALL6(mprotect, at[1] + protected * PAGE_SIZE, PAGE_SIZE, AREA_READ) == 0);
    trace();
    for (int i = 0; i < 2; i++) {
        use_space(i);
        for (u64 page = 0; page < pages; page++) {
            const u64 *word = access(at[i] + page * PAGE_SIZE, 0, &why);
            wrong += !word || *word != 1000 * (u64)i + page;
        }
        bool is_writable = access(at[i] + protected * PAGE_SIZE, FAULT_WRITE, &why);
        CHECK(is_writable == (i == 0));
    }
    use_space(0);
    CHECK(CALL6(munmap, at[0], pages * PAGE_SIZE) == 0 && !access(at[0], 0, &why));
    trace();
    use_space(1);
    for (u64 page = 0; page < pages; page++) {
        const u64 *word = access(at[1] + page * PAGE_SIZE, 0, &why);
        wrong += !word || *word != 1000 + page;
    }
    CHECK(wrong == 0 && CALL6(munmap, at[1], pages * PAGE_SIZE) == 0);
    trace();
    CHECK(spaces[1].areas.counted == 0 && pages_free() + 60 > left[0] + pages);
}

// As many pages as will be promised, each in a page table of its own: all of them are there.
static void scattered(const struct range *ranges, size_t count) {
    const char *why;
    start(ranges, count, 48 * MIB, false);
    CHECK(CALL6(munmap, USER_START, space_start - USER_START) == 0);
    u64 base = 1ull << 40, at = base, refused = 0;
    while (CALL6(mmap, at, PAGE_SIZE, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0, 0) > 0)
        at += 2 * MIB;
    CHECK(at > base + 200 * 2 * MIB);
    for (u64 i = base; i < at; i += 2 * MIB) refused += !access(i, FAULT_WRITE, &why);
    CHECK(refused == 0);
    trace();
    CHECK(CALL6(munmap, base, 1ull << 40) == 0);
    trace();
}

int main(int argc, char **argv) {
    int scale = argc > 1 ? atoi(argv[1]) : 2; // how long, and from where the random numbers go
    if (argc > 2) state += strtoull(argv[2], NULL, 0);
    void *all = mmap(NULL, 5 * GIB, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) abort();
    window_base = (u64)all;
    tables_allow = ~0ull;
    struct range small[] = {{0x1000, 0x9f000}, {MIB + 0x3000, 6 * MIB - 0x7000}}; // two frames
    struct range middle[] = {{0x1000, 0x9f000}, {MIB, 24 * MIB + 0x20000}};
    struct range large[] = {{0x1000, 0x9f000}, {1020 * MIB, 2050 * MIB + 0x20000}};
    two_spaces(middle, 2);
    scattered(small, 2);
    scattered(middle, 2);
    nine_tenths(small, 2);
    nine_tenths(middle, 2);
    random_machine(middle, 2, 48 * MIB, false, 3000 * scale);
    random_machine(small, 2, 16 * MIB, false, 3000 * scale);
    gigabytes();
    random_machine(large, 2, 1100 * MIB, true, 80 * scale);
    fprintf(stderr, "interfered %lu broken %lu\n", interfered, broken);
    CHECK(interfered > 3 && broken > 100);
    return check_done("space");
}
