"""What the user of `top` has chosen: view, order, filter, row."""

from dataclasses import dataclass

from tmux_exporter.commands.top.lists import Tab
from tmux_exporter.commands.top.rows import RowKey, Sort


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenView:
    """The user's view: the row that is chosen; `editing` while the filter is being typed, `help` on `?`.

    `note` is told once, in place of the keys. `source` says where the report comes from; `now` is wall time,
    None where the report has just been taken. A list is sorted by its `column`; `opened` is shown instead of
    it, from the line `scroll` on.
    """

    sort: Sort
    filter: str
    source: str
    now: float | None = None
    selected: RowKey | None = None
    tab: Tab = Tab.SESSIONS
    column: int | None = None
    reverse: bool = False
    opened: RowKey | None = None
    scroll: int = 0
    editing: bool = False
    help: bool = False
    note: str = ""
