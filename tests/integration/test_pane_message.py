"""A warning in tmux: whoever is attached to the session sees it, and no pane gets a byte."""

import os
import signal
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.remediator.remediation import FLEET, Fleet, counted
from tests.support.tmux.terminal import Terminal
from tests.support.wait import wait_for
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.facts.remediation import Action, ActionOutcome, Mode, Refusal, TargetKind
from tmux_exporter.facts.report import ServerReport
from tmux_exporter.remediator.act import tmux
from tmux_exporter.remediator.act.live_view import LiveView
from tmux_exporter.remediator.act.pane_message import show
from tmux_exporter.remediator.act.warn_and_snapshot import MOST_MESSAGES
from tmux_exporter.remediator.loop import Remediator
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.policy import Channel, LadderStep, NamePattern, Policy, TargetMatch
from tmux_exporter.remediator.record.replay import differences
from tmux_exporter.sources.tmux import client_transport

EVERYWHERE = (Channel.METRIC, Channel.LOG, Channel.PANE_MESSAGE)
P = replace(
    ORPHANED_SCHEDULERS,
    name="panes",
    match=TargetMatch(kind=TargetKind.PANE),
    ladder=(LadderStep(action=Action.WARN, via=EVERYWHERE),),
    warmup=0.0,
    hold=0.0,
)
BEGINNING = "tmux-remediator: a pane of this session (for "
LINE = f"{BEGINNING}5 s). Its log says why"
HOSTILE = (
    "##(touch $B/ran)", "##{E:@run}", "x; kill-server", "x\\;", "%H %M", "-t", "%0", "*",
)  # fmt: skip
"""Names of sessions; tmux takes `##` for a `#`, and a last `\\;` for a `;`."""


def typed_into(fleet: Fleet, session: str) -> Path:
    """What the pane of a new session has been typed into; nothing but keys can fill that file."""
    file = fleet.scene.base / f"typed{sum(1 for _ in fleet.scene.base.iterdir())}"
    fleet.tmux(
        "new-session", "-d", "-x", "80", "-y", "24", "-s", session, "-n", session,
        f"stty raw -echo; exec cat >{file}",
    )  # fmt: skip
    wait_for(file.exists, "the pane reads")
    return file


def warned(fleet: Fleet, *, policy: Policy = P, enforce: bool = True) -> Remediator:
    """A remediator that has just warned of every pane."""
    made = fleet.remediator(enforce=enforce, policy=policy)
    fleet.live(made, 15, step=5)
    assert (Action.WARN, ActionOutcome.DONE) in counted(made).actions
    return made


def messages(fleet: Fleet) -> list[tuple[str, str]]:
    """The session of each message that is on record, and what came of it."""
    records = fleet.records()
    outcomes = {each["of"]: each["actions"][0][1] for each in records if each["kind"] == "outcome"}
    assert list(differences(records)) == []
    return [(each["session"], outcomes[each["seq"]]) for each in records if each["kind"] == "message"]


def server_of(fleet: Fleet) -> ServerReport:
    report, _ = LiveView(fleet.config(), fleet.clock, os.environ).look()
    return next(each for each in report.servers if each.server == FLEET)


def test_whoever_is_attached_sees_it_and_no_pane_gets_a_byte(fleet: Fleet) -> None:
    typed = typed_into(fleet, "typed")
    before = fleet.panes()
    with (
        closing(Terminal(fleet.sockets / FLEET, "typed")) as one,
        closing(Terminal(fleet.sockets / FLEET, "typed")) as two,
        closing(Terminal(fleet.sockets / FLEET, "work")) as other,
    ):
        policy = replace(P, match=TargetMatch(kind=TargetKind.PANE, sessions=(NamePattern("typed"),)))
        warned(fleet, policy=policy)
        wait_for(lambda: BEGINNING in one.drawn and BEGINNING in two.drawn, "both see it")
        assert "tmux-remediator" not in other.drawn
    assert messages(fleet) == [("typed", ActionOutcome.DONE)]
    (outcome,) = [each for each in fleet.records() if each["kind"] == "outcome"]
    assert outcome["detail"] == "shown to 2"
    assert fleet.panes() == before
    assert typed.read_bytes() == b""


