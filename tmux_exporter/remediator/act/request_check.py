"""Check each command that the remediator sends to tmux, argument by argument, before it is run.

It shares no constant with what builds the commands, and takes these alone: who is attached to a pane's
session, a line of plain words to one terminal, what a pane shows, figures of one pane, lines of its history;
and three that change something, each behind a condition that tmux itself checks: to clear the history of a
pane, to set the history-limit of its session for panes to come, and to close a pane whose program has ended
and that is not the last one of its session.
"""

import re
from collections.abc import Sequence

_PANE = r"%[0-9]{1,10}"
_LINE = r"-?[0-9]{1,9}"
_NAMES = "pid|pane_id|pane_pid|pane_dead|pane_in_mode|session_attached|history_size|window_activity"
_EQUAL = rf"#\{{==:#\{{(?:{_NAMES})\}},[0-9%]*\}}"
_UNATTENDED = re.escape("#{==:#{m:*#{window_id} *,#{S:#{?session_attached,#{W:#{window_id} },}}},0}")
_UNPROTECTED = re.escape(
    "#{||:#{||:#{==:#{@protect},},#{==:#{@protect},0}},#{||:#{==:#{@protect},no},"
    "#{||:#{==:#{@protect},off},#{==:#{@protect},false}}}}"
)
_CONDITION = rf"#\{{&&:{_UNPROTECTED},(?:#\{{&&:{_EQUAL},)*(?:{_EQUAL}|{_UNATTENDED})\}}*"
_NOT_LAST = re.escape(
    "#{||:#{!=:#{window_panes},1},#{&&:#{==:#{window_linked},0},#{!=:#{session_windows},1}}}"
)
_NOT_LAST = rf"(?:#\{{&&:{_UNATTENDED},)?{_NOT_LAST}"
_DEAD = rf"(?=[^\0]*#\{{==:#\{{pane_dead\}},1\}})#\{{&&:{_UNPROTECTED},(?:#\{{&&:{_EQUAL},)+{_NOT_LAST}\}}*"
_VARIABLES = r"#\{[a-z_]+\}(?: #\{[a-z_]+\})*"
_ALLOWED = tuple(
    re.compile("\0".join(arguments))
    for arguments in (
        ("list-clients", "-t", _PANE, "-F", _VARIABLES),
        ("display-message", "-c", "/dev/(?:pts/[0-9]{1,7}|tty[A-Za-z0-9]{1,16})(?:\0-d\0[0-9]{1,5})?",
         "[A-Za-z][A-Za-z0-9 .,:()-]*[A-Za-z0-9.)]"),
        ("capture-pane", "-p", "-t", _PANE),
        ("display-message", "-p", "-t", _PANE, _VARIABLES),
        ("display-message", "-p", "-t", _PANE, _VARIABLES, ";",
         "capture-pane", "-p", "-t", _PANE, "-S", _LINE, "-E", _LINE),
        ("show-options", "-v", "-t", _PANE, "history-limit"),
        ("if-shell", "-F", "-t", _PANE, _CONDITION,
         f"clear-history -t {_PANE} ; display-message -p -t {_PANE} cleared"),
        ("if-shell", "-F", "-t", _PANE, _CONDITION, f"set-option -t {_PANE} history-limit [0-9]{{1,8}}"),
        ("if-shell", "-F", "-t", _PANE, _DEAD, f"kill-pane -t {_PANE}"),
    )
)  # fmt: skip
_TARGET = re.compile(_PANE)


class UnsafeCommandError(ValueError):
    """A command that must not be run: our own fault, found before a server could suffer from it."""


def check_arguments(arguments: Sequence[str]) -> None:
    """Raises UnsafeCommandError for a command that is none of these, or that names more than one pane."""
    text = "\0".join(arguments)
    if not any(each.fullmatch(text) for each in _ALLOWED):
        raise UnsafeCommandError(f"no command that may be sent: {text[:60]!r}")
    if len(set(_TARGET.findall(text))) > 1:
        raise UnsafeCommandError(f"more than one pane: {text[:60]!r}")
    if text.count("{") != text.count("}"):
        raise UnsafeCommandError(f"braces do not match: {text[:60]!r}")
