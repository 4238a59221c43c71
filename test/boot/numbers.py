"""The numbers to reach: instructions to main, what memory costs, sizes."""
import os
import re

import vm

TO_MAIN = 8_000_000
MORE_MEMORY = 50_000
BYTES = 256 << 10
LINES = 6000


def bench(options=""):
    """Stage names to instructions."""
    table = vm.run(["./build.sh", "bench", "boot"], env={**os.environ, "QEMU_OPTS": options}).decode()
    return {name: int(count) for name, count in re.findall(r"(?m)^(.+?) +(\d+) +\d+$", table)}


def instructions():
    small = bench()
    vm.expect(f"reset to main in at most {TO_MAIN}: {small}", small["reset to main"] <= TO_MAIN, True)
    large = bench("-object memory-backend-ram,id=m0,size=16G,reserve=off -m 16G -M pc,memory-backend=m0")
    more = (large["reset to main"] - large["firmware"]) - (small["reset to main"] - small["firmware"])
    vm.expect(f"16 GiB cost at most {MORE_MEMORY} more, not {more}", more <= MORE_MEMORY, True)


def size():
    size = sum((vm.OUT / name).stat().st_size for name in ("kernel.strip", "loader.bin"))
    vm.expect(f"kernel and loader in less than {BYTES} bytes: {size}", size < BYTES, True)


def lines():
    lines = int(re.search(r"(\d+) lines of C and assembly", vm.run(["./build.sh", "help"]).decode())[1])
    vm.expect(f"at most {LINES} lines: {lines}", lines <= LINES, True)


def tests():
    yield "instructions to main", instructions
    yield "kernel and loader", size
    yield "lines of code", lines
