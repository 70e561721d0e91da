"""Read the facts of `doctor` that a Report does not hold. Each part can fail alone and is then unknown."""

import json
import os
import resource
import shutil
import stat
import subprocess
import termios
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tmux_exporter.base.paths import runtime_path, state_path
from tmux_exporter.facts.doctor import NOT_KNOWN, AgentTelemetry, Bound, Feature, Machine, WritableFolder
from tmux_exporter.facts.report import Report
from tmux_exporter.sources.events.fork_events import fork_events_problem
from tmux_exporter.sources.host.cgroups import read_means, read_oom_policies, read_pane_places
from tmux_exporter.sources.tmux.client_transport import read_options

T = TypeVar("T")

HOOK_COMMAND = "tmux-exporter hook"
"""The hook command in the settings of an agent."""

_PROGRAMS = ("prometheus", "prometheus-alertmanager", "alertmanager", "py-spy")
_OTEL_PORT = 9464
_SETTINGS_BYTES = 1 << 20
_VERSION_SECONDS = 2.0
# The major numbers of pseudo terminals.
_FIRST_PTS, _LAST_PTS = 136, 143


def read_machine(
    report: Report, environ: Mapping[str, str], uid: int, options: Collection[str], sysctls: Collection[str]
) -> Machine:
    """Read the machine, these tmux options and these sysctls, for the servers and agents in `report`.

    Changes nothing and raises nothing.
    """
    system = os.uname()
    settings = _claude_settings(environ)
    places = read_pane_places(report)
    tmux = shutil.which("tmux", path=environ.get("PATH"))
    return Machine(
        system=system.sysname,
        kernel=system.release,
        tmux_path=tmux,
        tmux_version=_known(lambda: _tmux_version(tmux)) if tmux else None,
        locale=environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "",
        programs={name: shutil.which(name, path=environ.get("PATH")) for name in _PROGRAMS},
        features={feature: _has(check) for feature, check in _FEATURES.items()},
        sysctls=_sysctls(sysctls),
        open_files=_limit(resource.RLIMIT_NOFILE),
        tasks=Bound(used=_known(lambda: _tasks_of(uid)), limit=_limit(resource.RLIMIT_NPROC)),
        cgroup_tasks=_known(_cgroup_tasks) or NOT_KNOWN,
        folders=tuple(_place(path, uid) for path in (runtime_path(environ, uid), state_path(environ))),
        agents=tuple(
            _agent(each.pid, settings)
            for each in report.agents
            if each.program == "claude" and each.pid is not None
        ),
        options={
            each.server: values
            for each in report.servers
            if each.up and each.pid and (values := read_options(each.socket, each.pid, uid, options))
        },
        throttle=_known(lambda: read_means(uid)),
        pane_places=places,
        oom_policies=read_oom_policies((each.pane_scope for each in places.values()), uid),
        fork_events_problem=fork_events_problem(),
        claude_hooked=None if settings is None else HOOK_COMMAND in json.dumps(settings.get("hooks")),
    )