@pytest.mark.parametrize(
    ("policy", "enforce"),
    [
        (replace(P, ladder=(LadderStep(action=Action.WARN),)), True),
        (P, False),
        (replace(P, mode=Mode.OBSERVE), True),
    ],
    ids=["not asked for", "without --enforce", "a policy that observes"],
)
def test_nobody_is_shown_what_is_only_observed(fleet: Fleet, policy: Policy, enforce: bool) -> None:
    with closing(Terminal(fleet.sockets / FLEET, "work")) as person:
        warned(fleet, policy=policy, enforce=enforce)
        # What is drawn after it would have been drawn after a message, too.
        fleet.tmux("rename-session", "-t", "work", "seen")
        wait_for(lambda: "[seen]" in person.drawn, "the status line is drawn again")
        assert "tmux-remediator" not in person.drawn
    assert messages(fleet) == []


def test_hostile_names_of_sessions_and_windows_reach_nothing(fleet: Fleet) -> None:
    base = fleet.scene.base
    typed = {}
    for name in HOSTILE:
        words = name.replace("$B", str(base))
        typed[words] = typed_into(fleet, words)
    sessions = fleet.tmux("list-sessions", "-F", "#{session_id} #{session_name}").splitlines()
    windows = fleet.tmux("list-windows", "-a", "-F", "#{window_id} #{window_name}")
    people = [Terminal(fleet.sockets / FLEET, each.split()[0]) for each in sessions[-3:]]
    try:
        warned(
            fleet, policy=replace(P, match=TargetMatch(kind=TargetKind.PANE, servers=(NamePattern(FLEET),)))
        )
        assert [outcome for _, outcome in messages(fleet)] == [ActionOutcome.DONE] * (len(HOSTILE) + 2)
        wait_for(lambda: all(BEGINNING in each.drawn for each in people), "they see it")
    finally:
        for each in people:
            each.close()
    assert fleet.tmux("list-windows", "-a", "-F", "#{window_id} #{window_name}") == windows
    assert not (base / "ran").exists()
    assert {file.read_bytes() for file in typed.values()} == {b""}


def test_only_so_many_are_shown_in_one_cycle(fleet: Fleet) -> None:
    for _ in range(MOST_MESSAGES):
        fleet.tmux("new-window", "-d", "-t", "work:", "cat")
    warned(fleet)
    assert [outcome for _, outcome in messages(fleet)] == [ActionOutcome.DONE] * MOST_MESSAGES


def test_without_an_audit_nothing_is_shown(fleet: Fleet) -> None:
    made = fleet.remediator(enforce=True, policy=P)
    fleet.audit.unlink()
    fleet.audit.mkdir()
    with closing(Terminal(fleet.sockets / FLEET, "work")) as person:
        fleet.live(made, 15, step=5)
        fleet.tmux("rename-session", "-t", "work", "seen")
        wait_for(lambda: "[seen]" in person.drawn, "the status line is drawn again")
        assert "tmux-remediator" not in person.drawn
    assert counted(made).refusals[Refusal.AUDIT] > 0
    assert not made.status().audit_healthy
    fleet.audit.rmdir()


def test_a_hung_server_costs_one_message(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        fleet.tmux("new-session", "-d", "-s", f"more{number}", "cat")
    made = fleet.remediator(enforce=True, policy=P)
    fleet.live(made, 5, step=5)
    asked = []
    real = client_transport.run_program

    def hang(path: str, peer: int, uid: int, arguments: tuple[str, ...], *, seconds: float) -> bytes:
        asked.append(path)
        if path.endswith(FLEET):
            os.kill(fleet.server.pid, signal.SIGSTOP)
        return real(path, peer, uid, arguments, seconds=seconds)

    monkeypatch.setattr(tmux, "run_program", hang)
    began = time.monotonic()
    try:
        fleet.live(made, 5, step=5)
    finally:
        os.kill(fleet.server.pid, signal.SIGCONT)
    assert time.monotonic() - began < 20
    assert sum(path.endswith(FLEET) for path in asked) == 1
    assert ActionOutcome.FAILED in [outcome for _, outcome in messages(fleet)]


def test_a_pane_that_is_gone_and_words_that_are_no_words(fleet: Fleet) -> None:
    server = server_of(fleet)
    with pytest.raises(CannotSeeError):
        show(server, "%4000", LINE, os.getuid())
    with pytest.raises(CannotSeeError):
        show(replace(server, held=True), "%0", LINE, os.getuid())
    for pane in ("%0 ", "%", "main", "$0", "%0;"):
        with pytest.raises(ValueError, match="plain words"):
            show(server, pane, LINE, os.getuid())
    with pytest.raises(ValueError, match="plain words"):
        show(server, "%0", "a #(date) b", os.getuid())
    assert show(server, "%0", LINE, os.getuid()) == 0
