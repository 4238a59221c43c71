"""Debian's cloud kernel as one would boot it for a single program: the program as /init in an initramfs, nothing else.
The package is downloaded and unpacked below out/, never installed."""
import gzip
import io
import re
import struct
import subprocess
import tarfile

import vm

HERE = vm.OUT / "bench" / "linux"
META = "linux-image-cloud-amd64"
# norandmaps and nokaslr: every boot executes the same. quiet: what a serial line costs is not Linux's fault.
COMMAND = "console=ttyS0 quiet panic=-1 nokaslr norandmaps"
GRUB = "/usr/lib/grub/i386-pc"


def package():
    depends = vm.run(["apt-cache", "depends", META]).decode()
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if not found:
        raise vm.Failed(f"apt knows no kernel behind {META}; apt-get update may help")
    return found[1]


def kernel():
    """The bzImage and its version."""
    name = package()
    version = name.removeprefix("linux-image-")
    image = HERE / "root" / "boot" / f"vmlinuz-{version}"
    if not image.exists():
        HERE.mkdir(parents=True, exist_ok=True)
        for old in HERE.glob("*.deb"):
            old.unlink()
        # APT drops root's rights for a download, and says so where it cannot
        vm.run(["sh", "-c", f"cd '{HERE}' && apt-get -qq -o APT::Sandbox::User=root download {name}"], timeout=600)
        vm.run(["dpkg-deb", "-x", *HERE.glob("*.deb"), HERE / "root"], timeout=120)
    return image, version


def entry(name, mode, data=b"", device=(0, 0)):
    """One member of a "newc" archive (Linux's Documentation/driver-api/early-userspace/buffer-format.rst)."""
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def initramfs(program, path):
    archive = entry("dev", 0o040755) + entry("dev/console", 0o020600, device=(5, 1))
    archive += entry("init", 0o100755, program.read_bytes()) + entry("TRAILER!!!", 0)
    path.write_bytes(gzip.compress(archive, mtime=0))
    return path


def grub_disk(image, initrd, path):
    """A disk whose boot sector, gap and partition are GRUB's, its core image and a tar archive with both files; made
    without mounting anything. None: GRUB's tools are not installed."""
    try:
        subprocess.run(["grub-mkimage", "--version"], check=True, capture_output=True)
        sector = bytearray(open(f"{GRUB}/boot.img", "rb").read())
    except (OSError, subprocess.CalledProcessError):
        return None
    early = path.with_suffix(".cfg")
    early.write_text(f"linux (hd0,msdos1)/vmlinuz {COMMAND}\ninitrd (hd0,msdos1)/initrd\nboot\n")
    core = path.with_suffix(".core")
    vm.run(["grub-mkimage", "-O", "i386-pc", "-o", core, "-c", early, "-p", "/", "biosdisk", "part_msdos", "tar", "linux",
            "boot"])
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, file in ("vmlinuz", image), ("initrd", initrd):
            member = tarfile.TarInfo(name)
            member.size = file.stat().st_size
            with open(file, "rb") as stream:
                tar.addfile(member, stream)
    first, data = 2048, archive.getvalue()
    sectors = -(-len(data) // 512)
    sector[446:510] = bytes(64)  # GRUB's floppy code, which would make nonsense of the table's other entries
    sector[446:462] = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0xDA, b"\xfe\xff\xff", first, sectors)
    body = bytes(sector) + core.read_bytes()
    if len(body) > first * 512:
        raise vm.Failed("GRUB's core image does not fit in front of the partition")
    size = -(-(first + sectors) // 1008) * 1008 * 512
    path.write_bytes((body + b"\0" * (first * 512 - len(body)) + data).ljust(size, b"\0"))
    return path
