"""Kernel stacks that grow: a debugger puts code that uses much stack where a system call's function was."""
import re

import gdb
import vm

SLOTS = 0xFFFFFF0000000000

PUSHES = """
        mov     ecx, {0}
.down:  push    rcx
        dec     ecx
        jnz     .down
        mov     ecx, 1
        xor     eax, eax
.up:    pop     rdx
        xor     edx, ecx
        or      eax, edx
        inc     ecx
        cmp     ecx, {0}
        jbe     .up
        ret
"""
SKIPS = """
        sub     rsp, {0}                ; pages that nobody has touched lie in between
        mov     [rsp], rsp
        mov     [rsp + {0} / 2], rsp
        mov     rax, [rsp]
        sub     rax, [rsp + {0} / 2]
        add     rsp, {0}
        ret
"""
WILD = """
        mov     rax, [rsp - {0}]
        ret
"""


def assemble(text):
    with vm.directory() as tmp:
        (tmp / "code.asm").write_text("bits 64\n" + text)
        vm.run(["nasm", "-f", "bin", tmp / "code.asm", "-o", tmp / "code"])
        return (tmp / "code").read_bytes()


def log_with(code, cpu=0, **machine):
    """The log of a machine with so many more CPUs in which uname(), on the last one, is this code."""
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.compile_guest("test/boot/uname.c"))
        with gdb.Stopped(image, extra=["-smp", str(cpu + 1)], **machine) as running:
            running.gdb.run_to("call_uname")
            vm.expect("CPU", running.gdb["gs_base"] - SLOTS >> 30, cpu)
            running.gdb.write("call_uname", assemble(code))
            running.gdb.go()
            running.process.wait(vm.HANG)
            return running.log()


def grows(code, **machine):
    vm.expect("the last line", log_with(code, **machine).splitlines()[-1], "vmos: exit 42")


def breaks(pattern, code, **machine):
    log = log_with(code, **machine)
    found = re.search("(?m)^vmos! panic: page fault .*$", log)
    if not found or not re.search(pattern, found[0]) or "panic inside" in log:
        raise vm.Failed(f"the log ends: {log[-2000:]}")


def tests():
    yield "16 MiB", lambda: grows(PUSHES.format(2 << 20), memory="256M")
    yield "16 MiB below a stack of 16 KiB", lambda: grows(PUSHES.format(2 << 20), memory="48M")
    yield "16 MiB on another CPU", lambda: grows(PUSHES.format(2 << 20), cpu=1, memory="48M")
    yield "pages left out", lambda: grows(SKIPS.format(60 << 10), memory="48M")
    yield "past what memory holds", lambda: breaks(
        r"writing .* where nothing is mapped: the kernel's stack ran out: [2-6]\d{4} KiB of it and no page is free$",
        PUSHES.format(1 << 30), memory="64M")
    yield "past what memory holds, on another CPU", lambda: breaks(
        r"writing .* where nothing is mapped: the kernel's stack ran out: [1-6]\d{4} KiB of it and no page is free$",
        PUSHES.format(1 << 30), cpu=1, memory="64M")
    yield "a wild pointer below", lambda: breaks("reading .* where nothing is mapped$", WILD.format(0x20000), memory="48M")
