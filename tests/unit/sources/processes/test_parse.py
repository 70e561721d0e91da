"""The texts of /proc, line by line: what the kernel really writes, and what it must never be mistaken for."""

import pytest

from tmux_exporter.sources.processes.parse import (
    ARGV_LIMIT,
    VARIABLE_LIMIT,
    Stat,
    StatusMemory,
    parse_argv,
    parse_boot_time,
    parse_environ,
    parse_exe,
    parse_io,
    parse_limits,
    parse_stat,
    parse_status,
)

STAT = (
    b"7211 (tmux: server) S 7207 7208 3132 34816 7209 4194304 98 0 0 0 11 22 33 44 20 0 5 0 75163 3133440 "
    b"385 18446744073709551615 94556035538944 94556035558825 140722004749328 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 "
    b"0 94556035574832 94556035576448 94556681760768 140722004752913 140722004752946 140722004752946 "
    b"140722004754411 0\n"
)

STATUS = b"Name:\tsleep\nState:\tS (sleeping)\nVmRSS:\t    1724 kB\nRssAnon:\t     108 kB\n"
STATUS += b"RssFile:\t    1616 kB\nRssShmem:\t      12 kB\nVmSwap:\t       4 kB\nThreads:\t1\n"

IO = b"rchar: 6976\nwchar: 1\nsyscr: 10\nsyscw: 2\nread_bytes: 4096\nwrite_bytes: 8192\n"
IO += b"cancelled_write_bytes: 77\n"

LIMITS = b"Limit                     Soft Limit           Hard Limit           Units     \n"
LIMITS += b"Max processes             96365                96365                processes \n"
LIMITS += b"Max open files            1024                 20000                files     \n"
LIMITS += b"Max locked memory         8388608              8388608              bytes     \n"


def test_stat_gives_every_field_its_meaning() -> None:
    assert parse_stat(STAT) == Stat(
        pid=7211, comm="tmux: server", state="S", ppid=7207, pgid=7208, session_id=3132, tty=34816,
        foreground_pgid=7209, flags=4194304, cpu_ticks=33, children_cpu_ticks=77, threads=5,
        start_ticks=75163, arg_start=140722004752913,
    )  # fmt: skip


@pytest.mark.parametrize(
    "comm",
    [
        b"sh", b"", b") R 1 1 (", b")", b"(", b") ", b"a b c d", b"\n", b"x\ny) S 1", b"\xff\xfe\x80",
        "🤖".encode(), b"kworker/u9:2-events_unbound_and_more",
    ],
)  # fmt: skip
def test_a_name_shifts_no_field(comm: bytes) -> None:
    stat = parse_stat(STAT.replace(b"tmux: server", comm))
    assert stat.comm.encode("utf-8", "surrogateescape") == comm
    assert (stat.pid, stat.state, stat.ppid, stat.start_ticks) == (7211, "S", 7207, 75163)


def test_a_process_without_a_terminal_has_foreground_group_minus_one() -> None:
    stat = parse_stat(b"9 (x) S 1 9 9 0 -1 0 " + STAT.split(b"4194304 ", 1)[1])
    assert (stat.tty, stat.foreground_pgid) == (0, -1)


def test_a_kernel_thread_is_told_by_its_flag() -> None:
    assert not parse_stat(STAT).kernel_thread
    assert parse_stat(STAT.replace(b" 4194304 ", b" 2129984 ")).kernel_thread


def test_a_kernel_before_3_5_writes_no_arg_start() -> None:
    assert parse_stat(STAT.split(b" 94556035574832 ")[0] + b"\n").arg_start == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\n", b"7211", b"7211 (sh)", b"7211 (sh) ", b"7211 (sh) S 1 2 3\n", b"x (sh) S" + b" 1" * 49,
        b"1 (sh) SS" + b" 1" * 49, b"1 (sh) \xff" + b" 1" * 49, b"1 (sh) S" + b" y" * 49,
    ],
)  # fmt: skip
def test_what_is_no_stat_line_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        parse_stat(raw)


def test_status_gives_memory_in_bytes() -> None:
    assert parse_status(STATUS) == StatusMemory(
        resident_bytes=1724 * 1024,
        anonymous_bytes=108 * 1024,
        shared_memory_bytes=12 * 1024,
        swap_bytes=4 * 1024,
    )


def test_a_line_the_kernel_does_not_write_is_unknown_and_not_zero() -> None:
    before_4_5 = STATUS.replace(b"RssAnon:\t     108 kB\n", b"").replace(b"RssShmem:\t      12 kB\n", b"")
    status = parse_status(before_4_5)
    assert (status.anonymous_bytes, status.shared_memory_bytes) == (None, None)
    assert (status.resident_bytes, status.swap_bytes) == (1724 * 1024, 4 * 1024)


