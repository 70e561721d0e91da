"""Read cgroups (version 2): that of a process, bounds, memory events; what the user's systemd offers."""

import os
import re
import stat
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from tmux_exporter.facts.cgroups import CgroupBounds, CgroupPlace, OomPolicy, ThrottleMeans
from tmux_exporter.facts.process import Cgroup, ProcessId
from tmux_exporter.facts.report import Report
from tmux_exporter.sources.common.opened import opened
from tmux_exporter.sources.processes.parse import parse_stat, text
from tmux_exporter.sources.processes.process_folder import read_file

ROOT = "/sys/fs/cgroup"
SECONDS = 5.0
"""For how long the user's systemd is waited for."""

_PERCENT = 100
_NEEDED = {"memory", "cpu", "pids"}
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}\.(scope|slice|service)")


def read_place(
    process: ProcessId, *, proc_root: str = "/proc", cgroup_root: str = ROOT
) -> CgroupPlace | None:
    """The cgroup of a process; None where it has none of version 2, or is another process by now.

    Raises OSError or ValueError for what cannot be read.
    """
    with opened(os.path.join(proc_root, str(process.pid))) as folder:
        # The pid may be reused; the open folder cannot be.
        if parse_stat(read_file("stat", folder)).start_ticks != process.start_ticks:
            return None
        path = parse_path(read_file("cgroup", folder))
    return None if path is None else place_at(path, cgroup_root)


def read_place_of(pid: int, *, cgroup_root: str = ROOT) -> CgroupPlace | None:
    """The cgroup of whatever process has this pid now. Raises as `read_place` does."""
    with open(f"/proc/{pid}/cgroup", "rb") as stream:
        path = parse_path(stream.read())
    return None if path is None else place_at(path, cgroup_root)


def read_pane_places(report: Report) -> dict[str, CgroupPlace]:
    """The cgroups of panes by server and id, without those that cannot be read."""
    found = {}
    for each in report.panes:
        with suppress(OSError, ValueError):
            place = None if each.pid is None else read_place_of(each.pid)
            if place is not None:
                found[f"{each.server} {each.pane}"] = place
    return found


def place_at(path: Cgroup, cgroup_root: str = ROOT) -> CgroupPlace:
    """A cgroup by its path; bounds and events that cannot be read are left out."""
    folder = os.path.join(cgroup_root, *path)
    return CgroupPlace(
        path=path,
        bounds=CgroupBounds(
            memory_high=_bound(folder, "memory.high"),
            memory_max=_bound(folder, "memory.max"),
            cpu_percent=_cpu(folder),
            tasks_max=_bound(folder, "pids.max"),
        ),
        owned=_is_owned(folder),
        events=events_at(path, cgroup_root),
    )


def members_at(path: Cgroup, cgroup_root: str = ROOT) -> frozenset[int]:
    """The pids in a cgroup; none where it is gone."""
    content = _content(os.path.join(cgroup_root, *path), "cgroup.procs")
    return frozenset(map(int, content.split())) if content is not None else frozenset()


def used_at(path: Cgroup, cgroup_root: str = ROOT) -> int | None:
    """The bytes of memory that are charged to a cgroup; None where they cannot be read."""
    return _bound(os.path.join(cgroup_root, *path), "memory.current")


def events_at(path: Cgroup, cgroup_root: str = ROOT) -> Mapping[str, int]:
    """The counts of memory.events of a cgroup; none where they cannot be read."""
    content = _content(os.path.join(cgroup_root, *path), "memory.events")
    return {} if content is None else parse_events(content)


def read_means(uid: int, *, cgroup_root: str = ROOT, runtime: str = "/run/user") -> ThrottleMeans:
    """Whether the user's systemd or a keeper can hold a throttle here. Starts nothing."""
    found = _read_scope(uid, cgroup_root, runtime)
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        return replace(found, pause_problem=f"no pidfds ({error.strerror})")
    return found


