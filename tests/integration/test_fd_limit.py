"""The soft limit of open files of a real process: raised within its bounds, and put back as the log says."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.literals.report import UP
from tests.support.remediator.orphans import seen
from tests.support.wait import wait_for
from tmux_exporter.base.errors import CannotSeeError
from tmux_exporter.commands.views.changes import Change, changes
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, ActionOutcome, Mode, Refusal, TargetKind
from tmux_exporter.remediator.act import fd_limit
from tmux_exporter.remediator.act.fd_limit import MOST, FdLimits
from tmux_exporter.remediator.act.live_view import process_of
from tmux_exporter.remediator.decide.candidates import TargetCandidate
from tmux_exporter.remediator.decide.order import Target
from tmux_exporter.remediator.decide.state import Decision
from tmux_exporter.remediator.policies.policy import LadderStep, Policy, TargetMatch
from tmux_exporter.remediator.record.audit import Audit
from tmux_exporter.sampling.state_file import boot_id

RAISE = LadderStep(action=Action.RAISE_FD_LIMIT)
P = Policy(name="fds", mode=Mode.ENFORCE, match=TargetMatch(kind=TargetKind.AGENT), ladder=(RAISE,))
DONE, REFUSED, VANISHED = ActionOutcome.DONE, ActionOutcome.REFUSED, ActionOutcome.VANISHED
HARD = 4_000

OPENS = (
    "import os, resource, sys\n"
    f"resource.setrlimit(resource.RLIMIT_NOFILE, (64, {HARD}))\n"
    "opened = []\n"
    "for line in sys.stdin:\n"
    "    try:\n"
    "        opened += [os.open('/dev/null', os.O_RDONLY) for _ in range(int(line))]\n"
    "        print('opened', flush=True)\n"
    "    except OSError as error:\n"
    "        print(error.strerror, flush=True)\n"
)
"""Opens as many files as each line says."""


class Opener:
    """A process with 64 open files at most, and what raises that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.child = subprocess.Popen(
            [sys.executable, "-c", OPENS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        wait_for(lambda: self.limits() == (64, HARD), "it has few")
        self.process = process_of(self.child.pid)
        self.objection: Refusal | None = None
        self.audit = Audit(folder / "audit.jsonl", uid=os.getuid(), clock=ManualClock())

    def steps(self, *, uid: int | None = None, boot: str = "one") -> FdLimits:
        uid = os.getuid() if uid is None else uid
        return FdLimits(self.folder, self.audit, lambda *_: self.objection, uid=uid, boot=boot)

    def changes(self) -> tuple[Change, ...]:
        """What `tmux-remediator changes` finds, with the state folder in this one."""
        return changes({"XDG_STATE_HOME": str(self.folder.parent)})

    def limits(self) -> tuple[int, int]:
        return resource.prlimit(self.child.pid, resource.RLIMIT_NOFILE)

    def open(self, count: int) -> str:
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.write(f"{count}\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def take(
        self, steps: FdLimits, *, process: ProcessId | None = None, mode: Mode = Mode.ENFORCE
    ) -> tuple[ActionOutcome, str]:
        target = Target(
            kind=TargetKind.AGENT, server=UP.server, session="main", processes=(process or self.process,)
        )
        candidate = TargetCandidate(target=target, subject=UP)
        return steps.take(
            Decision(policy=P, candidate=candidate, action=RAISE.action, rung=RAISE), seen(), mode
        )


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    folder = tmp_path / "tmux-exporter"
    folder.mkdir(mode=0o700)
    made = Opener(folder)
    yield made
    made.audit.close()
    made.child.communicate()


def test_a_process_that_would_fail_goes_on_and_its_limit_can_be_put_back(opener: Opener) -> None:
    assert opener.open(100) == "Too many open files"
    outcome, words = opener.take(opener.steps(boot=boot_id("/proc")))
    assert (outcome, opener.limits()) == (DONE, (256, HARD))
    assert opener.open(100) == "opened"
    (change,) = opener.changes()
    assert change.command == words.partition("to put it back: ")[2]
    assert (change.now, change.was, change.what) == (256, "64", f"open files of process {opener.child.pid}")
    subprocess.run(change.command.split(), check=True)
    assert opener.limits() == (64, HARD)
    assert opener.changes() == ()


def test_of_a_process_that_ends_meanwhile_nothing_is_listed(
    opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opener.take(opener.steps(boot=boot_id("/proc")))[0] is DONE
    assert len(opener.changes()) == 1

    def too_late(pid: int, *_: int) -> tuple[int, int]:
        raise ProcessLookupError(pid)

    monkeypatch.setattr(resource, "prlimit", too_late)
    assert opener.changes() == ()


def test_it_goes_to_four_times_its_first_limit_and_no_further(opener: Opener) -> None:
    assert opener.take(opener.steps())[0] is DONE
    # Another remediator, after this one.
    assert opener.take(opener.steps())[0] is REFUSED
    assert opener.limits() == (256, HARD)
    assert opener.take(opener.steps(boot="another"))[0] is DONE
    assert opener.limits() == (1024, HARD)


def test_it_goes_beyond_no_bound(opener: Opener) -> None:
    resource.prlimit(opener.child.pid, resource.RLIMIT_NOFILE, (2_000, HARD))
    assert opener.take(opener.steps())[0] is DONE
    assert opener.limits() == (HARD, HARD)
    assert opener.take(opener.steps())[0] is REFUSED
    # A hard limit beyond that of whoever runs the tests cannot be had.
    assert fd_limit._wanted(20_000, 100_000) == fd_limit._wanted(20_000, resource.RLIM_INFINITY) == MOST


def test_what_was_raised_before_has_to_be_known(opener: Opener) -> None:
    (opener.folder / "remediator-fd-limits.json").write_text("{")
    with pytest.raises(CannotSeeError, match="is damaged"):
        opener.changes()
    assert opener.take(opener.steps())[0] is REFUSED
    assert opener.limits() == (64, HARD)


def test_another_process_with_its_pid_keeps_its_limit(opener: Opener) -> None:
    stranger = opener.process._replace(start_ticks=opener.process.start_ticks - 1)
    assert opener.take(opener.steps(), process=stranger)[0] is VANISHED
    assert opener.take(opener.steps(uid=os.getuid() + 1))[0] is REFUSED
    assert opener.limits() == (64, HARD)


def test_one_that_has_ended_is_left_alone(opener: Opener) -> None:
    opener.child.communicate()
    assert opener.take(opener.steps())[0] is VANISHED


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.RECOMMEND])
def test_without_enforce_no_limit_is_raised(opener: Opener, mode: Mode) -> None:
    assert opener.take(opener.steps(), mode=mode)[0] is ActionOutcome.WOULD
    assert opener.limits() == (64, HARD)


def test_no_limit_is_raised_against_a_hold_or_without_a_record(opener: Opener) -> None:
    opener.objection = Refusal.HELD
    assert opener.take(opener.steps()) == (REFUSED, Refusal.HELD)
    opener.objection = None
    opener.audit = Audit(opener.folder / "missing" / "audit.jsonl", uid=os.getuid(), clock=ManualClock())
    assert opener.take(opener.steps()) == (REFUSED, Refusal.AUDIT)
    assert opener.limits() == (64, HARD)