def test_a_process_without_memory_has_no_memory_lines() -> None:
    assert parse_status(b"Name:\tkthreadd\nKthread:\t1\nThreads:\t1\n") == StatusMemory(
        resident_bytes=None, anonymous_bytes=None, shared_memory_bytes=None, swap_bytes=None
    )


def test_a_name_with_newlines_forges_no_line() -> None:
    # prctl(PR_SET_NAME, "\nVmRSS:\t1 kB"): the kernel writes the newline as two characters.
    assert parse_status(b"Name:\t\\nVmRSS:\t1 kB\nState:\tS\n").resident_bytes is None


@pytest.mark.parametrize("line", [b"VmRSS:\tmany kB\n", b"VmRSS:\t12 MB\n", b"VmRSS:\t12", b"VmRSS:\t kB\n"])
def test_a_memory_line_of_another_shape_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        parse_status(b"Name:\tx\n" + line)


def test_io_is_what_reached_storage() -> None:
    assert parse_io(IO) == (4096, 8192)


@pytest.mark.parametrize(
    "raw", [b"", b"rchar: 1\n", IO.replace(b"\nwrite_bytes: 8192", b""), IO.replace(b"4096", b"")]
)
def test_io_without_its_lines_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="io: no read_bytes"):
        parse_io(raw)


def test_limits_give_the_soft_limit_of_open_files() -> None:
    assert parse_limits(LIMITS) == 1024
    assert parse_limits(LIMITS.replace(b"1024     ", b"unlimited")) is None


def test_limits_without_open_files_are_refused() -> None:
    with pytest.raises(ValueError, match="limits: no line"):
        parse_limits(LIMITS.replace(b"Max open files", b"Max open doors"))


@pytest.mark.parametrize(
    ("raw", "argv"),
    [
        (b"sleep\x00600\0", ("sleep", "600")),
        (b"bash\0-c\0sleep 5 && true\0", ("bash", "-c", "sleep 5 && true")),
        (b"prog\0\0\0", ("prog", "", "")),
        (b"\0", ("",)),
        (b"nginx: worker process", ("nginx: worker process",)),
        (b"a\nb\0\xff\0", ("a\nb", "\udcff")),
    ],
)
def test_argv_keeps_every_argument(raw: bytes, argv: tuple[str, ...]) -> None:
    assert parse_argv(raw) == argv


def test_argv_is_cut_at_its_limit() -> None:
    assert parse_argv(b"prog\0" + b"x" * (3 * ARGV_LIMIT) + b"\0tail\0") == ("prog", "x" * (ARGV_LIMIT - 5))


def test_a_program_that_was_replaced_is_still_that_program() -> None:
    assert parse_exe(b"/opt/claude/versions/2.1 (deleted)") == "/opt/claude/versions/2.1"
    assert parse_exe(b"/usr/bin/\xff (deleted) x") == "/usr/bin/\udcff (deleted) x"


KEPT = frozenset({"TMUX", "TMUX_PANE"})
ENVIRON = b"HOME=/root\0TMUX=/tmp/s,12,0\0SECRET=TMUX_PANE=%9\0TMUX_PANE=%3\0TMUX=second\0XTMUX=1\0TMUX\0"


def test_environ_keeps_the_named_variables_and_nothing_else() -> None:
    assert parse_environ([ENVIRON], KEPT) == {"TMUX": "/tmp/s,12,0", "TMUX_PANE": "%3"}


def test_environ_may_be_cut_anywhere() -> None:
    whole = parse_environ([ENVIRON], KEPT)
    for cut in range(len(ENVIRON) + 1):
        assert parse_environ([ENVIRON[:cut], ENVIRON[cut:]], KEPT) == whole
    assert parse_environ([ENVIRON[i : i + 1] for i in range(len(ENVIRON))], KEPT) == whole


def test_an_empty_environ_is_known_to_be_empty() -> None:
    assert parse_environ([], KEPT) == {}


def test_a_last_variable_without_its_terminator_counts() -> None:
    assert parse_environ([b"A=1\0TMUX=x"], KEPT) == {"TMUX": "x"}


@pytest.mark.parametrize("size", [VARIABLE_LIMIT, 7, 100_000])
def test_a_long_variable_is_cut_and_hides_no_other(size: int) -> None:
    raw = b"PATH=" + b"p" * 50_000 + b"\0TMUX=" + b"t" * 50_000 + b"\0TMUX_PANE=%1\0"
    chunks = [raw[start : start + size] for start in range(0, len(raw), size)]
    assert parse_environ(chunks, KEPT) == {"TMUX": "t" * (VARIABLE_LIMIT - 5), "TMUX_PANE": "%1"}


def test_boot_time_is_the_line_of_its_own() -> None:
    assert (
        parse_boot_time(b"cpu  1 2 3\nintr 9 9\nctxt 5\nbtime 1700000000\nprocesses 7\n") == 1_700_000_000.0
    )
    with pytest.raises(ValueError, match="stat: no btime"):
        parse_boot_time(b"cpu  1 2 3\n")
