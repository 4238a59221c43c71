#!/usr/bin/env python3
"""The benches and what they say, as Markdown. ./build.sh bench [boot | calls] calls it: all benches write
out/bench.md as well."""
import bisect
import collections
import datetime
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "boot"))
import boot
import calls
import plot
import vm

CPUS = ("16", "64", "255")
MOST = 8  # functions shown


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:60}", end="", file=sys.stderr, flush=True)


def host():
    version = vm.run(["qemu-system-x86_64", "--version"]).decode().splitlines()[0]
    counts = (vm.OUT / "bench/counts").read_text().partition(" counts ")[2].strip()
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return f"{version}, TCG, `-M pc -cpu max`, on {os.cpu_count()} CPUs ({model}); it counts {counts[:-1]}"


def bench(*words):
    """One of build.sh's own tables."""
    return ["```", vm.run(["./build.sh", "bench", *words], timeout=1200).decode().strip("\n"), "```"]


def symbols(file, base):
    lines = (line.split() for line in vm.run(["nm", "-n", vm.OUT / file]).decode().splitlines())
    return [(int(value, 16) + base, name) for value, kind, name in lines if kind in "tT"]


def functions(who):
    """Where our own instructions up to main go: one boot, each function's."""
    profile = boot.OUT / "profile"
    boot.plugin(who, 1, "256M", f",profile={profile}")
    parts = [("loader", 0x8000, 0x18000, symbols("loader.elf", 0)), ("kernel, low", 0x100000, 0x200000, symbols("kernel.elf", 0x100000)),
             ("kernel, high", 0xFFFFFEFFC0000000, 0xFFFFFF0000000000, symbols("kernel.elf", 0xFFFFFEFFC0000000))]
    taken = collections.Counter()
    for line in profile.read_text().splitlines():
        address, times = int(line.split()[0], 16), int(line.split()[1])
        for name, start, end, names in parts:
            if start <= address < end:
                taken[name, names[bisect.bisect_right(names, (address, "~")) - 1][1]] += times
    lines = ["| stage | function | instructions |", "|---|---|---|"]
    return lines + [f"| {stage} | `{name}` | {times:,} |" for (stage, name), times in taken.most_common(MOST)]


def boot_sections():
    measured = boot.measure(progress)
    (vm.OUT / "bench.svg").write_text(plot.least_cpu_time(measured[1], "From reset to the program's first act"))
    yield "Boot, next to others", boot.table(*measured)
    yield "Boot, by stage (median of 5)", bench("stages")
    vmos = next(who for who, _ in measured[2] if who.name == "vmos")
    yield "Boot, the functions of ours that take most", functions(vmos)
    yield "Boot, by CPUs", bench("cpus", *CPUS)


def calls_sections():
    yield "System calls, faults, switches", calls.table()


def main(words):
    what = words[0] if words else "all"
    sections = list(boot_sections()) if what in ("all", "boot") else []
    if what in ("all", "calls"):
        sections += calls_sections()
    if what == "all":
        sections.append(("The frame allocator", bench("frames")))
    progress("")
    command = " ".join(["./build.sh", "bench", *words])
    text = f"{datetime.date.today()}, `{command}`: {host()}.\n"
    for title, lines in sections:
        text += f"\n## {title}\n\n" + "\n".join(lines) + "\n"
    print(text, end="")
    if what == "all":
        (vm.OUT / "bench.md").write_text("# Numbers\n\n" + text)


if __name__ == "__main__":
    os.chdir(vm.ROOT)
    try:
        main(sys.argv[1:])
    except vm.Failed as failure:
        sys.exit(f"bench: {failure}")
