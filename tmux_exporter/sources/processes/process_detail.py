"""Read what a process shows besides stat: memory, open files, I/O, arguments, program."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ParamSpec, TypeVar

from tmux_exporter.facts.process import Namespaces, Unreadable
from tmux_exporter.sources.processes.parse import Stat, StatusMemory
from tmux_exporter.sources.processes.process_folder import DEAD_STATES, Folder

P = ParamSpec("P")
T = TypeVar("T")


class ReadAttempts:
    """Several reads of one process, and which of them failed.

    `missing` is set if a file was not found: the process ends, or this kernel lacks it. `reasons` says why an
    existing file could not be read.
    """

    __slots__ = ("missing", "reasons")

    def __init__(self) -> None:
        self.missing = False
        self.reasons: set[Unreadable] = set()

    def attempt(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """The result of the read, None if it failed."""
        try:
            return read(*args, **kwargs)
        except (FileNotFoundError, ProcessLookupError):
            self.missing = True
        except PermissionError:
            self.reasons.add(Unreadable.PERMISSION)
        except OSError:
            self.reasons.add(Unreadable.OTHER)
        except ValueError:
            self.reasons.add(Unreadable.MALFORMED)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts fixed at exec. `certain` is False if another attempt may show more.

    `pid_namespace` never changes: unshare(2) of it affects only the children.
    """

    argv: tuple[str, ...] | None = None
    argv_complete: bool = True
    exe: str | None = None
    environ: dict[str, str] | None = None
    pid_namespace: str | None = None
    reasons: frozenset[Unreadable] = frozenset()
    certain: bool = False


_NO_REASONS: frozenset[Unreadable] = frozenset()
_NO_FACTS = Facts()
_NO_MEMORY = StatusMemory()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """Everything in `Process` that does not come from stat.

    `settled` is False if something failed or is new, so that the process may have changed between reads.
    """

    facts: Facts = _NO_FACTS
    status: StatusMemory = _NO_MEMORY
    namespaces: Namespaces | None = None
    open_fds: int | None = None
    max_fds: int | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    reasons: frozenset[Unreadable] = frozenset()
    settled: bool = False


def read_detail(
    folder: Folder, stat: Stat, known: Facts | None, *, by_size: bool, by_pid: bool, kept: frozenset[str]
) -> Detail:
    """Read one process; its facts only if they are not `known`."""
    attempts = ReadAttempts()
    # An ended main thread no longer shows memory, files or program; the other threads do. io and limits
    # stay in the folder of the process; io is then readable by root only, and a sum over threads would miss
    # those that ended.
    at = attempts.attempt(folder.living_thread) if stat.state in DEAD_STATES else ""
    if at is None:
        return Detail(reasons=frozenset(attempts.reasons))
    max_fds = attempts.attempt(folder.max_fds, by_pid=by_pid)
    status = attempts.attempt(folder.status, at) or _NO_MEMORY
    read_bytes, written_bytes = attempts.attempt(folder.io) or (None, None)
    facts = known or read_facts(folder, at, kept)
    return Detail(
        facts=facts,
        status=status,
        namespaces=_namespaces(facts.pid_namespace, ReadAttempts().attempt(folder.mount_namespace, at)),
        open_fds=attempts.attempt(folder.fds, at, by_size=by_size),
        max_fds=max_fds,
        read_bytes=read_bytes,
        written_bytes=written_bytes,
        reasons=facts.reasons.union(attempts.reasons),
        # Without memory it is about to become a zombie, or its main thread is ending.
        settled=not attempts.missing
        and not attempts.reasons
        and facts is known
        and status.resident_bytes is not None,
    )


def read_facts(folder: Folder, at: str, kept: frozenset[str]) -> Facts:
    """Read the facts that are fixed at exec."""
    attempts = ReadAttempts()
    argv, argv_complete = attempts.attempt(folder.argv, at) or (None, True)
    environ = attempts.attempt(folder.environ, at, kept)
    return Facts(
        argv=argv,
        argv_complete=argv_complete,
        exe=attempts.attempt(folder.exe, at),
        # A process without memory has an empty environment too; the arguments tell the two cases apart.
        environ=None if argv is None else environ,
        # Not an error without namespaces; where permission is denied, the environment reports it.
        pid_namespace=ReadAttempts().attempt(folder.pid_namespace, at),
        # Python makes an empty set anew each time.
        reasons=frozenset(attempts.reasons) if attempts.reasons else _NO_REASONS,
        # A denial lasts until the next exec: `arg_start` is then hidden or changes.
        certain=not attempts.missing and attempts.reasons <= {Unreadable.PERMISSION},
    )


@lru_cache(maxsize=64)
def _namespaces(pid: str | None, mount: str | None) -> Namespaces | None:
    return None if pid is None or mount is None else Namespaces(pid, mount)
