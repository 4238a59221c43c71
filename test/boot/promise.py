"""Promised memory is there for all CPUs at once, and whatever else takes memory."""
import re

import vm


def all_of_it(memory, cpus):
    result = vm.boot(vm.compile_guest("test/guest/promised.c", "musl-gcc", "-static", "-pthread"), memory=memory,
                     extra=["-smp", str(cpus)], hang=120).expect(0)
    pages = [int(n) for n in re.findall(rf"(?m)^(\d+) pages, {cpus} threads$", result.com1.decode())]
    if len(pages) != 3 or len(set(pages)) != 1:
        raise vm.Failed(f"rounds: {pages}")


def worst():
    result = vm.boot(vm.compile_guest("test/guest/promised_worst.c", "gcc", "-O1", "-static"), memory="64M", hang=120)
    result.expect(128 + 7)
    there = [f"{what}: all that was promised was there" for what in ("nodes", "moved", "holes")]
    said = result.com1.decode().replace("\r", "").splitlines()
    if said[:4] != [*there, "stack"]:
        raise vm.Failed(f"it said {said}")


def tests():
    yield "at worst", worst
    for memory, cpus in (("8M", 4), ("64M", 1), ("64M", 8), ("1G", 4)):
        yield f"{memory}, {cpus} CPUs", lambda memory=memory, cpus=cpus: all_of_it(memory, cpus)
