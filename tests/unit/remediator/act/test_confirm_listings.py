"""What a second look at tmux confirms: all that it shows as the first one did, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.literals.listings import listing, server_view, table, tmux_view
from tests.support.remediator.orphans import SERVER, orphan, seen
from tmux_exporter.facts.process import Problem, ProcessTable
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.facts.tmux import Listing, TmuxView
from tmux_exporter.remediator.act.confirm_listings import ConfirmingTmuxSource, confirmations

EARLY, LATE = 100.0, 103.0
FLEET = replace(listing({"work": ["shell"], "other": ["shell"]}), taken_at=EARLY)


class Source:
    """Gives one view after the other, and notes which were asked for again."""

    def __init__(self, *views: TmuxView) -> None:
        self.views = list(views)
        self.again: list[bool] = []
        self.configure = lambda *_: None

    def read(self, _: ProcessTable, *, again: bool = False) -> TmuxView:
        self.again.append(again)
        return self.views.pop(0)


def view(of: Listing = FLEET, *, taken_at: float = EARLY, **changes: object) -> TmuxView:
    server = replace(server_view(replace(of, taken_at=taken_at)), label="default")
    return replace(tmux_view(replace(server, **changes)), taken_at=taken_at)  # type: ignore[arg-type]


def changed(part: str, **changes: object) -> Listing:
    """A listing in which the first of its sessions, windows, links or panes is otherwise."""
    first, *rest = getattr(FLEET, part)
    parts: dict[str, Any] = {part: (replace(first, **changes), *rest)}
    return replace(FLEET, **parts)


@pytest.mark.parametrize(
    "after",
    [
        FLEET,
        changed("sessions", activity=9_999),
        changed("windows", activity=9_999),
        changed("panes", history_bytes=9_999, history_lines=99, title_sign="✳"),
    ],
)
def test_what_a_pane_prints_changes_nothing(after: Listing) -> None:
    assert confirmations(view(), view(after, taken_at=LATE)) == {"default": LATE}


@pytest.mark.parametrize(
    "after",
    [
        view(changed("sessions", name="gone"), taken_at=LATE),
        view(changed("sessions", attached=1), taken_at=LATE),
        view(changed("windows", name="gone"), taken_at=LATE), view(changed("links", index=7), taken_at=LATE),
        view(changed("panes", dead=True), taken_at=LATE), view(changed("panes", pid=4711), taken_at=LATE),
        view(replace(FLEET, sessions=FLEET.sessions[:1]), taken_at=LATE), view(taken_at=LATE, up=False),
        view(taken_at=LATE, listing=None), view(taken_at=LATE, socket="/elsewhere"),
        view(taken_at=LATE, process=None), view(taken_at=LATE, label="renamed"), tmux_view(),
    ],
)  # fmt: skip
def test_what_is_otherwise_is_not_confirmed(after: TmuxView) -> None:
    assert confirmations(view(), after) == {}


def test_what_did_not_answer_the_first_time_is_not_confirmed() -> None:
    assert confirmations(view(up=False), view(taken_at=LATE)) == {}


def confirmed(report: Report, before: TmuxView, after: TmuxView) -> Report:
    source = Source(before, after)
    twice = ConfirmingTmuxSource(source)  # type: ignore[arg-type]
    assert twice.read(table()) is before
    found = twice.confirmed(report)
    assert source.again == [False, True]
    return found


SERVERLESS = orphan(state=SchedulerState.SERVERLESS, aimed=(), judged_at=EARLY)


def test_servers_and_those_that_aim_at_them_get_the_later_time() -> None:
    report = seen(
        orphan(judged_at=EARLY),
        orphan(600, judged_at=EARLY, aimed=("default", "other")),
        orphan(700, judged_at=None),
        servers=(replace(SERVER, listing_taken_at=EARLY), replace(SERVER, server="other")),
    )
    found = confirmed(report, view(), view(taken_at=LATE))
    assert [each.judged_at for each in found.schedulers] == [LATE, EARLY, None]
    assert [each.listing_taken_at for each in found.servers] == [LATE, 0.0]


@pytest.mark.parametrize(
    ("after", "judged_at"),
    [
        (view(taken_at=LATE), LATE),
        # What a server shows is nothing to one that has none; whether there is one is.
        (view(changed("panes", dead=True), taken_at=LATE), LATE),
        (replace(view(taken_at=LATE), problems=(Problem(source="tmux", reason="denied"),)), EARLY),
        (replace(view(taken_at=LATE), servers=()), EARLY),
        (view(taken_at=LATE, up=False), EARLY),
        (replace(view(taken_at=LATE), canonical_paths={"/tmp/x": "/tmp/x"}), EARLY),
    ],
)
def test_without_a_server_it_rests_on_the_same_servers_being_there(after: TmuxView, judged_at: float) -> None:
    found = confirmed(seen(SERVERLESS), view(), after)
    assert [each.judged_at for each in found.schedulers] == [judged_at]


def test_before_anything_was_asked_there_is_nothing_to_confirm() -> None:
    report = seen(orphan())
    assert ConfirmingTmuxSource(Source()).confirmed(report) is report  # type: ignore[arg-type]
