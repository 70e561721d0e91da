"""Programs that behave like coding agents and are not in the table: for `doctor`, which names them.

One is the foreground program of a pane without an agent, has run for a while, and has run tools: servers or
shells below it, or children that used CPU time. Whether it also reads keys one by one, the terminal tells;
editors, pagers, monitors, clients and watchers do all of that too, and are known by name.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence

from tmux_exporter.analysis.agents.helpers import helpers_of
from tmux_exporter.analysis.programs.process_names import display_name, names_of
from tmux_exporter.analysis.programs.program import is_prompt_shell, program_of
from tmux_exporter.facts.agents import HelperKind
from tmux_exporter.facts.doctor import LookAlike
from tmux_exporter.facts.label import label_text
from tmux_exporter.facts.process import Process
from tmux_exporter.facts.shells import SHELLS
from tmux_exporter.facts.tmux import PaneKey

LEAST_SECONDS = 60.0
"""A program that is younger may be a command of a minute."""

_TOOLS = frozenset({HelperKind.MCP_SERVER, HelperKind.LANGUAGE_SERVER, HelperKind.BROWSER, HelperKind.SHELL})
_OTHERS = frozenset(
    {
        "vi",
        "vim",
        "nvim",
        "view",
        "vimdiff",
        "emacs",
        "nano",
        "micro",
        "helix",
        "hx",
        "kak",
        "joe",
        "ed",
        "amp",
    }
    | {
        "less",
        "more",
        "most",
        "man",
        "bat",
        "top",
        "htop",
        "btop",
        "atop",
        "iotop",
        "glances",
        "nmon",
        "watch",
    }
    | {"tmux", "screen", "zellij", "tmate", "ssh", "mosh", "mosh-client", "autossh", "telnet", "et", "docker"}
    | {"podman", "kubectl", "k9s", "psql", "mysql", "sqlite3", "redis-cli", "mongosh", "ipython", "jupyter"}
    | {"lazygit", "tig", "gitui", "git", "ranger", "nnn", "lf", "yazi", "mc", "fzf", "gdb", "lldb", "strace"}
    | {
        "make",
        "ninja",
        "cargo",
        "go",
        "gradle",
        "mvn",
        "bazel",
        "entr",
        "watchexec",
        "nodemon",
        "cargo-watch",
    }
    | {
        "vite",
        "vitest",
        "jest",
        "next",
        "webpack",
        "tsc",
        "ptw",
        "pytest",
        "playwright",
        "storybook",
        "turbo",
    }
    | {"mutt", "neomutt", "weechat", "irssi", "newsboat", "script", "expect", "asciinema", "sudo", "su"}
    | {"tmux-exporter", "tmux-remediator"}
)


def look_alikes(
    panes: Mapping[PaneKey, Sequence[Process]], with_agent: Iterable[PaneKey]
) -> tuple[LookAlike, ...]:
    """The candidates in these panes: their age and their terminals are still to be looked at."""
    taken = frozenset(with_agent)
    return tuple(
        LookAlike(pane=key.pane, process=each.id, name=label_text(display_name(each)), tty=each.tty)
        for key, members in panes.items()
        if key not in taken
        for each in _in_pane(members)
    )


def _in_pane(members: Sequence[Process]) -> Iterable[Process]:
    """The topmost program in the foreground of a pane, if it has run tools."""
    by_pid = {each.id.pid: each for each in members}
    for each in members:
        if not each.alive or not each.tty or each.pgid != each.foreground_pgid or _is_other(each):
            continue
        above = by_pid.get(each.ppid)
        if above is not None and above.pgid == each.pgid and not _is_other(above):
            continue
        below = _tree(each, members)
        helpers = helpers_of(below, {each.id.pid}, {})
        ran = any(one.children_cpu_ticks for one in below.values() if one.pgid == each.pgid)
        if ran or any(helper.kind in _TOOLS for helper in helpers):
            yield each


def _is_other(process: Process) -> bool:
    """Whether it is a shell, a wrapper or a program of another kind, by its name or its script's."""
    names = {posixpath.splitext(name)[0] for name in names_of(process)} | {*names_of(process)}
    return (
        is_prompt_shell(process)
        or program_of(process) in SHELLS
        or not _OTHERS.isdisjoint({*names, program_of(process).partition(".")[0]})
        or any(name in ("npm", "npx", "pnpm", "yarn", "bunx", "uv", "uvx", "pipx") for name in names)
    )


def _tree(root: Process, members: Sequence[Process]) -> dict[int, Process]:
    children: dict[int, list[Process]] = {}
    for each in members:
        children.setdefault(each.ppid, []).append(each)
    found = {root.id.pid: root}
    line = [root]
    for each in line:
        for child in children.get(each.id.pid, ()):
            if child.id.pid not in found:
                found[child.id.pid] = child
                line.append(child)
    return found
