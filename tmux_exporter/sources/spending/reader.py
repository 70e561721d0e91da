"""Read what agents spend, in a thread of its own: it runs only while an agent with a known source does.

A round looks at the files of every such agent and reads what is new, some MB at most. Samples never wait for
it: they take what the last round knew.
"""

import logging
import math
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.log import log_fields
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.spending import (
    Exactness,
    Line,
    ProcessSpending,
    SpendingProblem,
    Spent,
)
from tmux_exporter.sources.spending.by_folder import BY_FOLDER, AloneInFolder
from tmux_exporter.sources.spending.claude_files import ClaudeFiles
from tmux_exporter.sources.spending.codex_files import CodexFiles
from tmux_exporter.sources.spending.follow import NotFollowedError
from tmux_exporter.sources.spending.located import Followed, Located, Target

_log = logging.getLogger(__name__)

ROUND_BYTES = 8 * 1024 * 1024
FILE_BYTES = 2 * 1024 * 1024
"""What one round reads at most, of all files and of one."""

ROUND_SECONDS = 1.0
_AFTER_FAILURE_SECONDS = 60.0
_MOST_ENDED = 256
_MOST_ACCOUNTS = 64
"""Configuration folders of one program that have a number of their own."""

Problems = Mapping[tuple[str, SpendingProblem], int]


class Conversation(Protocol):
    """Counts the lines of one file."""

    def observe(self, lines: Iterable[Line]) -> None:
        """Count lines."""

    def again(self) -> None:
        """The file is read anew."""


class Account(Protocol):
    """Adds up what one process has spent."""

    def spent(self) -> Spent:
        """All of it so far."""

    def conversation(self, *, begins: float | None = None, whole: bool = True) -> Conversation:
        """One file of the process."""

    def close(self, until: float) -> None:
        """The process has ended: what was written from this wall time on is another one's."""


class _Follower:
    """One target: its account and its files."""

    def __init__(
        self,
        target: Target,
        account: Account,
        *,
        uid: int,
        fresh: bool,
        note: Callable[[SpendingProblem], None],
    ) -> None:
        self._since = target.started
        self.exactness: Exactness | None = None
        self._account = account
        self._uid = uid
        self._note = note
        self._files: dict[str, tuple[Followed, Conversation]] = {}
        self._refused: dict[str, SpendingProblem] = {}
        self._base = Spent() if fresh else None
        self._whole = fresh
        self._spent = Spent()
        self._account_number = 0
        self._untold: frozenset[str] = frozenset()

    def follow(self, located: Located, account: int) -> None:
        """These are its files now; `account` is the ordinal of its configuration folder."""
        self._account_number, self._untold = account, located.untold
        if self.exactness is None and not located.sources:
            # It has written nothing yet: all that comes is new.
            self._base = Spent()
        if not self._files and located.sources:
            self._whole = self._whole or located.whole
        self.exactness = located.exactness
        files = {}
        for source in located.sources:
            known = self._files.get(source.path)
            if known is None:
                try:
                    file = source.open(uid=self._uid, since=self._since, note=self._note)
                except NotFollowedError as error:
                    self._refuse(source.path, error.problem)
                    continue
                known = file, self._account.conversation(begins=source.begins, whole=file.whole)
            files[source.path] = known
        self._files = files

    def read(self, most: int) -> int:
        """Read what is new, about `most` bytes of it; how much was left of them."""
        changed = False
        for path, (file, conversation) in self._files.items():
            try:
                if most <= 0 or not file.look():
                    continue
                changed = True
                for line in file.read(min(most, FILE_BYTES)):
                    if line is None:
                        conversation.again()
                    else:
                        conversation.observe((line,))
                most -= file.taken
                self._refused.pop(path, None)
            except NotFollowedError as error:
                self._refuse(path, error.problem)
        if changed:
            self._spent = self._account.spent()
        if self._base is None and all(file.caught_up for file, _ in self._files.values()):
            self._base = self._spent
        return most

    @property
    def paths(self) -> frozenset[str]:
        """Its files."""
        return frozenset(self._files)

    def finish(self, until: float) -> ProcessSpending | None:
        """Read what it wrote last; what is known in the end."""
        self._account.close(until)
        self.read(ROUND_BYTES)
        return self.found()

    def _refuse(self, path: str, problem: SpendingProblem) -> None:
        """Count a file that is not read, once until it is read or something else is wrong."""
        if self._refused.get(path) is not problem:
            self._refused[path] = problem
            self._note(problem)

    def found(self) -> ProcessSpending | None:
        """What is known; None where that is nothing for sure."""
        if self.exactness is None or self._base is None or self._refused:
            return None
        return ProcessSpending(
            exactness=self.exactness,
            spent=self._spent,
            base=self._base,
            whole=self._whole,
            account=self._account_number,
            untold=self._untold,
        )

    @property
    def behind(self) -> bool:
        """Whether what stood in its files when they were first seen has not been read yet."""
        return any(not file.caught_up for file, _ in self._files.values()) and not self._refused


