"""A scope of the user's systemd for a lease: its timer first, then the scope, then what started meanwhile.

The timer belongs to systemd, so the lease ends without this program. Nothing here needs root: the manager of
the user moves processes of the same user, also out of a login session.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tmux_exporter.facts.cgroups import CgroupBounds, CgroupPlace
from tmux_exporter.facts.process import Cgroup, ProcessId
from tmux_exporter.remediator.act import lease_end
from tmux_exporter.remediator.policies.policy import Throttle
from tmux_exporter.sources.host.cgroups import ROOT, manager_environ

SECONDS = 30.0
"""For how long systemd is waited for."""

OURS = "tmux-remediator-"
"""How the units of all leases begin."""

LEAST_BYTES = 16 << 20
"""The least that a scope may use: what has outgrown its bound long ago still has to run."""

_MANAGER = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
_PROCS = "cgroup.procs"
_MICROSECONDS = 10_000
"""Of CPU time a second for each hundredth of a core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseScope:
    """The scope of one lease: its unit, its path, its slice, and where its processes came from.

    `origin` is None where they cannot return, or nothing is moved: then `whole_pane` are the bounds that the
    scope of a pane gets, and `before` those that it had.
    """

    unit: str
    path: Cgroup
    slice: str
    origin: Cgroup | None
    before: CgroupBounds
    whole_pane: CgroupBounds | None = None

    @property
    def end(self) -> str:
        """The name, without its suffix, of the timer and the service that end the lease.

        Of a pane it is always the same: as long as one lease holds systemd refuses another one.
        """
        return (
            f"{self.unit.removesuffix('.scope')}-end" if self.whole_pane is None else f"{OURS}{self.unit}-end"
        )


def plan_pane(place: CgroupPlace, throttle: Throttle, used: int) -> LeaseScope:
    """The scope of a pane itself, with those bounds that are lower than its own.

    What it has in memory (`used` bytes) stays, and may grow a little: what outgrew its bound has to run.
    """
    before = place.bounds
    high = None if throttle.memory_high is None else max(throttle.memory_high, used + LEAST_BYTES)
    return LeaseScope(
        unit=place.path[-1],
        path=place.path,
        slice="",
        origin=None,
        before=before,
        whole_pane=CgroupBounds(
            memory_high=_if_lower(high, before.memory_high),
            cpu_percent=_if_lower(throttle.cpu_percent, before.cpu_percent),
            tasks_max=_if_lower(throttle.tasks_max, before.tasks_max),
        ),
    )


def plan(place: CgroupPlace, process: ProcessId, uid: int, seconds: int) -> LeaseScope:
    """The scope beside the cgroup of a process, in the slice of that: the bounds of the slice still hold."""
    manager = ("user.slice", f"user-{uid}.slice", f"user@{uid}.service")
    above = place.path[:-1] if place.path[:3] == manager else manager
    if above != manager and not above[-1].endswith(".slice"):
        above = manager
    unit = f"{OURS}{process.pid}-{process.start_ticks}-{seconds}.scope"
    return LeaseScope(
        unit=unit,
        path=(*above, unit),
        slice="-.slice" if above == manager else above[-1],
        origin=place.path if place.owned and place.path[:3] == manager else None,
        before=place.bounds,
    )


def start_timer(scope: LeaseScope, seconds: float, uid: int) -> None:
    """Let the user's systemd end the lease after so many seconds. Raises OSError."""
    every = CgroupBounds(memory_high=0, cpu_percent=0, tasks_max=0)
    restored = _assignments(scope.before, scope.whole_pane or every)
    systemctl = shutil.which("systemctl", path=manager_environ(uid)["PATH"])
    if systemctl is None:
        raise OSError("systemctl is not installed")
    lift = f"-{systemctl} --user set-property --runtime {scope.unit} {' '.join(restored)}"
    program = os.path.abspath(lease_end.__file__)
    back = (sys.executable, "-I", "-S", program, _procs(scope.path), _procs(scope.origin or ()))
    _run(
        (
            *("systemd-run", "--user", "--quiet", "--collect"),
            f"--unit={scope.end}",
            f"--on-active={max(seconds, 1.0):.3f}s",
            "--timer-property=AccuracySec=100ms",
            "--property=Type=oneshot",
            f"--property=ExecStopPost={lift}",
            *("--", *(("true",) if scope.origin is None else back)),
        ),
        uid,
    )


