"""Counters of tmux commands seen through kernel events: latency and failures by server and command.

Of the argv of a tmux client only its command and its server's socket are kept.
"""

import itertools
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tmux_exporter.analysis.histogram import Buckets
from tmux_exporter.analysis.operations.operations import BOUNDS
from tmux_exporter.facts.operations import CommandBatch, CommandRun
from tmux_exporter.facts.report import CommandFigures, CommandsReport

OTHER = "other"
"""A command that is not in the table: of a newer tmux, a user's alias, or a mistyped one."""

_TABLE = """
attach-session attach, bind-key bind, break-pane breakp, capture-pane capturep, choose-buffer, choose-client,
choose-tree, clear-history clearhist, clear-prompt-history clearphist, clock-mode, command-prompt,
confirm-before confirm, copy-mode, customize-mode, delete-buffer deleteb, detach-client detach,
display-menu menu, display-message display, display-panes displayp, display-popup popup, find-window findw,
has-session has, if-shell if, join-pane joinp, kill-pane killp, kill-server, kill-session, kill-window killw,
last-pane lastp, last-window last, link-window linkw, list-buffers lsb, list-clients lsc, list-commands lscm,
list-keys lsk, list-panes lsp, list-sessions ls, list-windows lsw, load-buffer loadb, lock-client lockc,
lock-server lock, lock-session locks, move-pane movep, move-window movew, new-session new, new-window neww,
next-layout nextl, next-window next, paste-buffer pasteb, pipe-pane pipep, previous-layout prevl,
previous-window prev, refresh-client refresh, rename-session rename, rename-window renamew,
resize-pane resizep, resize-window resizew, respawn-pane respawnp, respawn-window respawnw,
rotate-window rotatew, run-shell run, save-buffer saveb, select-layout selectl, select-pane selectp,
select-window selectw, send-keys send, send-prefix, server-access, set-buffer setb, set-environment setenv,
set-hook, set-option set, set-window-option setw, show-buffer showb, show-environment showenv, show-hooks,
show-messages showmsgs, show-options show, show-prompt-history showphist, show-window-options showw,
source-file source, split-window splitw, start-server start, suspend-client suspendc, swap-pane swapp,
swap-window swapw, switch-client switchc, unbind-key unbind, unlink-window unlinkw, wait-for wait
"""
"""Names and aliases of the commands of every supported version (`tmux list-commands`)."""

_ROWS = tuple(tuple(row.split()) for row in _TABLE.split(","))

COMMANDS = (*(row[0] for row in _ROWS), OTHER)
"""Every value of the label `command` (closed list)."""

_ALIASES = {row[1]: row[0] for row in _ROWS if len(row) > 1}

_WITH_VALUE = "cfLST"
_WITHOUT_VALUE = "2DlNuv"


Variables = Callable[[], Mapping[str, str] | None]
"""Reads the environment of a client, which is rarely needed; None where it is not readable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One tmux client: the socket of its server, None where that is not known, and its (first) command."""

    socket: str | None
    command: str


def read_client(argv: Sequence[str], variables: Variables, uid: int) -> Client | None:
    """The command of a tmux client; None for any other program.

    None also for a client without a command and for an attached or control-mode client: it runs as long as a
    person uses it, which is no latency.
    """
    # A server sets its process title only after its start.
    if not argv or posixpath.basename(argv[0]) != "tmux":
        return None
    options: dict[str, str] = {}
    words = list(argv[1:])
    while words and words[0].startswith("-"):
        flag = words.pop(0)
        if flag == "--":
            break
        for index, letter in enumerate(flag[1:], start=2):
            if letter in _WITH_VALUE:
                options[letter] = flag[index:] or (words.pop(0) if words else "")
                break
            if letter not in _WITHOUT_VALUE:
                return None
    if not words:
        return None
    command = command_name(words[0])
    if command == "attach-session" or (command == "new-session" and not _is_detached(words[1:])):
        return None
    return Client(socket=_socket(options, variables, uid), command=command)


