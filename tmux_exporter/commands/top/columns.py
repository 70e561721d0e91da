"""The columns of the table of `top`, and how wide a terminal has to be for each."""

from dataclasses import dataclass

from tmux_exporter.commands.top.rows import Sort


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnOf:
    """One column: its cells are found by `key`; `sort` orders the rows by it.

    `least` keeps it from jumping to and fro with its figures; a `wide` one needs a wide terminal, the
    one that is `wider` still more.
    """

    key: str
    title: str
    sort: Sort | None = None
    right: bool = False
    wide: bool = False
    wider: bool = False
    from_width: int = 0
    least: int | None = None
    most: int | None = None


COLUMNS = (
    ColumnOf(key="name", title="SESSION / AGENT", sort=Sort.NAME, least=15),
    ColumnOf(key="program", title="PROGRAM", wide=True, least=8, most=11),
    ColumnOf(key="state", title="STATE", sort=Sort.STATE, least=10),
    ColumnOf(key="reason", title="FOR", wide=True, least=11),
    ColumnOf(key="since", title="SINCE", right=True, from_width=48, least=7),
    ColumnOf(key="cpu", title="CPU", sort=Sort.CPU, right=True, least=5),
    ColumnOf(key="memory", title="MEM", sort=Sort.MEMORY, right=True, least=4),
    ColumnOf(key="limit", title="LIM", right=True, from_width=58, least=4),
    ColumnOf(key="fds", title="FDS", sort=Sort.FDS, right=True, from_width=62, least=4),
    ColumnOf(key="cost", title="COST", right=True, from_width=120, least=6),
    ColumnOf(key="tokens", title="TOKENS", right=True, from_width=160, least=6),
    ColumnOf(key="context", title="CTX", right=True, from_width=130, least=4),
    ColumnOf(key="processes", title="PROCS", right=True, wide=True),
    ColumnOf(key="helpers", title="HELPERS", wide=True, wider=True, most=24),
    ColumnOf(key="pane", title="PANE", wide=True),
    ColumnOf(key="leaks", title="LEAK", sort=Sort.LEAKS, right=True, from_width=68, least=5),
    ColumnOf(key="next", title="NEXT", sort=Sort.DUE, right=True, from_width=76, least=8),
    ColumnOf(key="server", title="SERVER", wide=True, most=24),
)

SPENDING = frozenset({"cost", "tokens", "context"})
"""Columns that are only there where somebody has figures for them."""
