"""Agent signatures: what a row of the table of coding agents says, and the matcher of such a table.

Only the program of a process makes it an agent: the base name of argv[0], the path of its program file, or
the script that its interpreter runs. `comm` never does (agents show as `node`, `MainThread` or a version
number), nor does an argument.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase, translate
from functools import lru_cache

from tmux_exporter.config import SignatureConfig
from tmux_exporter.facts.process import Process


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """How one program is recognized; `argv0`, `exe` and `script` are alternatives.

    `argv0` are base names of argv[0], without the version or the platform in the name of a release. `titles`
    are too, but only where the program file is an interpreter: other programs have these names, and an
    interpreted one writes its title over its arguments. `exe` are shell patterns for the path of the program
    file. `script` are patterns for the script of an interpreter: for its base name, or for its path if they
    contain a `/`. `not_argv0` and `not_exe` exclude other programs with the same file or name. `only` are the
    subcommands that make it an agent where another program has the same name; without a subcommand it always
    is one. `services` are subcommands, or flags before one, that make it a daemon and no agent;
    `service_argv0` are base names of argv[0] of its daemons. `value_flags` are flags with a value that may
    come before the subcommand. `markers` are environment variables that it sets for everything that it
    starts. `version` is a regular expression with one group for the version in a path.
    """

    program: str
    argv0: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    exe: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    not_argv0: tuple[str, ...] = ()
    not_exe: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    service_argv0: tuple[str, ...] = ()
    value_flags: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureMatch:
    """A process that runs a program of the table; `service`: it is a daemon and no agent.

    `command` is the subcommand: the first argument that is no flag.
    """

    signature: Signature
    reason: str
    service: bool
    command: str
    version: str


_DELETED = " (deleted)"
_INTERPRETER = re.compile(r"node|nodejs|bun|bun\.exe|deno|tsx|(?:python|pypy)[0-9.]*")
_LOADER = re.compile(r"ld-(?:linux|musl)[^/]*\.so(?:\.[0-9]+)?")
# `codex-x86_64-unknown-linux-musl`, `claude-2.1.197`: releases, and copies that people keep.
_RELEASE = re.compile(
    r"[-_@](?:v?[0-9]+(?:\.[0-9]+)+|linux[-_](?:x64|x86_64|arm64|aarch64)"
    r"|(?:x86_64|aarch64)[-_](?:unknown|linux)).*"
)
# Flags of the dynamic loader with a value.
_LOADER_VALUES = frozenset(
    {"--library-path", "--inhibit-rpath", "--audit", "--preload", "--argv0", "--glibc-hwcaps-prepend"}
    | {"--glibc-hwcaps-mask"}
)
# Flags of interpreters with a value, and flags whose value is the program itself.
_VALUE_FLAGS = frozenset({"-r", "--require", "--import", "--loader", "-C", "--conditions", "-W", "-X"})
_CODE_FLAGS = frozenset({"-c", "-e", "--eval", "-p", "--print", "-pe", "-"})
_RUN_COMMANDS = frozenset({"run", "x"})


class Matcher:
    """A compiled table; fast for the many processes that match no row."""

    def __init__(self, signatures: Sequence[Signature]) -> None:
        self._signatures = tuple(signatures)
        self._names = frozenset(
            name for row in signatures for name in (*row.argv0, *row.titles, *row.service_argv0)
        )
        exes = _any_of(pattern for row in signatures for pattern in row.exe)
        # Cached: the same processes are matched in every sample.
        self._known = lru_cache(maxsize=2048)(self._match)
        self._may_be_exe = lru_cache(maxsize=1024)(lambda exe: exes.match(exe) is not None)
        scripts = [pattern for row in signatures for pattern in row.script]
        paths = _any_of(pattern for pattern in scripts if "/" in pattern)
        names = _any_of(pattern for pattern in scripts if "/" not in pattern)
        self._may_be_script = lru_cache(maxsize=1024)(
            lambda script: bool(paths.match(script) or names.match(posixpath.basename(script)))
        )

    def match(self, process: Process) -> SignatureMatch | None:
        """The first matching row; None if no row matches or the program is not readable."""
        return self._known(process.argv, process.exe or "") if process.argv else None

    def _match(self, argv: tuple[str, ...], exe: str) -> SignatureMatch | None:
        exe = exe.removesuffix(_DELETED)
        if _LOADER.fullmatch(posixpath.basename(exe)):
            argv, exe = _loaded(argv)
        name = _program_name(argv[0])
        script, after = script_of(argv, name, posixpath.basename(exe))
        if name not in self._names:
            name = _released(name)
        if not (name in self._names or self._may_be_exe(exe) or (script and self._may_be_script(script))):
            return None
        for row in self._signatures:
            if name in row.not_argv0 or _fits(exe, row.not_exe):
                continue
            runs = _fits_script(script, row.script)
            if not (reason := _reason(row, name, exe, runs)):
                continue
            flags, command = _command(after if runs else argv[1:], row.value_flags)
            if row.only and command and command not in (*row.only, *row.services):
                continue
            return SignatureMatch(
                signature=row,
                reason=reason,
                service=name in row.service_argv0 or not {command, *flags}.isdisjoint(row.services),
                command=command,
                version=_version(row.version, (exe, argv[0], script)),
            )
        return None


@lru_cache(maxsize=4)
def matcher(signatures: tuple[Signature, ...]) -> Matcher:
    """The matcher of a table, compiled once for each table."""
    return Matcher(signatures)


def merge(table: Sequence[Signature], extra: Iterable[SignatureConfig]) -> tuple[Signature, ...]:
    """The table with configured rows before it: new programs, or more names of known ones."""
    rows = {signature.program: signature for signature in table}
    changed: dict[str, Signature] = {}
    for each in extra:
        row = changed.get(each.program) or rows.get(each.program) or Signature(program=each.program)
        changed[each.program] = replace(
            row, argv0=each.argv0 + row.argv0, exe=each.exe + row.exe, script=each.script + row.script
        )
    return (*changed.values(), *(row for row in table if row.program not in changed))


def _program_name(argv0: str) -> str:
    # A program may have replaced its arguments with a title ("npm exec @openai/codex"): that is no path.
    return "" if " " in argv0 and not argv0.startswith(("/", ".")) else posixpath.basename(argv0)


def _released(name: str) -> str:
    """The name without the version or the platform that a file of a release has in it."""
    found = _RELEASE.search(name)
    return name[: found.start()] if found else name


def _loaded(argv: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The command line and the file of the program that the dynamic loader was told to run."""
    at = 1
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in _LOADER_VALUES else 1
    return (argv[at:], argv[at]) if at < len(argv) else (("",), "")


