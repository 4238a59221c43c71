"""Every medium a PC can boot from, in QEMU; disk and floppy in Bochs on a CPU with and on one without 1 GiB pages."""
import os
import shutil

import vm


def boots(medium, machine):
    vm.boot(vm.guest("hello"), ["two words", ""], medium=medium, machine=machine, name="hello").expect(
        0, b"hello\narg hello\narg two words\narg \n")


def boots_in_bochs(medium, cpu):
    with vm.directory() as tmp:
        vm.mkimage(tmp / "disk.img", vm.guest("hello"), ["in Bochs"], name="hello", floppy=tmp / "floppy.img")
        vm.bochs(tmp / f"{medium}.img", cpu=cpu, medium=medium).expect(0, b"hello\narg hello\narg in Bochs\n")


def big_program():
    """256 MiB of program through the BIOS, with progress in the log when it takes more than a second."""
    with vm.directory() as tmp:
        shutil.copy(vm.guest("hello"), tmp / "big")
        os.truncate(tmp / "big", 256 << 20)
        result = vm.boot(tmp / "big", name="big", memory="1G").expect(0, b"hello\narg big\n")
        vm.expect_in("size in the log", "KiB from drive 80h (EDD)", result.log)


def tests():
    yield "256 MiB program", big_program
    for cpu in "corei7_haswell_4770", "corei7_sandy_bridge_2600k":
        for medium in "floppy", "disk":
            yield f"bochs {medium} {cpu}", lambda m=medium, c=cpu: boots_in_bochs(m, c)
    for machine, medium in vm.MEDIA:
        yield f"{machine} {medium}", lambda m=medium, t=machine: boots(m, t)
