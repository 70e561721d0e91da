"""Which file systems are asked for their space: hostile mount points, mounts over mounts, hung servers."""

import os
from pathlib import Path

import pytest

from tests.support.literals.mounts import mount_line, own_mount
from tmux_exporter.sources.host.mounts import Mount, local_mounts, parse_mounts, space

PLACES = (b"/home/ann", b"/home/ann/.local/state/tmux-exporter", b"/tmp")

HOSTILE = [
    b"/mnt/with blank", b"/mnt/two\nlines", b"/mnt/tab\tand\rreturn \x0b\x85",
    b"/mnt/a \\040 that is no blank", b"/mnt/hash#sign", b"/mnt/\xff\xfe caf\xe9",
    b'/mnt/"} 1 - ext4 /dev/sda1 rw', "/mnt/🦊".encode(),
]  # fmt: skip

LOCAL = ("ext4", "xfs", "btrfs", "zfs", "vfat")
REMOTE = ("nfs4", "cifs", "fuse.sshfs", "fuseblk", "9p", "virtiofs", "autofs", "ceph")
ROOT = mount_line(1, 0, b"/", "ext4", device=b"8:1")


def shown(*lines: bytes, places: tuple[bytes, ...] = PLACES) -> list[bytes]:
    return [mount.point for mount in local_mounts(parse_mounts(b"".join(lines)), places)]


def test_a_line_is_taken_apart() -> None:
    line = b"36 35 98:0 /mnt1 /mnt/x rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n"
    assert parse_mounts(line) == (
        Mount(id=36, parent=35, device=b"98:0", root=b"/mnt1", point=b"/mnt/x", kind="ext3"),
    )
    assert parse_mounts(line.replace(b"master:1 shared:7 ", b""))[0].kind == "ext3"


@pytest.mark.parametrize("point", HOSTILE)
def test_a_mount_point_may_hold_any_byte(point: bytes) -> None:
    (root, mount) = parse_mounts(ROOT + mount_line(2, 1, point, "xfs", device=b"8:2"))
    assert (root.point, mount.point, mount.kind) == (b"/", point, "xfs")


@pytest.mark.parametrize(
    "line",
    [
        b"36 35 98:0 / /mnt rw,noatime ext3 /dev/root rw\n",
        b"36 35 98:0 / /mnt rw -\n",
        b"x 35 98:0 / /mnt rw - ext3 /dev/root rw\n",
        b"36\n",
    ],
)
def test_a_malformed_line_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="mountinfo"):
        parse_mounts(ROOT + line)


def test_all_disks_are_asked_and_nothing_that_a_server_holds() -> None:
    lines = [
        mount_line(number, 1, b"/mnt/" + kind.encode(), kind, device=b"9:%d" % number)
        for number, kind in enumerate(
            (*LOCAL, *REMOTE, "proc", "tmpfs", "overlay", "squashfs", "kind of tomorrow"), start=2
        )
    ]
    assert shown(ROOT, *lines) == [b"/", *(b"/mnt/" + kind.encode() for kind in LOCAL)]


def test_what_lives_in_memory_is_asked_where_a_place_is_on_it() -> None:
    lines = (
        ROOT,
        mount_line(2, 1, b"/tmp", "tmpfs", device=b"0:2"),
        mount_line(3, 1, b"/run", "tmpfs", device=b"0:3"),
        mount_line(4, 1, b"/home", "overlay", device=b"0:4"),
        mount_line(5, 4, b"/home/ann/.local", "tmpfs", device=b"0:5"),
        mount_line(6, 4, b"/home/anna", "tmpfs", device=b"0:6"),
    )
    assert shown(*lines) == [b"/tmp", b"/home", b"/home/ann/.local", b"/"]
    assert shown(*lines, places=(b"/srv",)) == [b"/"]


def test_the_root_of_a_container_is_asked() -> None:
    assert shown(mount_line(1, 0, b"/", "overlay")) == [b"/"]
    # A namespace's first mount is its own parent.
    assert shown(mount_line(1, 1, b"/", "overlay"), mount_line(2, 1, b"/srv", "ext4", device=b"8:2")) == [
        b"/",
        b"/srv",
    ]


def test_no_place_on_a_network_is_asked() -> None:
    assert shown(ROOT, mount_line(2, 1, b"/home", "nfs4", device=b"0:2")) == [b"/"]


