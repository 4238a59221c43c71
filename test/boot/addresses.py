"""Kinds of addresses do not mix: what passes one where another is wanted, or a count of bytes, is no C for the compiler,
with the kernel's headers and flags."""
import subprocess

import vm

HEADERS = """
#include "kernel/cpu/trap.h"
#include "kernel/memory/frames.h"
#include "kernel/memory/linear.h"
#include "kernel/memory/pages.h"
#include "kernel/memory/promises.h"
#include "kernel/memory/tables.h"
#include "kernel/memory/window.h"
"""
# Each is compiled in a function of its own; all but the addresses are as they should be.
GIVEN = "paddr physical, laddr linear, frameno frame, uaddr program, u64 bytes, struct linear_map *map, struct frames_cpu *cpu"
RIGHT = [
    "window(physical)",
    "page_free(page_alloc())",
    "physical = paddr_add(physical, bytes)",
    "pages_give(physical, bytes)",
    "frames_free_run(physical, 1)",
    "promises_give(OWNER_DATA, promises_page(OWNER_DATA, false), false)",
    "physical = tables_root()",
    "physical = linear_to_physical(map, linear)",
    "linear = physical_to_linear(map, physical)",
    "frames_give(cpu, frames_take(cpu))",
    "frames_give_run(cpu, frame, 2)",
    "program = user(bytes)",
    "bytes = clear_user(program, bytes)",
    "bytes = in_user_range(program, bytes)",
]
WRONG = {
    "a count of bytes for a physical address": [
        "window(bytes)", "page_free(bytes)", "window_map(bytes, bytes, WINDOW_DEVICE)", "pages_give(bytes, bytes)",
        "frame_split(bytes)", "promises_give(OWNER_DATA, bytes, false)", "tables_at(bytes, 0, 0)", "physical = bytes"],
    "a physical address for a count of bytes": [
        "paddr_add(physical, physical)", "pages_give(physical, physical)", "frames_free_run(physical, physical)",
        "bytes = physical"],
    "a physical address for a linear one": ["linear_to_physical(map, physical)", "linear = physical"],
    "a linear address for a physical one": ["physical_to_linear(map, linear)", "window(linear)", "physical = linear"],
    "a count of bytes for a linear address": ["linear_to_physical(map, bytes)"],
    "another kind for a frame's number": [
        "frames_give(cpu, physical)", "frames_give(cpu, linear)", "frames_give(cpu, bytes)", "frames_give_run(cpu, bytes, bytes)"],
    "a frame's number for another kind": ["window(frame)", "linear_to_physical(map, frame)", "bytes = frames_take(cpu)"],
    "another kind for an address of the program": [
        "bytes = clear_user(physical, bytes)", "bytes = clear_user(bytes, bytes)", "bytes = copy_to_user(linear, map, bytes)",
        "bytes = copy_from_user(map, physical, bytes)", "bytes = in_user_range(bytes, bytes)", "program = physical"],
    "an address of the program for another kind": ["window(program)", "linear_to_physical(map, program)", "bytes = program"],
    "a physical address for a number": ["bytes = page_alloc()", "promises_drop(physical)"],
}
NO_TYPE = "incompatible type"


def compiles(statement):
    """What the compiler says against it; nothing: it compiles."""
    flags = vm.run(["sh", "-c", ". tools/sh/compile.sh; echo $flags $freestanding"]).decode().split()
    source = f"{HEADERS}void probe({GIVEN});\nvoid probe({GIVEN}) {{\n(void)physical, (void)linear, (void)frame, (void)program, (void)bytes, (void)map, (void)cpu;\n{statement};\n}}\n"
    done = subprocess.run(["gcc", *flags, "-fsyntax-only", "-x", "c", "-"], input=source, text=True, cwd=vm.ROOT,
                          capture_output=True, timeout=60)
    vm.expect(f"{statement}: status and errors agree", bool(done.returncode), "error:" in done.stderr)
    return done.stderr if done.returncode else ""


def mixed():
    for statement in RIGHT:
        vm.expect(f"errors of {statement}", compiles(statement), "")
    for mix, statements in WRONG.items():
        for statement in statements:
            errors = [line for line in compiles(statement).splitlines() if "error:" in line]
            vm.expect(f"errors of {statement}, {mix}: all say '{NO_TYPE}'",
                      bool(errors) and all(NO_TYPE in line for line in errors), True)


def tests():
    yield "kinds do not mix", mixed
