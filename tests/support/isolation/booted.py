"""This machine's systemd, booted as the first process of namespaces of its own, over a copy of this root.

What is written inside goes to memory and is gone afterwards; nothing runs that this machine has enabled. So
units are tried as they are installed, without an emulated machine. It needs root and cgroup v2 somewhere.
"""

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes.run_text import run_text
from tests.support.wait import wait_for

BOOT = """
set -e
base=$1 shared=$2 root=$1/root
mount --make-rprivate /
mount -t tmpfs tmpfs $base; mkdir $base/upper $base/work $root
mount -t overlay overlay -o lowerdir=/,upperdir=$base/upper,workdir=$base/work $root
for each in proc sys dev run tmp; do mkdir -p $root/$each; done
mount -t proc proc $root/proc
mount -t sysfs -o ro sysfs $root/sys
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs $root/dev
for each in null zero full random urandom tty; do
    touch $root/dev/$each; mount --bind /dev/$each $root/dev/$each
done
mkdir $root/dev/pts $root/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts $root/dev/pts
mount -t tmpfs -o mode=1777 tmpfs $root/dev/shm
ln -s pts/ptmx $root/dev/ptmx
ln -s /proc/self/fd $root/dev/fd; ln -s fd/0 $root/dev/stdin; ln -s fd/1 $root/dev/stdout
mount -t tmpfs -o mode=755 tmpfs $root/run
mount -t tmpfs -o mode=1777 tmpfs $root/tmp
mkdir -p $root$shared; mount --bind $shared $root$shared
ip link set lo up
mkdir -p $root/old; cd $root; pivot_root . old; cd /; umount -l old
rm -rf etc/systemd/system/*.wants etc/systemd/system/*.requires etc/machine-id; : >etc/fstab
for each in timesyncd networkd resolved udevd; do
    ln -sf /dev/null etc/systemd/system/systemd-$each.service
done
echo 0123456789abcdef0123456789abcdef >etc/machine-id
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    /lib/systemd/systemd --system --unit=multi-user.target
"""


class Booted:
    """A machine by the pid that its first process has outside."""

    def __init__(self, pid: int) -> None:
        self._enter = ("nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-C", "--root", "--wd=/")

    def is_up(self) -> bool:
        return self.run("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """A command of its root to its end."""
        path = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return run_text((*self._enter, "env", "-i", path, "HOME=/root", *words), timeout=timeout)


@contextmanager
def booted(base: Path, shared: Path) -> Iterator[Booted]:
    """Boot it over an empty folder, with one folder of this machine; at the end all of it is ended."""
    for needed in ("unshare", "nsenter", "ip", "/lib/systemd/systemd", "dbus-daemon"):
        assert shutil.which(needed), f"{needed} is missing: deploy/setup check"
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    trees = [Path(each[1]) for each in mounts if each[2] == "cgroup2"]
    assert trees, "no cgroup v2 is mounted here"
    cgroup = trees[0] / f"booted-{secrets.token_hex(4)}"
    cgroup.mkdir()
    kinds = ("--mount", "--pid", "--ipc", "--uts", "--net", "--cgroup")
    entering = (
        f'echo $$ >{cgroup}/cgroup.procs; exec unshare {" ".join(kinds)} --fork --kill-child sh -c "$@"'
    )
    with (base.parent / f"{base.name}.log").open("wb") as log:
        outer = subprocess.Popen(
            ["sh", "-c", entering, "-", BOOT, "-", str(base), str(shared)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        first = wait_for(lambda: _read(cgroup / "init.scope" / "cgroup.procs"), "systemd is up", 60)
        machine = Booted(int(first.split()[0]))
        wait_for(machine.is_up, "systemd has started all", 120)
        yield machine
    finally:
        outer.kill()
        outer.wait()
        wait_for(lambda: _is_empty(cgroup), "all its processes are gone", 60)
        for folder in sorted((each for each in cgroup.rglob("*") if each.is_dir()), reverse=True):
            folder.rmdir()
        cgroup.rmdir()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _is_empty(cgroup: Path) -> bool:
    return "populated 0" in (cgroup / "cgroup.events").read_text()
