"""`doctor`: findings about tmux servers, kernel, limits, settings and agents, each with its remedy."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from tmux_exporter import PROJECT
from tmux_exporter.analysis.doctor.recommended_settings import (
    INOTIFY_INSTANCES,
    OPEN_FILES,
    OPTIONS,
    SYSCTLS,
    Sysctl,
)
from tmux_exporter.facts.cgroups import OomPolicy
from tmux_exporter.facts.doctor import Bound, Feature, Machine
from tmux_exporter.facts.report import Report
from tmux_exporter.facts.tmux import QueryFailure
from tmux_exporter.facts.tmux_quirks import OLD_DIALECT, OLDEST, PANE_SCOPES


class Level(StrEnum):
    """Severity of a finding, worst first: broken, may break soon, can be improved, fine."""

    PROBLEM = "problem"
    WARNING = "warning"
    HINT = "hint"
    FINE = "fine"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of output; `mend` is the command or setting that helps, empty where all is fine."""

    level: Level
    subject: str
    text: str
    mend: str = ""


_problem = partial(Finding, Level.PROBLEM)
_warning = partial(Finding, Level.WARNING)
_hint = partial(Finding, Level.HINT)
_fine = partial(Finding, Level.FINE)


NEAR = 0.8
"""The used share of a limit that gives a warning: agents start many processes at once."""

_FEATURES: Mapping[Feature, tuple[Level, str, str]] = {
    Feature.PIDFD: (
        Level.PROBLEM,
        "no pidfds (Linux 5.3): the remediator cannot end anything safely, and will not",
        "upgrade the kernel",
    ),
    Feature.SMAPS_ROLLUP: (
        Level.HINT,
        "no smaps_rollup (Linux 4.14): memory that workers share is counted for each of them",
        "upgrade the kernel",
    ),
    Feature.IO: (
        Level.HINT,
        "no /proc/PID/io: read and written bytes stay unknown",
        "use a kernel with CONFIG_TASK_IO_ACCOUNTING",
    ),
    Feature.PRESSURE: (
        Level.HINT,
        "no pressure figures: tmux_host_pressure_seconds_total is missing",
        "add psi=1 to the kernel's command line",
    ),
    Feature.CGROUP_V2: (
        Level.HINT,
        "no unified cgroup tree: memory limits of cgroup v1 are read, those of units may be missing",
        "add systemd.unified_cgroup_hierarchy=1 to the kernel's command line",
    ),
}


def check_up(report: Report, machine: Machine) -> tuple[Finding, ...]:
    """All findings, the worst first; within a level in the order of `CHECKS`."""
    found = [finding for check in CHECKS for finding in check(report, machine)]
    return tuple(sorted(found, key=lambda finding: list(Level).index(finding.level)))


def _program(_: Report, machine: Machine) -> Iterator[Finding]:
    if machine.tmux_path is None:
        yield _problem("tmux", "tmux is not on PATH", "sudo apt-get install tmux")
        return
    version = machine.tmux_version or "unknown"
    # The version is the last word (PROGRAM_NAME).
    if OLD_DIALECT.holds(version.split()[-1]):
        yield _warning(
            "tmux", f"tmux {version} is older than {OLDEST}: its servers may not be read", "upgrade tmux"
        )
    else:
        yield _fine("tmux", f"tmux {version} at {machine.tmux_path}")


def _servers(report: Report, machine: Machine) -> Iterator[Finding]:
    if not report.servers:
        yield _hint("tmux servers", "no tmux server of yours runs", "tmux new-session -d -s work")
    for each in report.servers:
        if each.up:
            yield _fine(f"server {each.server}", f"tmux {each.version} answers, {_count(each.sessions)}")
        elif not each.ended:
            reason = each.problem.reason if each.problem else "unknown"
            yield _problem(
                f"server {each.server}", _SILENT.get(reason, f"it does not answer: {reason}"), _mend(reason)
            )
        if each.open_fds and each.max_fds and each.open_fds > NEAR * each.max_fds:
            yield _warning(
                f"server {each.server}",
                f"{each.open_fds} of {each.max_fds} open files: beyond them no pane can be made",
                f"ulimit -n {OPEN_FILES} before the server is started (it cannot be raised from outside)",
            )
        if (
            each.up
            and machine.tmux_version
            and each.version not in (None, machine.tmux_version.removeprefix("tmux "))
        ):
            yield _hint(
                f"server {each.server}",
                f"it is tmux {each.version}, the program {machine.tmux_version}: commands may fail",
                "restart the server when its agents can spare it",
            )