def command_name(word: str) -> str:
    """The command for a word, as tmux resolves it: an alias, a name, or a unique prefix."""
    if word in _ALIASES:
        return _ALIASES[word]
    found = [name for name in COMMANDS[:-1] if name.startswith(word)]
    if word in found:
        return word
    return found[0] if word and len(found) == 1 else OTHER


def _is_detached(words: Sequence[str]) -> bool:
    """Whether a new-session has `-d`, alone or after other flags that take no value."""
    rest = itertools.takewhile(lambda word: word != ";", words)
    return any(re.match(r"-[ADEPX]*d", word) for word in rest)


def _socket(options: Mapping[str, str], variables: Variables, uid: int) -> str | None:
    """The socket that tmux would use, in tmux's own order; None also for a relative path."""
    if "S" in options:
        return options["S"] if posixpath.isabs(options["S"]) else None
    environ = variables()
    if environ is None:
        return None
    folder = f"{environ.get('TMUX_TMPDIR') or '/tmp'}/tmux-{uid}"  # noqa: S108 - tmux's own default
    if "L" in options:
        return f"{folder}/{options['L']}"
    # tmux ignores a TMUX that is empty or begins with a comma.
    return environ.get("TMUX", "").split(",")[0] or f"{folder}/default"


NO_SERVER = ""
"""The server label of a command whose server is not known."""

_Key = tuple[str, str]


@dataclass(slots=True)
class _PairCounters:
    durations: Buckets = field(default_factory=lambda: Buckets(BOUNDS))
    errors: int = 0

    def add(self, run: CommandRun) -> None:
        self.durations.add(run.seconds)
        self.errors += run.failed

    def figures(self, key: _Key) -> CommandFigures:
        server, command = key
        return CommandFigures(
            server=server, command=command, duration=self.durations.histogram(), errors_total=self.errors
        )


class TmuxCommandCounters:
    """Every command that was seen to end; the counters of a server are dropped with it.

    A pair of server and command is shown with 0 in the first sample that has it, and with its values from the
    next one on: PromQL sees no increase in a counter that starts at 1.
    """

    def __init__(self) -> None:
        self._counters: dict[_Key, _PairCounters] = {}
        self._shown: set[_Key] = set()

    def report(
        self, batch: CommandBatch, servers: Mapping[str, str], canonical_paths: Mapping[str, str]
    ) -> CommandsReport | None:
        """End a sample; None where the kernel sends no events.

        `servers` maps socket paths to labels, `canonical_paths` other spellings of paths to canonical ones.
        """
        labels = {NO_SERVER, *servers.values()}
        self._counters = {key: counters for key, counters in self._counters.items() if key[0] in labels}
        self._shown &= self._counters.keys()
        self._add(batch.runs, servers, canonical_paths)
        shown = tuple(
            (counters if key in self._shown else _PairCounters()).figures(key)
            for key, counters in self._counters.items()
        )
        self._shown |= self._counters.keys()
        return CommandsReport(commands=shown, lost=batch.lost) if batch.listening else None

    def _add(
        self, runs: Iterable[CommandRun], servers: Mapping[str, str], canonical_paths: Mapping[str, str]
    ) -> None:
        for run in runs:
            label = NO_SERVER if run.socket is None else _label(run.socket, servers, canonical_paths)
            self._counters.setdefault((label, run.command), _PairCounters()).add(run)


def _label(socket: str, servers: Mapping[str, str], canonical_paths: Mapping[str, str]) -> str:
    path = posixpath.normpath(socket)
    folder, name = posixpath.split(path)
    spellings = (
        path,
        canonical_paths.get(path, ""),
        posixpath.join(canonical_paths.get(folder, folder), name),
    )
    return next((servers[each] for each in spellings if each in servers), NO_SERVER)
