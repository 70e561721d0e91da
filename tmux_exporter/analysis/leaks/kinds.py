"""The kind of a leaked process (agent, MCP server, dev server, shell job, …), by its program or relatives.

A wrapper (npm, `sh -c`) has the kind of what it runs. A child of a server has the kind of the server.
Known long-running programs, such as ssh-agent, are meant to outlive their pane, so never called leaked.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from tmux_exporter.analysis.programs.process_names import MCP, is_mcp_server
from tmux_exporter.analysis.programs.program import program_of
from tmux_exporter.analysis.programs.signatures import SignatureMatch
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import LeakDetails, Process
from tmux_exporter.facts.shells import SHELLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """Programs that are meant to outlive the pane that started them, and why.

    `names` are names of program files, `files` shell patterns for the whole path, `title` a regular
    expression for argv[0], `arguments` any argument; one match is enough. With an argument of `unless` it is
    no match.
    """

    why: str
    names: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    title: str = ""
    arguments: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()


LASTING: tuple[Lasting, ...] = (
    Lasting(
        why="it keeps terminals that people come back to",
        names=frozenset({"screen", "dtach", "abduco", "zellij", "shpool", "tmate", "byobu", "mosh-server"}),
    ),
    Lasting(
        why="it keeps keys for the whole login",
        names=frozenset(
            {"ssh-agent", "gpg-agent", "scdaemon", "dirmngr", "keyboxd", "gnome-keyring-d"}
            | {"gnome-keyring-daemon", "kwalletd5", "kwalletd6", "keepassxc", "ssh-pageant"}
        ),
    ),
    Lasting(
        why="it is part of the login's session",
        names=frozenset(
            {"dbus-daemon", "dbus-broker", "dbus-broker-launch", "dbus-launch", "at-spi2-registryd"}
            | {"dconf-service", "gvfsd", "gvfsd-fuse", "ibus-daemon", "fcitx5", "xdg-desktop-portal"}
            | {"pulseaudio", "pipewire", "wireplumber", "Xorg", "Xwayland", "redshift"}
        ),
    ),
    Lasting(
        why="it runs jobs and services for others",
        names=frozenset({"atd", "cron", "crond", "anacron", "supervisord", "runsvdir", "s6-svscan"}),
        title=r"PM2 v\S+: God Daemon.*",
    ),
    Lasting(
        why="it is a build daemon that later builds use again",
        names=frozenset(
            {"watchman", "sccache", "adb", "buck2", "buck2-daemon", "bazel", "mill-daemon", "ibazel"}
            | {"flow", "turbod", "fsmonitor--daemon", "git-fsmonitor"}
        ),
        title=r"bazel\(.*\)",
        arguments=frozenset(
            {
                "org.gradle.launcher.daemon.bootstrap.GradleDaemon",
                "org.jetbrains.kotlin.daemon.KotlinCompileDaemon",
                "fsmonitor--daemon",
                "/nodemode:1",
                "VBCSCompiler.dll",
            }
        ),
    ),
    Lasting(
        why="it keeps containers or machines",
        names=frozenset(
            {"dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v2", "conmon", "podman"}
            | {"buildkitd", "rootlesskit", "slirp4netns", "pasta", "pasta.avx2", "fuse-overlayfs", "crun"}
            | {"limactl", "colima", "qemu-system-x86_64", "qemu-system-aarch64", "virtqemud", "vpnkit"}
        ),
    ),
    Lasting(
        why="it is an editor that people have open",
        names=frozenset(
            {"emacs", "emacs-gtk", "emacs-nox", "emacs-pgtk", "emacs-lucid", "gvim", "code", "code-insiders"}
            | {"code-server", "codium", "cursor", "windsurf", "zed-editor", "sublime_text", "idea", "pycharm"}
        ),
        files=("*/.vscode-server*/*", "*/.cursor-server/*", "*/.windsurf-server/*", "*/.vscodium-server/*"),
        unless=frozenset({"--batch", "-batch", "--script", "-script"}),
    ),
    Lasting(
        why="it is a terminal that people have open",
        names=frozenset(
            {"xterm", "uxterm", "urxvt", "urxvtd", "st", "kitty", "alacritty", "foot", "footserver"}
            | {"konsole", "gnome-terminal-server", "wezterm-gui", "wezterm-mux-server", "ghostty"}
            | {"ptyxis", "tilix"}
        ),
    ),
    Lasting(
        why="it keeps a way in or out for others",
        names=frozenset({"sshd", "sshd-session", "autossh", "etserver", "etterminal", "sshfs", "syncthing"}),
        title=r"ssh: .* \[mux\]",
    ),
)
"""An argument alone is never enough: an agent may quote all of these in a prompt."""

_RUNTIMES = frozenset({"java", "git", "dotnet"})
"""Programs that run the ones known by an argument."""


def why_lasting(process: Process) -> str:
    """Why a process is meant to outlive its pane; empty where it is not."""
    return _why_lasting(program_of(process), process.exe or "", process.argv or ())


@lru_cache(maxsize=4096)
def _why_lasting(name: str, file: str, argv: tuple[str, ...]) -> str:
    for row in LASTING:
        by_name = name in row.names or (bool(argv) and bool(row.title) and re.fullmatch(row.title, argv[0]))
        by_file = any(fnmatchcase(file, pattern) for pattern in row.files)
        by_argument = name in _RUNTIMES and not row.arguments.isdisjoint(argv)
        if (by_name or by_file or by_argument) and row.unless.isdisjoint(argv):
            return f"{name}: {row.why}"
    return ""


_PRECEDENCE = (LeakKind.AGENT, LeakKind.AGENT_DAEMON, LeakKind.MCP_SERVER, LeakKind.DEV_SERVER)


def own_kind(process: Process, match: SignatureMatch | None, facts: LeakDetails | None) -> LeakKind | None:
    """The kind that the process itself shows; None where it shows none."""
    if match is not None:
        if not match.service:
            return LeakKind.AGENT
        return LeakKind.MCP_SERVER if MCP.search(match.command) else LeakKind.AGENT_DAEMON
    if is_mcp_server(process):
        return LeakKind.MCP_SERVER
    return LeakKind.DEV_SERVER if facts is not None and facts.listens else None


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
