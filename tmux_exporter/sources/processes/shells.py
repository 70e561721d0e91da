"""Resolve the commands of a script as its shell would: program files, functions and startup files.

Files are read through the root of that process: the remediator may have other mounts.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.schedulers import ProgramFile, ShellFacts, ShellQuestion
from tmux_exporter.sources.common.opened import opened
from tmux_exporter.sources.common.ttl_cache import TtlCache
from tmux_exporter.sources.processes.parse import text
from tmux_exporter.sources.processes.process_folder import opened_folder, read_file

_FUNCTION = b"BASH_FUNC_"
_LINKS = 40

_USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where shells search without PATH, in an order that differs by shell."""

_ELF = b"\x7fELF"
_NAMES = (b"capture-pane", b"attach-session", b"send-keys")
_LARGEST_PROGRAM = 32 << 20
_LARGEST_STARTUP_FILE = 1 << 20

_BY_EVERY_ZSH = ("/etc/zsh/zshenv", "/etc/zshenv", "~/.zshenv")
_BY_LOGINS = (
    "/etc/profile",
    "/etc/profile.d",
    "/etc/bash.bashrc",
    "~/.bash_profile",
    "~/.bash_login",
    "~/.profile",
    "~/.bashrc",
    "/etc/zsh/zprofile",
    "/etc/zsh/zlogin",
    "~/.zprofile",
    "~/.zlogin",
)


class _FileView(NamedTuple):
    """How a shell sees files: its folder of /proc and its mounts.

    `equal`: a file that we may not read is not readable for the shell either.
    """

    folder: int
    mounts: str
    equal: bool


class ShellReader:
    """Reads facts about shells, each at most once a minute; reads each program file once."""

    def __init__(self, *, clock: Clock, proc_root: str = "/proc") -> None:
        self._clock = clock
        self._root = proc_root
        self._kept = TtlCache(self._read_facts)
        self._programs: dict[tuple[int, ...], tuple[bool, bool]] = {}
        self._found: dict[tuple[str, ...], tuple[ProgramFile | None, ...]] = {}

    def read(self, questions: Iterable[ShellQuestion]) -> Mapping[ProcessId, ShellFacts]:
        """The facts that could be read, by shell. Raises nothing for what it finds."""
        # Most shells have the same PATH.
        self._found = {}
        found = self._kept.known(questions, self._clock.monotonic())
        return {question.shell: facts for question, facts in found.items()}

    def _read_facts(self, question: ShellQuestion) -> ShellFacts | None:
        with opened_folder(self._root, question.shell) as folder:
            first = _environment(folder)
            # It has started after the files that a shell reads at its start.
            now = first if question.sleep is None else self._environment_of(question.sleep)
            if os.readlink("root", dir_fd=folder) != "/":
                return None
            view = _FileView(folder, os.readlink("ns/mnt", dir_fd=folder), _may_no_more_than_we(folder))
            variables = {**first, **now}
            return ShellFacts(
                variables={
                    name: text(first[name.encode()])
                    for name in ("BASH_ENV", "ENV")
                    if first.get(name.encode())
                },
                functions=frozenset(_functions(variables)),
                programs={word: self._programs_of(word, now, view) for word in question.words},
                startup_names_tmux=_startup_names_tmux(question, first, folder),
            )

    def _environment_of(self, process: ProcessId) -> dict[bytes, bytes]:
        with opened_folder(self._root, process) as folder:
            return _environment(folder)

    def _programs_of(
        self, word: str, environment: Mapping[bytes, bytes], view: _FileView
    ) -> tuple[ProgramFile | None, ...]:
        """The program files that a word may mean; None in place of an unknown one."""
        path = environment.get(b"PATH")
        places = text(path) if path else _USUAL_PATH
        base = "" if all(map(os.path.isabs, (places.split(":")))) else os.readlink("cwd", dir_fd=view.folder)
        key = (word, places, base, view.mounts, str(view.equal))
        if key not in self._found:
            files = self._files(word, [os.path.join(base, each) for each in places.split(":")], view)
            self._found[key] = tuple(files if not path else list(files)[:1])
        return self._found[key]

    def _files(self, word: str, places: Iterable[str], view: _FileView) -> Iterator[ProgramFile | None]:
        """The files of that name in these folders, in their order."""
        folder = view.folder
        for path in (word,) if "/" in word else (f"{place}/{word}" for place in places):
            try:
                real = real_path(path, folder)
                seen = os.lstat("root" + real, dir_fd=folder)
                executable = stat.S_ISREG(seen.st_mode) and os.access("root" + real, os.X_OK, dir_fd=folder)
                if executable:
                    yield self._program(real, seen, folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, ValueError) as error:
                # An unreadable file may be the one that the shell runs, unless the shell cannot read it
                # either.
                if not (view.equal and isinstance(error, PermissionError)):
                    yield None

    def _program(self, path: str, seen: os.stat_result, folder: int) -> ProgramFile:
        key = (seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size)
        if key not in self._programs:
            self._programs[key] = _contents(path, folder)
        native, knows = self._programs[key]
        return ProgramFile(name=os.path.basename(path), native=native, knows_tmux=knows)


