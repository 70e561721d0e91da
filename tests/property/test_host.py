"""The machine's parsers against any bytes: they say ValueError or the truth, and nothing else."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.literals.mounts import mount_line
from tmux_exporter.sources.host import parse as host_parse
from tmux_exporter.sources.host.mounts import Mount, local_mounts, parse_mounts

PARSERS: list[Callable[[bytes], object]] = [
    host_parse.parse_memory, host_parse.parse_cpu, host_parse.parse_load, host_parse.parse_disks,
    host_parse.parse_networks, host_parse.parse_speed, host_parse.parse_pressure, host_parse.parse_number,
    parse_mounts,
]  # fmt: skip
SEEDS = [
    b"MemTotal: 1 kB\nMemAvailable: 1 kB\n",
    b"cpu  1 2 3 4 5 6 7 8 9 10\n",
    b"1.00 2.00 3.00 1/2 3\n",
    b" 8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n",
    b"a\nb\n eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
    b"some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n",
    b"1 0 8:1 / / rw - ext4 /dev/sda rw\n",
]
NAME = st.binary(min_size=1, max_size=12).filter(lambda name: b"/" not in name and b"\0" not in name)
POINT = st.lists(NAME, max_size=4).map(lambda names: b"/" + b"/".join(names))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    raw = draw(st.sampled_from(SEEDS))
    start = draw(st.integers(0, len(raw)))
    return raw[:start] + draw(st.binary(max_size=8)) + raw[draw(st.integers(start, len(raw))) :]


@pytest.mark.parametrize("parse", PARSERS)
@given(raw=st.binary(max_size=80) | damaged())
def test_anything_parses_or_is_refused(parse: Callable[[bytes], object], raw: bytes) -> None:
    try:
        parse(raw)
    except ValueError:
        return


@given(point=POINT, root=POINT)
def test_paths_are_read_back_whatever_their_bytes(point: bytes, root: bytes) -> None:
    (mount,) = parse_mounts(mount_line(7, 1, point, "ext4", root=root))
    assert (mount.point, mount.root) == (point, root)


MOUNT = st.builds(
    Mount,
    id=st.integers(0, 8),
    parent=st.integers(0, 8),
    device=st.sampled_from([b"8:1", b"8:2"]),
    root=st.just(b"/"),
    point=st.lists(st.sampled_from([b"a", b"b"]), max_size=3).map(lambda names: b"/" + b"/".join(names)),
    kind=st.sampled_from(["ext4", "tmpfs", "nfs4"]),
)


@given(mounts=st.lists(MOUNT, max_size=8, unique_by=lambda mount: mount.id), place=st.just(b"/a/b"))
def test_no_way_leads_over_a_server(mounts: list[Mount], place: bytes) -> None:
    by_id = {mount.id: mount for mount in mounts}
    for mount in local_mounts(mounts, (place,)):
        seen: set[int] = set()
        current: Mount | None = mount
        while current and current.id not in seen:
            assert current.kind != "nfs4"
            assert not any(
                other.id != current.id
                and other.parent == current.parent != other.id
                and current.point.startswith(other.point.rstrip(b"/") + b"/")
                and other.point != current.point
                for other in mounts
            ), "covered"
            seen.add(current.id)
            current = by_id.get(current.parent)