def _reason(row: Signature, name: str, exe: str, runs: str) -> str:
    if name in row.argv0 or name in row.service_argv0:
        return f"argv[0] is {name}"
    if name in row.titles and _INTERPRETER.fullmatch(posixpath.basename(exe)):
        return f"argv[0] is {name}"
    if pattern := _fits(exe, row.exe):
        return f"its program file is {pattern}"
    return f"its interpreter runs {runs}" if runs else ""


def _fits(path: str, patterns: Iterable[str]) -> str:
    """The first pattern that matches `path`, else an empty text."""
    return next((pattern for pattern in patterns if fnmatchcase(path, pattern)), "")


def _fits_script(script: str, patterns: Iterable[str]) -> str:
    if not script:
        return ""
    name = posixpath.basename(script)
    fitting = (each for each in patterns if fnmatchcase(script if "/" in each else name, each))
    return next(fitting, "")


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns) or r"(?!)")


def script_of(argv: Sequence[str], *names: str) -> tuple[str, Sequence[str]]:
    """The script or module that an interpreter runs, and the words after it."""
    if not any(_INTERPRETER.fullmatch(name) for name in names):
        return "", ()
    at = 1
    while at < len(argv):
        word = argv[at]
        if word in _CODE_FLAGS:
            break
        if word in _VALUE_FLAGS:
            at += 2
        elif word.startswith("-") or not word or (at == 1 and word in _RUN_COMMANDS):
            at += 1
        else:
            return word, argv[at + 1 :]
    return "", ()


def _command(arguments: Sequence[str], value_flags: Sequence[str]) -> tuple[Sequence[str], str]:
    """The flags before the first other argument, and that one: the subcommand, if the program has some."""
    flags: list[str] = []
    words = iter(arguments)
    for word in words:
        if word in value_flags:
            next(words, None)
        elif word and not word.startswith("-"):
            return flags, word
        else:
            flags.append(word)
    return flags, ""


def _version(pattern: str, paths: Iterable[str]) -> str:
    for path in paths if pattern else ():
        if found := re.search(pattern, path):
            return found[1][:64]
    return ""
