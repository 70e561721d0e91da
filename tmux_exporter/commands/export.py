"""`export`: write the shipped rules, routes, boards, units, policies and runbooks for one installation.

Each function gives the text of its files, by their path below the folder that a user names.
"""

import os
import posixpath
import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from tmux_exporter import PROJECT
from tmux_exporter.alerting import files
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import RUNBOOKS, Scope
from tmux_exporter.alerting.receivers import SERVICES, dead_mans_switch
from tmux_exporter.alerting.routes import SAME_THING, Nights
from tmux_exporter.alerting.zabbix import templates
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.shipped_files import shipped

_URL = re.compile(r"(?:https?|file)://[^\s\"\\{}<>]+")
_OWN_MACHINE = re.compile(r"\w+://(?:[^/]*@)?(?:127\.|localhost\b|\[::1\]|0\.0\.0\.0)")
ANY = "any"
ENGINES = (ANY, "prometheus-2.42")
"""What evaluates the rules: anything that reads rules of Prometheus, or Prometheus from 2.42 on."""
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_OUR_LABELS = {*SAME_THING, "severity", "priority", "threshold"}
_NO_BOARDS = '{{ $boards := "" }}'
_LINK_OUT = re.compile(r"\]\((\.\./[^)#\s]+)")
_PROGRAM = re.compile(
    r"^(ExecStart=| *command_line +|#   command\[\w+\]=)\S+/(tmux-exporter|tmux-remediator)(?= )",
    re.MULTILINE,
)


class FileStatus(StrEnum):
    """Whether a file was written, replaced or left unchanged."""

    WRITTEN = "written"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFile:
    """A file below the folder and its status."""

    path: Path
    status: FileStatus


def rules(*, job: str, runbooks: str | None, labels: Iterable[str], engine: str = ANY) -> dict[str, str]:
    """Rules for Prometheus, a file for each subject, and all of them in one for other programs.

    `labels` are `name=value`, for every alert. Raises UsageError.
    """
    if not job:
        raise UsageError("--job is empty; give the job_name of your scrape configuration, such as --job tmux")
    try:
        re.compile(job)
    except re.error as error:
        raise UsageError(
            f"--job {job}: this is no regular expression ({error}); give one such as --job 'tmux|agents'"
        ) from error
    scope = Scope(
        thresholds=thresholds.load(),
        job=job,
        runbooks=RUNBOOKS if runbooks is None else _url("--runbook-url", runbooks),
        labels=dict(_label(each) for each in labels),
        keep_firing=engine != ANY,
    )
    others = files.rules_for_others(scope)
    return files.rules(scope) | {f"other/{name}": text for name, text in others.items()}


def alertmanager(
    *,
    boards: str | None = None,
    webhook: str | None = None,
    services: Mapping[str, str | None] = MappingProxyType({}),
    watchdog_url: str | None = None,
    nights: str | None = None,
    time_zone: str = "UTC",
) -> dict[str, str]:
    """Alertmanager's configuration with what it posts to, and its messages.

    `services` are names of services by receiver; `nights` is `22:00-07:00`. Raises UsageError.
    """
    hook = None if webhook is None else _url("--webhook", webhook)
    filled = {name: SERVICES[service] for name, service in services.items() if service}
    if watchdog_url is not None:
        filled["watchdog"] = dead_mans_switch(_url("--watchdog-url", watchdog_url))
    quiet = None if nights is None else _nights(nights, time_zone)
    linked = _NO_BOARDS if boards is None else _NO_BOARDS.replace('""', f'"{_url("--board-url", boards)}"')
    messages = {name: text.replace(_NO_BOARDS, linked) for name, text in shipped("alertmanager").items()}
    made = files.alertmanager(thresholds.load(), webhook=hook, filled=filled, nights=quiet)
    return made | messages


def units(find_program: Callable[[str], str]) -> dict[str, str]:
    """systemd's units, which start the programs where `find_program` says that they are."""
    return _with_programs("units", find_program, _unit_word)


def nagios(find_program: Callable[[str], str]) -> dict[str, str]:
    """Commands and services for Nagios, which start the program where `find_program` says that it is."""
    return _with_programs("nagios", find_program, _nagios_word)


