"""The history of a real pane: saved whole, cleared only where all of it is saved, limited for later panes."""

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import ShiftedClock
from tests.support.processes.run_text import run_text
from tests.support.remediator.process import command
from tests.support.remediator.remediation import FLEET, Fleet
from tests.support.tmux.terminal import Terminal
from tests.support.wait import wait_for
from tmux_exporter.facts.remediation import Action, ActionOutcome, Mode, Refusal, TargetKind
from tmux_exporter.facts.report import PaneReport, Report, ServerReport
from tmux_exporter.remediator.act import history_files, pane_history
from tmux_exporter.remediator.act.live_view import LiveView
from tmux_exporter.remediator.act.pane_history import PaneHistory
from tmux_exporter.remediator.act.tmux import ask
from tmux_exporter.remediator.decide.candidates import TargetCandidate, target_of
from tmux_exporter.remediator.decide.state import Decision
from tmux_exporter.remediator.policies.policy import LadderStep, OptIn, Policy, TargetMatch
from tmux_exporter.remediator.record.audit import Audit
from tmux_exporter.sources.tmux.source import process_cpu_seconds

SAVE = LadderStep(action=Action.SAVE)
CLEAR = LadderStep(action=Action.CLEAR_HISTORY)
LIMIT = LadderStep(action=Action.SET_OPTION, value=4321)
CLOSE = LadderStep(action=Action.CLOSE_DEAD_PANE)
P = Policy(
    name="panes", mode=Mode.ENFORCE, match=TargetMatch(kind=TargetKind.PANE), ladder=(SAVE, CLEAR, LIMIT)
)
DONE, REFUSED, VANISHED = ActionOutcome.DONE, ActionOutcome.REFUSED, ActionOutcome.VANISHED
PRINTS = 5_000


class Pane:
    """A pane with a long history, in a session of its own; `take` is a step on it."""

    def __init__(self, fleet: Fleet, *, limit: int = 20_000, prints: int = PRINTS, width: int = 80) -> None:
        self.fleet = fleet
        self.session = f"long{os.urandom(4).hex()}"
        fleet.tmux("set-option", "-g", "history-limit", str(limit))
        wide = "x" * (width - 80)
        command = f"seq -f 'line %.0f äöü {wide}\\' 1 {prints}; exec cat"
        self.id = fleet.tmux(
            *("new-session", "-d", "-P", "-F", "#{pane_id}", "-s", self.session),
            *("-x", str(width), "-y", "24"),
            command,
        ).strip()
        wait_for(lambda: f"line {prints}" in self.show("-J"), "it has printed all", 60)
        self.policy = P
        self.objections: list[Refusal] = []
        self.audit = Audit(fleet.home / f"{self.session}.jsonl", uid=os.getuid(), clock=fleet.clock)
        self.restart()

    def restart(self) -> None:
        """As a new remediator, which remembers nothing."""
        self.steps = PaneHistory(
            self.fleet.state, self.audit, self._objection, uid=os.getuid(), clock=self.fleet.clock
        )

    def _objection(self, *_: object) -> Refusal | None:
        return self.objections[0] if self.objections else None

    def show(self, *flags: str) -> str:
        return self.fleet.tmux("capture-pane", "-p", *flags, "-t", self.id)

    def history(self) -> bytes:
        return self.show("-S", "-", "-E", "-1").encode() + b"\n"

    def figure(self, name: str) -> str:
        return self.fleet.tmux("display-message", "-p", "-t", self.id, f"#{{{name}}}").strip()

    def decision(self, step: LadderStep) -> tuple[Decision, Report]:
        report, _ = LiveView(self.fleet.config(), self.fleet.clock, os.environ).look()
        (pane,) = [each for each in report.panes if (each.server, each.pane) == (FLEET, self.id)]
        return self.of(pane, step), report

    def of(self, pane: PaneReport, step: LadderStep) -> Decision:
        candidate = TargetCandidate(target=target_of(pane), subject=pane)
        return Decision(policy=self.policy, candidate=candidate, action=step.action, rung=step)

    def take(self, *steps: LadderStep, mode: Mode = Mode.ENFORCE) -> list[tuple[ActionOutcome, str]]:
        decision, report = self.decision(steps[0])
        return [
            self.steps.take(replace(decision, action=each.action, rung=each), report, mode) for each in steps
        ]

    def print(self, text: str) -> None:
        self.fleet.tmux("send-keys", "-t", self.id, "-l", text)
        self.fleet.tmux("send-keys", "-t", self.id, "Enter")

    def close(self) -> None:
        self.audit.close()
        for each in self.fleet.tmux("list-sessions", "-F", "#{session_name}").split():
            if each.startswith(self.session):
                self.fleet.tmux("kill-session", "-t", f"={each}")


