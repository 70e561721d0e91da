"""Ownership by environment: what the variables TMUX and TMUX_PANE of a process prove.

tmux sets them once, when it starts a pane process or a job: the session number in TMUX goes stale when a pane
moves, the server's pid and the pane id stay right. Any process may set them, and servers and daemons inherit
them, so this is weak evidence.
"""

import re
from posixpath import basename

from tmux_exporter.analysis.ownership.tmux_lookup import LiveServer, Presence, TmuxLookup, environment
from tmux_exporter.facts.owner import Evidence, Owner, OwnerKind
from tmux_exporter.facts.process import Process
from tmux_exporter.facts.tmux import PaneKey

_TMUX = re.compile(r"(?P<socket>.+),(?P<pid>[0-9]{1,10}),-?[0-9]+", re.DOTALL)
_PANE = re.compile(r"%[0-9]{1,10}")


def names_tmux(process: Process) -> bool:
    """Whether its environment has TMUX or TMUX_PANE: without both, `by_environment` returns None."""
    variables = process.environ
    return variables is not None and ("TMUX" in variables or "TMUX_PANE" in variables)


def by_environment(process: Process, tmux: TmuxLookup) -> Owner | None:
    """The owner that the environment names; None where it has neither variable.

    PANE for an existing pane. LEAKED for a pane that is gone. SERVER for a job of a server: TMUX without
    TMUX_PANE. OTHER where no owner is proven: with evidence ENVIRONMENT when the server is right but whether
    the pane exists is not known, with evidence NONE when the variables prove nothing.
    """
    variables = environment(process)
    if not variables.get("TMUX") and not variables.get("TMUX_PANE"):
        return None
    named = _TMUX.fullmatch(variables.get("TMUX", ""))
    if named is None:
        return _no_owner("has a TMUX_PANE but no TMUX that names a server")
    pid = int(named["pid"])
    server = _living(pid, tmux)
    if server is None:
        return _no_owner(f"TMUX names pid {pid}, which is no living tmux server of this user")
    if _is_older(process, server):
        return _no_owner(f"TMUX names tmux server {pid}, but the process is older than that server")
    if _is_elsewhere(named["socket"], server):
        return _no_owner(f"TMUX names tmux server {pid}, but another socket than that server's")
    return _pane(variables.get("TMUX_PANE", ""), server, tmux)


def _living(pid: int, tmux: TmuxLookup) -> LiveServer | None:
    return None if pid in tmux.foreign else tmux.servers.get(pid)


def _is_older(process: Process, server: LiveServer) -> bool:
    return process.id.start_ticks < server.id.start_ticks


def _is_elsewhere(socket: str, server: LiveServer) -> bool:
    # Only the base name: the rest may differ (symlinks, relative paths). The pid is the proof.
    return server.socket is not None and basename(server.socket) != basename(socket)


def _is_passed_on(pane: str, server: LiveServer) -> bool:
    """Whether the server was started in a pane of another server and passes that TMUX_PANE to its jobs."""
    return environment(server.process).get("TMUX_PANE") == pane


def _pane(pane: str, server: LiveServer, tmux: TmuxLookup) -> Owner:
    pid = server.id.pid
    if not pane:
        return Owner(
            kind=OwnerKind.SERVER,
            evidence=Evidence.ENVIRONMENT,
            reason=f"TMUX names tmux server {pid} and TMUX_PANE no pane: a job of the server",
            server=server.id,
        )
    if not _PANE.fullmatch(pane):
        return _no_owner(f"TMUX names tmux server {pid}, but TMUX_PANE no pane id")
    key = PaneKey(server.id, pane)
    said = f"TMUX and TMUX_PANE name pane {pane} of tmux server {pid}"
    match tmux.presence(key):
        case Presence.HERE:
            return _owner(OwnerKind.PANE, said, key)
        case Presence.UNKNOWN:
            return Owner(
                kind=OwnerKind.OTHER,
                evidence=Evidence.ENVIRONMENT,
                reason=f"{said}; it is unknown whether that pane is there: no listing since this reading",
            )
        case Presence.GONE:
            if _is_passed_on(pane, server):
                return _no_owner(
                    f"{said}, which is gone, but that server itself was started with that TMUX_PANE"
                )
            return _owner(OwnerKind.LEAKED, f"{said}, which is gone", key)


def _owner(kind: OwnerKind, reason: str, key: PaneKey) -> Owner:
    return Owner(kind=kind, evidence=Evidence.ENVIRONMENT, reason=reason, server=key.server, pane=key)


def _no_owner(reason: str) -> Owner:
    return Owner(kind=OwnerKind.OTHER, evidence=Evidence.NONE, reason=reason)
