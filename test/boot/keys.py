"""The keyboard as a person has it: keys pressed by QMP, what the program reads of them, and what console= changes."""
import time

import vm

SHIFT, CTRL, ALT = "shift", "ctrl", "alt"


class Machine(vm.Running):
    """Boots a program that reads standard input, with a screen, and waits until it is ready."""

    def __init__(self, program="keys", args=(), words=(), *, com1=True, ready="columns\n", **machine):
        self.directory = vm.directory()
        tmp = self.directory.__enter__()
        extra = [*machine.pop("extra", ()), "-vga", "std"]
        super().__init__(vm.mkimage(tmp / "disk.img", vm.guest(program), args, input=None, words=words), extra=extra,
                         **machine)
        try:
            self.until("QMP", self.connects)
            self.has_com1 = com1
            if ready:
                self.see(ready)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        super().__exit__()
        self.directory.__exit__(None, None, None)

    def connects(self):
        try:
            self.connect()
        except OSError: # QEMU has not come to that yet
            return False
        return True

    def until(self, what, holds):
        end = time.monotonic() + vm.HANG
        while not holds():
            ended = self.process.poll() is not None
            if time.monotonic() > end or ended and not holds():
                screen = "is gone" if ended or what == "QMP" else vm.short(self.screen())
                raise vm.Failed(f"no {what} within {vm.HANG} s or before QEMU ended; COM1 {vm.short(self.output())}; "
                                f"screen {screen}; log {vm.short(self.log()[-500:])}")
            time.sleep(0.02)

    def output(self):
        return vm.read(self.com1).decode(errors="replace")

    def screen(self):
        """The lines of the whole video memory, of which a part is shown."""
        text = self.physical(0xb8000, 32768)[::2].decode("cp437")
        return "\n".join(text[i:i + 80].rstrip() for i in range(0, len(text), 80))

    def see(self, text):
        """Waits for it where the program's output goes."""
        self.until(repr(text), lambda: text in (self.output() if self.has_com1 else self.screen()))

    def press(self, *keys):
        """One after the other; a tuple is a key with others held."""
        for key in keys:
            chord = [*key] if isinstance(key, tuple) else [key]
            self.command("input-send-event", events=[
                {"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}}
                for down, names in ((True, chord), (False, chord[::-1])) for name in names])

    def press_last(self, key):
        """The machine may end before QEMU has answered."""
        try:
            self.press(key)
        except (OSError, ValueError, vm.Failed):
            pass

    def type(self, text):
        """QEMU's keyboard holds 16 bytes: a few keys, then what the program does with them."""
        names = {"\n": "ret", " ": "spc", "\b": "backspace", "-": "minus", ".": "dot"}
        for at in range(0, len(text), 3):
            self.press(*[(SHIFT, c.lower()) if c.isupper() else names.get(c, c) for c in text[at:at + 3]])
            time.sleep(0.05)

    def ends(self, status):
        self.process.wait(vm.HANG)
        vm.expect("last line of the log", self.log().splitlines()[-1], f"vmos: exit {status}")


def lines():
    """Typed, edited, read; the same on both outputs. 2 CPUs, and Ctrl-C."""
    with Machine(extra=["-smp", "2"]) as machine:
        vm.expect_in("size of the window", "0, 0 rows, 0 columns", machine.output())
        machine.type("Hellx\bo 1\n")
        machine.see("[Hello 1]")
        machine.until("the line on the screen", lambda: "[Hello 1]" in machine.screen())
        vm.expect_in("the screen", "\nHello 1\n", machine.screen())
        vm.expect_in("COM1", "Hellx\b \bo 1\n[Hello 1]\n", machine.output())
        machine.press_last((CTRL, "c"))
        machine.ends(130)


def raw():
    """Keys with names of their own, as a program without line editing reads them."""
    with Machine(args=["raw"]) as machine:
        keys = {"up": "1b 5b 41 ", "f1": "1b 4f 50 ", "delete": "1b 5b 33 7e ", "esc": "1b ", "backspace": "7f ", "ret": "0d ",
                "tab": "09 ", "kp_5": "35 ", "pause": "", "kp_enter": "0d ", (CTRL, "c"): "03 ", (CTRL, "spc"): "00 ",
                (ALT, "x"): "1b 78 ", (CTRL, "left"): "1b 5b 31 3b 35 44 ", (SHIFT, "a"): "41 "}
        seen = machine.output()
        for key, bytes_read in keys.items():
            machine.press(key)
            seen += bytes_read
            machine.until(f"{bytes_read!r} for {key}", lambda: machine.output() == seen)
        machine.press("caps_lock", "a", "caps_lock")
        machine.press_last("q")
        machine.until("the end", lambda: machine.output() == seen + "41 71 \nend\n")
        machine.ends(0)


def no_com1(**machine):
    """The keyboard alone: no byte of output but on the screen, and ^D ends the input."""
    with Machine(com1=False, extra=["-serial", "none"], **machine) as machine: # the next one is COM2
        machine.type("alone\n")
        machine.see("[alone]")
        vm.expect("COM2", machine.output(), "")
        vm.expect_in("the log", "no COM1; the program has the screen and the keyboard alone", machine.log())
        machine.press_last((CTRL, "d"))
        machine.ends(0)


def storm():
    """200 keys, as fast as QEMU's keyboard takes them."""
    with Machine() as machine:
        begin = len(machine.output())
        text = "".join("abcdefghijklmnopqrstuvwxyz0123456789"[i * 7 % 36] for i in range(200))
        for at in range(0, 200, 8): # 16 bytes with the breaks
            machine.press(*text[at:at + 8])
            machine.until("echo", lambda: len(machine.output()) >= begin + at + 8)
        machine.press("ret")
        machine.see(f"[{text}]")


def com1_only():
    """Keys go nowhere, and of the program nothing is on the screen."""
    with Machine(words=["console=com1"]) as machine:
        machine.type("no\n")
        machine.press((CTRL, "c"))
        time.sleep(0.5)
        vm.expect("COM1", machine.output(), "ready: 0, 0 rows, 0 columns\n")
        vm.expect_in("the screen", "vmos: ", machine.screen())
        vm.expect("the program's line on the screen", "ready" in machine.screen(), False)


def screen_only():
    with Machine(words=["console=screen"], com1=False) as machine:
        vm.expect_in("the screen", "ready: 0, 25 rows, 80 columns\n", machine.screen())
        machine.type("Seen\n")
        machine.see("[Seen]")
        machine.press_last((CTRL, "d"))
        machine.ends(0)
        vm.expect("COM1", machine.output(), "")


def restarts():
    """As QEMU was told to make an end of it: without a last line of the log."""
    with Machine() as machine:
        machine.press_last((CTRL, ALT, "delete"))
        vm.expect("QEMU's status", machine.process.wait(vm.HANG), 0)
        vm.expect("last line of the log", machine.log().splitlines()[-1], "vmos: keyboard: Ctrl-Alt-Del; the machine restarts")


def nobody_types(machine, why):
    """No keyboard: COM1 serves; without that, too, standard input is empty."""
    result = vm.boot(vm.guest("keys"), input=None, words=["console=screen"], machine=machine + ",i8042=off",
                     extra=["-vga", "std"]).expect(0, b"")
    vm.expect_in("the log", f"vmos: keyboard: none: {why}\n", result.log)
    vm.expect("errors", result.errors, ["vmos! terminal: nothing to type on; standard input is empty"])


def no_screen():
    result = vm.boot(vm.guest("hello"), words=["console=screen"]).expect(0)
    vm.expect_in("COM1", b"hello\n", result.com1)
    vm.expect_in("errors", "console=screen, but there is no screen", "".join(result.errors))
    result = vm.boot(vm.guest("hello"), extra=["-serial", "none"]).expect(0, b"") # which is COM2
    vm.expect("errors", result.errors, ["vmos! serial: no COM1, and no screen either; the program's output is lost"])


def tests():
    yield "lines, 2 CPUs", lines
    yield "raw", raw
    yield "without COM1", no_com1
    yield "isapc", lambda: no_com1(machine="isapc", cpu="qemu64", medium="ide")
    yield "storm", storm
    yield "console=com1", com1_only
    yield "console=screen", screen_only
    yield "Ctrl-Alt-Del", restarts
    yield "no keyboard, pc", lambda: nobody_types("pc", "no controller answers")
    yield "no keyboard, q35", lambda: nobody_types("q35", "ACPI says that there is no controller")
    yield "no screen", no_screen
