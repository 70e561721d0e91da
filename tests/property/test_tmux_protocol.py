"""The encoder against the checker, and answers cut anywhere, for any nonce, pid, version and text."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.tmux.hostile import finished, opened, output
from tmux_exporter.facts.tmux_quirks import DEAD_SIGNAL
from tmux_exporter.sources.tmux.protocol import Conversation, request
from tmux_exporter.sources.tmux.query import command_list, new_nonce, screen_list
from tmux_exporter.sources.tmux.request_check import check_request

nonces = st.text("0123456789abcdef", min_size=16, max_size=16)
pids = st.integers(1, 1 << 22)
versions = (
    st.none() | st.from_regex(r"(next-)?[0-9]{1,2}\.[0-9]{1,2}[a-z]?(-rc)?", fullmatch=True) | st.text()
)


@given(nonces, pids, versions)
def test_every_request_passes_the_checker(nonce: str, pid: int, version: str | None) -> None:
    stream = request(command_list(nonce, version), pid)
    check_request(stream)
    # One of two lengths, and nothing of the version's text in it: it only chooses.
    assert len(stream) == (878 if DEAD_SIGNAL.holds(version) else 858)


@given(nonces, pids, st.lists(st.integers(0, 9_999_999_999), min_size=1, max_size=16))
def test_every_request_for_screens_passes_the_checker(nonce: str, pid: int, panes: list[int]) -> None:
    words = screen_list(nonce, [f"%{number}" for number in panes])
    check_request(request(words, pid))
    assert set(words) - {f"%{number}" for number in panes} - {f"{nonce}t{number}" for number in panes} == {
        *("display-message", "capture-pane", "-p", "-t", ";"),
        f"{nonce}e",
    }


@given(nonces, nonces, pids, pids)
def test_requests_differ_in_nonce_and_pid_alone(one: str, other: str, pid: int, other_pid: int) -> None:
    first = request(command_list(one, None), pid)
    second = request(command_list(other, None), other_pid)
    at = [place for place in range(len(first)) if first[place] != second[place]]
    allowed: set[int] = set()
    for mark in (one.encode(), pid.to_bytes(4, "little")):
        start = -1
        while (start := first.find(mark, start + 1)) >= 0:
            allowed.update(range(start, start + len(mark)))
    assert allowed.issuperset(at)


def test_nonces_are_fresh() -> None:
    assert len({new_nonce() for _ in range(1000)}) == 1000


@given(st.binary(max_size=40_000), st.binary(max_size=200), st.integers(0, 255), st.data())
def test_an_answer_is_the_same_however_it_is_cut(
    text: bytes, complaint: bytes, status: int, data: st.DataObject
) -> None:
    stream = opened(1) + output(text) + opened(2) + output(complaint, 2) + finished(status)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    talk = Conversation(77)
    said = b""
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        said += talk.feed(stream[start:end])
    assert (talk.stdout, talk.stderr, talk.exit_status) == (text, complaint, status)
    assert talk.done
    assert len(said) == 24 + 24 + 16


@given(st.binary(max_size=400))
def test_whatever_a_server_says_only_two_kinds_of_message_are_sent_back(noise: bytes) -> None:
    said = Conversation(77).feed(opened(1) + noise)
    while said:
        kind, length = int.from_bytes(said[:4], "little"), int.from_bytes(said[4:8], "little")
        assert (kind, length) in ((305, 24), (205, 16))
        said = said[length:]
