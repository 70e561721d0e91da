"""What a status line was told: money in place of a table, the window, the quota of the account."""

import os
from pathlib import Path

import pytest

from tests.support.literals.spending import STARTED, answer
from tmux_exporter.analysis.spending.account import Account
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import Cost, Quota, SpendingProblem, Spent
from tmux_exporter.sources.spending import claude_transcript
from tmux_exporter.sources.spending.claude_status import status_source
from tmux_exporter.wire.usage_line import UsageLine, UsageLineError, parse, render

PROCESS = ProcessId(11, 22)


class Room:
    """The runtime folder, and an account that follows the file of a process."""

    def __init__(self, base: Path) -> None:
        self.problems: list[SpendingProblem] = []
        self.source = status_source(str(base), PROCESS)
        self.path = Path(self.source.path)
        self.path.parent.mkdir(parents=True)
        self.account = Account(STARTED)
        self.conversation = self.account.conversation()
        self.followed = self.source.open(uid=os.getuid(), since=STARTED, note=self.problems.append)

    def write(self, content: bytes, at: float) -> None:
        draft = self.path.parent / "draft"
        draft.write_bytes(content)
        draft.chmod(0o600)
        os.utime(draft, (STARTED + at, STARTED + at))
        draft.rename(self.path)

    def spent(self) -> Spent:
        if self.followed.look():
            self.conversation.observe(each for each in self.followed.read(1) if each is not None)
        return self.account.spent()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def line(spent: float, **more: object) -> bytes:
    values = {
        "session": "s",
        "model": "m-1",
        "session_dollars": 9.0,
        "context": 41907,
        "window": 200_000,
        **more,
    }
    return render(UsageLine(spent_dollars=spent, **values))  # type: ignore[arg-type]


def test_what_it_was_told_is_in_the_account(room: Room) -> None:
    assert room.spent() == Spent(tool_calls=room.account.spent().tool_calls)
    room.write(line(0.25, quotas={"5h": (42.0, STARTED + 99), "7d": (17.5, None)}), 1)
    spent = room.spent()
    assert spent.costs == {"m-1": Cost(own=0.25)}
    assert (spent.context_tokens, spent.context_window_tokens) == (41907, 200_000)
    assert spent.quotas == {
        "5h": Quota(used_ratio=0.42, reset=STARTED + 99, observed=STARTED + 1),
        "7d": Quota(used_ratio=0.175, reset=None, observed=STARTED + 1),
    }
    room.write(line(0.75, context=None), 2)
    room.write(line(0.5, context=None), 3)
    assert room.spent().costs == {"m-1": Cost(own=0.5)} and room.spent().context_tokens == 41907


def test_no_price_of_a_table_is_added_to_what_the_process_says_itself(room: Room) -> None:
    room.write(line(0.0), 1)
    room.spent()
    (request,) = [claude_transcript.parse(answer(at=STARTED + 2, model="claude-opus-4-6"))]
    assert request is not None
    room.conversation.observe((request,))
    assert room.account.spent().costs["claude-opus-4-6"] == Cost()


@pytest.mark.parametrize(
    "content",
    [b"", b"1 s m\n", b"2" + line(1.0)[1:], line(1.0)[:-1], line(1.0).replace(b"9.0", b"nan"),
     line(1.0).replace(b"9.0", b"-1"), line(1.0)[:-1] + b" 9h:1:-\n", b"\xff" * 30 + b"\n"],
)  # fmt: skip
def test_another_form_tells_nothing_and_counts_once(room: Room, content: bytes) -> None:
    with pytest.raises(UsageLineError):
        parse(content)
    room.write(content, 1)
    assert room.spent().costs == {} and room.spent().costs == {}
    assert room.problems == [SpendingProblem.MALFORMED]


def test_a_link_is_not_followed(room: Room, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(line(1.0))
    room.path.symlink_to(tmp_path / "other")
    assert room.spent().costs == {} and room.problems == [SpendingProblem.UNTRUSTED]