def _contents(path: str, folder: int) -> tuple[bool, bool]:
    """Whether a file is an ELF program, and whether it holds the names of tmux commands."""
    with open(os.open("root" + path, os.O_RDONLY | os.O_NONBLOCK, dir_fd=folder), "rb") as stream:
        if stream.read(len(_ELF)) != _ELF:
            return False, False
        content = stream.read(_LARGEST_PROGRAM)
    return True, all(name in content for name in _NAMES)


def real_path(path: str, folder: int) -> str:
    """A path without symbolic links, as the process of this /proc folder sees it. Raises OSError."""
    waiting = list(reversed(path.split("/")))
    real: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            del real[-1:]
        elif part not in ("", "."):
            place = "root/" + "/".join((*real, part))
            if not stat.S_ISLNK(os.lstat(place, dir_fd=folder).st_mode):
                real.append(part)
                continue
            links += 1
            if links > _LINKS:
                raise OSError(f"more than {_LINKS} links")
            target = os.readlink(place, dir_fd=folder)
            real = [] if target.startswith("/") else real
            waiting += reversed(target.split("/"))
    return "/" + "/".join(real)


def _environment(folder: int) -> dict[bytes, bytes]:
    entries = read_file("environ", folder).split(b"\0")
    pairs = (entry.partition(b"=") for entry in reversed(entries))
    return {name: value for name, _, value in pairs if name}


def _may_no_more_than_we(folder: int) -> bool:
    """Whether a process has no user, group or capability beyond ours."""
    theirs = _powers(read_file("status", folder))
    with opened("/proc/self") as own:
        ours = _powers(read_file("status", own))
    return theirs.users == ours.users and theirs.groups <= ours.groups and not theirs.bits & ~ours.bits


class _Powers(NamedTuple):
    users: bytes
    groups: frozenset[bytes]
    bits: int


def _powers(status: bytes) -> _Powers:
    """The credentials of a process. Raises ValueError if some are missing."""
    lines = (line.partition(b":") for line in status.splitlines())
    found = {
        name: value.split() for name, _, value in lines if name in (b"Uid", b"Gid", b"Groups", b"CapEff")
    }
    if len(found) < 4:
        raise ValueError("no powers")
    return _Powers(
        users=b" ".join(found[b"Uid"]),
        groups=frozenset((*found[b"Gid"], *found[b"Groups"])),
        bits=int(found[b"CapEff"][0], 16),
    )


def _functions(variables: Iterable[bytes]) -> Iterator[str]:
    """Functions that bash imports: `BASH_FUNC_name%%`, or `BASH_FUNC_name()` in old versions."""
    for name in variables:
        if name.startswith(_FUNCTION):
            yield text(name.removeprefix(_FUNCTION).removesuffix(b"%%").removesuffix(b"()"))


def _startup_names_tmux(
    question: ShellQuestion, environment: Mapping[bytes, bytes], folder: int
) -> bool | None:
    """Whether a startup file of such a shell mentions tmux; None if unknown."""
    files = (_BY_EVERY_ZSH if question.zsh else ()) + (_BY_LOGINS if question.login else ())
    if not files:
        return False
    home = text(environment.get(b"ZDOTDIR" if question.zsh else b"HOME") or environment.get(b"HOME", b""))
    if not home:
        return None
    try:
        return any(_names_tmux(each.replace("~", home), folder) for each in files)
    except OSError:
        return None


def _names_tmux(path: str, folder: int) -> bool:
    """Whether a file, or a file in a folder, mentions tmux. Raises OSError if it cannot be read."""
    try:
        place = "root" + real_path(path, folder)
        if stat.S_ISDIR(os.lstat(place, dir_fd=folder).st_mode):
            with opened(place, folder=folder) as startup:
                names = os.listdir(startup)
            return any(_names_tmux(f"{path}/{name}", folder) for name in names)
        with open(os.open(place, os.O_RDONLY | os.O_NONBLOCK, dir_fd=folder), "rb") as stream:
            return b"tmux" in stream.read(_LARGEST_STARTUP_FILE)
    except (FileNotFoundError, NotADirectoryError):
        return False
