"""The pages beside the code say what is so: functions of the stories in kernel/README.md, and who calls
whom there; the locks; the system calls; links between pages; the numbers of the front page."""
import functools
import itertools
import pathlib
import re

import vm

STORIES = vm.ROOT / "kernel/README.md"
FRONT_LINES = 250


@functools.cache
def source(path):
    """A file that a page names from kernel/ or from the root."""
    for file in (vm.ROOT / "kernel" / path, vm.ROOT / path):
        if file.is_file():
            return file.read_text()
    raise vm.Failed(f"kernel/README.md names {path}, and there is no such file")


def body(name, path):
    """The lines of a function, or None."""
    if path.endswith(".asm"):
        found = re.search(rf"^{name}:.*?(?=^[a-z]\w*:|\Z)", source(path), re.M | re.S)
        return found and found[0]
    begin = rf"^(?!#|typedef)[A-Za-z_][^;{{}}=]*?\b{name}\([^;{{}}]* *{{"
    found = re.search(begin + r"(?:[^\n]*}$|.*?^})", source(path), re.M | re.S)
    return found and found[0]


def story_lines():
    """Of each line of a story: how far to the right it stands, its function, its file."""
    return [(len(blanks), name, path) for blanks, name, path in
            re.findall(r"^( *)- `(\w+)` `([\w/.]+)`: ", STORIES.read_text(), re.M)]


def stories():
    above, wrong = [], []  # above: the line before this one, the one that is less far to the right, and so on
    lines = story_lines()
    for depth, name, path in lines:
        while above and above[-1][0] >= depth:
            above.pop()
        if body(name, path) is None:
            wrong.append(f"{name} is not in {path}")
        elif above and not re.search(rf"\b{name}\b", body(*above[-1][1:]) or ""):
            wrong.append(f"{above[-1][1]} of {above[-1][2]} does not call {name}")
        above.append((depth, name, path))
    vm.expect("wrong in the stories of kernel/README.md", wrong, [])
    vm.expect(f"lines of stories, {len(lines)}, are at least 100", len(lines) >= 100, True)


def paths():
    """What else is named as a file is one."""
    for path in re.findall(r"`((?:\w+/)+\w+\.(?:c|h|asm|py|md))`", STORIES.read_text()):
        if "NAME" not in path:
            source(path)


def locks():
    """Every lock of the kernel stands in the table, and nothing else does; with its rank, outer ones first."""
    rows = re.findall(r"^\| `(\w+)` \| `([\w/.]+)` \| `LOCK_(\w+)` \|", STORIES.read_text(), re.M)
    table = [row[:2] for row in rows]
    kernel = vm.ROOT / "kernel"
    ranks = re.findall(r"^    LOCK_(\w+)(?: = 1)?,", source("cpu/lock.h"), re.M)
    vm.expect("ranks in the table of kernel/README.md", [rank for _, _, rank in rows], ranks)
    set_in = {file.relative_to(kernel): file.read_text() for file in kernel.rglob("*.[ch]")}
    for name, path, rank in rows:
        at = re.compile(rf"\b{name}(?:\.rank = | = {{\.rank = )LOCK_{rank}\b")
        places = [file for file, text in set_in.items() if at.search(text)]
        right = len(places) == 1 and (path.endswith(".h") or str(places[0]) == path)
        vm.expect(f"whether one file alone, {places}, makes {name} of {path} LOCK_{rank}", right, True)
    there = [(name, str(file.relative_to(kernel))) for file in kernel.rglob("*.[ch]")
             for name in re.findall(r"^(?!extern).*\bstruct lock (\w+)(?:;| = )", file.read_text(), re.M)]
    vm.expect("locks in the table of kernel/README.md", sorted(table), sorted(there))


# Numbers of Linux 6.1; what later headers have beside them tools/calls.c leaves out.
CALLS = [*range(335), *range(424, 451)]


def calls():
    """The table of system calls says in kernel/call/README.md what table.h says; it has every function of a call; no call
    is full there that refuses something; and it names all calls of Linux."""
    page = re.findall(r"^\|.*", (vm.ROOT / "kernel/call/README.md").read_text(), re.M)
    made = vm.run([vm.OUT / "calls", "page"]).decode().splitlines()
    vm.expect("rows of kernel/call/README.md that ./build.sh calls page writes in another way",
              [(old, new) for old, new in itertools.zip_longest(page, made) if old != new], [])
    state = dict(re.findall(r"^ *\d+ (\w+) +(\w+)", vm.run([vm.OUT / "calls"]).decode(), re.M))
    table = re.findall(r"^CALL\((\w+), (\w+), (\w+), (.*)", (vm.ROOT / "kernel/call/table.h").read_text(), re.M)
    text = "".join(file.read_text() for file in (vm.ROOT / "kernel").rglob("*.c"))
    built = set(re.findall(r"^s64 (call_\w+)\(struct thread \*thread, const u64 \*arg\) {", text, re.M))
    vm.expect("functions of calls that no line has", sorted(built - {line[1] for line in table}), [])
    refusing = set(re.findall(r"\brefused\(\s*\"(\w+)\"", text))
    vm.expect("calls that refuse something and are full",
              sorted(name for name in refusing if state[name] not in ("partial", "ignored")), [])
    vm.expect("calls that are full and have a note, or are not and have none",
              [name for name, _, word, note in table if (word == "FULL") != note.startswith('"")')], [])
    headers = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").read_text()
    numbers = re.findall(r"#define __NR_(\w+) (\d+)", headers)
    vm.expect("calls of Linux that ./build.sh calls leaves out",
              [name for name, number in numbers if int(number) in CALLS and name not in state], [])
    vm.expect(f"calls in the table, {len(table)}, are at least 100", len(table) >= 100, True)


def anchors(text):
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links():
    wrong = []
    pages = [page for page in vm.ROOT.rglob("*.md") if "out" not in page.relative_to(vm.ROOT).parts]
    for page in pages:
        for path, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", page.read_text()):
            to = page.parent / path if path else page
            to = to / "README.md" if to.is_dir() else to
            if not to.exists() or (anchor and anchor not in anchors(to.read_text())):
                wrong.append(f"{page.relative_to(vm.ROOT)}: {path}#{anchor}")
    vm.expect("links that lead nowhere", wrong, [])
    vm.expect(f"{len(pages)} pages are at least 12", len(pages) >= 12, True)


def front_page():
    """It is short, and its numbers are those of the bench's page."""
    front, bench = ((vm.ROOT / page).read_text() for page in ("README.md", "test/bench/README.md"))
    vm.expect(f"lines of README.md, at most {FRONT_LINES}", len(front.splitlines()) <= FRONT_LINES, True)
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| ([\d,]+) \| ([^|]+) \| ([\d,]+) \|$", front, re.M)
    vm.expect("systems in README.md", len(rows), 4)
    for system, instructions, time, memory, size in rows:
        boot = rf"^\| 1 \| 256M \| {re.escape(system)} \| {instructions} \| [\d,]+ \| [\d,]+, {time} \|"
        if not re.search(boot, bench, re.M) or f"| {system} | {memory} | {size} |" not in bench:
            raise vm.Failed(f"test/bench/README.md has other numbers than README.md for {system}")


def tests():
    yield "stories of the kernel", stories
    yield "files that stories name", paths
    yield "locks", locks
    yield "the table of system calls", calls
    yield "links between pages", links
    yield "the front page", front_page
