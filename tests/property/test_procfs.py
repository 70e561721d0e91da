"""The parsers of /proc against any name and any bytes."""

from hypothesis import given
from hypothesis import strategies as st

from tmux_exporter.sources.processes.parse import (
    Stat,
    parse_argv,
    parse_boot_time,
    parse_environ,
    parse_io,
    parse_limits,
    parse_stat,
    parse_status,
    text,
)

COUNT = st.integers(min_value=0, max_value=2**63)
PID = st.integers(min_value=0, max_value=2**22)
STAT = st.builds(
    Stat, pid=PID, comm=st.binary(max_size=64).map(text), state=st.sampled_from("RSDZTtXxKWPI"), ppid=PID,
    pgid=PID, session_id=PID, tty=st.integers(min_value=0, max_value=2**31 - 1),
    foreground_pgid=st.integers(min_value=-1, max_value=2**22),
    flags=st.integers(min_value=0, max_value=2**32 - 1), cpu_ticks=COUNT, children_cpu_ticks=COUNT,
    threads=PID, start_ticks=COUNT, arg_start=COUNT,
)  # fmt: skip
KIB = st.none() | st.integers(min_value=0, max_value=2**50)
KEPT = frozenset({"TMUX", "TMUX_PANE", "AI_AGENT"})


def line(stat: Stat, system_share: int) -> bytes:
    """The line that the kernel writes for `stat`, `system_share` ticks of each kind spent in the kernel."""
    system = min(system_share, stat.cpu_ticks)
    children_system = min(system_share, stat.children_cpu_ticks)
    fields = [stat.state, stat.ppid, stat.pgid, stat.session_id, stat.tty, stat.foreground_pgid, stat.flags]
    fields += [1, 2, 3, 4, stat.cpu_ticks - system, system]
    fields += [stat.children_cpu_ticks - children_system, children_system]
    fields += [20, 0, stat.threads, 0, stat.start_ticks, *[6] * 25, stat.arg_start, 7, 8, 9, 0]
    name = stat.comm.encode("utf-8", "surrogateescape")
    return b"%d (%b) %b\n" % (stat.pid, name, " ".join(map(str, fields)).encode())


@given(stat=STAT, system_share=st.integers(min_value=0, max_value=1000))
def test_stat_is_read_back_whatever_the_name(stat: Stat, system_share: int) -> None:
    assert parse_stat(line(stat, system_share)) == stat


@given(stat=STAT, before=st.binary(max_size=10), after=st.binary(max_size=10))
def test_a_name_that_imitates_the_line_shifts_no_field(stat: Stat, before: bytes, after: bytes) -> None:
    hostile = stat._replace(comm=text(before + b") R 1 1 (" + after))
    assert parse_stat(line(hostile, 0)) == hostile


@given(name=st.binary(max_size=15), resident=KIB, anonymous=KIB, shared=KIB, swap=KIB)
def test_status_gives_what_is_written_and_none_for_the_rest(
    name: bytes, resident: int | None, anonymous: int | None, shared: int | None, swap: int | None
) -> None:
    raw = b"Name:\t" + name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n") + b"\nUmask:\t0022\n"
    lines = {b"VmRSS": resident, b"RssAnon": anonymous, b"RssFile": 5, b"RssShmem": shared, b"VmSwap": swap}
    for key, value in lines.items():
        if value is not None:
            raw += b"%s:\t%8d kB\n" % (key, value)
    status = parse_status(raw + b"Threads:\t1\n")
    read = (status.resident_bytes, status.anonymous_bytes, status.shared_memory_bytes, status.swap_bytes)
    written = (resident, anonymous, shared, swap)
    assert read == tuple(None if value is None else value * 1024 for value in written)


@given(raw=st.binary(max_size=400) | st.binary(max_size=60).map(lambda raw: b"1 (x) S 1 1 1 0 -1 " + raw))
def test_garbage_is_refused_by_value_error_alone(raw: bytes) -> None:
    for parse in (parse_stat, parse_status, parse_io, parse_limits, parse_boot_time):
        try:
            parse(raw)
        except ValueError:
            continue


@given(raw=st.binary(max_size=300))
def test_argv_loses_no_byte(raw: bytes) -> None:
    rebuilt = b"\0".join(argument.encode("utf-8", "surrogateescape") for argument in parse_argv(raw + b"\0"))
    assert rebuilt == raw


@given(
    variables=st.lists(
        st.tuples(
            st.sampled_from([b"TMUX", b"TMUX_PANE", b"HOME", b"AI_AGENT_", b"XAI_AGENT"]),
            st.binary(max_size=30).filter(lambda value: b"\0" not in value),
        ),
        max_size=8,
    ),
    size=st.integers(min_value=1, max_value=40),
)
def test_environ_is_the_same_however_it_is_cut(variables: list[tuple[bytes, bytes]], size: int) -> None:
    raw = b"".join(name + b"=" + value + b"\0" for name, value in variables)
    chunks = [raw[start : start + size] for start in range(0, len(raw), size)]
    expected: dict[str, str] = {}
    for name, value in variables:
        if text(name) in KEPT:
            expected.setdefault(text(name), text(value))
    assert parse_environ(chunks, KEPT) == expected
