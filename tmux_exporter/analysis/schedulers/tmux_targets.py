"""Which pane a `-t TARGET` of `tmux send-keys` would reach, worked out from a listing without asking tmux.

The rules are those of cmd-find.c, the same in every version: session and window by id, by exact name, by
unique prefix, by unique pattern; a window's index before its name. What depends on who asks (the client's
current session, window or pane) or on what a listing does not hold (layout, marks, terminals of clients) is
UNSUPPORTED: a wrong "none" would call a scheduler lost that tmux delivers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from tmux_exporter.facts.tmux import Listing, Pane, Session, WindowLink
from tmux_exporter.facts.tmux_quirks import ESCAPED_NAMES


class TmuxTargetKind(StrEnum):
    """How a target was resolved; of its parts the least certain one counts."""

    ID = "id"
    EXACT = "exact"
    PREFIX = "prefix"
    FNMATCH = "fnmatch"
    NONE = "none"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The resolved target. `pane_id` is None for NONE and UNSUPPORTED; `reason` then says why."""

    kind: TmuxTargetKind
    pane_id: str | None = None
    reason: str = ""


class _UnresolvedError(Exception):
    """A part of the target ends the search without a pane."""

    def __init__(self, kind: TmuxTargetKind, reason: str) -> None:
        super().__init__(reason)
        self.resolution = Resolution(kind=kind, reason=reason)


_T = TypeVar("_T")
_Named = Sequence[tuple[str, _T]]

_CERTAINTY = (TmuxTargetKind.ID, TmuxTargetKind.EXACT, TmuxTargetKind.PREFIX, TmuxTargetKind.FNMATCH)
_RELATIVE = frozenset("$@%{}!+-^~=")
_ID = re.compile(r"([$@%])([0-9]+)")
# tmux reads an index by strtonum(3): leading white space and a sign are allowed, the range is that of an int.
_INDEX = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]+")
_MAX_INDEX = 2**31 - 1
# A session part that is no session's name may be the name or the terminal of an attached client.
_CLIENT = re.compile(r"/dev/|pts/|tty|pty|console|client-")
# No command with more than 16 kB of arguments reaches a server; long before, matching would cost time.
_MAX_LENGTH = 4096


def resolve(target: str | None, listing: Listing) -> Resolution:
    """Resolve a pane target as `tmux send-keys -t` does; None means a command without `-t`."""
    try:
        return _resolve(target, listing)
    except _UnresolvedError as end:
        return end.resolution


def _resolve(target: str | None, listing: Listing) -> Resolution:
    if not target:
        raise _UnresolvedError(
            TmuxTargetKind.UNSUPPORTED, "without a target tmux takes the sender's current pane"
        )
    if len(target) > _MAX_LENGTH:
        raise _UnresolvedError(TmuxTargetKind.UNSUPPORTED, "the target is too long to be one")
    session_part, colon, rest = target.partition(":")
    if not colon:
        if not _ID.fullmatch(target):
            raise _UnresolvedError(
                TmuxTargetKind.UNSUPPORTED, "a target without a colon depends on the sender's session"
            )
        return _by_id(target, listing)
    window_part, _, pane_part = rest.partition(".")
    session_kind, session = _session(session_part, listing)
    links = [link for link in listing.links if link.session_id == session.id]
    window_kind, link = _window(window_part, links, listing)
    pane_kind, pane = _pane(pane_part, link, links if not window_part else [link], listing)
    kind = max((session_kind, window_kind, pane_kind), key=_CERTAINTY.index)
    return Resolution(kind=kind, pane_id=pane.id)


def _by_id(target: str, listing: Listing) -> Resolution:
    wanted = _plain_id(target)
    pane: Pane | None
    if target[0] == "%":
        pane = next((pane for pane in listing.panes if pane.id == wanted), None)
    elif target[0] == "@":
        pane = _active_pane(wanted, listing)
    else:
        current = next((link for link in listing.links if link.session_id == wanted and link.active), None)
        pane = _active_pane(current.window_id, listing) if current else None
    if pane is None:
        raise _UnresolvedError(TmuxTargetKind.NONE, "nothing has that id")
    return Resolution(kind=TmuxTargetKind.ID, pane_id=pane.id)


def _session(part: str, listing: Listing) -> tuple[TmuxTargetKind, Session]:
    name, exact_only = _strip_equals(part)
    if _refused(name, "$"):
        raise _UnresolvedError(
            TmuxTargetKind.UNSUPPORTED, "the session part is empty or relative to the sender"
        )
    if name[0] == "$":
        wanted = _plain_id(name)
        for session in listing.sessions:
            if session.id == wanted:
                return TmuxTargetKind.ID, session
        raise _UnresolvedError(TmuxTargetKind.NONE, "no session has that id")
    sessions = [(session.name, session) for session in listing.sessions]
    if not any(other == name for other, _ in sessions) and _CLIENT.match(name):
        raise _UnresolvedError(TmuxTargetKind.UNSUPPORTED, "the session part may name a client")
    return _by_name(name, sessions, exact_only, "session", listing)