@pytest.fixture
def make(shared: Fleet) -> Iterator[Callable[..., Pane]]:
    made: list[Pane] = []

    def one(**more: int) -> Pane:
        made.append(Pane(shared, **more))
        return made[-1]

    yield one
    for each in made:
        each.close()
    shared.reset()


@pytest.fixture
def pane(make: Callable[..., Pane]) -> Pane:
    return make()


def saved(result: tuple[ActionOutcome, str]) -> bytes:
    assert result[0] is DONE, result
    return Path(result[1]).read_bytes()


def outcomes(results: list[tuple[ActionOutcome, str]]) -> list[ActionOutcome]:
    return [outcome for outcome, _ in results]


def test_a_history_is_saved_whole_and_then_cleared(pane: Pane) -> None:
    whole = pane.history()
    before = int(pane.figure("history_bytes"))
    first, second = pane.take(SAVE, CLEAR)
    assert saved(first) == whole and whole.startswith("line 1 äöü \\\n".encode())
    path = Path(first[1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert second[0] is DONE
    after = int(pane.figure("history_bytes"))
    assert after < before / 10
    assert [pane.steps.take_reclaimed() for _ in range(2)] == [before - after, 0]
    assert f"line {PRINTS}" in pane.show(), "what it shows stays"
    assert not pane.audit.check() or b"line" not in (pane.fleet.home / f"{pane.session}.jsonl").read_bytes()


def test_what_is_printed_between_saving_and_clearing_is_saved_too(pane: Pane) -> None:
    (first,) = pane.take(SAVE)
    for number in range(3):
        pane.print(f"later {number}")
    wait_for(lambda: pane.show().count("later 2") == 2, "it is printed")
    whole = pane.history()
    assert whole != saved(first)
    assert outcomes(pane.take(CLEAR)) == [DONE]
    assert saved(first) == whole


def test_a_history_that_is_not_saved_is_not_cleared(pane: Pane) -> None:
    lines = pane.figure("history_size")
    assert pane.take(CLEAR) == [(REFUSED, "its history is not saved")]
    (first,) = pane.take(SAVE)
    Path(first[1]).unlink()
    assert outcomes(pane.take(CLEAR)) == [REFUSED]
    assert outcomes(pane.take(replace(SAVE, max_bytes=1000), CLEAR)) == [REFUSED, REFUSED]
    assert pane.figure("history_size") == lines


def in_copy_mode(pane: Pane) -> None:
    pane.fleet.tmux("copy-mode", "-t", pane.id)


def protected(pane: Pane, value: str = "1") -> None:
    pane.fleet.tmux("set-option", "-p", "-t", pane.id, "@protect", value)


def full(pane: Pane) -> None:
    """As many lines as it may have: with the next one a tenth of them is cut off."""
    pane.fleet.tmux("send-keys", "-t", pane.id, "-N", "60", "Enter")


def comes_too_late(monkeypatch: pytest.MonkeyPatch, pane: Pane, trouble: Callable[[Pane], None]) -> None:
    """Let trouble come between the last look of ours and the command."""
    change = PaneHistory._change

    def too_late(*arguments: Any) -> bytes:
        trouble(pane)
        return change(*arguments)

    monkeypatch.setattr(PaneHistory, "_change", too_late)


@pytest.mark.parametrize("trouble", [in_copy_mode, protected])
def test_what_tmux_itself_sees_at_that_moment_stops_the_clearing(
    pane: Pane, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[Pane], None]
) -> None:
    (first,) = pane.take(SAVE)
    lines = pane.figure("history_size")
    decision, report = pane.decision(CLEAR)
    comes_too_late(monkeypatch, pane, trouble)
    assert pane.steps.take(decision, report, Mode.ENFORCE)[0] is REFUSED
    assert pane.figure("history_size") == lines
    assert Path(first[1]).is_file()


def test_in_copy_mode_nothing_is_saved_either(pane: Pane) -> None:
    in_copy_mode(pane)
    assert outcomes(pane.take(SAVE, CLEAR)) == [REFUSED, REFUSED]
    assert pane.figure("pane_in_mode") == "1"


def test_a_pane_of_another_generation_of_its_server_is_left_alone(pane: Pane) -> None:
    decision, report = pane.decision(SAVE)
    other = tuple(
        replace(each, pid=pane.fleet.other.pid) if each.server == FLEET else each for each in report.servers
    )
    for step in (SAVE, CLEAR, LIMIT):
        changed = replace(decision, rung=step)
        assert pane.steps.take(changed, replace(report, servers=other), Mode.ENFORCE)[0] is VANISHED


def test_of_a_full_history_that_prints_nothing_is_saved(make: Callable[..., Pane]) -> None:
    pane = make(limit=1_000)
    wait_for(lambda: int(pane.figure("history_size")) >= 900, "it is full")
    pane.print("more")
    # However slow this machine is, it was printed a moment ago.
    pane.steps._clock = clock = ShiftedClock()
    clock.advance(-600)
    assert outcomes(pane.take(SAVE, CLEAR)) == [REFUSED, REFUSED]
    assert int(pane.figure("history_size")) >= 900


@pytest.mark.parametrize("before", ["", "7000"])
def test_a_limit_is_put_back_by_the_command_that_is_told(pane: Pane, before: str) -> None:
    if before:
        pane.fleet.tmux("set-option", "-t", pane.id, "history-limit", before)
    audit = Audit(pane.fleet.audit, uid=os.getuid(), clock=pane.fleet.clock)
    pane.steps = PaneHistory(
        pane.fleet.state, audit, pane._objection, uid=os.getuid(), clock=pane.fleet.clock
    )
    assert outcomes(pane.take(LIMIT, replace(LIMIT, value=4000))) == [DONE, DONE]
    audit.close()
    (row,) = json.loads(command(pane.fleet.environ, "changes", "--json").stdout)["changes"]
    assert (row["what"], row["now"], row["was"]) == (f"history-limit of session {pane.session}", 4000, before)
    run_text(["sh", "-c", row["command"]], check=True)
    assert pane.fleet.tmux("show-options", "-v", "-t", pane.id, "history-limit") == before
    assert json.loads(command(pane.fleet.environ, "changes", "--json").stdout) == {"changes": []}
    pane.fleet.audit.unlink()


def test_history_is_limited_for_panes_to_come(pane: Pane) -> None:
    (first,) = pane.take(LIMIT)
    assert first == (DONE, "history-limit of its session, for panes to come: 4321; was not set")
    assert pane.figure("history_limit") == "20000"
    later = pane.fleet.tmux(
        "new-window", "-d", "-P", "-F", "#{history_limit}", "-t", f"={pane.session}:", "cat"
    )
    assert later.strip() == "4321"
    higher = pane.take(replace(LIMIT, value=9999))
    assert higher == [(DONE, "history-limit of its session is 4321 already")], "it is only ever lowered"
    protected(pane)
    assert pane.take(replace(LIMIT, value=77)) == [(REFUSED, "it is protected")]


def test_what_switches_protection_off_means_the_same_to_tmux_as_in_the_report(pane: Pane) -> None:
    values = {"": False, "0": False, "no": False, "off": False, "false": False, "on": True, "offf": True}
    for limit, (value, is_protected) in zip(range(900, 0, -100), values.items(), strict=False):
        protected(pane, value)
        decision, report = pane.decision(replace(LIMIT, value=limit))
        assert isinstance(decision.candidate.subject, PaneReport)
        assert decision.candidate.subject.protected is is_protected, value
        outcome = pane.steps.take(decision, report, Mode.ENFORCE)[0]
        assert outcome is (REFUSED if is_protected else DONE), value


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.RECOMMEND])
def test_without_enforce_nothing_is_done(pane: Pane, mode: Mode) -> None:
    lines = pane.figure("history_size")
    assert outcomes(pane.take(SAVE, CLEAR, LIMIT, mode=mode)) == [ActionOutcome.WOULD] * 3
    assert pane.figure("history_size") == lines
    assert not (pane.fleet.home / f"{pane.session}.jsonl").exists()


