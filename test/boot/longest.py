"""How long, in instructions, a CPU is in the kernel without letting interrupts and other threads in, and how long the
lock of the program's address space is held and waited for: while a program does on two CPUs what takes longest.

On one CPU from QEMU 10.0 on, where nobody waits: with several CPUs in one thread, as -icount has them, it tells a plugin
the number of the CPU that translated an instruction first instead of the one that runs it (plugin-gen.c compares
CF_PARALLEL, which stands for threads), so that one CPU's holds were subtracted from another's counts."""
import bisect
import re
import subprocess

import vm

MOST = 300_000
BASE = 0xfffffeffc0000000  # of the kernel, where it stays
BUSY = r"call_(?!again$)\w+|program_fault|interrupt|signal_search|power_end|scheduler_idle"  # functions that name what a CPU does
EXPECTED = {"kernel": ("call_mmap", "call_munmap", "call_mprotect", "call_mlock", "call_brk", "call_mremap", "call_write",
                       "call_futex", "call_poll", "call_readv", "power_end", "program_fault"),
            "hold": ("call_mmap", "call_munmap", "call_mprotect", "call_mlock", "call_brk", "call_mremap", "program_fault"),
            "wait": ()}


class Kernel:
    """The kernel's code: what the plugin is told of it, and names for addresses."""

    def __init__(self):
        self.code = vm.run(["objdump", "-d", "--no-show-raw-insn", "out/kernel.elf"]).decode()
        symbols = [(int(at, 16), name) for at, name in re.findall(r"(?m)^([0-9a-f]+) <(.+)>:$", self.code)]
        self.names = sorted(symbols)
        self.functions = {name: at for at, name in symbols}
        nm = vm.run(["nm", "out/kernel.elf"]).decode()
        self.lock = BASE + int(re.search(r"(?m)^([0-9a-f]+) \S first_space$", nm)[1], 16)  # its first member

    def instructions(self, pattern, code=None):
        return [int(at, 16) for at in re.findall(rf"(?m)^ *([0-9a-f]+):\t(?:{pattern})", code or self.code)]

    def places(self):
        """A byte of 0 is stored where a lock is given back."""
        take = re.search(r"(?s)<space_take>:\n(.*?)\n\n", self.code)[1]
        places = {"open": [*self.instructions(r"sti\b|hlt\b"), *(self.functions[name] for name in ("context_resume", "emulator_exit"))],
                  "call": [at for name, at in self.functions.items() if re.fullmatch(BUSY, name)],
                  "take": [self.functions["space_take"]],
                  "taken": self.instructions(r"ret|jmp +\S+ <(?!space_take)", take),
                  "give": self.instructions(r"movb +\$0x0,")}
        return "".join(f"{kind} {BASE + at:x}\n" for kind, found in places.items() for at in found)

    def name(self, address):
        at = int(address, 16) - BASE
        if at < 0:
            return "the program"
        start, name = self.names[bisect.bisect(self.names, (at + 1,)) - 1]
        return name if at == start else f"{name}+{at - start:#x}"


def cpus():
    return 2 if int(vm.qemu_version().split(".")[0]) < 10 else 1


def measure(kernel, cpu_count):
    """The longest stretches: {(what, call): (length, where it began, where it ended)}."""
    program = vm.compile_guest("test/guest/longest.c", "gcc", "-static")
    with vm.directory() as tmp:
        vm.run(["./build.sh", "plugin_longest", tmp / "longest.so"])
        (tmp / "places").write_text(kernel.places())
        words = f"{tmp}/longest.so,lock={kernel.lock:x},places={tmp}/places,out={tmp}/out"
        result = vm.boot(program, memory="4G", hang=4 * vm.HANG,
                         extra=["-smp", str(cpu_count), "-icount", "shift=0,sleep=off", "-plugin", words])
        said = (tmp / "out").read_text()
    vm.expect_in("what ended", b"longest ok", result.com1)
    result.expect(0)
    longest = {}
    for what, call, length, began, ended in re.findall(r"(?m)^(\S+) (\S+) (\d+) (\S+) (\S+) \d+$", said):
        name = kernel.name(call) if int(call, 16) else "no call"
        longest[what, name] = int(length), kernel.name(began), kernel.name(ended)
    return longest


def storm():
    cpu_count = cpus()
    longest = measure(Kernel(), cpu_count)
    for what, calls in EXPECTED.items():
        vm.expect(f"{what}: not measured", [call for call in calls if (what, call) not in longest], [])
    late = [f"{what} of {length} instructions in {call}, from {began} to {ended}"
            for (what, call), (length, began, ended) in sorted(longest.items()) if length > MOST]
    vm.expect(f"more than {MOST} instructions", late, [])
    vm.expect("somebody waited for the lock", any(what == "wait" for what, _ in longest), cpu_count > 1)


def tests():
    yield "storm", storm
