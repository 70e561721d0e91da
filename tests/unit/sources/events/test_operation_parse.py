"""The line of an operation: what is written is read again, and nothing else is read at all."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tmux_exporter.facts.operations import OperationEnd
from tmux_exporter.sources.events.operation_parse import (
    MOST_MEMORY,
    MOST_NANOSECONDS,
    OtherVersionError,
    parse,
)
from tmux_exporter.wire.operation_line import (
    CLASSES,
    FAILURES,
    LONGEST,
    MOST_RETRIES,
    begin_line,
    end_line,
    is_name,
)

STREAM = "0123456789abcdef"
TRACE = "0af7651916cd43dd8448eb211c80319c"
BEGIN = begin_line(STREAM, 1, 77, "recovery")
names = st.from_regex(r"[a-z][a-z0-9_]{0,47}", fullmatch=True)
numbers = st.integers(1, 2**63)


@given(names, numbers, st.integers(0, 2**64 - 1))
def test_a_begin_is_read_as_it_was_written(name: str, sequence: int, socket: int) -> None:
    line = begin_line(STREAM, sequence, socket, name)
    report = parse(line, 5, socket)
    assert (report.pid, report.stream, report.sequence, report.operation) == (5, STREAM, sequence, name)
    assert report.judged
    assert report.end is None
    assert not parse(line, 5, socket + 1).judged


ends = st.fixed_dictionaries(
    {
        "began": st.integers(0, 2**63),
        "nanoseconds": st.integers(0, MOST_NANOSECONDS),
        "failure": st.sampled_from([None, *FAILURES]),
        "retries": st.integers(0, MOST_RETRIES),
        "memory_bytes": st.none() | st.integers(-MOST_MEMORY, MOST_MEMORY),
        "trace": st.sampled_from([None, TRACE]),
    }
)


@given(names, numbers, ends)
def test_an_end_is_read_as_it_was_written(name: str, sequence: int, end: dict[str, Any]) -> None:
    line = end_line(STREAM, sequence, 2**64 - 1, name, **end)
    assert len(line) <= LONGEST
    assert parse(line, 5, 1).end == OperationEnd(
        began=end["began"],
        seconds=end["nanoseconds"] / 1e9,
        failure=end["failure"],
        retries=end["retries"],
        memory_bytes=end["memory_bytes"],
        trace=end["trace"] or "",
    )


REFUSED = [
    b"", b"\n", b" \n", b"tmux-op/1\n", b"tmux-op/1 \n", BEGIN[:-1], BEGIN + b"\n", BEGIN + BEGIN,
    BEGIN.replace(b" ", b"  ", 1), BEGIN.replace(b"begin", b"end"), BEGIN.replace(b"begin", b"start"),
    BEGIN.replace(b" 1 ", b" 0 "), BEGIN.replace(b" 1 ", b" 01 "), BEGIN.replace(b" 1 ", b" -1 "),
    BEGIN.replace(b" 1 ", b" 1_0 "), BEGIN.replace(b" 1 ", "\u0661".encode().join([b" ", b" "])),
    BEGIN.replace(b" 1 ", b" 9223372036854775809 "), BEGIN.replace(b" 1 ", b" " + b"9" * 200 + b" "),
    BEGIN.replace(STREAM.encode(), STREAM.encode().upper()), BEGIN.replace(STREAM.encode(), b"short"),
    BEGIN.replace(b"recovery", b"?"), BEGIN.replace(b"recovery", b"Recovery"),
    BEGIN.replace(b"recovery", b"9lives"), BEGIN.replace(b"recovery", b"a" * 49),
    BEGIN.replace(b"recovery", b're"covery{x="1"}'), BEGIN.replace(b"recovery", "récovery".encode()),
    BEGIN.replace(b"recovery", b"re\0covery"), BEGIN.replace(b"recovery", b"recovery\r"),
    b"tmux-op/1 end 0123456789abcdef 2 77 recovery 1 5 happy 0 - -\n",
    b"tmux-op/1 end 0123456789abcdef 2 77 recovery 1 -5 ok 0 - -\n",
    b"tmux-op/1 end 0123456789abcdef 2 77 recovery 1 nan ok 0 - -\n",
    b"tmux-op/1 end 0123456789abcdef 2 77 recovery 1 1e9 ok 0 - -\n",
    b"tmux-op/1 end 0123456789abcdef 2 77 recovery 1 9999999999999999999 ok 0 - -\n",
    b"tmux-op/1 end 0123456789abcdef 2 77 recovery 1 5 ok 1000001 - -\n",
    b"tmux-op/1 end 0123456789abcdef 2 77 recovery 1 5 ok 0 --5 -\n",
    b"tmux-op/1 end 0123456789abcdef 2 77 recovery 1 5 ok 0 9999999999999999 -\n",
    b"tmux-op/1 end 0123456789abcdef 2 77 recovery 1 5 ok 0 - secret\n", b"{}\n", b"x" * LONGEST + b"\n",
]  # fmt: skip


@pytest.mark.parametrize("datagram", REFUSED)
def test_what_is_not_exactly_such_a_line_is_refused(datagram: bytes) -> None:
    with pytest.raises(ValueError) as refused:
        parse(datagram, 5, 77)
    assert not isinstance(refused.value, OtherVersionError)


@given(st.binary(max_size=400) | st.sampled_from(REFUSED).flatmap(lambda r: st.binary().map(r.__add__)))
def test_no_datagram_does_more_than_be_refused(datagram: bytes) -> None:
    # What lacks nothing but its end may be given that.
    assume(not datagram.startswith(BEGIN[:-1]) or datagram.count(b"\n") != 1)
    with pytest.raises(ValueError):
        parse(datagram, 5, 77)


@pytest.mark.parametrize("version", [b"tmux-op/2 ", b"tmux-op/10 ", b"tmux-op/0 "])
def test_another_version_is_told_from_nonsense(version: bytes) -> None:
    with pytest.raises(OtherVersionError):
        parse(version + b"whatever comes with it\n", 5, 77)


def test_names() -> None:
    assert all(is_name(name) for name in (*CLASSES, "a", "a" * 48, "code_review_2"))
    wrong: list[object] = ["", "A", "1a", "_a", "a-b", "a b", "ä", "a" * 49, None, 7, b"a", ["a"]]
    assert not any(is_name(name) for name in wrong)