def test_a_disk_behind_a_network_is_not_asked() -> None:
    net = mount_line(2, 1, b"/net", "nfs4", device=b"0:2")
    assert shown(ROOT, net, mount_line(3, 2, b"/net/disk", "ext4", device=b"8:3")) == [b"/"]
    on_it = mount_line(3, 2, b"/net", "ext4", device=b"8:3")
    assert shown(ROOT, net, on_it) == [b"/"], "the way leads over the network's mount point"


def test_a_disk_that_a_network_covers_is_not_asked() -> None:
    disk = mount_line(2, 1, b"/data/disk", "ext4", device=b"8:2")
    assert shown(ROOT, disk) == [b"/", b"/data/disk"]
    assert shown(ROOT, disk, mount_line(3, 1, b"/data", "nfs4", device=b"0:3")) == [b"/"]
    assert shown(ROOT, disk, mount_line(3, 2, b"/data/disk", "nfs4", device=b"0:3")) == [b"/"]
    below = mount_line(4, 2, b"/data/disk/deep", "ext4", device=b"8:4")
    assert shown(ROOT, disk, below) == [b"/", b"/data/disk", b"/data/disk/deep"]
    assert shown(ROOT, disk, below, mount_line(3, 1, b"/data", "nfs4", device=b"0:3")) == [b"/"]


def test_of_mounts_over_each_other_the_last_is_asked() -> None:
    first = mount_line(2, 1, b"/data", "ext4", device=b"8:2")
    assert shown(ROOT, first, mount_line(3, 2, b"/data", "xfs", device=b"8:3")) == [b"/", b"/data"]
    (_, found) = local_mounts(
        parse_mounts(ROOT + first + mount_line(3, 2, b"/data", "xfs", device=b"8:3")), ()
    )
    assert found.kind == "xfs"


def test_mounts_of_containers_are_left_out() -> None:
    pod = mount_line(2, 1, b"/var/lib/kubelet/pods/6f0c/volumes/pvc", "ext4", device=b"8:2")
    assert shown(ROOT, pod) == [b"/"]
    assert shown(ROOT, pod, places=(b"/var/lib/kubelet/pods/6f0c/volumes/pvc/home",)) == [
        b"/",
        b"/var/lib/kubelet/pods/6f0c/volumes/pvc",
    ]


def test_of_one_file_system_the_whole_comes_before_its_parts() -> None:
    part = mount_line(2, 1, b"/a", "ext4", device=b"8:2", root=b"/volumes/a")
    whole = mount_line(3, 1, b"/somewhere/else", "ext4", device=b"8:2")
    again = mount_line(4, 3, b"/somewhere/else/again", "ext4", device=b"8:2")
    assert shown(again, part, whole, ROOT) == [b"/", b"/somewhere/else", b"/somewhere/else/again", b"/a"]


def test_circles_end() -> None:
    shown(mount_line(1, 2, b"/", "ext4"), mount_line(2, 1, b"/x", "ext4"))


@pytest.mark.parametrize("name", [b"two\nlines", b"tab\tblank \\040", b"\xff\xfe"])
def test_a_mount_is_asked_whatever_its_name(tmp_path: Path, name: bytes) -> None:
    folder = os.path.join(os.fsencode(tmp_path), name)
    os.mkdir(folder)
    mount = Mount(id=own_mount(folder), parent=0, device=b"8:1", root=b"/", point=folder, kind="ext4")
    found, really = space(mount, "/proc"), os.statvfs(folder)
    assert found and found.size_bytes == really.f_blocks * really.f_frsize
    assert abs(found.available_bytes - really.f_bavail * really.f_frsize) < 2**30
    assert found.inodes == (really.f_files or None)
    assert found.available_inodes is None or abs(found.available_inodes - really.f_favail) < 100_000


def test_another_mount_of_that_path_is_not_asked(tmp_path: Path) -> None:
    point = os.fsencode(tmp_path)
    gone = Mount(
        id=own_mount(point) + 1_000_000, parent=0, device=b"8:1", root=b"/", point=point, kind="ext4"
    )
    assert space(gone, "/proc") is None


def test_what_is_no_folder_is_not_asked(tmp_path: Path) -> None:
    here = own_mount(os.fsencode(tmp_path))
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/")
    for name in ("file", "link", "nothing"):
        point = os.fsencode(tmp_path / name)
        assert (
            space(Mount(id=here, parent=0, device=b"", root=b"/", point=point, kind="ext4"), "/proc") is None
        )
