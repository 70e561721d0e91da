"""What a real shell runs for the word `tmux`, and whether it is said beforehand that this may be no tmux."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.processes.started import end_process
from tests.support.wait import wait_for
from tmux_exporter.analysis.schedulers.candidates import SchedulerCandidate, ScriptReader
from tmux_exporter.analysis.schedulers.shell_grammar import PureScript
from tmux_exporter.analysis.schedulers.tmux_program import doubt, shell_questions
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.schedulers import SchedulerState, ShellQuestion
from tmux_exporter.sources.processes.full_reader import ProcReader
from tmux_exporter.sources.processes.shells import ShellReader

TMUX = os.path.realpath(shutil.which("tmux") or "")
PLAIN = "/usr/bin:/bin"
SCRIPT = "sleep 20000; {tmux} send-keys -t nowhere:0 hi"
OPAQUE, UNKNOWN = SchedulerState.OPAQUE, SchedulerState.UNKNOWN


class Case(NamedTuple):
    """How a shell is started, what is said of its tmux, and whether it runs the wrapper of the test.

    `$B` in a value of `environ` and in `tmux` is the folder of the test. `make` prepares it.
    """

    environ: Mapping[str, str]
    told: SchedulerState | None
    wrapped: bool
    tmux: str = "tmux"
    shell: tuple[str, ...] = ("bash", "-c")
    make: Callable[[Path], object] = lambda _: None


def not_executable(base: Path) -> None:
    (base / "odd").mkdir()
    shutil.copy(base / "wrapped" / "tmux", base / "odd" / "tmux")
    (base / "odd" / "tmux").chmod(0o644)


def a_folder(base: Path) -> None:
    (base / "odd" / "tmux").mkdir(parents=True)


def a_link(base: Path) -> None:
    (base / "odd").mkdir()
    (base / "odd" / "tmux").symlink_to(TMUX)


def a_link_to_a_folder(base: Path) -> None:
    (base / "odd").symlink_to("wrapped")


def a_circle(base: Path) -> None:
    (base / "odd").symlink_to("odd")


def profile(text: str, name: str = ".bash_profile") -> Callable[[Path], object]:
    return lambda base: (base / name).write_text(text.replace("$B", str(base)))


WRAPPER = "() {  touch $B/ran\n}"

CASES = {
    "plain": Case({"PATH": PLAIN}, None, False),
    "dash": Case({"PATH": PLAIN}, None, False, shell=("dash", "-c")),
    "no PATH": Case({}, None, False),
    "a link": Case({"PATH": f"$B/odd:{PLAIN}"}, None, False, make=a_link),
    "a missing folder": Case({"PATH": f"$B/missing:{PLAIN}"}, None, False),
    "a file that nobody may run": Case({"PATH": f"$B/odd:{PLAIN}"}, None, False, make=not_executable),
    "a folder of that name": Case({"PATH": f"$B/odd:{PLAIN}"}, None, False, make=a_folder),
    "a wrapper behind it": Case({"PATH": f"{PLAIN}:$B/wrapped"}, None, False),
    "a wrapper": Case({"PATH": f"$B/wrapped:{PLAIN}"}, OPAQUE, True),
    "a wrapper behind a link": Case({"PATH": f"$B/odd:{PLAIN}"}, OPAQUE, True, make=a_link_to_a_folder),
    "a wrapper in a relative folder": Case({"PATH": f"wrapped:{PLAIN}"}, OPAQUE, True),
    "a circle": Case({"PATH": f"$B/odd:{PLAIN}"}, UNKNOWN, False, make=a_circle),
    "none at all": Case({"PATH": "$B/missing"}, UNKNOWN, False, shell=("/bin/bash", "-c")),
    "by its path": Case({"PATH": f"$B/wrapped:{PLAIN}"}, None, False, tmux=TMUX),
    "a wrapper by its path": Case({"PATH": PLAIN}, OPAQUE, True, tmux="$B/wrapped/tmux"),
    "a function": Case({"PATH": PLAIN, "BASH_FUNC_tmux%%": WRAPPER}, OPAQUE, True),
    "another function": Case({"PATH": PLAIN, "BASH_FUNC_greet%%": WRAPPER}, None, False),
    "a function that dash does not take": Case({"PATH": PLAIN, "BASH_FUNC_tmux%%": WRAPPER}, None, False,
        shell=("dash", "-c")),
    "BASH_ENV": Case({"PATH": PLAIN, "BASH_ENV": "$B/.startup"}, OPAQUE, True,
        make=profile(f"tmux{WRAPPER}", ".startup")),
    "ENV that no shell reads": Case({"PATH": PLAIN, "ENV": "production"}, None, False),
    "ENV": Case({"PATH": PLAIN, "ENV": "$B/.startup"}, OPAQUE, False, shell=("dash", "-c"),
        make=profile(f"tmux{WRAPPER}", ".startup")),
    "an interactive shell": Case({"PATH": PLAIN, "HOME": "$B"}, OPAQUE, True, shell=("bash", "-ic"),
        make=profile("alias tmux='touch $B/ran #'\n", ".bashrc")),
    "a login": Case({"PATH": PLAIN, "HOME": "$B"}, None, False, shell=("bash", "-lc")),
    "a login with another PATH": Case({"PATH": PLAIN, "HOME": "$B"}, OPAQUE, True, shell=("bash", "-lc"),
        make=profile("PATH=$B/wrapped:$PATH\n")),
    "a login with a function": Case({"PATH": PLAIN, "HOME": "$B"}, OPAQUE, True, shell=("bash", "-lc"),
        make=profile(f"tmux{WRAPPER}\n")),
    "a login without a home": Case({"PATH": PLAIN}, UNKNOWN, False, shell=("bash", "-lc")),
}  # fmt: skip


def candidate_of(pid: int) -> SchedulerCandidate | None:
    """The scheduler that a shell is, once it sleeps."""
    table = ProcReader("/proc", uid=os.getuid(), clock=SystemClock()).read()
    found = [each for each in ScriptReader().candidates(table) if each.shell.id.pid == pid]
    return found[0] if found and found[0].sleep is not None else None


@pytest.mark.parametrize("name", CASES)
def test_what_a_shell_runs_for_the_word_tmux(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    (tmp_path / "wrapped").mkdir()
    (tmp_path / "wrapped" / "tmux").write_text(f"#!/bin/sh\n/usr/bin/touch {tmp_path}/ran\n")
    (tmp_path / "wrapped" / "tmux").chmod(0o755)
    case.make(tmp_path)
    here = {key: value.replace("$B", str(tmp_path)) for key, value in case.environ.items()}
    script = SCRIPT.format(tmux=case.tmux.replace("$B", str(tmp_path)))
    if name == "none at all":
        (tmp_path / "missing").mkdir()
        (tmp_path / "missing" / "sleep").symlink_to("/usr/bin/sleep")
    shell = subprocess.Popen(
        (*case.shell, script), executable=shutil.which(case.shell[0]),
        env={"TMUX_TMPDIR": str(tmp_path), **here}, cwd=tmp_path, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        found = wait_for(lambda: candidate_of(shell.pid), "it sleeps", 20)
        asked = shell_questions([found])
        facts = ShellReader(clock=SystemClock()).read(asked).get(found.shell.id)
        assert isinstance(found.script, PureScript)
        told = doubt(found, found.script, facts)
        assert found.sleep is not None
        # What follows a `;` runs when its sleep ends, however that ends.
        end_process(found.sleep.id.pid)
        shell.wait(20)
    finally:
        shell.kill()
        shell.wait()
    assert (tmp_path / "ran").exists() is case.wrapped, "what the shell does"
    assert (None if told is None else told[0]) is case.told, told
    assert case.told is not None or not case.wrapped, "no wrapper is trusted"


def test_what_is_gone_or_another_process_is_not_known() -> None:
    reader = ShellReader(clock=SystemClock())
    own = ProcReader("/proc", uid=os.getuid(), clock=SystemClock()).read().processes[os.getpid()].id
    wrong = ProcessId(own.pid, own.start_ticks + 1)
    asked = ShellQuestion(shell=own, sleep=None, words=("tmux",))
    assert own in reader.read([asked])
    assert reader.read([asked._replace(shell=wrong)]) == {}
    assert reader.read([asked._replace(sleep=wrong)]) == {}
