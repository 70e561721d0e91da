"""Play real agent programs offline and keep how their states were told.

    python -m tests.support.isolation.namespace -m tests.support.real_agents [--only NAME …] [--record FOLDER]

What is kept of a program (`--json`) takes the place of what was kept of it, and of no other.
`python -m tests.support.programs.fresh_agents` installs the programs; only that needs a network.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.support.programs.exporter import Exporter
from tests.support.real_agents.install import commands_of
from tests.support.real_agents.moments import Step
from tests.support.real_agents.more_programs import MORE_PROGRAMS
from tests.support.real_agents.programs import PROGRAMS, RealProgram
from tests.support.real_agents.recorded import is_told, record_screen
from tests.support.real_agents.stage import NotStagedError, Stage, pause
from tests.support.real_agents.stub import Stub
from tests.support.real_agents.table import Moment, as_json, keep, score, write_page
from tests.support.real_agents.watch import Watch
from tmux_exporter.facts.agents import AgentState

INTERVALS = (5.0, 1.0)
_STEADY_SECONDS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What all programs of one run share."""

    base: Path
    socket: Path
    url: str
    watches: Sequence[Watch]
    size: tuple[int, int]
    record: Path | None

    def run(self, program: RealProgram, folder: Path | None) -> list[Moment]:
        """Every moment of one program; after two in a row that cannot be staged no more are tried."""
        if folder is None:
            return _unstaged(program, program.steps)
        stage = Stage(program, folder, self.base, self.socket, self.url, size=self.size)
        found: list[Moment] = []
        try:
            for step in program.steps:
                found.append(self._moment(stage, program, step))
                if len(found) > 1 and not any(each.staged for each in found[-2:]):
                    break
        finally:
            stage.end()
        return found + _unstaged(program, program.steps[len(found) :])

    def _moment(self, stage: Stage, program: RealProgram, step: Step) -> Moment:
        begun = time.time()
        try:
            stage.do(step)
            there = stage.reached(step)
        except (NotStagedError, subprocess.SubprocessError, psutil.Error) as error:
            _say(f"{program.name}: {step.name}: NOT STAGED\n{error}")
            return _unstaged(program, [step])[0]
        ended = _hold(step, program.name, self.watches, there)
        screen = stage.screen()
        verdicts = tuple(each.verdict(program.name, step, begun, there, ended) for each in self.watches)
        moment = Moment(program=program, step=step, verdicts=verdicts)
        _say(f"{program.name}: {step.name}: {moment.in_words()}")
        if not all(each.is_right for each in verdicts):
            for watch in self.watches:
                _say(f"  at {watch.interval:g} s: {watch.in_words(program.name, begun, there)}")
            _say(screen)
        alone = not self.watches and step.state is not AgentState.EXITED
        if alone and not is_told(program.program, screen, step.state, step.reasons):
            _say(f"  {step.state} {step.reasons} ITS SCREEN DOES NOT TELL\n{screen}")
        if self.record is not None and step.state is not AgentState.EXITED:
            screen = stage.anonymous(screen)
            record_screen(self.record, program.name, step, screen, self.size[0])
        return moment


def _unstaged(program: RealProgram, steps: Sequence[Step]) -> list[Moment]:
    return [Moment(program=program, step=step, verdicts=(), staged=False) for step in steps]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _hold(step: Step, session: str, watches: Sequence[Watch], there: float) -> float:
    """Wait until all have told the moment for a while, or until the time of the slowest is over; when."""
    deadline = there + max((each.allowed for each in watches), default=_STEADY_SECONDS) + 0.5
    steady = time.time()
    while time.time() < deadline:
        if not all(each.is_told(session, step) for each in watches):
            steady = time.time()
        elif time.time() - steady > _STEADY_SECONDS:
            break
        pause(0.1)
    return time.time()


def main() -> int:
    """The exit status: 0 where the goal is reached, or where a part was played without a wrong word."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = {each.name: each for each in (*PROGRAMS, *MORE_PROGRAMS)}
    parser.add_argument("--only", nargs="+", choices=known, default=list(known))
    parser.add_argument("--record", type=Path)
    parser.add_argument("--json", type=Path, help="keep the result here, beside that of other programs")
    parser.add_argument("--page", type=Path, help="write the table of what is kept into this page")
    parser.add_argument("--columns", type=int, default=80)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--screens", action="store_true", help="no exporter: what screens alone say")
    given = parser.parse_args()
    programs = [known[name] for name in given.only]
    folders = {each.name: commands_of(each) for each in programs}
    stub = Stub()
    everything: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="agents", ignore_cleanup_errors=True) as scratch:
        base = Path(scratch)
        sockets = base / "tmux" / f"tmux-{os.getuid()}"
        sockets.mkdir(parents=True, mode=0o700)
        watches = [] if given.screens else [_watch(base, seconds) for seconds in INTERVALS]
        run = Play(
            base=base / "homes", socket=sockets / "default", url=stub.url, watches=watches,
            size=(given.columns, given.rows), record=given.record,
        )  # fmt: skip
        with ThreadPoolExecutor(given.at_once) as pool:
            played = [pool.submit(run.run, each, folders[each.name]) for each in programs]
            for each in played:
                moments = as_json(each.result())
                everything += moments
                # What has been played is kept, whatever becomes of the others.
                if given.json and watches:
                    keep(moments, given.json, list(known))
        for watch in watches:
            watch.end()
    stub.end()
    if given.json and given.page:
        write_page(given.json, given.page)
    if not watches:
        return 0
    result = score(everything)
    _say(result.in_words())
    return 0 if result.reached or result.is_perfect else 1


def _watch(base: Path, seconds: float) -> Watch:
    home, runtime = base / f"state{seconds:g}", base / f"run{seconds:g}"
    home.mkdir()
    runtime.mkdir(mode=0o700)
    environ = {"TMUX_TMPDIR": str(base / "tmux"), "HOME": str(base)}
    exporter = Exporter(home, runtime, "--sampling.interval", f"{seconds:g}s", environ=environ)
    watch = Watch(exporter=exporter, interval=seconds)
    watch.start()
    return watch


if __name__ == "__main__":
    sys.exit(main())
