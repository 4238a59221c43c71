"""The walks of tools/README.md through the boot, in the debuggers: every row of the two tables is typed,
on a terminal, into the debugger that "./build.sh debug" opens, and what stands in the row's second column must be in what one sees then.

A row: in the first column the commands, each between backticks; in the second, between backticks, texts that come in
this order; "..." in them stands for anything within a line. What is not between backticks is for people."""
import os
import pty
import re
import select
import signal
import subprocess
import time

import vm

PROMPT = re.compile(r"(?:\(gdb\) |<bochs:\d+> )$")


def rows(title):
    """Pairs of commands and texts of the table below the line that has the title."""
    lines = iter((vm.ROOT / "tools/README.md").read_text().splitlines())
    for line in lines:
        if title in line:
            break
    found = []
    for line in lines:
        if line.startswith("|"):
            cells = line.split("|")
            vm.expect(f"columns of {line}", len(cells), 4)
            found.append(tuple(re.findall("`([^`]+)`", cell) for cell in cells[1:3]))
        elif found:
            break
    found = [row for row in found if row != ([], [])]  # the head
    if len(found) < 12 or not all(commands and texts for commands, texts in found):
        raise vm.Failed(f"the table of {title!r} in tools/README.md has {len(found)} steps, or one "
                        f"without backticks: {found}")
    return found


def need_old_bochs():
    """From 3.0 on Bochs has to be asked for its debugger, which names symbols and pages otherwise."""
    said = subprocess.run(["bochs", "--help"], capture_output=True, timeout=vm.HANG)
    if b" -debugger " in said.stdout + said.stderr:
        raise vm.Skipped("the walk shows what the debugger of Bochs 2.7 prints, and this is a later one")


class Debugger:
    """./build.sh debug WORD... on a terminal of its own, at its first prompt."""

    def __init__(self, *words):
        if words[:1] == ("bochs",):
            need_old_bochs()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            vm.own_signals()
            os.environ.update(TERM="dumb", HOME="/nonexistent")
            os.environ.pop("DISPLAY", None)
            os.chdir(vm.ROOT)
            os.execv("./build.sh", ["./build.sh", "debug", *map(str, words)])
        self.ended = False

    def __enter__(self):
        try:
            self.read()
        except vm.Failed:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """Hangs up: nothing may stay behind."""
        os.close(self.fd)
        end = time.monotonic() + vm.HANG
        while not os.waitpid(self.pid, os.WNOHANG)[0]:
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise vm.Failed("./build.sh debug does not end with its terminal")
            time.sleep(0.05)

    def read(self):
        """What comes up to a prompt with nothing behind it, or to the end."""
        text, end = "", time.monotonic() + vm.HANG
        while not PROMPT.search(text):
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise vm.Failed(f"no prompt within {vm.HANG} s behind {vm.short(text)}")
            try:
                text += os.read(self.fd, 65536).decode(errors="replace").replace("\r", "")
            except OSError:  # the other side is closed
                self.ended = True
                break
        return text

    def type(self, line):
        """What comes then, without the echo."""
        os.write(self.fd, line.encode() + b"\n")
        return self.read().partition("\n")[2]

    def interrupt(self, seconds):
        time.sleep(seconds)
        os.write(self.fd, b"\x03")
        return self.read()


def seen(text, output):
    """Where text, with its dots, ends in output; None: nowhere. Blanks stand for any number of them."""
    parts = (r"[ \t]+".join(map(re.escape, re.split(" +", part))) for part in text.split("..."))
    found = re.search(r"[^\n]*?".join(parts), output)
    return found and found.end()


def walk(title, *words):
    with Debugger(*words) as debugger:
        for step, (commands, texts) in enumerate(rows(title), 1):
            output = "".join(debugger.type(command) for command in commands)
            at = 0
            for text in texts:
                end = seen(text, output[at:])
                if end is None:
                    raise vm.Failed(f"step {step}, {commands}: no {text!r} in {vm.short(output[at:])}")
                at += end
        vm.expect("the walk ends the debugger", debugger.ended, True)


def bochs():
    walk("A walk from the boot sector to the program with `./build.sh debug bochs`", "bochs")


def gdb():
    walk("The same with `./build.sh debug`:")


def interrupted(go, *words):
    """Ctrl-C stops the machine, not the emulator; a terminal that goes away ends everything."""
    with Debugger(*words, vm.compile_guest("test/boot/spin.c")) as debugger:
        os.write(debugger.fd, go.encode() + b"\n")
        vm.expect_in("after Ctrl-C", "^C", debugger.interrupt(2))
        made = debugger.type("info registers rip" if go == "continue" else "r")
        vm.expect_in("registers", "rip", made)


def moved(go, *words):
    """The symbols of a program that vmos moves are where it runs."""
    with Debugger(*words, vm.compile_guest("test/guest/hello.c", "gcc", "-static-pie")) as debugger:
        vm.expect_in("at main", "55555555", "".join(debugger.type(line) for line in go))
        vm.expect_in("at main", "main", debugger.type("u /1" if words else "info symbol $pc"))


def tests():
    yield "Bochs", bochs
    yield "gdb", gdb
    yield "a PIE in Bochs", lambda: moved(['lb "program.main"', "c"], "bochs")
    yield "a PIE in gdb", lambda: moved(["stage main"])
    yield "Ctrl-C in Bochs", lambda: interrupted("c", "bochs")
    yield "Ctrl-C in gdb", lambda: interrupted("continue")