def _window(part: str, links: Sequence[WindowLink], listing: Listing) -> tuple[TmuxTargetKind, WindowLink]:
    if not part:
        for link in links:
            if link.active:
                return TmuxTargetKind.ID, link
        raise _UnresolvedError(
            TmuxTargetKind.UNSUPPORTED, "the listing shows no current window of that session"
        )
    name, exact_only = _strip_equals(part)
    if _refused(name, "@"):
        raise _UnresolvedError(
            TmuxTargetKind.UNSUPPORTED, "the window part is empty or relative to the sender"
        )
    if name[0] == "@":
        wanted = _plain_id(name)
        for link in links:
            if link.window_id == wanted:
                return TmuxTargetKind.ID, link
        raise _UnresolvedError(TmuxTargetKind.NONE, "no window of that session has that id")
    index = _index(name)
    for link in links:
        if link.index == index:
            return TmuxTargetKind.EXACT, link
    names = {window.id: window.name for window in listing.windows}
    named = [(names[link.window_id], link) for link in links]
    return _by_name(name, named, exact_only, "window", listing)


def _pane(
    part: str, link: WindowLink, links: Sequence[WindowLink], listing: Listing
) -> tuple[TmuxTargetKind, Pane]:
    if not part:
        pane = _active_pane(link.window_id, listing)
        if pane is None:
            raise _UnresolvedError(
                TmuxTargetKind.UNSUPPORTED, "the listing shows no active pane of that window"
            )
        return TmuxTargetKind.ID, pane
    if _ID.fullmatch(part) and part[0] == "%":
        # Without a window part tmux looks for a pane id in the whole session.
        windows = {each.window_id for each in links}
        wanted = _plain_id(part)
        for pane in listing.panes:
            if pane.id == wanted and pane.window_id in windows:
                return TmuxTargetKind.ID, pane
        raise _UnresolvedError(TmuxTargetKind.NONE, "no pane there has that id")
    index = _index(part)
    if index is None or part[0] in _RELATIVE:
        raise _UnresolvedError(
            TmuxTargetKind.UNSUPPORTED, "the pane part depends on the layout or on the sender"
        )
    for pane in listing.panes:
        if pane.window_id == link.window_id and pane.index == index:
            return TmuxTargetKind.EXACT, pane
    raise _UnresolvedError(TmuxTargetKind.NONE, "no pane there has that index")


def _by_name(
    name: str, named: _Named[_T], exact_only: bool, what: str, listing: Listing
) -> tuple[TmuxTargetKind, _T]:
    """Match exactly, then by prefix, then by pattern; in tmux several matches, or none, are an error."""
    lossy = ESCAPED_NAMES.holds(listing.version) and any("\\" in other for other, _ in named)
    exact = [thing for other, thing in named if other == name]
    if lossy and not (exact and "\\" not in name):
        raise _UnresolvedError(
            TmuxTargetKind.UNSUPPORTED, f"this tmux version does not print {what} names as they are"
        )
    if exact or exact_only:
        return TmuxTargetKind.EXACT, _only(exact, what)
    # tmux compares bytes: part of a character is a prefix too.
    raw = _raw(name)
    prefixed = [thing for other, thing in named if _raw(other).startswith(raw)]
    if prefixed:
        return TmuxTargetKind.PREFIX, _only(prefixed, what)
    if "[" in name or "\\" in name:
        raise _UnresolvedError(
            TmuxTargetKind.UNSUPPORTED, f"the {what} part is a pattern with brackets or escapes"
        )
    texts = [name, *(other for other, _ in named)]
    if ("*" in name or "?" in name) and not all(_is_utf8(text) for text in texts):
        raise _UnresolvedError(
            TmuxTargetKind.UNSUPPORTED, f"the {what} part is a pattern on a name that is no UTF-8"
        )
    return TmuxTargetKind.FNMATCH, _only([thing for other, thing in named if matches(name, other)], what)


def _only(found: Sequence[_T], what: str) -> _T:
    if len(found) == 1:
        return found[0]
    raise _UnresolvedError(
        TmuxTargetKind.NONE, f"more than one {what} matches" if found else f"no such {what}"
    )


def matches(pattern: str, name: str) -> bool:
    """Match `*` and `?` like fnmatch(3), in time bounded by the product of the lengths.

    The pattern is foreign text; a regular expression built from it could take exponential time.
    """
    here = there = 0
    star: tuple[int, int] | None = None
    while there < len(name):
        if here < len(pattern) and pattern[here] == "*":
            star = here, there
            here += 1
        elif here < len(pattern) and pattern[here] in ("?", name[there]):
            here += 1
            there += 1
        elif star:
            # The last star takes one more character; earlier stars need no retry.
            star = star[0], star[1] + 1
            here, there = star[0] + 1, star[1]
        else:
            return False
    return not pattern[here:].strip("*")


def _refused(name: str, id_mark: str) -> bool:
    """Whether a part is empty or relative to the client; a plain id of its own kind is neither."""
    return not name or (name[0] in _RELATIVE and not (name[0] == id_mark and _ID.fullmatch(name)))


def _strip_equals(part: str) -> tuple[str, bool]:
    return part.removeprefix("="), part.startswith("=")


def _plain_id(text: str) -> str:
    # tmux reads the number, so `%03` is `%3`.
    return text[0] + (text[1:].lstrip("0") or "0")


def _index(text: str) -> int | None:
    if not _INDEX.fullmatch(text) or len(text) > 64:
        return None
    number = int(text)
    return number if 0 <= number <= _MAX_INDEX else None


def _active_pane(window_id: str, listing: Listing) -> Pane | None:
    return next((pane for pane in listing.panes if pane.window_id == window_id and pane.active), None)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
