"""Judge a finished answer of a tmux server by status, stdout and stderr: usable, or which failure."""

from collections.abc import Callable
from dataclasses import dataclass

from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.facts.tmux_quirks import OLDEST
from tmux_exporter.sources.tmux.query import Record

_REFUSALS = (b"access not allowed", b"client is read-only")
_NO_SESSION = b"no current target"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeResult:
    """How an exchange ended; `stdout` is set only without a failure, `empty`: the server has no session."""

    stdout: bytes = b""
    failure: QueryFailure | None = None
    detail: str = ""
    empty: bool = False


Judge = Callable[[int, bytes, bytes], ExchangeResult]
"""Judges an answer by its status, stdout and stderr."""


def judge_listing(status: int, stdout: bytes, stderr: bytes, nonce: str) -> ExchangeResult:
    """Judge the answer to the query for a listing.

    tmux prints a listing in one go or not at all, so one pane's record proves all of them, and a status or
    error beside it comes from a hook of the user (`after-list-panes`). Without a pane, stderr comes
    before the status, which is no sign of a refusal (SERVER_ACCESS).
    """
    lines = stderr.splitlines()
    if f"{nonce}{Record.PANE}:".encode() in stdout:
        return ExchangeResult(stdout=stdout)
    if any(line in _REFUSALS for line in lines):
        return ExchangeResult(
            failure=QueryFailure.DENIED, detail="the server refuses this user (server-access)"
        )
    if status != 0 and _NO_SESSION in lines:
        return ExchangeResult(stdout=stdout, detail="the server has no session", empty=True)
    if status != 0:
        return ExchangeResult(failure=QueryFailure.PARTIAL, detail=f"status {status}: {printable(stderr)}")
    if stdout:
        return ExchangeResult(
            failure=QueryFailure.PARTIAL, detail="the server called it a success without a pane"
        )
    # OLD_DIALECT
    return ExchangeResult(
        failure=QueryFailure.PROTOCOL, detail=f"the server answered without a byte: older than tmux {OLDEST}?"
    )


def judge_screens(status: int, stdout: bytes, stderr: bytes) -> ExchangeResult:
    """Judge the answer to the query for screens.

    Its marks show for which panes it is complete. A pane that no longer exists, or a hook of the user, ends
    it early.
    """
    if any(line in _REFUSALS for line in stderr.splitlines()):
        return ExchangeResult(
            failure=QueryFailure.DENIED, detail="the server refuses this user (server-access)"
        )
    if not stdout:
        return ExchangeResult(failure=QueryFailure.PARTIAL, detail=f"status {status}: {printable(stderr)}")
    return ExchangeResult(stdout=stdout)


def printable(text: bytes) -> str:
    """Foreign text, cut and escaped for display."""
    return text.strip().decode("utf-8", "backslashreplace").encode("unicode_escape").decode("ascii")[:120]
