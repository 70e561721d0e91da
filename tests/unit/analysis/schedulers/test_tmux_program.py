"""Whether the `tmux` of a script is tmux, by the facts about its shell."""

from collections.abc import Mapping

import pytest

from tests.support.literals.listings import process, table
from tmux_exporter.analysis.schedulers.candidates import SchedulerCandidate, ScriptReader
from tmux_exporter.analysis.schedulers.shell_grammar import PureScript
from tmux_exporter.analysis.schedulers.tmux_program import doubt, is_tmux, shell_questions
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.schedulers import ProgramFile, SchedulerState, ShellFacts, ShellQuestion

TMUX = ProgramFile(name="tmux", native=True, knows_tmux=True)
SCRIPT = ProgramFile(name="tmux", native=False, knows_tmux=False)
OTHER = ProgramFile(name="tmux", native=True, knows_tmux=False)
SEND = "sleep 600 && tmux send-keys -t gone:0 hi"

UNKNOWN, OPAQUE = SchedulerState.UNKNOWN, SchedulerState.OPAQUE


def candidate(*argv: str, shell: str = "bash") -> SchedulerCandidate:
    words = argv or (shell, "-c", SEND)
    (found,) = ScriptReader().candidates(
        table(process(500, 1, words, exe=f"/usr/bin/{shell}"), process(501, 500, ["sleep", "600"]))
    )
    return found


def facts(
    *programs: ProgramFile | None,
    variables: Mapping[str, str] | None = None,
    functions: tuple[str, ...] = (),
    startup: bool | None = False,
) -> ShellFacts:
    return ShellFacts(
        variables=variables or {},
        functions=frozenset(functions),
        programs={"tmux": programs},
        startup_names_tmux=startup,
    )


def state(found: ShellFacts | None, which: SchedulerCandidate | None = None) -> SchedulerState | None:
    which = which or candidate()
    assert isinstance(which.script, PureScript)
    told = doubt(which, which.script, found)
    return None if told is None else told[0]


@pytest.mark.parametrize(
    ("program", "is_one"),
    [
        (TMUX, True),
        (ProgramFile(name="tmux-3.5a", native=True, knows_tmux=True), True),
        (SCRIPT, False),
        (OTHER, False),
        # As a link of that name to another program that is made of tmux.
        (ProgramFile(name="tmate", native=True, knows_tmux=True), False),
    ],
)
def test_what_is_tmux(program: ProgramFile, is_one: bool) -> None:
    assert is_tmux(program) is is_one


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (facts(TMUX), None), (facts(TMUX, TMUX), None), (facts(SCRIPT), OPAQUE), (facts(OTHER), OPAQUE),
        (facts(TMUX, SCRIPT), OPAQUE), (facts(None), UNKNOWN), (facts(TMUX, None), UNKNOWN),
        # There is none at all.
        (facts(), UNKNOWN), (None, UNKNOWN), (facts(TMUX, functions=("tmux",)), OPAQUE),
        (facts(TMUX, functions=("nohup",)), OPAQUE), (facts(TMUX, functions=("sleep",)), OPAQUE),
        (facts(TMUX, functions=("greet", "tmuxes")), None),
        (facts(TMUX, variables={"BASH_ENV": "/home/x/.env"}), OPAQUE),
        (facts(TMUX, variables={"ENV": "/home/x/.shrc"}), OPAQUE),
        (facts(TMUX, variables={"ENV": "$HOME/.shrc"}), OPAQUE),
        (facts(TMUX, variables={"ENV": "production"}), None), (facts(TMUX, startup=True), OPAQUE),
        (facts(TMUX, startup=None), UNKNOWN),
    ],
)  # fmt: skip
def test_what_makes_it_doubtful(found: ShellFacts | None, told: SchedulerState | None) -> None:
    assert state(found) is told


def test_only_bash_takes_functions_from_its_environment() -> None:
    found = facts(TMUX, functions=("tmux",), variables={"BASH_ENV": "/x"})
    assert state(found, candidate(shell="dash")) is None


@pytest.mark.parametrize("flags", ["-ic", "-ci"])
def test_an_interactive_shell_has_aliases(flags: str) -> None:
    assert state(facts(TMUX), candidate("bash", flags, SEND)) is OPAQUE


@pytest.mark.parametrize(
    ("argv", "shell", "question"),
    [
        (("bash", "-c", SEND), "bash", (("tmux",), False, False)),
        (("bash", "-lc", SEND), "bash", (("tmux",), False, True)),
        (("-zsh", "-c", SEND), "zsh", (("tmux",), True, True)),
        (
            ("dash", "-c", f"{SEND} && nohup /opt/bin/tmux send-keys -t gone:0 Enter"),
            "dash",
            (("tmux", "/opt/bin/tmux"), False, False),
        ),
    ],
)
def test_what_is_asked(
    argv: tuple[str, ...], shell: str, question: tuple[tuple[str, ...], bool, bool]
) -> None:
    words, zsh, login = question
    assert shell_questions([candidate(*argv, shell=shell)]) == [
        ShellQuestion(
            shell=ProcessId(500, 2_000), sleep=ProcessId(501, 2_000), words=words, zsh=zsh, login=login
        )
    ]


def test_nothing_is_asked_of_what_is_opaque_anyway() -> None:
    assert shell_questions([candidate("bash", "-c", f"{SEND}; ls")]) == []