def test_a_hold_and_the_switch_are_heeded_at_the_step(pane: Pane) -> None:
    pane.objections = [Refusal.HELD]
    assert pane.take(SAVE, LIMIT) == [(REFUSED, Refusal.HELD)] * 2


def test_no_step_without_a_record(pane: Pane) -> None:
    (pane.fleet.home / f"{pane.session}.jsonl").mkdir()
    lines = pane.figure("history_size")
    assert pane.take(SAVE, CLEAR, LIMIT) == [(REFUSED, Refusal.AUDIT)] * 3
    assert pane.figure("history_size") == lines


def test_old_and_too_many_histories_go(pane: Pane, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Path(pane.take(SAVE)[0][1])
    pane.fleet.clock.advance(1)
    pane.restart()
    second = Path(pane.take(SAVE)[0][1])
    assert first.is_file() and second.is_file()
    monkeypatch.setattr(history_files, "KEPT_BYTES", second.stat().st_size + 10**7)
    os.utime(first, (0, 0))
    pane.fleet.clock.advance(1)
    pane.restart()
    third = Path(pane.take(SAVE)[0][1])
    assert [first.is_file(), second.is_file(), third.is_file()] == [False, True, True]


def test_nothing_goes_for_a_history_that_is_not_saved_in_the_end(
    pane: Pane, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Path(pane.take(SAVE, CLEAR)[0][1])
    write(pane, [f"new {number}" for number in range(500)])
    folder, fsync = first.parent, os.fsync

    def full(descriptor: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{descriptor}")).parent == folder:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    there = sorted(folder.iterdir())
    monkeypatch.setattr(history_files, "KEPT_BYTES", 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert outcomes(pane.take(SAVE)) == [ActionOutcome.FAILED]
    assert sorted(folder.iterdir()) == there, "neither the only copy of other lines nor a part of these"
    # What counts is its size on disk, not in the memory of tmux.
    size = sum(each.stat().st_size for each in there)
    monkeypatch.setattr(history_files, "KEPT_BYTES", size + int(pane.figure("history_bytes")) // 2)
    second = Path(pane.take(SAVE)[0][1])
    assert first.is_file() and second.is_file()
    monkeypatch.setattr(history_files, "KEPT_BYTES", 1)
    third = Path(pane.take(SAVE)[0][1])
    assert list(folder.iterdir()) == [third]


def test_of_a_history_that_is_saved_again_one_file_is_kept(pane: Pane) -> None:
    (first,) = pane.take(SAVE)
    pane.print("later")
    wait_for(lambda: pane.show().count("later") == 2, "it is printed")
    (second,) = pane.take(SAVE)
    assert saved(second) == pane.history()
    assert not Path(first[1]).exists(), "all of it is in the second"


def test_what_was_cleared_by_somebody_else_and_grew_again_is_saved_as_it_is(
    make: Callable[..., Pane],
) -> None:
    pane = make(prints=200)
    (first,) = pane.take(SAVE)
    whole = saved(first)
    pane.fleet.tmux("clear-history", "-t", pane.id)
    write(pane, [f"new {number}" for number in range(300)])
    now = pane.history()
    second, third = pane.take(SAVE, CLEAR)
    assert third[0] is DONE and saved(second).rstrip() == now.rstrip()
    assert saved(first) == whole, "the only copy of these lines"


def test_what_was_cleared_in_the_same_second_keeps_its_file(pane: Pane) -> None:
    first, cleared = pane.take(SAVE, CLEAR)
    whole = saved(first)
    assert cleared[0] is DONE
    (second,) = pane.take(SAVE)
    assert second[0] is DONE and second[1] != first[1]
    assert saved(first) == whole


def test_what_is_printed_at_once_after_the_clearing_is_not_taken_for_what_was_cleared(
    make: Callable[..., Pane], monkeypatch: pytest.MonkeyPatch
) -> None:
    pane = make(prints=200)
    (first,) = pane.take(SAVE)
    change, new = PaneHistory._change, [f"new {number}" for number in range(400)]

    def burst(*arguments: Any) -> Any:
        answer = change(*arguments)
        if new[-1] not in pane.show():
            write(pane, new)
        return answer

    monkeypatch.setattr(PaneHistory, "_change", burst)
    (second,) = pane.take(CLEAR)
    assert second[0] is DONE
    kept = saved(first).decode() + pane.show("-S", "-") + "\n"
    assert [each for each in new if f"{each}\n" not in kept] == []


@pytest.fixture
def dead(pane: Pane) -> Pane:
    """Its program has ended; there is another window in its session."""
    pane.fleet.tmux("set-option", "-w", "-t", pane.id, "remain-on-exit", "on")
    pane.fleet.tmux("new-window", "-d", "-t", f"={pane.session}:", "cat")
    pane.fleet.tmux("send-keys", "-t", pane.id, "C-d")
    wait_for(lambda: pane.figure("pane_dead") == "1", "it is dead")
    return pane


def is_there(pane: Pane) -> bool:
    return pane.id in pane.fleet.tmux("list-panes", "-a", "-F", "#{pane_id}").split()


def test_a_dead_pane_is_closed_once_all_that_it_shows_is_saved(dead: Pane) -> None:
    whole, size = dead.show("-S", "-"), int(dead.figure("history_bytes"))
    ((outcome, words),) = dead.take(CLOSE)
    assert outcome is DONE and not is_there(dead)
    text = Path(words.rpartition(" ")[2]).read_text()
    # tmux says on its screen that it is dead, perhaps only now.
    assert text.startswith(whole.rstrip("\n")) and f"line {PRINTS}" in text
    assert dead.steps.take_reclaimed() == size
    assert dead.fleet.tmux("list-windows", "-t", f"={dead.session}:", "-F", "x").split() == ["x"]


def only_one(pane: Pane) -> None:
    """Nothing else is left in its session."""
    pane.fleet.tmux("kill-window", "-a", "-t", pane.id)


def last_of_another_session(pane: Pane) -> None:
    pane.fleet.tmux("new-session", "-d", "-s", f"{pane.session}-b", "cat")
    pane.fleet.tmux("link-window", "-k", "-s", pane.id, "-t", f"={pane.session}-b:0")


def used_again(pane: Pane) -> None:
    pane.fleet.tmux("respawn-pane", "-t", pane.id, "cat")


@pytest.mark.parametrize(
    "trouble",
    [only_one, last_of_another_session, used_again, in_copy_mode, protected],
    ids=lambda each: each.__name__,
)
def test_what_tmux_itself_sees_at_that_moment_stops_the_closing(
    dead: Pane, monkeypatch: pytest.MonkeyPatch, trouble: Callable[[Pane], None]
) -> None:
    (first,) = dead.take(SAVE)
    history = saved(first)
    decision, report = dead.decision(CLOSE)
    comes_too_late(monkeypatch, dead, trouble)
    assert dead.steps.take(decision, report, Mode.ENFORCE)[0] is REFUSED
    assert is_there(dead)
    (kept,) = dead.steps._saved.values()
    assert kept.path.read_bytes() == history, "without what was added for the closing"


@pytest.mark.parametrize("trouble", [only_one, last_of_another_session], ids=lambda each: each.__name__)
def test_of_a_pane_that_is_the_last_one_nothing_is_saved_again_and_again(
    dead: Pane, trouble: Callable[[Pane], None]
) -> None:
    trouble(dead)
    assert dead.take(CLOSE) == [(REFUSED, "it is the last pane of its session")]
    assert (dead.steps._saved, is_there(dead)) == ({}, True)


def held_meanwhile(pane: Pane, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person holds the pane while its history is read."""
    copy = PaneHistory._copy

    def held(*arguments: Any) -> Any:
        pane.objections = [Refusal.HELD]
        return copy(*arguments)

    monkeypatch.setattr(PaneHistory, "_copy", held)


def test_a_hold_that_comes_while_a_history_is_read_stops_the_closing(
    dead: Pane, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_meanwhile(dead, monkeypatch)
    assert dead.take(CLOSE) == [(REFUSED, Refusal.HELD)]
    assert is_there(dead)


def test_a_hold_that_comes_while_a_history_is_read_stops_the_clearing(
    pane: Pane, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcomes(pane.take(SAVE)) == [DONE]
    write(pane, ["one more"])
    held_meanwhile(pane, monkeypatch)
    assert pane.take(CLEAR) == [(REFUSED, Refusal.HELD)]
    assert int(pane.figure("history_size")) > PRINTS - 100


def test_what_runs_is_not_closed(pane: Pane) -> None:
    assert pane.take(CLOSE) == [(REFUSED, "its program runs")]
    assert is_there(pane)


def write(pane: Pane, lines: list[str]) -> None:
    """As its program prints, at once."""
    assert pane.figure("pane_dead") == "0", "the terminal of a dead pane is another one's"
    with open(pane.figure("pane_tty"), "w") as terminal:
        terminal.writelines(f"{each}\n" for each in lines)
    wait_for(lambda: lines[-1] in pane.show(), "it is printed")


def test_what_was_cleared_by_somebody_else_since_it_was_saved_is_not_cleared(
    make: Callable[..., Pane],
) -> None:
    pane = make(prints=200)
    (first,) = pane.take(SAVE)
    whole = saved(first)
    pane.fleet.tmux("clear-history", "-t", pane.id)
    write(pane, [f"new {number}" for number in range(300)])
    lines = pane.figure("history_size")
    # Too large by now, or nothing but the clearing is due.
    assert outcomes(pane.take(replace(SAVE, max_bytes=1), CLEAR)) == [REFUSED, REFUSED]
    assert pane.figure("history_size") == lines, "new lines are nowhere else"
    assert saved(first) == whole
    assert outcomes(pane.take(SAVE, CLEAR)) == [DONE, DONE], "it can be saved anew"


def test_a_pane_without_a_program_is_not_closed_as_one_whose_program_has_ended(pane: Pane) -> None:
    empty = pane.fleet.tmux("split-window", "-d", "-P", "-F", "#{pane_id}", "-t", pane.id, "").strip()
    pane.id = empty
    assert pane.figure("pane_dead") == "1", "as tmux sees it"
    assert outcomes(pane.take(CLOSE)) == [REFUSED]
    assert is_there(pane)


def test_a_pane_that_a_client_sees_in_another_session_is_left_alone(dead: Pane) -> None:
    with closing(Terminal(dead.fleet.sockets / FLEET, dead.session)):
        # tmux takes the pane for one of the session that was used last.
        dead.fleet.tmux("new-session", "-d", "-t", f"={dead.session}", "-s", f"{dead.session}-b")
        wait_for(lambda: dead.figure("session_attached") == "0", "tmux names the other session")
        lines = dead.figure("history_size")
        assert outcomes(dead.take(SAVE, CLEAR, CLOSE)) == [DONE, REFUSED, REFUSED]
        assert (dead.figure("history_size"), is_there(dead)) == (lines, True)
        dead.policy = replace(P, allow=(OptIn.ATTACHED_SESSION,))
        assert outcomes(dead.take(CLOSE)) == [DONE]


@pytest.mark.long
def test_the_server_serves_its_panes_meanwhile(
    make: Callable[..., Pane], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one request of ours takes it of the CPU, it is not there for anybody."""
    pane = make(limit=150_000, prints=100_000, width=200)
    took: list[float] = []

    def measured(server: ServerReport, *arguments: Any) -> bytes:
        before = process_cpu_seconds(server.pid or 0)
        answer = ask(server, *arguments)
        after = process_cpu_seconds(server.pid or 0)
        assert before is not None and after is not None
        took.append(after - before)
        return answer

    monkeypatch.setattr(pane_history, "ask", measured)
    whole = pane.history()
    first, second = pane.take(SAVE, CLEAR)
    assert saved(first) == whole
    assert second[0] is DONE
    # The clearing itself is one command of tmux, as long as it is.
    reads = sorted(took[:-3])
    assert reads[-1] <= pane_history.STANDSTILL_SECONDS


def test_an_attached_session_keeps_its_history_unless_allowed(pane: Pane) -> None:
    assert ("session_attached", 0) in conditions(pane)
    pane.policy = replace(P, allow=(OptIn.ATTACHED_SESSION,))
    assert ("session_attached", 0) not in conditions(pane)


def conditions(pane: Pane) -> list[tuple[str, object]]:
    figures = pane_history.PaneFigures(lines=10, bytes=100, limit=2_000, in_mode=False, activity=5)
    saved = pane_history.Saved(path=pane.fleet.home, figures=figures)
    return pane_history._unchanged(saved, pane.decision(CLEAR)[0])