def reads_single_keys(tty: int) -> bool:
    """Whether the program on a pseudo terminal reads keys one by one, as those with their own screen do.

    `tty` is the device number as /proc/PID/stat has it.
    """
    if not _FIRST_PTS <= os.major(tty) <= _LAST_PTS:
        return False
    number = os.minor(tty) + 256 * (os.major(tty) - _FIRST_PTS)
    try:
        handle = os.open(f"/dev/pts/{number}", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Of the file that was opened: in a container the number may be that of another terminal.
        return os.fstat(handle).st_rdev == tty and not termios.tcgetattr(handle)[3] & termios.ICANON
    except termios.error:
        return False
    finally:
        os.close(handle)


def _known(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _tmux_version(program: str) -> str:
    answer = subprocess.run(
        [program, "-V"], capture_output=True, check=True, timeout=_VERSION_SECONDS, stdin=subprocess.DEVNULL
    )
    return answer.stdout.decode("ascii", "replace").strip().removeprefix("tmux ")


_FEATURES: Mapping[Feature, Callable[[], object]] = {
    Feature.PIDFD: lambda: os.close(os.pidfd_open(os.getpid())),
    Feature.SMAPS_ROLLUP: lambda: Path("/proc/self/smaps_rollup").read_bytes(),
    Feature.IO: lambda: Path("/proc/self/io").read_bytes(),
    Feature.PRESSURE: lambda: Path("/proc/pressure/memory").read_bytes(),
    Feature.CGROUP_V2: lambda: Path("/sys/fs/cgroup/cgroup.controllers").read_bytes(),
}


def _has(check: Callable[[], object]) -> bool:
    try:
        check()
    except OSError:
        return False
    return True


def _sysctls(names: Collection[str]) -> dict[str, int]:
    found = {name: _known(partial(_sysctl, name)) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _sysctl(name: str) -> int:
    return int(Path("/proc/sys", *name.split(".")).read_text())


def _limit(which: int) -> int | None:
    soft, _ = resource.getrlimit(which)
    return None if soft == resource.RLIM_INFINITY else soft


def _tasks_of(uid: int) -> int:
    """Processes and threads of a user, as the kernel counts them against RLIMIT_NPROC."""
    tasks = 0
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                if os.stat(f"/proc/{name}").st_uid == uid:
                    tasks += os.stat(f"/proc/{name}/task").st_nlink - 2
            except OSError:
                continue
    return tasks


def _cgroup_tasks() -> Bound:
    own = Path("/proc/self/cgroup").read_text().partition("0::")[2].split("\n")[0]
    folder = Path("/sys/fs/cgroup" + own)
    limit = (folder / "pids.max").read_text().strip()
    return Bound(
        used=int((folder / "pids.current").read_text()), limit=None if limit == "max" else int(limit)
    )


def _place(path: Path, uid: int) -> WritableFolder:
    try:
        found = path.lstat()
    except FileNotFoundError:
        there = next(parent for parent in path.parents if parent.exists())
        problem = None if os.access(there, os.W_OK | os.X_OK) else f"{there} cannot be written to"
        return WritableFolder(path=str(path), problem=problem)
    except OSError as error:
        return WritableFolder(path=str(path), problem=error.strerror)
    if not stat.S_ISDIR(found.st_mode):
        return WritableFolder(path=str(path), problem="it is not a folder")
    if found.st_uid != uid:
        return WritableFolder(path=str(path), problem=f"it belongs to uid {found.st_uid}")
    return WritableFolder(
        path=str(path), problem=None if os.access(path, os.W_OK) else "it cannot be written to"
    )


def _claude_settings(environ: Mapping[str, str]) -> Mapping[str, Any] | None:
    folder = environ.get("CLAUDE_CONFIG_DIR") or os.path.join(environ.get("HOME", "/"), ".claude")

    def read() -> object:
        with open(os.path.join(folder, "settings.json"), "rb") as stream:
            return json.loads(stream.read(_SETTINGS_BYTES))

    settings = _known(read)
    return settings if isinstance(settings, dict) else None


def _agent(pid: int, settings: Mapping[str, Any] | None) -> AgentTelemetry:
    """Claude Code takes telemetry variables from its environment; its settings override them."""
    raw = _known(lambda: Path(f"/proc/{pid}/environ").read_bytes()) or b""
    pairs = (variable.partition(b"=") for variable in raw.split(b"\0"))
    environ = {name.decode("ascii", "replace"): value.decode("ascii", "replace") for name, _, value in pairs}
    given = settings.get("env") if settings else None
    if isinstance(given, dict):
        environ.update({name: str(value) for name, value in given.items()})
    port = environ.get("OTEL_EXPORTER_PROMETHEUS_PORT", "")
    return AgentTelemetry(
        pid=pid,
        otel_prometheus=environ.get("CLAUDE_CODE_ENABLE_TELEMETRY") == "1"
        and "prometheus" in environ.get("OTEL_METRICS_EXPORTER", ""),
        otel_port=int(port) if port.isdecimal() else _OTEL_PORT,
    )
