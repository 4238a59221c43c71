"""The final address space, read from outside: page tables walked in physical memory while a program runs, compared with
the memory map the firmware printed on its own debug port and with the bytes of the image."""
import re
import struct

import vm

PAGE = 4096
P, W, U, PWT, PCD, PS, NX = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 7, 1 << 63
ADDRESS = 0x000FFFFFFFFFF000


def layout():
    """The numbers of boot/layout.h."""
    text = (vm.ROOT / "boot/layout.h").read_text()
    return {name: int(value, 0) for name, value in re.findall(r"(?m)^#define (\w+) +(\w+)(?: |$)", text) if value[0].isdigit()}


L = layout()


class Leaf:
    def __init__(self, address, physical, size, bits):
        self.address, self.physical, self.size = address, physical, size
        self.writable, self.executable, self.user = bool(bits & W), not bits & NX, bool(bits & U)
        self.uncached = bits & (PCD | PWT) == PCD | PWT

    def __repr__(self):
        rights = "r" + "w" * self.writable + "x" * self.executable + "u" * self.user
        return f"{self.address:#x} -> {self.physical:#x}, {self.size:#x} bytes, {rights}"


def walk(machine):
    """Every leaf below CR3, by ascending address, with the rights that all levels together grant."""
    root = int(re.search(r"CR3=([0-9a-f]+)", machine.monitor("info registers"))[1], 16) & ADDRESS
    leaves, tables = [], set()

    def descend(table, level, base, above):
        if table in tables and level < 3:
            raise vm.Failed(f"the table at {table:#x} is used twice")
        tables.add(table)
        for index, entry in enumerate(struct.unpack("<512Q", machine.physical(table, PAGE))):
            if not entry & P:
                continue
            size = PAGE << 9 * level
            address = base + index * size
            if level == 3 and index >= 256:
                address |= 0xFFFF << 48
            bits = entry & (above | ~(W | U)) | above & NX
            if level == 0 or entry & PS:
                leaves.append(Leaf(address, entry & ADDRESS & -size, size, bits))
            else:
                descend(entry & ADDRESS, level - 1, address, bits)

    descend(root, 3, 0, W | U)
    return leaves, tables


def firmware_map(text):
    """The entries (start, end, type) that the firmware printed last."""
    text = text[text.rindex("e820 map has"):]
    return [(int(start, 16), int(end, 16), int(kind)) for start, end, kind in
            re.findall(r"\d+: ([0-9a-f]{16}) - ([0-9a-f]{16}) = (\d+) ", text)]


