"""What only a process of our own uid shows: its memory, files, I/O, and the program it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from tmux_exporter.facts.process import Namespaces, Unreadable
from tmux_exporter.sources.processes.parse import Stat, StatusMemory
from tmux_exporter.sources.processes.process_folder import DEAD_STATES, Folder

P = ParamSpec("P")
T = TypeVar("T")


class ReadAttempts:
    """Several attempts at one process, and what of them failed.

    `missing` is set where something was not there: the process ends, or this kernel has no such file.
    `reasons` says why something that is there could not be read.
    """

    __slots__ = ("missing", "reasons")

    def __init__(self) -> None:
        self.missing = False
        self.reasons: set[Unreadable] = set()

    def attempt(self, look: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """The look's result, None where it failed."""
        try:
            return look(*args, **kwargs)
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
    """What is fixed at exec. `certain` is False where another attempt may show more.

    `pid_namespace` is fixed for life: who unshares that one puts its children into it.
    """

    argv: tuple[str, ...] | None = None
    argv_complete: bool = True
    exe: str | None = None
    environ: dict[str, str] | None = None
    pid_namespace: str | None = None
    reasons: frozenset[Unreadable] = frozenset()
    certain: bool = False


_NO_FACTS = Facts()
_NO_MEMORY = StatusMemory()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """Everything of one process but its stat, as `model.Process` wants it.

    `settled` is False where something failed or is new, so that the process may have changed between reads.
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
    folder: Folder, stat: Stat, known: Facts | None, *, by_size: bool, kept: frozenset[str]
) -> Detail:
    """Read one process of our own; its facts only where they are not `known`."""
    attempts = ReadAttempts()
    # A main thread that left has no memory, files or program to show any more; the other threads still have.
    # io and limits of all threads stay where they were; io is then refused to all but root, and no sum over
    # the threads can stand for it: it would miss those that ended.
    at = attempts.attempt(folder.living_thread) if stat.state in DEAD_STATES else ""
    if at is None:
        return Detail(reasons=frozenset(attempts.reasons))
    status = attempts.attempt(folder.status, at) or _NO_MEMORY
    read_bytes, written_bytes = attempts.attempt(folder.io) or (None, None)
    facts = known or read_facts(folder, at, kept)
    return Detail(
        facts=facts,
        status=status,
        namespaces=_namespaces(facts.pid_namespace, ReadAttempts().attempt(folder.mount_namespace, at)),
        open_fds=attempts.attempt(folder.fds, at, by_size=by_size),
        max_fds=attempts.attempt(folder.max_fds),
        read_bytes=read_bytes,
        written_bytes=written_bytes,
        reasons=facts.reasons.union(attempts.reasons),
        # Without memory it is about to become a zombie, or its main thread is leaving.
        settled=not attempts.missing
        and not attempts.reasons
        and facts is known
        and status.resident_bytes is not None,
    )


def read_facts(folder: Folder, at: str, kept: frozenset[str]) -> Facts:
    """Read what is fixed at exec."""
    attempts = ReadAttempts()
    argv, argv_complete = attempts.attempt(folder.argv, at) or (None, True)
    environ = attempts.attempt(folder.environ, at, kept)
    return Facts(
        argv=argv,
        argv_complete=argv_complete,
        exe=attempts.attempt(folder.exe, at),
        # The environment of a process without memory reads as empty too; its arguments tell which it is.
        environ=None if argv is None else environ,
        # A kernel without them lacks nothing; where they are refused, the environment is too and says so.
        pid_namespace=ReadAttempts().attempt(folder.pid_namespace, at),
        reasons=frozenset(attempts.reasons),
        # A refusal stays until the next exec, for it comes with an `arg_start` that is hidden or moves.
        certain=not attempts.missing and attempts.reasons <= {Unreadable.PERMISSION},
    )


def _namespaces(pid: str | None, mount: str | None) -> Namespaces | None:
    return None if pid is None or mount is None else Namespaces(pid, mount)
