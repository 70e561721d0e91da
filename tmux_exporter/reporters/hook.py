"""`tmux-exporter hook`: report the state of an agent from its hook.

Hooks run at every step of an agent and delay it, so nothing heavy is imported. Standard input is not read:
agents send prompts there. The result is one line in a file of the runtime folder.
"""

from __future__ import annotations

import os

from tmux_exporter.facts.shells import SHELLS
from tmux_exporter.reporters import hand_over
from tmux_exporter.reporters.hand_over import HandOverError
from tmux_exporter.wire.hook_line import (
    FOLDER,
    FORGET,
    LARGEST_BYTES,
    MOST_ANCESTORS,
    REASONS,
    STATES,
    HookLineError,
    parse,
    render,
)
from tmux_exporter.wire.runtime_folder import runtime_folder

EXIT_FAILED = 1
"""Never 2: that tells an agent to stop what it is about to do."""

HELP = f"""\
Usage: tmux-exporter hook STATE [REASON]

  Called by an agent's hooks: says what the agent that runs it does now. Reads nothing, prints nothing, and
  ends with 1 where it could not do its job, which stops no agent.

  STATE is {", ".join(STATES)}, or {FORGET} when the agent ends.
  REASON, for waiting only, is {", ".join(REASONS)}.

  Example:
    tmux-exporter hook waiting permission

  tmux-exporter hooks install adds the calls to the settings of agents.
"""

_LAUNCHERS = SHELLS | {"env", "timeout"}


def main(arguments: list[str]) -> int:
    """Write the state; returns the exit status."""
    if arguments[:1] in (["--help"], ["-h"]):
        os.write(1, HELP.encode())
        return 0
    try:
        state, reason = _words(arguments)
        _leave(runtime_folder(os.environ, os.getuid()), state, reason)
    except HandOverError as error:
        os.write(2, f"tmux-exporter hook: {error}\n".encode(errors="replace"))
        return EXIT_FAILED
    except OSError as error:
        os.write(2, f"tmux-exporter hook: {error.strerror}; try tmux-exporter doctor\n".encode())
        return EXIT_FAILED
    return 0


def _words(arguments: list[str]) -> tuple[str, str]:
    state, reason = arguments[0] if arguments else "", arguments[1] if len(arguments) == 2 else ""
    known = state in STATES or state == FORGET
    if not known or len(arguments) > 2 or (reason and (state != "waiting" or reason not in REASONS)):
        raise HandOverError(
            "say one of working, idle, forget, or waiting REASON; see tmux-exporter hook --help"
        )
    return state, reason or ("other" if state == "waiting" else "")


def _leave(base: str, state: str, reason: str) -> None:
    ancestors = _ancestors()
    if not ancestors:
        raise HandOverError("no parent process is to be seen; is /proc mounted?")
    agent = next((each for each, name in ancestors if name not in _LAUNCHERS), ancestors[0][0])
    name = f"{agent[0]}-{agent[1]}"
    folder = hand_over.open_folder(base, FOLDER)
    try:
        if state == FORGET:
            hand_over.remove(name, folder)
            return
        before = _before(name, folder)
        if before is None:
            hand_over.sweep(folder)
        since = before[2] if before is not None and before[:2] == (state, reason) else None
        line = render(state, reason, since, [each for each, _ in ancestors])
        hand_over.write(name, line, folder)
    finally:
        os.close(folder)


def _ancestors() -> list[tuple[tuple[int, int], str]]:
    """Our ancestors up to tmux, the nearest first, each as (pid, start ticks) and its name."""
    found: list[tuple[tuple[int, int], str]] = []
    pid = os.getppid()
    while pid > 1 and len(found) < MOST_ANCESTORS:
        known = hand_over.process(pid)
        if known is None or known[2] == "tmux: server":
            break
        parent, start, name = known
        found.append(((pid, start), name))
        pid = parent
    return found


def _before(name: str, folder: int) -> tuple[str, str, int] | None:
    """The present content of the file: state, reason, since; None without a usable file."""
    found = hand_over.read(name, folder, LARGEST_BYTES)
    try:
        state, reason, since, _ = parse(found[0] if found is not None else b"")
    except HookLineError:
        return None
    return state, reason, since or (found[1] if found is not None else 0)
