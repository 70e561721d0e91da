"""Every guard, and how it is taken away: what remains then is how the code would be without it."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from tmux_exporter.analysis.leaks import exemptions
from tmux_exporter.analysis.ownership import agent_markers, attribution, tmux_environment
from tmux_exporter.analysis.ownership.agent_markers import AgentMarkers
from tmux_exporter.analysis.ownership.attribution import Attribution
from tmux_exporter.analysis.ownership.tmux_lookup import LiveServer, Presence, TmuxLookup
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process, ProcessId, ProcessTable

Mutant = Callable[[pytest.MonkeyPatch], None]

WORKTREES = "worktrees"
"""The folder with those in which sessions work."""

SERVER_NAME = "default"
"""The server that a process is given to whose TMUX names none that is known, where nothing prevents that."""


def _never(target: Any, name: str) -> Mutant:
    return lambda patch: patch.setattr(target, name, lambda *_: False)


def _nothing(target: Any, name: str) -> Mutant:
    return lambda patch: patch.setattr(target, name, lambda *_: None)


def _without_the_tree(patch: pytest.MonkeyPatch) -> None:
    bequest = Attribution._inherited

    def weak(self: Attribution, parent: Process | None) -> Owner | None:
        owner = bequest(self, parent)
        return None if owner is not None and owner.evidence is Evidence.TREE else owner

    patch.setattr(Attribution, "_inherited", weak)


def _as_gone(presence: Presence) -> Mutant:
    original = TmuxLookup.presence

    def mutant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(
            TmuxLookup,
            "presence",
            lambda self, key: Presence.GONE if (said := original(self, key)) is presence else said,
        )

    return mutant


def _default(tmux: TmuxLookup) -> LiveServer:
    """The server of that name."""
    servers = tmux.servers.values()
    return next(each for each in servers if (each.socket or "").rpartition("/")[2] == SERVER_NAME)


def _any_server(patch: pytest.MonkeyPatch) -> None:
    living, is_older = tmux_environment._living, tmux_environment._is_older

    def older(process: Process, server: LiveServer) -> bool:
        named = f",{server.id.pid}," in (process.environ or {}).get("TMUX", "")
        return named and is_older(process, server)

    patch.setattr(tmux_environment, "_living", lambda pid, tmux: living(pid, tmux) or _default(tmux))
    patch.setattr(tmux_environment, "_is_older", older)


def _unnamed_server(patch: pytest.MonkeyPatch) -> None:
    by_environment = tmux_environment.by_environment

    def lenient(process: Process, tmux: TmuxLookup) -> Owner | None:
        variables = dict(process.environ or {})
        if "TMUX_PANE" in variables and not tmux_environment._TMUX.fullmatch(variables.get("TMUX", "")):
            variables["TMUX"] = f"{SERVER_NAME},{_default(tmux).id.pid},0"
            process = replace(process, environ=variables)
        return by_environment(process, tmux)

    patch.setattr(attribution, "by_environment", lenient)


class ByPid(Mapping[ProcessId, Owner]):
    """A memory that knows a process by its number alone."""

    def __init__(self, memory: Mapping[ProcessId, Owner]) -> None:
        self._memory = {process.pid: owner for process, owner in memory.items()}

    def __getitem__(self, process: ProcessId) -> Owner:
        return self._memory[process.pid]

    def __iter__(self) -> Any:
        return iter([ProcessId(pid, 0) for pid in self._memory])

    def __len__(self) -> int:
        return len(self._memory)


def _by_pid(patch: pytest.MonkeyPatch) -> None:
    decide = attribution.decide
    patch.setattr(attribution, "decide", lambda table, tmux, memory: decide(table, tmux, ByPid(memory)))


def _by_folder_alone(patch: pytest.MonkeyPatch) -> None:
    with_markers = attribution._with_markers

    def lenient(
        decided: Attribution, table: ProcessTable, tmux: TmuxLookup, memory: Mapping[ProcessId, Owner]
    ) -> dict[ProcessId, Owner]:
        owners = with_markers(decided, table, tmux, memory)
        for process in table.processes.values():
            if process.id not in owners and process.alive and f"/{WORKTREES}/" in _folder_of(process):
                owners[process.id] = Owner(
                    kind=OwnerKind.LEAKED,
                    evidence=Evidence.FOLDER,
                    reason="is in the folder of a session",
                    server=_default(tmux).id,
                )
        return owners

    patch.setattr(attribution, "_with_markers", lenient)


def _folder_of(process: Process) -> str:
    try:
        return os.readlink(f"/proc/{process.id.pid}/cwd")
    except OSError:
        return ""


def _without(guard: exemptions.Exemption) -> Mutant:
    def mutant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(
            exemptions, "EXEMPTIONS", tuple(each for each in exemptions.EXEMPTIONS if each is not guard)
        )

    return mutant


GUARDS: Mapping[str, Mutant] = {
    "tmux_server": _never(Attribution, "_is_server"),
    "tmux_client": _never(Attribution, "_is_client"),
    "job_session": _never(attribution, "_is_in_the_session_of"),
    "handed_on_pane": _never(tmux_environment, "_is_passed_on"),
    "live_tree": _without_the_tree,
    "kernel_session": _nothing(Attribution, "_by_session"),
    "terminal": _nothing(Attribution, "_by_tty"),
    "living_pane": _as_gone(Presence.HERE),
    "known_answer": _as_gone(Presence.UNKNOWN),
    "living_server": _any_server,
    "named_server": _unnamed_server,
    "server_age": _never(tmux_environment, "_is_older"),
    "server_socket": _never(tmux_environment, "_is_elsewhere"),
    "pane_id": lambda patch: patch.setattr(tmux_environment, "_PANE", re.compile(".+")),
    "identity": _by_pid,
    "marker_orphan": lambda patch: patch.setattr(AgentMarkers, "_is_orphan", lambda *_: True),
    "marker_outside": lambda patch: patch.setattr(AgentMarkers, "_agents_outside", lambda _: frozenset()),
    "marker_age": lambda patch: patch.setattr(agent_markers, "_are_older", lambda *_: True),
    "stronger_evidence": _by_folder_alone,
    "is_alive": lambda patch: patch.setattr(Process, "alive", True),
    **{guard.__name__: _without(guard) for guard in exemptions.EXEMPTIONS},
}
"""By their names: those of attribution first, then those of `analysis.leak_guards`."""
