"""Agent state from the last rows of its screen; no text of the screen is kept."""

from collections.abc import Sequence

from tmux_exporter.analysis.agents.hook_state import QUIET_SECONDS, WindowActivity
from tmux_exporter.analysis.agents.screen_patterns import (
    SCREENS,
    RowPosition,
    ScreenMeaning,
    ScreenPattern,
    ScreenText,
)
from tmux_exporter.facts.agents import AgentState, Clue, StateSource

_FRAMES = " \t\N{NO-BREAK SPACE}│┃║|▌▎▏╭╮╰╯┌┐└┘"
"""Characters of frames around a text."""


def read_screen(program: str, rows: Sequence[str]) -> ScreenMeaning | None:
    """The meaning of the rows, by the first matching pattern of the program; None if none matches."""
    bare = [row.strip(_FRAMES) for row in rows]
    for pattern in SCREENS.get(program, ()):
        row_indexes = [_row_index(words, bare) for words in pattern.words]
        found = [each for each in row_indexes if each is not None]
        if len(found) == len(row_indexes) and not _is_closed(pattern, found, bare):
            return pattern.meaning
    return None


def _row_index(words: ScreenText, rows: Sequence[str]) -> int | None:
    """The lowest row with the text; None if no row has it."""
    # Not further up than the agent draws it: above are output and input.
    first = max(0, len(rows) - 1 - words.most_below)
    return next((at for at in range(len(rows) - 1, first - 1, -1) if _has(rows[at], words)), None)


def _has(row: str, words: ScreenText) -> bool:
    match words.key:
        case RowPosition.BEGINS:
            return row.startswith(words.text)
        case RowPosition.ENDS:
            return row.endswith(words.text)
        case RowPosition.HOLDS:
            return words.text in row


def _is_closed(pattern: ScreenPattern, found: Sequence[int], rows: Sequence[str]) -> bool:
    # Below the prompt, which is the last text, are signs that look like an answer: "● high".
    return any(row.startswith(pattern.closed_by) for row in rows[found[0] + 1 : max(found[1:], default=None)])


def screen_clue(
    meaning: ScreenMeaning | None,
    window: WindowActivity,
    asked: float,
    *,
    settled: bool = False,
    until: float | None = None,
) -> Clue:
    """The clue of a screen; "working" counts only while the window is active, a limit until its end.

    `settled`: nothing was written in its window for a second before it was read.
    """
    if meaning is None:
        return unread("its text shows nothing that is known")
    quiet = window.moved is not None and asked - window.moved > QUIET_SECONDS
    if meaning.state is AgentState.WORKING and quiet:
        return unread("its text says working, but its window is quiet")
    if meaning.still and not settled:
        return unread("its text says idle, but its window moves")
    if until is not None and asked >= until and meaning.passes:
        return Clue(
            source=StateSource.PANE_TEXT,
            state=AgentState.IDLE,
            since=until,
            why="its text says that a usage limit was reached, which has ended",
            certain=False,
            settled=True,
        )
    reason = f" ({meaning.reason})" if meaning.reason else ""
    return Clue(
        source=StateSource.PANE_TEXT,
        state=meaning.state,
        reason=meaning.reason,
        since=None if meaning.state is AgentState.WORKING else window.moved,
        why=f"its text says {meaning.state}{reason}",
        certain=meaning.certain,
        settled=settled or meaning.whole,
        until=until,
    )


def unread(why: str) -> Clue:
    """The clue of a screen that shows no state."""
    return Clue(source=StateSource.PANE_TEXT, why=why)