def zabbix() -> dict[str, str]:
    """Templates for Zabbix."""
    return {f"tmux-exporter-{name}": text for name, text in templates(thresholds.load()).items()}


def _with_programs(
    kind: str, find_program: Callable[[str], str], word: Callable[[str], str]
) -> dict[str, str]:
    def placed(match: re.Match[str]) -> str:
        return match[1] + word(find_program(match[2]))

    return {name: _PROGRAM.sub(placed, text) for name, text in shipped(kind).items()}


def runbooks() -> dict[str, str]:
    """A page for each alert; links to other pages of the project become public URLs."""

    def led(match: re.Match[str]) -> str:
        return f"]({PROJECT}/{posixpath.normpath(posixpath.join('docs/runbooks', match[1]))}"

    return {name: _LINK_OUT.sub(led, text) for name, text in shipped("runbooks").items()}


def write(made: Mapping[str, str], folder: Path, *, force: bool) -> list[WrittenFile]:
    """Write the files below a folder, which is created if needed. Each file is replaced atomically.

    Without `force` an existing file that differs is a UsageError, and nothing is written.
    Raises OSError.
    """
    before = {name: _content(folder / name) for name in made}
    changed = [name for name, text in made.items() if before[name] not in (None, text.encode())]
    if changed and not force:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise UsageError(
            f"{folder / changed[0]}{more} would be overwritten, and what is there differs; "
            "--force overwrites, or take another folder for --out"
        )
    written = []
    for name, text in made.items():
        status = FileStatus.UNCHANGED if before[name] == text.encode() else FileStatus.WRITTEN
        if status is FileStatus.WRITTEN:
            status = FileStatus.REPLACED if name in changed else status
            _replace(folder / name, text)
        written.append(WrittenFile(path=folder / name, status=status))
    return written


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Replace the target of a link, never the link.
    path = Path(os.path.realpath(path))
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    # Policies that others may write are refused: whatever the umask, only the owner may.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with open(os.open(fresh, flags, 0o644), "w", encoding="utf-8") as stream:
            stream.write(text)
        fresh.rename(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _nights(text: str, time_zone: str) -> Nights:
    times = re.fullmatch(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)", text)
    if times is None or times[1] == times[2]:
        raise UsageError(f"--nights: {text!r} is no range of times, such as 22:00-07:00")
    if time_zone not in zoneinfo.available_timezones():
        raise UsageError(f"--time-zone: {time_zone!r} is no time zone, such as Europe/Berlin")
    return Nights(begin=times[1], end=times[2], time_zone=time_zone)


def outside_url(option: str, text: str) -> str:
    """A URL by which others reach this machine. Raises UsageError."""
    if _OWN_MACHINE.match(url := _url(option, text)):
        raise UsageError(
            f"{option}: {text!r} leads every phone to itself; write a name or address of this machine"
        )
    return url


def _url(option: str, text: str) -> str:
    if not _URL.fullmatch(text):
        raise UsageError(f"{option}: {text!r} is no URL; write it whole, such as https://example.org/tmux")
    return text.rstrip("/")


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _LABEL.fullmatch(name):
        raise UsageError(f"--label: {text!r} is no NAME=VALUE, such as --label team=platform")
    if name in _OUR_LABELS:
        raise UsageError(f"--label: {name!r} is a label of the alerts themselves; take another name")
    if "{{" in value:
        raise UsageError(f"--label: {text!r} would be a template to Prometheus; leave {{{{ out")
    return name, value


def _unit_word(path: str) -> str:
    """A path as the first word of a unit's ExecStart, where systemd expands percent signs."""
    if not path.isprintable() or any(mark in path for mark in "\"'\\"):
        raise UsageError(f"systemd takes no quotes in the path of a program: {path!r}; install it elsewhere")
    escaped = path.replace("%", "%%")
    return f'"{escaped}"' if " " in path else escaped


def _nagios_word(path: str) -> str:
    """A path as the first word of a command line, where Nagios expands dollars and ends at a semicolon."""
    if not re.fullmatch(r"[\w./+@=-]+", path):
        raise UsageError(
            f"Nagios takes only plain letters in the path of a program: {path!r}; install it elsewhere"
        )
    return path