def start_scope(scope: LeaseScope, throttle: Throttle, resident: int, pids: Sequence[int], uid: int) -> None:
    """Move processes into the scope, with its bounds. Raises OSError.

    What they have in memory (`resident` bytes) stays charged where it is, so only the rest is left for the
    scope. A lower bound that held before holds on.
    """
    before = scope.before
    left = None if throttle.memory_high is None else max(throttle.memory_high - resident, LEAST_BYTES)
    properties: list[tuple[str, ...]] = [
        ("PIDs", "au", str(len(pids)), *map(str, pids)),
        ("OOMPolicy", "s", "continue"),
        ("Delegate", "b", "true"),
        ("CollectMode", "s", "inactive-or-failed"),
        ("Slice", "s", scope.slice),
        ("Description", "s", "lease of tmux-remediator: ends by its own timer"),
    ]
    numbers = (
        ("MemoryHigh", _lower(left, before.memory_high), 1),
        ("MemoryMax", before.memory_max, 1),
        ("CPUQuotaPerSecUSec", _lower(throttle.cpu_percent, before.cpu_percent), _MICROSECONDS),
        ("TasksMax", _lower(throttle.tasks_max, before.tasks_max), 1),
    )
    properties += [(name, "t", str(value * unit)) for name, value, unit in numbers if value is not None]
    words = [word for each in properties for word in each]
    _call(
        uid, "StartTransientUnit", "ssa(sv)a(sa(sv))", scope.unit, "fail", str(len(properties)), *words, "0"
    )


def bound_pane(scope: LeaseScope, uid: int) -> None:
    """Give the scope of a pane the bounds of its lease, until the next boot at most. Raises OSError."""
    bounds = scope.whole_pane or CgroupBounds()
    words = _assignments(bounds, bounds)
    _run(("systemctl", "--user", "set-property", "--runtime", scope.unit, *words), uid)


def attach(scope: LeaseScope, pids: Iterable[int], uid: int) -> None:
    """Move more processes into the scope. Raises OSError."""
    words = [str(each) for each in pids]
    _call(uid, "AttachProcessesToUnit", "ssau", scope.unit, "", str(len(words)), *words)


def end_now(scope: LeaseScope, uid: int) -> None:
    """Let the lease end before its time, as its timer would. Raises OSError."""
    _run(("systemctl", "--user", "start", f"{scope.end}.service"), uid)
    with suppress(OSError):
        # It may have come to it already.
        _run(("systemctl", "--user", "stop", f"{scope.end}.timer"), uid)


def _call(uid: int, method: str, signature: str, *words: str) -> None:
    _run(("busctl", "--user", "--quiet", "call", "--", *_MANAGER, method, signature, *words), uid)


def _run(command: Sequence[str], uid: int) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=manager_environ(uid),
            cwd="/",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.SubprocessError as error:
        raise OSError(f"{command[0]}: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "backslashreplace").strip()[:200]
        raise OSError(f"{command[0]} said: {said}")


def _lower(*bounds: int | None) -> int | None:
    return min((each for each in bounds if each is not None), default=None)


def _if_lower(bound: int | None, before: int | None) -> int | None:
    return bound if bound is not None and (before is None or bound < before) else None


def _assignments(values: CgroupBounds, of: CgroupBounds) -> tuple[str, ...]:
    """What systemd is asked to set: each value whose bound there is in `of`."""
    quota = "" if values.cpu_percent is None else f"{values.cpu_percent}%"
    words = (
        (of.memory_high, f"MemoryHigh={_or_infinity(values.memory_high)}"),
        (of.cpu_percent, f"CPUQuota={quota}"),
        (of.tasks_max, f"TasksMax={_or_infinity(values.tasks_max)}"),
    )
    return tuple(word for bound, word in words if bound is not None)


def _or_infinity(value: int | None) -> str:
    return "infinity" if value is None else str(value)


def _procs(path: Cgroup) -> str:
    return os.path.join(ROOT, *path, _PROCS)
