"""The kind of a leaked process (agent, MCP server, dev server, shell job, …), by its program or relatives.

A wrapper (npm, `sh -c`) has the kind of what it runs. A child of a server has the kind of the server.
Known long-running programs, such as ssh-agent, are meant to outlive their pane, so never called leaked.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from tmux_exporter.analysis.programs.program import program_of
from tmux_exporter.analysis.programs.signatures import SignatureMatch, script_of
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
