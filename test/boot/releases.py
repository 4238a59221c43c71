"""The README's commands and all tests on three releases of Debian, each a bare system that debootstrap makes: `run` as
a user with sudo and as root, the tests as root, and images that are the same bytes wherever they are made. Takes a
quarter of an hour and 3 GB for each, the network, and root. Packages come from where apt of this machine has its own."""
import os
import re
import subprocess
import threading

import vm

RELEASES = {"12": "bookworm", "13": "trixie", "sid": "sid"}
HOURS = 3600
USER, ROOT = "/home/someone/vmos", "/root/vmos"  # where the tree lies, twice
PRODUCTS = ("vmos.img", "vmos-floppy.img", "vmos.iso")
ENVIRONMENT = {"HOME": "/root", "TERM": "dumb", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
# Mounts that nobody else sees, and processes that end with the first of them: after a timeout, too.
APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
# A /dev of the release's own, made anew for each command: what root deletes there is not this machine's. It has no
# disks and no loop devices, so that the test of a real stick is skipped there.
IN_ROOT = """
mount -t proc proc "$0/proc"
mount -t tmpfs -o mode=755 tmpfs "$0/dev"
mkdir -m 1777 "$0/dev/shm"
mkdir "$0/dev/pts"
mount -t devpts -o newinstance,mode=620,ptmxmode=666 devpts "$0/dev/pts"
ln -s pts/ptmx "$0/dev/ptmx"
ln -s /proc/self/fd "$0/dev/fd"
while read -r name major minor; do mknod -m 666 "$0/dev/$name" c "$major" "$minor"; done <<END
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
END
exec chroot "$0" sh -ec "$1"
"""
PREPARE = """
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends sudo
useradd -m someone
echo 'someone ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/someone
"""

one_at_a_time = threading.Lock()  # two of them would take each other's time, and tests have limits


def mirror():
    """The Debian archive of this machine's apt, as a word for debootstrap; none, its own choice, where apt has none."""
    try:
        listed = vm.run(["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)"]).decode()
    except (vm.Failed, FileNotFoundError):
        return []
    found = re.search(r"(?m)^Debian (\S+)$", listed)
    return [found[1]] if found else []


def inside(root, command, log):
    """Runs a shell command in the release, with /proc and /dev; what it says goes to the log. A failure names the tests
    that failed, else the end of the log."""
    start = log.stat().st_size if log.exists() else 0
    with open(log, "ab") as output:
        status = subprocess.run([*APART, "sh", "-ec", IN_ROOT, root, command], stdin=subprocess.DEVNULL,
                                stdout=output, stderr=output, env=ENVIRONMENT, timeout=3 * HOURS).returncode
    said = log.read_bytes()[start:].decode(errors="replace")
    if status:
        failed = [line[:300] for line in said.splitlines() if line.startswith("FAILED")]
        raise vm.Failed(f"{command.strip()[-80:]} ended with {status}; {log} has all of it: "
                        + (" / ".join(failed) or said[-600:]))
    return said


def prepare(root, suite, log):
    """The release with the committed tree in it, once for a user and once for root."""
    with open(log, "wb") as output:
        made = subprocess.run([*APART, "debootstrap", "--variant=minbase", suite, root, *mirror()], cwd=root.parent,
                              stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=HOURS)
    vm.expect(f"status of debootstrap, whose words are in {log}", made.returncode, 0)
    # how apt reaches the archive: proxies, and whether a copy of some age will do
    (root / "etc/apt/apt.conf.d/00host").write_bytes(vm.run(["apt-config", "dump", "Acquire"]))
    inside(root, PREPARE, log)
    for place in USER, ROOT:
        tree = root / place.lstrip("/")
        tree.mkdir()
        vm.run(["sh", "-c", 'git -c safe.directory=* archive HEAD | tar -x -C "$0"', tree])
    inside(root, f"chown -R someone: {USER}", log)


def images(root, log):
    """The same program, in two trees, one of them root's: the same bytes."""
    made = []
    for place, who in (USER, "someone"), (ROOT, "root"):
        inside(root, f"cd {place} && su {who} -c './build.sh image out/demo a b'", log)
        made.append([(root / place.lstrip("/") / "out" / name).read_bytes() for name in PRODUCTS])
    for name, first, second in zip(PRODUCTS, *made):
        vm.expect(f"{name} built twice is the same", first == second, True)


def release(name):
    if os.geteuid():
        raise vm.Skipped("debootstrap needs root")
    log = vm.OUT / "test" / f"releases-{name}.log"
    with one_at_a_time, vm.directory() as tmp:
        root = tmp / "root"
        prepare(root, RELEASES[name], log)
        said = inside(root, f"cd {USER} && su someone -c './build.sh run'", log)
        vm.expect_in("what the demo says to a user", "memory map", said)
        vm.expect_in("what the demo says to root", "memory map", inside(root, f"cd {ROOT} && ./build.sh run", log))
        images(root, log)
        said = inside(root, f"cd {ROOT} && .ci/run", log)
        vm.expect_in("the last line of the tests", " passed, 0 failed", said.splitlines()[-1])


def more_tests():
    for name in RELEASES:
        yield name, lambda name=name: release(name)