_SILENT: Mapping[str, str] = {
    QueryFailure.HUNG: "its process lives and does not answer: nobody can attach, and no key arrives",
    QueryFailure.DENIED: "it does not let you in",
    QueryFailure.UNTRUSTED: "it is not provably yours, and is asked nothing",
    QueryFailure.NOSERVER: "no process listens on its socket",
}


def _mend(reason: str) -> str:
    if reason == QueryFailure.HUNG:
        return "strace -p PID shows what it does; a stopped one: kill -CONT PID"
    if reason in (QueryFailure.DENIED, QueryFailure.UNTRUSTED):
        container = "" if reason == QueryFailure.DENIED else "; in a container: --pid=host"
        return f'ls -la "${{TMUX_TMPDIR:-/tmp}}/tmux-$(id -u)": all of it has to be yours{container}'
    return "tmux-exporter once --format json | jq .servers"


def _locale(_: Report, machine: Machine) -> Iterator[Finding]:
    if "utf8" in machine.locale.lower().replace("-", ""):
        yield _fine("locale", machine.locale)
    else:
        yield _warning(
            "locale",
            f"{machine.locale or 'not set'}: tmux draws _ for most of what agents print",
            "export LC_ALL=C.UTF-8 in your shell's profile, and attach again",
        )


def _places(_: Report, machine: Machine) -> Iterator[Finding]:
    for each in machine.folders:
        if each.problem:
            mend = f"remove {each.path}, or set XDG_RUNTIME_DIR and XDG_STATE_HOME to folders of yours"
            yield _problem("folders", f"{each.path}: {each.problem}", mend)
        else:
            yield _fine("folders", each.path)


def _readable(report: Report, _: Machine) -> Iterator[Finding]:
    for reason, count in report.unreadable_processes.items():
        if count:
            yield _warning(
                "processes",
                f"{count} processes of yours, or of others in your panes, cannot be read wholly ({reason}): "
                "figures are missing",
                "run it as the user of tmux, in no container, without NoNewPrivileges; "
                "only root reads everything of another user's process",
            )


def _lineage(_: Report, machine: Machine) -> Iterator[Finding]:
    problem = machine.fork_events_problem
    if problem is None:
        return
    if problem:
        yield _hint(
            "lineage",
            f"forks cannot be followed ({problem}): a daemon that leaves everything behind belongs to "
            "nobody, and short orphans are not counted",
            "use Linux 6.6 or newer outside of a container, or AmbientCapabilities=CAP_NET_ADMIN",
        )
    else:
        yield _fine("lineage", "forks can be followed by the kernel's events (processes.lineage: true)")


def _kernel(_: Report, machine: Machine) -> Iterator[Finding]:
    if machine.system != "Linux":
        yield _hint(
            "kernel",
            f"{machine.system}: processes are read by psutil, and some figures are missing",
            f"see {PROJECT}/docs/portability.md",
        )
        return
    lacking = [feature for feature, there in machine.features.items() if there is False]
    for feature in lacking:
        level, text, mend = _FEATURES[feature]
        yield Finding(level, "kernel", text, mend)
    if not lacking:
        yield _fine("kernel", f"Linux {machine.kernel}")


def _limits(report: Report, machine: Machine) -> Iterator[Finding]:
    host = report.host
    bounds = {
        "processes and threads of this user": (machine.tasks, "raise nproc in /etc/security/limits.d"),
        "processes and threads of our cgroup": (
            machine.cgroup_tasks,
            'sudo systemctl set-property "user-$(id -u).slice" TasksMax=infinity',
        ),
    }
    if host:
        bounds |= {
            "process ids": (
                Bound(used=host.threads, limit=host.threads_limit),
                "sudo sysctl -w kernel.pid_max=4194304",
            ),
            "pseudo terminals": (
                Bound(used=host.ptys, limit=host.ptys_limit),
                "sudo sysctl -w kernel.pty.max=8192",
            ),
            "inotify instances of this user": (
                Bound(used=host.inotify_instances, limit=host.inotify_instances_limit),
                _sysctl(INOTIFY_INSTANCES),
            ),
        }
    for what, (bound, mend) in bounds.items():
        if bound.used is None or bound.limit is None:
            continue
        text = f"{bound.used} of {bound.limit} {what}"
        yield _warning("limits", text, mend) if bound.used > NEAR * bound.limit else _fine("limits", text)
    if machine.open_files is not None and machine.open_files < OPEN_FILES:
        yield _hint(
            "limits",
            f"{machine.open_files} open files for what this shell starts; dev servers take many",
            f"ulimit -n {OPEN_FILES}; to stay: tmux-exporter export tuning --out tuning && "
            "sudo cp tuning/limits.conf /etc/security/limits.d/60-agents.conf",
        )