class SpendingReader:
    """Follows the files of agents; `follow` says whose, `found` what they have spent."""

    def __init__(
        self,
        *,
        uid: int,
        clock: Clock,
        environ: Mapping[str, str],
        proc_root: str,
        open_account: Callable[[float], Account],
    ) -> None:
        """`environ` is our own environment; `open_account` opens an account of a process by its start."""
        self._uid, self._clock = uid, clock
        self._own, self._root = environ, proc_root
        self._open_account = open_account
        self._codex = CodexFiles(uid=uid, own=environ, proc_root=proc_root)
        self._alone = AloneInFolder(uid=uid, own=environ, proc_root=proc_root, clock=clock)
        self._claude: dict[ProcessId, ClaudeFiles] = {}
        self._followers: dict[ProcessId, _Follower] = {}
        self._told: dict[ProcessId, SpendingProblem] = {}
        self._lost: set[ProcessId] = set()
        self._problems: dict[tuple[str, SpendingProblem], int] = {}
        self._turn = 0
        self._accounts: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._targets: tuple[Target, ...] = ()
        self._thread: threading.Thread | None = None
        self._ended: dict[ProcessId, ProcessSpending] = {}
        self._found: Mapping[ProcessId, ProcessSpending] = {}

    def follow(self, targets: Sequence[Target]) -> None:
        """Follow these from now on, and no others; the thread runs while there are any."""
        with self._lock:
            if self._targets == targets:
                return
            self._targets = tuple(targets)
            if targets and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="spending", daemon=True)
                self._thread.start()
        self._wanted.set()

    @property
    def found(self) -> Mapping[ProcessId, ProcessSpending]:
        """What is known of each target, by its root; of those that have ended, what they had spent."""
        return self._found

    @property
    def behind(self) -> bool:
        """Whether another round would know more of what was written before the first one."""
        return bool(self.unread)

    @property
    def unread(self) -> frozenset[ProcessId]:
        """Those with a file that has not been read to its end yet."""
        return frozenset(each for each, follower in self._followers.items() if follower.behind)

    @property
    def problems(self) -> Problems:
        """How often something was not counted, by program and reason; every reason of a program in use."""
        with self._lock:
            programs = {each.program for each in self._targets} | {name for name, _ in self._problems}
            return {
                (program, problem): self._problems.get((program, problem), 0)
                for program in sorted(programs)
                for problem in SpendingProblem
            }

    def _run(self) -> None:
        while True:
            self._wanted.clear()
            with self._lock:
                targets = self._targets
            wait = ROUND_SECONDS
            try:
                self.round(targets)
            except Exception:
                # Samples go on without it.
                _log.exception("what agents spend could not be read")
                wait = _AFTER_FAILURE_SECONDS
            with self._lock:
                if not targets and not self._targets:
                    self._thread = None
                    return
            self._wanted.wait(wait)

    def round(self, targets: Sequence[Target]) -> None:
        """Look at everything once, and read what is new."""
        every = {each.process: each for each in targets}
        ended = {each: kept for each, kept in self._followers.items() if each not in every}
        self._followers = {each: kept for each, kept in self._followers.items() if each in every}
        self._claude = {each: kept for each, kept in self._claude.items() if each in every}
        self._told = {each: kept for each, kept in self._told.items() if each in every}
        self._lost &= every.keys()
        self._codex.begin([each for each in targets if each.program == "codex"])
        self._alone.begin([each for each in targets if each.program in BY_FOLDER])
        located = {each: found for each in targets if (found := self._locate(each)) is not None}
        for process, follower in ended.items():
            self._finish(process, follower, located)
        shared = _shared(located)
        for target, files in located.items():
            if shared.intersection(each.path for each in files.sources):
                self._give_up(target, SpendingProblem.AMBIGUOUS)
            else:
                self._told.pop(target.process, None)
                self._follower(target).follow(files, self._ordinal(target.program, files.home))
        self._read()
        current = {
            each: spending
            for each, follower in self._followers.items()
            if (spending := follower.found()) is not None
        }
        self._found = {**self._ended, **current}

    def _ordinal(self, program: str, home: str) -> int:
        """The number of a configuration folder: 0 for the usual one, the others as they are seen first."""
        usual = os.path.join(self._own.get("HOME", "/"), f".{program}")
        known = self._accounts.setdefault(program, {usual: 0})
        return (
            known.setdefault(home, len(known))
            if len(known) < _MOST_ACCOUNTS
            else known.get(home, _MOST_ACCOUNTS)
        )

    def _finish(self, process: ProcessId, follower: _Follower, located: Mapping[Target, Located]) -> None:
        """The process has ended since the last round: its last lines, but none of who goes on in its file."""
        paths = follower.paths
        heirs = (
            target.started
            for target, files in located.items()
            if paths.intersection(each.path for each in files.sources)
        )
        if (spending := follower.finish(min(heirs, default=math.inf))) is not None:
            self._ended[process] = spending
            while len(self._ended) > _MOST_ENDED:
                del self._ended[next(iter(self._ended))]

    def _read(self) -> None:
        """Every one gets its turn to be the first, who has the whole budget."""
        followers = list(self._followers.values())
        left = ROUND_BYTES
        self._turn += 1
        for place in range(len(followers)):
            left = followers[(place + self._turn) % len(followers)].read(left)

    def _locate(self, target: Target) -> Located | None:
        try:
            if target.program == "codex":
                return self._codex.locate(target)
            if target.program in BY_FOLDER:
                return self._alone.locate(target)
            if target.process not in self._claude:
                self._claude[target.process] = ClaudeFiles(
                    target, uid=self._uid, clock=self._clock, own=self._own, proc_root=self._root
                )
            return self._claude[target.process].locate(target.programs)
        except NotFollowedError as error:
            self._give_up(target, error.problem)
            return None

    def _follower(self, target: Target) -> _Follower:
        process = target.process
        if process not in self._followers:
            self._followers[process] = _Follower(
                target,
                self._open_account(target.started),
                uid=self._uid,
                fresh=target.fresh and process not in self._lost,
                note=lambda problem: self._note(target.program, problem),
            )
        return self._followers[process]

    def _give_up(self, target: Target, problem: SpendingProblem) -> None:
        """Count why its files are not known, once until that ends.

        Of several candidates none is its own: what it spends meanwhile is known to nobody.
        """
        process = target.process
        if problem is SpendingProblem.AMBIGUOUS:
            self._followers.pop(process, None)
            # The session that it leaves for another one is then no longer its own.
            self._claude.pop(process, None)
            self._lost.add(process)
        if self._told.get(process) is not problem:
            self._told[process] = problem
            self._note(target.program, problem)

    def _note(self, program: str, problem: SpendingProblem) -> None:
        with self._lock:
            key = program, problem
            self._problems[key] = self._problems.get(key, 0) + 1
        _log.debug("spending not counted", extra=log_fields(program=program, reason=problem))


def _shared(located: Mapping[Target, Located]) -> frozenset[str]:
    """The files that several targets name: nobody knows who wrote which line."""
    seen: set[str] = set()
    shared: set[str] = set()
    for found in located.values():
        for each in found.sources:
            (shared if each.path in seen else seen).add(each.path)
    return frozenset(shared)
