"""`tmux-exporter hook`: report the state of an agent from its hook.

Hooks run at every step of an agent and delay it, so nothing heavy is imported. Standard input is not read:
agents send prompts there. The result is one line in a file of the runtime folder.
"""

from __future__ import annotations

import os
import stat

from tmux_exporter.facts.shells import SHELLS
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
_MOST_FILES = 64
_PLAIN = os.O_NOFOLLOW | os.O_CLOEXEC


class HookError(Exception):
    """Why the state could not be written, and how to fix it."""


def main(arguments: list[str]) -> int:
    """Write the state; returns the exit status."""
    if arguments[:1] in (["--help"], ["-h"]):
        os.write(1, HELP.encode())
        return 0
    try:
        state, reason = _words(arguments)
        _leave(runtime_folder(os.environ, os.getuid()), state, reason)
    except HookError as error:
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
        raise HookError("say one of working, idle, forget, or waiting REASON; see tmux-exporter hook --help")
    return state, reason or ("other" if state == "waiting" else "")


def _leave(base: str, state: str, reason: str) -> None:
    ancestors = _ancestors()
    if not ancestors:
        raise HookError("no parent process is to be seen; is /proc mounted?")
    agent = next((each for each, name in ancestors if name not in _LAUNCHERS), ancestors[0][0])
    name = f"{agent[0]}-{agent[1]}"
    folder = _open_folder(base)
    try:
        if state == FORGET:
            _remove(name, folder)
            return
        before = _before(name, folder)
        if before is None:
            _sweep(folder)
        since = before[2] if before is not None and before[:2] == (state, reason) else None
        line = render(state, reason, since, [each for each, _ in ancestors])
        # A reader never sees half a line; of two hooks at once the last one wins.
        draft = f".{os.getpid()}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, 0o600, dir_fd=folder)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        os.close(folder)


def _ancestors() -> list[tuple[tuple[int, int], str]]:
    """Our ancestors up to tmux, the nearest first, each as (pid, start ticks) and its name."""
    found: list[tuple[tuple[int, int], str]] = []
    pid = os.getppid()
    while pid > 1 and len(found) < MOST_ANCESTORS:
        known = _process(pid)
        if known is None or known[2] == "tmux: server":
            break
        parent, start, name = known
        found.append(((pid, start), name))
        pid = parent
    return found


def _process(pid: int) -> tuple[int, int, str] | None:
    """The parent, the start ticks and the name of a process."""
    try:
        handle = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        line = os.read(handle, 4096)
    except OSError:
        return None
    finally:
        os.close(handle)
    head, _, rest = line.rpartition(b")")
    fields = rest.split()
    if len(fields) < 20:
        return None
    return int(fields[1]), int(fields[19]), head.partition(b"(")[2].decode("utf-8", "replace")


def _open_folder(base: str) -> int:
    """Open the folder of hook files below the runtime folder; creates both, private to us."""
    above = _own_folder(base, None)
    try:
        return _own_folder(FOLDER, above)
    finally:
        os.close(above)


def _own_folder(name: str, above: int | None) -> int:
    try:
        os.mkdir(name, 0o700, dir_fd=above)
    except FileExistsError:
        pass
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _PLAIN, dir_fd=above)
    found = os.fstat(folder)
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        os.close(folder)
        raise HookError("the runtime folder is not ours alone; tmux-exporter doctor says what to do")
    return folder


def _before(name: str, folder: int) -> tuple[str, str, int] | None:
    """The present content of the file: state, reason, since; None without a usable file."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _PLAIN, dir_fd=folder)
    except OSError:
        return None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return None
        state, reason, since, _ = parse(os.read(handle, LARGEST_BYTES))
        return state, reason, since or found.st_mtime_ns
    except (OSError, HookLineError):
        return None
    finally:
        os.close(handle)


def _sweep(folder: int) -> None:
    """Remove files of ended processes, once there are many files."""
    names = os.listdir(folder)
    if len(names) < _MOST_FILES:
        return
    for name in names:
        # A draft is called `.PID`, without a start time.
        pid, _, start = name.removeprefix(".").partition("-")
        known = _process(int(pid)) if pid.isdigit() else None
        if known is None or (start and str(known[1]) != start):
            _remove(name, folder)


def _remove(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass
