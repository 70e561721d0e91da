"""The kind of a leaked process (agent, MCP server, dev server, shell job, …), by its program or relatives.

A wrapper (npm, `sh -c`) has the kind of what it runs. A child of a server has the kind of the server.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from tmux_exporter.analysis.programs.program import program_of
from tmux_exporter.analysis.programs.signatures import SignatureMatch, script_of
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import LeakDetails, Process
from tmux_exporter.facts.shells import SHELLS

_MCP = re.compile(r"(?:^|[-_.@])mcp(?:$|[-_.@])|^mcp(?:$|[-_.])|modelcontextprotocol", re.IGNORECASE)
# Programs that fetch and run another one; its name is their first argument that is no flag.
_RUNNERS = frozenset(
    {"npx", "npm", "pnpm", "pnpx", "yarn", "bunx", "uvx", "uv", "pipx", "npx-cli.js", "npm-cli.js"}
)
_RUNNER_COMMANDS = frozenset({"exec", "x", "dlx", "run", "tool"})
# File and folder names that do not describe their content.
_GENERIC_NAMES = frozenset({"index", "main", "server", "cli", "__main__", "start", "run", "app", "mod"})
_GENERIC_FOLDERS = frozenset(
    {"dist", "build", "src", "bin", "lib", "out", ".bin", "cjs", "esm", "bundle", ""}
)

_PRECEDENCE = (LeakKind.AGENT, LeakKind.AGENT_DAEMON, LeakKind.MCP_SERVER, LeakKind.DEV_SERVER)


def own_kind(process: Process, match: SignatureMatch | None, facts: LeakDetails | None) -> LeakKind | None:
    """The kind that the process itself shows; None where it shows none."""
    if match is not None:
        if not match.service:
            return LeakKind.AGENT
        return LeakKind.MCP_SERVER if _MCP.search(match.command) else LeakKind.AGENT_DAEMON
    if is_mcp_server(process):
        return LeakKind.MCP_SERVER
    return LeakKind.DEV_SERVER if facts is not None and facts.listens else None


def is_mcp_server(process: Process) -> bool:
    """Whether the name of its program, script or package is that of an MCP server: nothing else shows it."""
    return any(_MCP.search(name) for name in _names(process))


def display_name(process: Process) -> str:
    """The name to show to a person: the program, and the script or package that it runs.

    `sleep`, `python3 serve.py`, `node @scope/server`, `npm some-package`: no whole path, no other argument.
    """
    program = program_of(process)
    names = list(_names(process)) or [program]
    # With another argv[0] (`exec -a`) the program file names it; a program that sets a title, its title.
    first = names[0] if " " in (process.argv or ("",))[0] else program
    return " ".join((first, *_runs(names[1:])))


def _runs(names: Sequence[str]) -> Iterable[str]:
    if not names:
        return
    script, *around = names
    if not around:
        yield script
    elif around[0].startswith("@") or script in _RUNNERS:
        yield "/".join(around)
    else:
        yield f"{around[0]}/{script}"


def _names(process: Process) -> Iterable[str]:
    argv = process.argv or ()
    if not argv:
        return
    # npm writes a title over its arguments: "npm exec @modelcontextprotocol/server-memory".
    titled = " " in argv[0]
    words: Sequence[str] = (*argv[0].split(" "), *argv[1:]) if titled else argv
    name = posixpath.basename(words[0])
    yield name
    script, after = ("", ()) if titled else script_of(words, name, program_of(process))
    if script:
        yield from _script_names(script)
        name, words = posixpath.basename(script), ("", *after)
    if name in _RUNNERS:
        plain = [word for word in words[1:] if word and not word.startswith("-")]
        yield from [word for word in plain[:3] if word not in _RUNNER_COMMANDS][:1]


def _script_names(script: str) -> Iterable[str]:
    folders = script.split("/")
    *ancestor, name = folders
    yield name
    if "node_modules" in ancestor:
        package = folders[len(folders) - folders[::-1].index("node_modules") :]
        yield from package[: 2 if package and package[0].startswith("@") else 1]
    elif name.partition(".")[0] in _GENERIC_NAMES:
        yield from [folder for folder in reversed(ancestor) if folder not in _GENERIC_FOLDERS][:2]


class LeakKinds:
    """The kinds of all leaks of one sample. `own` returns the kind that a process itself shows."""

    def __init__(
        self,
        leaks: Mapping[int, Process],
        processes: Mapping[int, Process],
        own: Callable[[Process], LeakKind | None],
    ) -> None:
        self._leaks = leaks
        self._processes = processes
        self._own = {pid: own(process) for pid, process in leaks.items()}
        self._below: dict[int, LeakKind] = {}
        for pid, kind in self._own.items():
            for ancestor in self._ancestors(pid) if kind is not None else ():
                known = self._below.get(ancestor)
                if kind is not None and (known is None or _PRECEDENCE.index(kind) < _PRECEDENCE.index(known)):
                    self._below[ancestor] = kind

    def of(self, pid: int) -> tuple[LeakKind, str]:
        """The kind, and why, in words."""
        if (own := self._own[pid]) is not None:
            return own, _OWN_REASONS[own]
        for ancestor in self._ancestors(pid):
            if (kind := self._own[ancestor]) is not None:
                return kind, f"it descends from pid {ancestor}, which is one"
        if (kind := self._below.get(pid)) is not None:
            return kind, "it runs what is one"
        if _is_shell(self._leaks[pid]):
            return LeakKind.SHELL_JOB, "it is a shell"
        if any(_is_shell(self._leaks[ancestor]) for ancestor in self._ancestors(pid)):
            return LeakKind.SHELL_JOB, "it descends from a shell that is left over too"
        if self._was_started_as_a_job(self._leaks[pid]):
            return (
                LeakKind.SHELL_JOB,
                f"it was a job in session {self._leaks[pid].session_id}, whose shell is gone",
            )
        return LeakKind.OTHER, "nothing tells what it is"

    def _ancestors(self, pid: int) -> Iterable[int]:
        """Leaked ancestors, nearest first; stops at a cycle, which a race while reading can make."""
        seen = {pid}
        ancestor = self._leaks[pid].ppid
        while ancestor in self._leaks and ancestor not in seen:
            yield ancestor
            seen.add(ancestor)
            ancestor = self._leaks[ancestor].ppid

    def _was_started_as_a_job(self, process: Process) -> bool:
        # A daemon leads a kernel session of its own.
        leader = self._processes.get(process.session_id)
        alive = leader is not None and leader.alive and leader.id.start_ticks <= process.id.start_ticks
        return process.session_id != process.id.pid and not alive


_OWN_REASONS = {
    LeakKind.AGENT: "its program is a coding agent",
    LeakKind.AGENT_DAEMON: "its program is a coding agent that serves others, by design also later ones",
    LeakKind.MCP_SERVER: "its program is called as MCP servers are",
    LeakKind.DEV_SERVER: "it listens on a TCP port",
}


def _is_shell(process: Process) -> bool:
    return program_of(process) in SHELLS
