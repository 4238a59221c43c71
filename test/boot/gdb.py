"""A debugger's end of QEMU's gdbstub (GDB manual, appendix E: the remote serial protocol), as far as tests need it:

    with gdb.Stopped(image) as machine:         # at reset, not a single instruction executed
        machine.gdb.run_to("call_getpid")       # a function of the kernel in the high half, or an address
        machine.gdb["rip"], machine.gdb.read(address, 16)
        machine.gdb["rax"] = 5
        machine.gdb.write(address, bytes)       # also where the guest may not
        machine.gdb.step()
        machine.gdb.go()                        # on, without waiting for anything

Numbers of CPUs count from 0 and follow QEMU's order, which need not be that of the slots."""
import contextlib
import functools
import re
import socket
import time

import vm

KERNEL_BASE = 0xFFFFFEFFC0000000
REGISTERS = ("rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags cs ss ds es fs gs fs_base "
             "gs_base k_gs_base cr0 cr2 cr3 cr4 cr8 efer").split()  # by QEMU's numbers
SHORT = {"rflags", "cs", "ss", "ds", "es", "fs", "gs"}  # 4 bytes


@functools.cache
def symbols():
    """The kernel's, where it runs in the end."""
    lines = vm.run(["nm", vm.OUT / "kernel.elf"]).decode().splitlines()
    return {name: KERNEL_BASE + int(value, 16) for value, _, name in (line.split() for line in lines)}


def address(place):
    return place if isinstance(place, int) else symbols()[place]


class Gdb:
    def __init__(self, path, process):
        self.socket = vm.connected(path, process)
        self.buffer = b""
        self.ask("qXfer:features:read:target.xml:0,ff")  # else the stub answers p and P with nothing

    def send(self, packet):
        body = packet.encode()
        self.socket.sendall(b"$%s#%02x" % (body, sum(body) & 255))

    def receive(self, limit=vm.HANG):
        """The next packet; acknowledged, and what the stub acknowledges is skipped."""
        end = time.monotonic() + limit
        while not (found := re.search(rb"\$([^#]*)#..", self.buffer, re.S)):
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                more = self.socket.recv(65536)
            except socket.timeout:
                raise vm.Failed(f"the machine did not stop, or the gdbstub did not answer, within {limit} s") from None
            if not more:
                raise vm.Failed("QEMU ended while the gdbstub was waited for")
            self.buffer += more
        self.buffer = self.buffer[found.end():]
        if found[1].startswith(b"W"):
            raise vm.Failed("QEMU ended while the gdbstub was waited for")
        self.socket.sendall(b"+")
        return found[1].decode()

    def ask(self, packet):
        self.send(packet)
        answer = self.receive()
        if re.fullmatch("E[0-9a-f]{2}", answer):
            raise vm.Failed(f"gdbstub: {packet[:40]} is answered by {answer}")
        return answer

    def cpu(self, number):
        """Registers and memory are now those of this CPU."""
        self.ask(f"Hg{number + 1:x}")

    def __getitem__(self, register):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{REGISTERS.index(register):x}")), "little")

    def __setitem__(self, register, value):
        size = 4 if register in SHORT else 8
        data = (value & (1 << 8 * size) - 1).to_bytes(size, "little").hex()
        vm.expect(f"setting {register}", self.ask(f"P{REGISTERS.index(register):x}={data}"), "OK")

    def read(self, place, size):
        return bytes.fromhex("".join(self.ask(f"m{address(place) + at:x},{min(1024, size - at):x}")
                                     for at in range(0, size, 1024)))

    def u64(self, place):
        return int.from_bytes(self.read(place, 8), "little")

    def write(self, place, data):
        vm.expect("writing memory", self.ask(f"M{address(place):x},{len(data):x}:{data.hex()}"), "OK")

    @contextlib.contextmanager
    def breakpoint(self, place):
        vm.expect("a breakpoint", self.ask(f"Z1,{address(place):x},1"), "OK")
        yield
        self.ask(f"z1,{address(place):x},1")

    def stopped(self, limit=vm.HANG):
        """Waits until the machine stops; the CPU that stopped it is the current one, and its number is returned."""
        answer = self.receive(limit)
        found = re.match(r"T05thread:([0-9a-f]+);", answer)
        if not found:
            raise vm.Failed(f"the machine stopped otherwise than expected: {answer}")
        self.cpu(int(found[1], 16) - 1)
        return int(found[1], 16) - 1

    def go(self):
        self.send("c")

    def step(self):
        """One instruction, during which no interrupt comes."""
        self.send("s")
        return self.stopped()

    def run_to(self, place, limit=vm.HANG):
        with self.breakpoint(place):
            self.go()
            return self.stopped(limit)

    def interrupt(self):
        """Stops the machine where it is."""
        self.socket.sendall(b"\x03")
        found = re.match(r"T02thread:([0-9a-f]+);", answer := self.receive())
        if not found:
            raise vm.Failed(f"the machine stopped otherwise than expected: {answer}")
        self.cpu(int(found[1], 16) - 1)


class Stopped(vm.Running):
    """A machine at reset, with the debugger's end as .gdb."""

    def __init__(self, image, *, extra=(), **machine):
        super().__init__(image, extra=[*extra, "-S"], debugger=True, **machine)
        self.gdb = Gdb(self.tmp / "gdb", self.process)
