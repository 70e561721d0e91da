"""`tmux-exporter statusline`: keep what an agent tells its status line, then become the user's own command.

The agent runs it after each answer and shows what it prints: so nothing heavy is imported, and whatever fails
or is slow here, the user's command runs as if we were not there, with the same standard input. Of that only
numbers, the name of the model and the identity of the session are kept.
"""

from __future__ import annotations

import os
import select

from tmux_exporter.facts.shells import SHELLS
from tmux_exporter.reporters import hand_over
from tmux_exporter.reporters.become import environment, execute
from tmux_exporter.wire.runtime_folder import runtime_folder
from tmux_exporter.wire.usage_line import (
    FOLDER,
    LARGEST_BYTES,
    UsageLine,
    UsageLineError,
    number,
    parse,
    plain,
    render,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal  # the module `signal` is this one, and enum with 5 ms of its own

EXIT_WRONG_USE, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND = 2, 126, 127

HELP = """\
Usage: tmux-exporter statusline [-- COMMAND [ARGUMENTS...]]

  The status line of Claude Code and of agents that call theirs in the same way: keeps the money, the
  fill of the context window and the quota that the agent tells it, and then becomes COMMAND,
  your own status line, with the same standard input. Without COMMAND it prints nothing.

  Example:
    tmux-exporter statusline -- sh -c 'jq -r .model.display_name'

  tmux-exporter hooks install claude puts it before the command that you have.
"""

SECONDS = 0.1
"""What takes longer is left: the user's command has waited enough."""

_MOST_PARSED = 64 * 1024
_MOST_READ = 4 * 1024 * 1024
_MOST_SHELLS = 3
_QUOTAS = {"five_hour": "5h", "seven_day": "7d"}


class _SlowError(Exception):
    """It takes too long."""


def main(arguments: list[str]) -> int:
    """Keep what standard input says, and run the command; returns only where there is none."""
    if arguments[:1] in (["--help"], ["-h"]):
        os.write(1, HELP.encode())
        return 0
    if arguments[:1] not in ([], ["--"]):
        os.write(
            2, b"tmux-exporter statusline: say -- before the command; see tmux-exporter statusline --help\n"
        )
        return EXIT_WRONG_USE
    _signal.signal(_signal.SIGALRM, _signal.SIG_IGN)
    _signal.setitimer(_signal.ITIMER_REAL, SECONDS)
    given, whole = _read()
    if whole and len(given) <= _MOST_PARSED:
        _keep_in_time(given)
    command = arguments[1:]
    return _become(command, given, whole=whole) if command else 0


def _left() -> float:
    """Seconds of ours that are left, by a timer whose signal is ignored."""
    return _signal.getitimer(_signal.ITIMER_REAL)[0]


def _read() -> tuple[bytes, bool]:
    """What stands in standard input, and whether that is all of it."""
    given, poll = bytearray(), select.poll()
    poll.register(0, select.POLLIN)
    try:
        while len(given) < _MOST_READ and poll.poll(_left() * 1000):
            part = os.read(0, 65536)
            if not part:
                return bytes(given), True
            given += part
    except OSError:
        # There is no standard input.
        return bytes(given), True
    return bytes(given), False


def _keep_in_time(given: bytes) -> None:
    """Keep it, unless anything fails or takes too long: then the status line is all the same."""
    try:
        _signal.signal(_signal.SIGALRM, _slow)
        _signal.setitimer(_signal.ITIMER_REAL, max(0.001, _left()))
        try:
            _keep(_parsed(given))
        finally:
            _signal.setitimer(_signal.ITIMER_REAL, 0)
    except Exception:  # noqa: S110 - whatever it is, no status line shows it
        pass


def _slow(_number: int, _frame: object) -> None:
    raise _SlowError


def _parsed(given: bytes) -> dict[str, object]:
    """The object of standard input. The package json loads re, which takes as long as all of the rest."""
    from _json import make_scanner  # noqa: PLC0415 - private to CPython

    scan = make_scanner(_Plain())  # type: ignore[arg-type]
    document, _ = scan(given.decode().strip(), 0)
    return document if isinstance(document, dict) else {}


class _Plain:
    """How the scanner makes values: as Python's own."""

    strict, object_hook, object_pairs_hook = True, None, None
    parse_float, parse_int, parse_constant = float, int, float


def _keep(document: dict[str, object]) -> None:
    cost = number(_part(document, "cost").get("total_cost_usd"))
    agent = _agent()
    if agent is None:
        return
    context = _part(document, "context_window")
    filled, window = number(context.get("total_input_tokens")), number(context.get("context_window_size"))
    now = UsageLine(
        session=plain(document.get("session_id")),
        model=plain(_part(document, "model").get("id")),
        session_dollars=cost or 0.0,
        # Before the first answer, and after a compaction, it is not known.
        context=int(filled) if filled else None,
        window=int(window) if window else None,
        quotas=_told_quotas(_part(document, "rate_limits")),
    )
    name = f"{agent[0]}-{agent[1]}"
    folder = hand_over.open_folder(runtime_folder(os.environ, os.getuid()), FOLDER)
    try:
        found = hand_over.read(name, folder, LARGEST_BYTES)
        if found is None:
            hand_over.sweep(folder)
        else:
            _add(now, found[0])
        hand_over.write(name, render(now), folder)
    finally:
        os.close(folder)


def _add(now: UsageLine, content: bytes) -> None:
    """Add what was spent since the last call. A session begins with what it has cost before this process."""
    try:
        before = parse(content)
    except UsageLineError:
        return
    now.spent_dollars = before.spent_dollars
    if now.session == before.session:
        # Of two calls at once the earlier one may end last.
        now.spent_dollars += max(0.0, now.session_dollars - before.session_dollars)
        now.session_dollars = max(now.session_dollars, before.session_dollars)
    for window, quota in before.quotas.items():
        now.quotas.setdefault(window, quota)


def _told_quotas(limits: dict[str, object]) -> dict[str, tuple[float, float | None]]:
    found: dict[str, tuple[float, float | None]] = {}
    for name, window in _QUOTAS.items():
        limit = _part(limits, name)
        used = number(limit.get("used_percentage"))
        if used is not None:
            found[window] = used, number(limit.get("resets_at"))
    return found


def _part(document: dict[str, object], name: str) -> dict[str, object]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _agent() -> tuple[int, int] | None:
    """The process that calls us, by pid and start: our parent, or who is above its shells."""
    pid = os.getppid()
    for _ in range(_MOST_SHELLS + 1):
        known = hand_over.process(pid)
        if known is None:
            return None
        if known[2] not in SHELLS:
            return pid, known[1]
        pid = known[0]
    return None


def _become(command: list[str], given: bytes, *, whole: bool) -> int:
    """Become the user's command; returns only where it cannot be run."""
    try:
        _give_back(given) if whole else _feed(given)
    except OSError as error:
        os.write(2, f"tmux-exporter statusline: {error.strerror}\n".encode())
    # A timer and what is ignored live on in the command.
    _signal.setitimer(_signal.ITIMER_REAL, 0)
    _signal.signal(_signal.SIGALRM, _signal.SIG_DFL)
    for each in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(each, _signal.SIG_DFL)
    try:
        execute(tuple(command), environment())
    except OSError as error:
        words = f"tmux-exporter statusline: cannot run {command[0]!r}: {error.strerror}\n"
        os.write(2, words.encode(errors="backslashreplace"))
        return EXIT_NOT_FOUND if isinstance(error, FileNotFoundError) else EXIT_NOT_EXECUTABLE


def _give_back(given: bytes) -> None:
    """Standard input as it was."""
    handle = os.memfd_create("statusline")
    left = memoryview(given)
    while left:
        left = left[os.write(handle, left) :]
    os.lseek(handle, 0, os.SEEK_SET)
    os.dup2(handle, 0)
    os.close(handle)


def _feed(given: bytes) -> None:
    """Standard input as it was, with what is still to come: a process in between hands it on."""
    ours, its = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.fork() == 0:
                os.close(ours)
                while given := given or os.read(0, 65536):
                    given = given[os.write(its, given) :]
        except OSError:
            pass
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.dup2(ours, 0)
    os.close(ours)
    os.close(its)
