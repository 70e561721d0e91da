"""Build the queries to tmux servers: the allow-list of variables, and the two command lists.

No query is composed from data. A format is a program to tmux (`#(…)` runs a shell), some variables kill a
server of some versions where they are evaluated out of place, and an argument that ends in `;` begins a new
command. So a command list consists of constants of this file, names in `VARIABLES` that the server's
version knows, a random nonce, and ids of panes (`%` and digits).
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tmux_exporter.facts.tmux_quirks import DEAD_SIGNAL, Quirk

NONCE = re.compile(r"[0-9a-f]{16}")
PANE_ID = re.compile(r"%[0-9]{1,10}")


class Record(StrEnum):
    """The kinds of record in an answer; the letter follows the nonce that begins one."""

    SERVER = "s"
    CLIENT = "c"
    PANE = "p"


class ValueKind(StrEnum):
    """What a variable's value looks like. An unknown variable prints as empty, hence the optional number."""

    ID = "id"
    FLAG = "flag"
    NUMBER = "number"
    OPTIONAL_NUMBER = "optional_number"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable that may be asked for in records of one kind, of servers for which `needs` holds."""

    name: str
    kind: ValueKind
    record: Record
    needs: Quirk | None = None


def _variables(record: Record, kind: ValueKind, names: str, needs: Quirk | None = None) -> list[Variable]:
    return [Variable(name=name, kind=kind, record=record, needs=needs) for name in names.split()]


VARIABLES: tuple[Variable, ...] = (
    *_variables(Record.SERVER, ValueKind.NUMBER, "pid"),
    *_variables(Record.SERVER, ValueKind.TEXT, "version"),
    *_variables(Record.PANE, ValueKind.ID, "pane_id session_id window_id"),
    *_variables(Record.PANE, ValueKind.NUMBER, "window_index pane_index"),
    *_variables(Record.PANE, ValueKind.FLAG, "pane_active window_active pane_dead automatic-rename"),
    *_variables(Record.PANE, ValueKind.OPTIONAL_NUMBER, "pane_pid pane_dead_status"),
    *_variables(Record.PANE, ValueKind.OPTIONAL_NUMBER, "pane_dead_signal", DEAD_SIGNAL),
    *_variables(Record.PANE, ValueKind.NUMBER, "history_size history_limit history_bytes"),
    *_variables(
        Record.PANE, ValueKind.NUMBER, "session_created session_activity session_attached window_activity"
    ),
    *_variables(
        Record.PANE, ValueKind.TEXT, "session_name session_group window_name @agent @role @protect pane_title"
    ),
)
"""Every variable that is queried, in the order of the answer.

No `client_*` and no `buffer_*`, and no time variable with `display-message` (DEADLY_VARIABLES): a client's
record is empty and only counted. No path and no command: they hold foreign text that nobody needs, and the
current command costs the server a read of /proc. Of a title only the sign before its words is kept.
"""


def allowed(record: Record, version: str | None) -> tuple[Variable, ...]:
    """The variables to ask for in one kind of record of a server of this version (None: not known yet).

    A server of an unknown version is asked for what every supported version knows. A variable that a server
    does not know prints as empty.
    """
    return tuple(v for v in VARIABLES if v.record is record and (v.needs is None or v.needs.holds(version)))


def record_format(record: Record, nonce: str, version: str | None) -> str:
    """The format of one record: numbers joined by `:`, then each text between copies of the nonce.

    Texts may hold newlines, TABs and anything else but a nonce that was not known when they were written.
    Their lengths could not be relied on (ESCAPED_NAMES).
    """
    asked = allowed(record, version)
    numbers = "".join(f":#{{{v.name}}}" for v in asked if v.kind is not ValueKind.TEXT)
    texts = "".join(f"#{{{v.name}}}{nonce}" for v in asked if v.kind is ValueKind.TEXT)
    return f"{nonce}{record}{numbers}{nonce}{texts}"


def new_nonce() -> str:
    """A new nonce for one query: 64 random bits in hex, of constant length."""
    return os.urandom(8).hex()


def command_list(nonce: str, version: str | None) -> tuple[str, ...]:
    """The query for a listing, as arguments of tmux: server facts first, the panes last.

    tmux ends a command list at its first error, and without a session `list-clients` and `list-panes` are one
    ("no current target"): what came before is then the whole truth. No command has a target (DEADLY_TARGETS).
    """
    if not NONCE.fullmatch(nonce):
        raise ValueError("a nonce is 16 hexadecimal digits")
    return (
        "display-message",
        "-p",
        record_format(Record.SERVER, nonce, version),
        ";",
        "list-clients",
        "-F",
        record_format(Record.CLIENT, nonce, version),
        ";",
        "list-panes",
        "-a",
        "-F",
        record_format(Record.PANE, nonce, version),
    )


def screen_mark(nonce: str, pane: str) -> str:
    """The mark before the text of a pane. Without `%`, which tmux would expand as a date."""
    return f"{nonce}t{pane.removeprefix('%')}"


def end_mark(nonce: str) -> str:
    """The mark after the last text."""
    return f"{nonce}e"


def screen_list(nonce: str, panes: Sequence[str]) -> tuple[str, ...]:
    """The query for screens: each pane after a mark of its own, then a last mark.

    Panes are named by id only. tmux prints the visible rows without history and colours. A pane that no
    longer exists ends the list.
    """
    if not NONCE.fullmatch(nonce):
        raise ValueError("a nonce is 16 hexadecimal digits")
    if not panes or not all(PANE_ID.fullmatch(pane) for pane in panes):
        raise ValueError("the id of a pane is % and digits")
    words: list[str] = []
    for pane in panes:
        words += ("display-message", "-p", screen_mark(nonce, pane), ";")
        words += ("capture-pane", "-p", "-t", pane, ";")
    return (*words, "display-message", "-p", end_mark(nonce))