def _throttles(_: Report, machine: Machine) -> Iterator[Finding]:
    """What a throttle can use here, and what one kill for memory ends."""
    means = machine.throttle
    for kind in means.kinds if means is not None else ():
        if kind.problem:
            yield _hint("throttle", f"no {kind.means}: {kind.problem}", kind.mend)
        else:
            yield _fine("throttle", f"{kind.means}: {kind.offers}")
    if means is not None and not means.problem:
        stay = sum(not place.owned for place in machine.pane_places.values())
        if stay:
            yield _hint(
                "throttle",
                f"{stay} of {len(machine.pane_places)} panes are in a cgroup that is not yours: what is "
                "throttled there cannot return to it",
                "allow: [moved_for_good] in the policy",
            )
    scopes = [place.pane_scope for place in machine.pane_places.values()]
    if means is not None and not means.problem and (bare := scopes.count("")):
        yield _hint(
            "throttle",
            f"tmux has made no scope of its own for {bare} of {len(scopes)} panes: none of these can be "
            "throttled as a whole (whole_pane)",
            f"{PANE_SCOPES.from_release}, built with systemd (Debian 13)",
        )
    if fatal := sum(machine.oom_policies.get(each) in (OomPolicy.STOP, OomPolicy.KILL) for each in scopes):
        yield _warning(
            "panes",
            f"where the kernel ends one process for memory, systemd ends all of its pane: {fatal} of "
            f"{len(scopes)} panes (OOMPolicy=stop)",
            _OOM_MEND,
        )


_OOM_MEND = (
    "mkdir -p ~/.config/systemd/user/tmux-spawn-.scope.d && printf '[Scope]\\nOOMPolicy=continue\\n' "
    ">~/.config/systemd/user/tmux-spawn-.scope.d/50-agents.conf && systemctl --user daemon-reload"
)


def _tuning(_: Report, machine: Machine) -> Iterator[Finding]:
    for server, options in machine.options.items():
        for option in OPTIONS:
            value = options.get(option.name, "")
            if (
                value.isdecimal()
                and (int(value) > option.wanted) is option.at_most
                and int(value) != option.wanted
            ):
                yield _hint(
                    f"server {server}",
                    f"{option.name} is {value}: {option.why}",
                    f"{option.line}   (~/.tmux.conf)",
                )
    for sysctl in SYSCTLS:
        number = machine.sysctls.get(sysctl.name)
        if number is not None and number < sysctl.wanted:
            yield _hint("sysctl", f"{sysctl.name} is {number}: {sysctl.why}", _sysctl(sysctl))


def _sysctl(wanted: Sysctl) -> str:
    return f"sudo sysctl -w {wanted.name}={wanted.wanted}"


def _agents(report: Report, machine: Machine) -> Iterator[Finding]:
    ports = Counter(each.otel_port for each in machine.agents if each.otel_prometheus)
    for port, count in ports.items():
        if count > 1:
            yield _warning(
                "agents",
                f"{count} of Claude Code's own exporters want port {port}: the first gets it, the others are "
                "not measured, and say nothing",
                "OTEL_METRICS_EXPORTER=otlp with one collector for all, or an own "
                "OTEL_EXPORTER_PROMETHEUS_PORT for each",
            )
    for other in machine.look_alikes:
        yield _hint(
            "agents",
            f"{other.name} in {other.pane} (pid {other.process.pid}) behaves like an agent that is not known",
            f"tmux set-option -p -t {other.pane} @agent NAME, or agents.signatures in the configuration",
        )
    if machine.claude_hooked is False and any(each.program == "claude" for each in report.agents):
        yield _hint(
            "agents",
            "Claude Code does not call our hook: its states come from its session files and its pane",
            "tmux-exporter hooks install claude",
        )


def _friends(_: Report, machine: Machine) -> Iterator[Finding]:
    programs = machine.programs
    manager = programs.get("prometheus-alertmanager") or programs.get("alertmanager")
    lacking = [
        name
        for name, path in (("prometheus", programs.get("prometheus")), ("prometheus-alertmanager", manager))
        if not path
    ]
    if lacking:
        yield _hint(
            "servers",
            f"not installed: {', '.join(lacking)}; without there is a live page, but no history",
            f"sudo apt-get install --no-install-recommends {' '.join(lacking)}",
        )
    else:
        yield _fine("servers", "Prometheus and Alertmanager are installed")


CHECKS: tuple[Callable[[Report, Machine], Iterator[Finding]], ...] = (
    _program,
    _servers,
    _locale,
    _places,
    _readable,
    _kernel,
    _lineage,
    _limits,
    _throttles,
    _agents,
    _tuning,
    _friends,
)


def _count(sessions: int | None) -> str:
    return f"{sessions} session" + ("" if sessions == 1 else "s")
