"""The final address space, read from outside: page tables walked in physical memory while a program runs, compared with
the memory map the firmware printed on its own debug port and with the bytes of the image."""
import re
import struct

import broken
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
    """The usable ranges the firmware printed last, rounded inward to pages."""
    text = text[text.rindex("e820 map has"):]
    ranges = re.findall(r"\d+: ([0-9a-f]{16}) - ([0-9a-f]{16}) = 1 RAM", text)
    return [(-(-int(start, 16) // PAGE) * PAGE, int(end, 16) // PAGE * PAGE) for start, end in ranges]


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


def check_linear(leaves, usable, kernel, image):
    """Without holes, largest pages first, each usable frame once; what is missing is in use, and nothing else is."""
    linear = between(leaves, L["LINEAR"], L["LINEAR_END"])
    at, size = L["LINEAR"], 1 << 30
    for leaf in linear:
        vm.expect("hole in linear memory before", hex(leaf.address), hex(at))
        vm.expect("a larger page behind a smaller one", leaf.size <= size, True)
        at, size = at + leaf.size, leaf.size
        vm.expect(f"rights of {leaf}", leaf.writable and not leaf.executable and not leaf.uncached, True)
    covered = frames(ranges_of(linear))
    vm.expect("frames in linear memory twice", sum(leaf.size for leaf in linear) // PAGE - len(covered), 0)
    vm.expect("frames in linear memory that are not usable", sorted(covered - usable)[:5], [])
    total, kernel_memory = struct.unpack_from("<QQ", image.bytes, image.header + 16)
    loaded = [(L["HIGH_MEMORY"], L["HIGH_MEMORY"] + kernel_memory + -(-total // PAGE) * PAGE)]
    slot = between(leaves, L["SLOTS"], 1 << 64)
    # The table of extents lies behind the kernel's last page.
    last = kernel[-1].physical + PAGE
    in_use = frames([(0, L["BOOT_MEMORY_END"]), (last, last + 2 * PAGE)] + loaded + ranges_of(kernel) + ranges_of(slot))
    vm.expect("usable frames that nobody has", sorted(usable - covered - in_use)[:5], [])


def address_space(memory, large, **machine):
    program = vm.compile_guest("test/boot/spin.c")
    with vm.directory() as tmp:
        image = broken.Image(vm.mkimage(tmp / "disk.img", program))
        with vm.Running(image.path, memory=memory, **machine) as running:
            running.wait(b"ready\n")
            leaves, _ = walk(running)
            usable = frames(firmware_map(running.firmware.read_text(errors="replace")))
    usable -= frames([(0x9F000, 0x100000)])  # EBDA, video memory, ROMs
    check_rights(leaves)
    kernel = check_kernel(leaves)
    check_window(leaves, usable)
    check_linear(leaves, usable, kernel, image)
    if max(leaf.size for leaf in between(leaves, L["LINEAR"], L["LINEAR_END"])) != large:
        raise vm.Failed(f"the largest page of linear memory is not {large:#x}")


def tests():
    yield "8M", lambda: address_space("8M", 2 << 20)
    yield "256M", lambda: address_space("256M", 2 << 20)
    yield "3G with 1 GiB pages", lambda: address_space("3G", 1 << 30)
    yield "3G without", lambda: address_space("3G", 2 << 20, cpu="Haswell")
    yield "both sides of 4 GiB", lambda: address_space("192M", 2 << 20, machine="q35,max-ram-below-4g=64M")
