"""Checks that the word `tmux` in a script runs tmux: a wrapper, function or alias may send keys elsewhere."""

from collections.abc import Iterable

from tmux_exporter.analysis.schedulers.candidates import SchedulerCandidate
from tmux_exporter.analysis.schedulers.shell_grammar import LAUNCHERS, PureScript
from tmux_exporter.facts.schedulers import ProgramFile, SchedulerState, ShellFacts, ShellQuestion

_WORDS = frozenset({"tmux", "sleep", *LAUNCHERS})


def shell_questions(candidates: Iterable[SchedulerCandidate]) -> list[ShellQuestion]:
    """The requests for facts about the shells of pure scripts."""
    return [
        ShellQuestion(
            shell=each.shell.id,
            sleep=each.sleep.id if each.sleep is not None else None,
            words=tuple(dict.fromkeys(send.program for send in each.script.sends)),
            zsh=each.program == "zsh",
            login="l" in each.script.flags or (each.shell.argv or ("",))[0].startswith("-"),
        )
        for each in candidates
        if isinstance(each.script, PureScript)
    ]


def doubt(
    candidate: SchedulerCandidate, script: PureScript, facts: ShellFacts | None
) -> tuple[SchedulerState, str] | None:
    """State and reason where its `tmux` may not be tmux; None where it is tmux."""
    if "i" in script.flags:
        return _opaque("its shell is interactive, so an alias or a function may stand for tmux")
    if facts is None:
        return SchedulerState.UNKNOWN, "its environment is not readable, so its tmux may be another program"
    if candidate.program == "bash" and "BASH_ENV" in facts.variables:
        return _opaque("BASH_ENV names a file that its shell reads first")
    # Many programs use ENV for something else: only a path names a file.
    if not {"/", "$"}.isdisjoint(facts.variables.get("ENV", "")):
        return _opaque("ENV names a file that its shell may read first")
    named = _WORDS | facts.programs.keys()
    if candidate.program == "bash" and not named.isdisjoint(facts.functions):
        return _opaque("an exported function of its shell stands for one of its commands")
    if facts.startup_names_tmux:
        return _opaque("a file that its shell reads first says something of tmux")
    if facts.startup_names_tmux is None:
        return SchedulerState.UNKNOWN, "what its shell reads first is not known"
    return _of_programs([each for word in facts.programs.values() for each in word or (None,)])


def _of_programs(found: list[ProgramFile | None]) -> tuple[SchedulerState, str] | None:
    if any(each is not None and not is_tmux(each) for each in found):
        return _opaque("the first tmux on its PATH is another program, which may send its keys elsewhere")
    if None in found:
        return SchedulerState.UNKNOWN, "which program its tmux is cannot be seen"
    return None


def is_tmux(program: ProgramFile) -> bool:
    """Whether a file is tmux itself: native code with that name that contains the names of tmux commands.

    A script is not, nor a packager's wrapper that runs tmux with options of its own.
    """
    return program.native and program.knows_tmux and program.name.startswith("tmux")


def _opaque(reason: str) -> tuple[SchedulerState, str]:
    return SchedulerState.OPAQUE, f"it cannot be judged: {reason}"
