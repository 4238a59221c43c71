"""Boots with memory maps that no emulator makes: firmware.asm answers int 15h in the firmware's place. What the log says
of linear memory must be what ./build.sh memmap says of the same map."""
import re

import firmware
import vm

GIB = 1 << 30


def real(name):
    lines = (line.split() for line in (vm.ROOT / f"test/maps/real/{name}.e820").read_text().splitlines() if line[:1] != "#")
    return [tuple(int(word, 16) for word in words) for words in lines if words]


def boots(entries, cpu, *options):
    # What this machine has, whatever the map says: an EBDA, and no memory between 3 and 4 GiB.
    entries = entries + [(0x9B000, 0x5000, 2), (3 * GIB, GIB, 2)]
    size = f"{max(6, *(base + length for base, length, kind in entries if kind == 1)) // GIB + 2}G"
    extra = ["-object", f"memory-backend-ram,id=m0,size={size},reserve=off"]
    with vm.directory() as tmp:
        image = vm.mkimage(tmp / "disk.img", vm.guest("hello"), name="hello")
        (tmp / "map").write_text("".join("%x %x %x\n" % entry for entry in entries))
        first = firmware.shim(tmp / "first.img", map=entries)
        result = vm.qemu(first, medium="ide", cpu=cpu, memory=size, machine="pc,memory-backend=m0",
                         extra=[*extra, "-drive", f"file={image},format=raw,if=ide,index=1"]).expect(0, b"hello\narg hello\n")
        text = vm.run(["./build.sh", "memmap", tmp / "map", "--image", image, *options]).decode()
    vm.expect("runs in the log", re.findall(r"memory: (0x\w+ 0x\w+ \d+ \w\w)\n", result.log),
              re.findall(r"(?m)^0x\w+ 0x\w+ \d+ \w\w$", text))
    share = re.search(r"in the end \d+ KiB are linear or the first stack, (\d+\.\d\d) %", result.log)
    if not 95 < float(share[1]) <= 100:
        raise vm.Failed(f"{share[1]} % of what is usable is linear memory in the end")
    return result.log


def islands(size):
    """Pieces of 4 KiB or 2 MiB, a GiB apart: page tables come from below them."""
    low = [(0, 0x9F000, 1), (0x100000, 0x4000000, 1)]
    boots(low + [(at * GIB + size, size, 1) for at in range(4, 60)], "max,phys-bits=46")
    boots(low + [(at * GIB + size, size, 1) for at in range(4, 60)], "Haswell,phys-bits=46", "--no-1g")


def acpi_data():
    """32 MiB of it inside a usable entry come back, and do not count as usable."""
    log = boots([(0, 0x9F000, 1), (0x100000, 0x7F00000, 1), (0x2000000, 0x2000000, 3)], "max")
    vm.expect_in("the log", "of what is usable, and 32768 KiB that ACPI lent; ", log)
    usable, end = (int(re.search(pattern, log)[1]) for pattern in (r"memory: (\d+) KiB usable", r"in the end (\d+) KiB"))
    if not usable - 1024 < end <= usable < 96 << 10:
        raise vm.Failed(f"{end} KiB of {usable} are linear memory or the first stack in the end")


def tests():
    for name in "0065", "0285":
        yield f"{name} without 1 GiB pages", lambda n=name: boots(real(n), "Haswell,phys-bits=46", "--no-1g")
        # On AMD CPUs QEMU moves memory from 4 GiB to 1 TiB when it would reach into the hole below that.
        yield name, lambda n=name: boots(real(n), "max,vendor=GenuineIntel,phys-bits=46")
    for size in 4096, 2 << 20:
        yield f"islands of {size >> 10} KiB above 4 GiB", lambda s=size: islands(s)
    yield "ACPI data in usable memory", acpi_data
