"""Known long-running programs, such as ssh-agent: meant to outlive their pane, so never called leaked."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from tmux_exporter.analysis.programs.program import program_of
from tmux_exporter.facts.process import Process


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
            {
                "xterm",
                "uxterm",
                "urxvt",
                "urxvtd",
                "st",
                "kitty",
                "alacritty",
                "foot",
                "footserver",
                "konsole",
            }
            | {"gnome-terminal-server", "wezterm-gui", "wezterm-mux-server", "ghostty", "ptyxis", "tilix"}
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
