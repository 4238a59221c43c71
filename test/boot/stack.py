"""How much of its stack every way into the kernel can need at most, by the compiler's own call graph."""
import re
import subprocess

import vm

ENTRIES = {"syscall_from_program", "syscall_quick", "trap_from_program", "trap_from_kernel", "kernel_high", "kernel_low", "cpu_arrive"}


def kernel():
    """Also fails on a pointer, a recursion or a function that the table does not know."""
    chains = re.findall(r"(?m)^(\w+): at most (\d+) of (\d+) bytes$", vm.run(["./build.sh", "stack"]).decode())
    vm.expect("the ways into the kernel", {name for name, _, _ in chains} >= ENTRIES, True)
    for name, most, stack in chains:
        vm.expect(f"{name} needs {most} of {stack} bytes", 0 < int(most) < int(stack), True)


TABLE = "pointer->to@HERE 0 target\nassembly 16 callee\n"
SOURCE = "int f(void) {\n    return pointer->to(1);\n}\n"


def node(name, size, kind="static"):
    return f'node: {{ title: "{name}" label: "{name}\\nmade/up.c:1:2\\n{size} bytes ({kind})" }}\n'


def edge(caller, callee, place="made/up.c:1:2"):
    return f'edge: {{ sourcename: "{caller}" targetname: "{callee}" label: "{place}" }}\n'


def stackuse(more="", table=""):
    """What the tool says of a made-up kernel: standard output and error."""
    with vm.directory() as tmp:
        here = tmp / "source"
        here.write_text(SOURCE)
        graph = "".join(node(name, 16) for name in ENTRIES) + "".join(edge("kernel_high", name) for name in ENTRIES - {"kernel_high"})
        graph += node("made/up.c:target.isra.0", 1000) + node("callee", 100) + edge("trap_from_kernel", "assembly")
        graph += edge("kernel_high", "__indirect_call", f"{here}:2:12")
        (tmp / "graph").write_text(graph + more.replace("HERE", str(here)))
        (tmp / "table").write_text((TABLE + table).replace("HERE", str(here)))
        done = subprocess.run([vm.OUT / "stackuse", tmp / "table", tmp / "graph"], capture_output=True, text=True)
        vm.expect("status 1 and a reason belong together", done.returncode == 1, done.stderr != "")
        return done.stdout, done.stderr


def made_up():
    out, error = stackuse()
    vm.expect("nothing is wrong", error, "")
    vm.expect_in("pointers", "kernel_high: at most 1016 of 16384", out)
    vm.expect_in("assembly, and what the registers take", f"trap_from_kernel: at most {176 + 16 + 16 + 100} of 8192", out)
    again = node("again", 64) + edge("again", "again") + edge("kernel_high", "again")
    vm.expect_in("bounded recursion", f"kernel_high: at most {16 + 64 * 40} of", stackuse(again, "most again 40\n")[0])
    two = node("a", 8000) + node("b", 500) + edge("a", "b") + edge("b", "a") + edge("kernel_high", "b")
    vm.expect_in("bounded recursion of two", f"kernel_high: at most {16 + 500 + 8000 + 500} of", stackuse(two, "most b 2\nmost a 1\n")[0])
    for what, graph, table, wanted in (
            ("recursion", again, "", "nothing says how often again calls itself by way of again"),
            ("recursion of two", two, "", "nothing says how often"),
            ("pointer", edge("callee", "__indirect_call", "HERE:1:5") * 2, "", "nothing says what f@"),
            ("size", edge("callee", "unknown") + edge("kernel_high", "unknown"), "", "nothing says what unknown is"),
            ("caller", node("alone", 16), "", "nothing says who calls alone"),
            ("table", "", "gone 16\n", "nothing says who calls gone"),
            ("table", "", "unused 0 gone\n", "the table names gone, which is not there"),
            ("unused", "", "unused 0 callee\n", "callee is not unused"),
            ("array on the stack", node("callee", 16, "dynamic"), "", "callee takes as much stack as it likes"),
            ("deep", node("callee", 7900), "", "trap_from_kernel leaves less than 512 bytes of its stack")):
        error = stackuse(graph, table)[1]
        vm.expect_in(what, wanted, error)
        vm.expect(f"one problem: {error}", error.count("\n"), 1)


def tests():
    yield "kernel", kernel
    yield "made-up call graph", made_up