def usable_of(entries):
    """The usable ranges, rounded inward to pages."""
    return [(-(-start // PAGE) * PAGE, end // PAGE * PAGE) for start, end, kind in entries if kind == 1]


SIZES = {"1G": 1 << 30, "2M": 2 << 20, "4K": PAGE}


def memmap(entries, image, *options):
    """What ./build.sh memmap says about a map: the reserved ranges by reason, and the runs as it prints them."""
    with vm.directory() as tmp:
        (tmp / "map").write_text("".join(f"{start:x} {end - start:x} {kind:x}\n" for start, end, kind in entries))
        text = vm.run(["./build.sh", "memmap", tmp / "map", "--image", image, *options]).decode()
    reserved = {}
    for base, length, why in re.findall(r"(?m)^reserved (\w+) (\w+) (.*)$", text):
        reserved.setdefault(why, []).append((int(base, 16), int(base, 16) + int(length, 16)))
    return reserved, re.findall(r"(?m)^0x\w+ 0x\w+ \d+ \w\w$", text)


def frames(ranges):
    return {frame for start, end in ranges for frame in range(start // PAGE, end // PAGE)}


def ranges_of(leaves):
    return [(leaf.physical, leaf.physical + leaf.size) for leaf in leaves]


def nobody(what, leaves):
    leaves = list(leaves)
    if leaves:
        raise vm.Failed(f"{what}: {leaves[:5]}")


def between(leaves, start, end):
    return [leaf for leaf in leaves if start <= leaf.address < end]


def check_rights(leaves):
    lower = [leaf for leaf in leaves if leaf.address < 1 << 47]
    upper = [leaf for leaf in leaves if leaf.address >= 1 << 63]
    nobody("page 0 is mapped", (leaf for leaf in lower if leaf.address < PAGE))
    nobody("lower half, but not the program's", (leaf for leaf in lower if not leaf.user))
    nobody("identity map", (leaf for leaf in lower if leaf.address == leaf.physical))
    nobody("the program's last page", (leaf for leaf in lower if leaf.address >= L["USER_END"]))
    nobody("the program reaches the kernel", (leaf for leaf in upper if leaf.user))
    nobody("writable and executable", (leaf for leaf in leaves if leaf.writable and leaf.executable))
    nobody("executable outside the kernel", (leaf for leaf in upper if leaf.executable and not (
        L["KERNEL_BASE"] <= leaf.address < L["KERNEL_BASE_END"])))


def check_kernel(leaves):
    """Its pages, and the same frames in the window: what is not writable there is not writable here either."""
    kernel = between(leaves, L["KERNEL_BASE"], L["KERNEL_BASE_END"])
    vm.expect("kernel pages other than 4 KiB", [leaf for leaf in kernel if leaf.size != PAGE], [])
    vm.expect("first page of the kernel executable", kernel[0].executable and not kernel[0].writable, True)
    constant = frames(ranges_of(leaf for leaf in kernel if not leaf.writable))
    window = between(leaves, L["WINDOW"], L["WINDOW_END"])
    nobody("kernel text or constants writable in the window", (
        leaf for leaf in window if leaf.writable and frames(ranges_of([leaf])) & constant))
    linear = between(leaves, L["LINEAR"], L["LINEAR_END"])
    nobody("the kernel in linear memory", (
        leaf for leaf in linear if frames(ranges_of([leaf])) & frames(ranges_of(kernel))))
    return kernel


def check_window(leaves, usable):
    window = between(leaves, L["WINDOW"], L["WINDOW_END"])
    nobody("window at another offset", (leaf for leaf in window if leaf.address - L["WINDOW"] != leaf.physical))
    nobody("window onto a hole, writable and cached", (
        leaf for leaf in window if leaf.writable and not leaf.uncached and not frames(ranges_of([leaf])) <= usable))
    vm.expect("usable memory missing in the window", sorted(usable - frames(ranges_of(window)))[:5], [])


def check_linear(leaves, usable, reserved, runs, log):
    """The runs that memmap and the log say, then boot pages; no hole, each usable frame once, and what is missing is the
    kernel, page 0 and the first stack."""
    vm.expect("runs in the log", re.findall(r"memory: (0x\w+ 0x\w+ \d+ \w\w)\n", log), runs)
    linear = between(leaves, L["LINEAR"], L["LINEAR_END"])
    rest = iter(linear)
    at = L["LINEAR"]
    for run in runs:
        address, physical, count, size = run.split()
        address, physical, size = int(address, 16), int(physical, 16), SIZES[size]
        vm.expect("a run's address", address, at)
        for page in range(int(count)):
            leaf = next(rest)
            vm.expect(f"page {page} of run {run}", (leaf.address, leaf.physical, leaf.size),
                      (at, physical + page * size, size))
            at += size
    back = list(rest)
    for leaf in back:
        vm.expect("an appended page", (leaf.address, leaf.size), (at, PAGE))
        at += PAGE
    nobody("rights of linear memory", (leaf for leaf in linear if not leaf.writable or leaf.executable or leaf.uncached))
    covered = frames(ranges_of(linear))
    vm.expect("frames in linear memory twice", sum(leaf.size for leaf in linear) // PAGE - len(covered), 0)
    vm.expect("frames in linear memory that are not usable", sorted(covered - usable)[:5], [])
    came_back = frames(ranges_of(back))
    boot = frames(reserved["boot pages"] + reserved["kernel while booting"] + reserved["image"])
    vm.expect("what came back", sorted(came_back ^ boot)[:5], [])
    low = frames(reserved["page 0"] + reserved["start of other CPUs"] + reserved["written by BIOSes"])
    vm.expect("the first 64 KiB", low, set(range(16)))
    kept = low | frames(reserved["kernel"] + reserved.get("first stack", []))
    vm.expect("frames that nobody has", sorted(usable - covered - kept)[:5], [])
    slot = frames(ranges_of(leaf for leaf in between(leaves, L["SLOTS"], 1 << 64) if leaf.size > PAGE))
    vm.expect("the first stack", slot, frames(reserved.get("first stack", [])))


def address_space(memory, large, *options, **machine):
    program = vm.compile_guest("test/boot/spin.c")
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", program)
        with vm.Running(image, memory=memory, **machine) as running:
            running.wait(b"ready\n")
            leaves, _ = walk(running)
            entries = firmware_map(running.firmware.read_text(errors="replace"))
            log = running.log()
        reserved, runs = memmap(entries, image, *options)
    usable = frames(usable_of(entries))
    check_rights(leaves)
    kernel = check_kernel(leaves)
    vm.expect("the kernel's place", reserved["kernel"][0][0], kernel[0].physical)
    check_window(leaves, usable - frames([(0x9F000, 0x100000)]))  # EBDA, video memory, ROMs
    check_linear(leaves, usable, reserved, runs, log)
    if max(leaf.size for leaf in between(leaves, L["LINEAR"], L["LINEAR_END"])) != large:
        raise vm.Failed(f"the largest page of linear memory is not {large:#x}")


def large(size):
    """Machine words for memory that the host need not have."""
    return {"memory": size, "extra": ["-object", f"memory-backend-ram,id=m0,size={size},reserve=off"]}


def tests():
    yield "8M", lambda: address_space("8M", 2 << 20)
    yield "256M", lambda: address_space("256M", 2 << 20)
    yield "3G with 1 GiB pages", lambda: address_space("3G", 1 << 30)
    yield "3G without", lambda: address_space("3G", 2 << 20, "--no-1g", cpu="Haswell")
    yield "both sides of 4 GiB", lambda: address_space("192M", 2 << 20, machine="q35,max-ram-below-4g=64M")
    yield "6G", lambda: address_space(large=1 << 30, machine="pc,memory-backend=m0", **large("6G"))
    yield "32M and 32M", lambda: address_space("64M", 2 << 20, machine="q35,max-ram-below-4g=32M")