def _read_scope(uid: int, cgroup_root: str, runtime: str) -> ThrottleMeans:
    if _content(cgroup_root, "cgroup.controllers") is None:
        return ThrottleMeans(
            problem="no unified cgroup tree (cgroup v2)",
            mend="boot with systemd.unified_cgroup_hierarchy=1, on a machine that systemd runs",
        )
    manager = os.path.join(cgroup_root, "user.slice", f"user-{uid}.slice", f"user@{uid}.service")
    controllers = _content(manager, "cgroup.controllers")
    if controllers is None or not os.path.exists(os.path.join(runtime, str(uid), "bus")):
        return ThrottleMeans(
            problem="no systemd of this user runs",
            mend=f"sudo apt-get install dbus-user-session && sudo loginctl enable-linger {uid}",
        )
    found = frozenset(text(controllers).split())
    missing = sorted(_NEEDED - found)
    if not missing:
        return ThrottleMeans(problem="", controllers=found)
    return ThrottleMeans(
        problem=f"the user's systemd has no controller {', '.join(missing)}",
        mend="Delegate=cpu memory pids in [Service] of /etc/systemd/system/user@.service.d/delegate.conf, "
        "then sudo systemctl daemon-reload, and log in anew",
        controllers=found,
    )


def read_oom_policies(
    scopes: Iterable[str], uid: int, environ: Mapping[str, str] | None = None
) -> dict[str, OomPolicy]:
    """The out-of-memory policy of scopes of this user's systemd, by their names; without unknown ones."""
    names = sorted({each for each in scopes if _UNIT.fullmatch(each)})
    if not names:
        return {}
    try:
        answer = subprocess.run(
            ["systemctl", "--user", "show", "--property=Id", "--property=OOMPolicy", "--", *names],
            capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=True,
            env=manager_environ(uid) if environ is None else dict(environ),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_oom_policies(answer.stdout)


def manager_environ(uid: int) -> dict[str, str]:
    """The environment in which programs of systemd find the manager of this user, also in a service."""
    folder = f"/run/user/{uid}"
    return {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "XDG_RUNTIME_DIR": folder,
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/bus",
    }


def parse_path(raw: bytes) -> Cgroup | None:
    """Parse /proc/PID/cgroup: the path of version 2; None where there is none or it leads out of our root."""
    for line in text(raw).splitlines():
        hierarchy, controllers, path = line.split(":", 2)
        if hierarchy == "0" and not controllers:
            folders = tuple(each for each in path.split("/") if each)
            return None if ".." in folders else folders
    return None


def parse_events(raw: bytes) -> dict[str, int]:
    """Parse memory.events or pids.events: a name and a count on each line."""
    rows = (line.split() for line in text(raw).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}


def parse_bound(raw: bytes) -> int | None:
    """Parse memory.high, memory.max or pids.max: None for `max`."""
    word = raw.strip()
    return None if word == b"max" else int(word)


def parse_cpu_max(raw: bytes) -> int | None:
    """Parse cpu.max, `QUOTA PERIOD` in microseconds: hundredths of a core, None for no quota."""
    quota, period = raw.split()
    return None if quota == b"max" else int(quota) * _PERCENT // int(period)


def parse_oom_policies(raw: bytes) -> dict[str, OomPolicy]:
    """Parse the answer of systemctl show: a block of `NAME=VALUE` lines for each unit."""
    found = {}
    for block in text(raw).split("\n\n"):
        pairs = dict(line.partition("=")[::2] for line in block.splitlines())
        if pairs.get("OOMPolicy", "") in set(OomPolicy) and pairs.get("Id"):
            found[pairs["Id"]] = OomPolicy(pairs["OOMPolicy"])
    return found


def _content(folder: str, name: str) -> bytes | None:
    try:
        with open(os.path.join(folder, name), "rb") as stream:
            return stream.read()
    except OSError:
        return None


def _bound(folder: str, name: str) -> int | None:
    content = _content(folder, name)
    return None if content is None else parse_bound(content)


def _cpu(folder: str) -> int | None:
    content = _content(folder, "cpu.max")
    return None if content is None else parse_cpu_max(content)


def _is_owned(folder: str) -> bool:
    try:
        found = os.stat(os.path.join(folder, "cgroup.procs"))
    except OSError:
        return False
    return found.st_uid == os.getuid() and bool(found.st_mode & stat.S_IWUSR)
