"""Bad days of what agents leave behind and do, of hosts, the remediator and budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from alerts.days.bad import (
    BURNS,
    GROWS,
    LEVELS,
    OF_SERVER,
    OF_SESSION,
    QUARTER,
    SERVER,
    SESSION,
    Bad,
    Fault,
    adds,
    climbs,
    counts,
    during,
    jumps,
    shown,
)
from alerts.days.world import DAY, GIB, HOUR, MINUTE, Operation

POLICY = 'policy="stop-orphans"'
DISK = 500 * GIB
MEMORY = 32 * GIB


def _left_behind() -> Iterator[Bad]:
    leaked = f'{{{SESSION}, kind="shell_job"}}'
    yield Bad(
        alert="TmuxLeaksGrowing",
        priority="P3",
        who=OF_SERVER,
        faults={f"tmux_leaked_processes{leaked}": counts(5 * MINUTE)},
        **{**GROWS, "over": 40 * MINUTE},
    )
    yield Bad(
        alert="TmuxLeakedMemory",
        priority="P3",
        who=OF_SERVER,
        faults={f"tmux_leaked_memory_bytes{leaked}": shown(2 * GIB)},
    )
    yield Bad(
        alert="TmuxLeakOld",
        priority="P4",
        who=OF_SESSION,
        lasts=80 * MINUTE,
        faults={f"tmux_leaked_oldest_start_time_seconds{leaked}": shown(HOUR - DAY - 1)},
    )
    for name, state, priority in (
        ("Dangling", "dangling", "P3"),
        ("Misdirected", "misdirected", "P2"),
        ("StaleGeneration", "stale_generation", "P3"),
        ("Serverless", "serverless", "P3"),
        ("Immortal", "immortal", "P4"),
        ("Overdue", "overdue", "P3"),
        ("Duplicate", "duplicate", "P4"),
    ):
        yield Bad(
            alert=f"TmuxScheduler{name}",
            priority=priority,
            who=OF_SESSION,
            lasts=80 * MINUTE,
            faults={f'tmux_schedulers{{{SESSION}, state="{state}"}}': during(1)},
        )
    yield Bad(
        alert="TmuxSchedulerMissed",
        priority="P3",
        who=OF_SESSION,
        faults={f'tmux_scheduler_outcomes_total{{{SESSION}, outcome="missed"}}': jumps()},
        within=2 * MINUTE,
    )


def _each(part: int) -> Callable[[int], bool]:
    return lambda number: number % part == 0


def _operations() -> Iterator[Bad]:
    begin, end = 1.0 * HOUR, 1.75 * HOUR

    def at_fault(number: int, every: float) -> bool:
        return begin <= number * every < end

    def one(
        name: str,
        *,
        every: float,
        slow: Callable[[int], bool] = lambda _: False,
        fails: int = 0,
        beside: tuple[str, ...] = (),
    ) -> Bad:
        """The slow ones take three times of what they may, each `fails`-th fails."""
        operation = Operation(
            name="deploy",
            every=every,
            seconds=lambda number: 3.0 if at_fault(number, every) and slow(number) else 0.2,
            fails=lambda number: bool(fails) and at_fault(number, every) and number % fails == 0,
            from_time=0,
            to_time=DAY,
            within=1.0,
        )
        return Bad(
            alert=name,
            priority="P3",
            who={"operation": "deploy"},
            host={"operations": (operation,)},
            beside=beside,
        )

    # A share that rises passes the milder bounds first. Where operations are P3 their budget is the page.
    many, tail, errors = "TmuxOperationSlow", "TmuxOperationTailSlow", "TmuxOperationErrors"
    shares: tuple[tuple[Callable[[int], bool], int, int], ...] = (
        (lambda _: True, 8, 5),
        (lambda number: number % 3 > 0, 14, 13),
        (_each(3), 40, 30),
    )
    for (level, _), (slow, part, fails) in zip(LEVELS, shares, strict=True):
        for bad in (
            one(many, every=2, slow=slow, beside=(many, tail, BURNS)),
            one(tail, every=1, slow=_each(part), beside=(tail,)),
            one(errors, every=2, fails=fails, beside=(errors, BURNS)),
        ):
            yield replace(bad, level=level)
    yield Bad(
        alert="TmuxThroughputLow",
        priority="P3",
        host={
            "operations": (
                Operation(name="agent_command", every=2, from_time=begin, to_time=end, in_flight=5),
            )
        },
    )
    yield Bad(
        alert="TmuxOperationsLost",
        priority="P4",
        faults={'tmux_exporter_operations_lost_total{reason="malformed"}': jumps()},
        within=2 * MINUTE,
        over=HOUR,
    )
    yield Bad(
        alert="TmuxCommandErrors",
        priority="P3",
        who=OF_SERVER,
        faults={f'tmux_command_errors_total{{{SERVER}, command="has-session"}}': adds(0.08)},
    )


def _host() -> Iterator[Bad]:
    space = 'tmux_host_filesystem_avail_bytes{mountpoint="/"}'
    inodes = 'tmux_host_filesystem_avail_inodes{mountpoint="/"}'
    used = zip(LEVELS, (0.97, 0.88, 0.82), (0.97, 0.92, 0.87), (0.99, 0.96, 0.92), strict=True)
    resources = (("inotify_instances", 128 * 0.97), ("ptys", 4096 * 0.92), ("pids", 32_768 * 0.8))
    for ((level, priority), cpu, memory, disk), (resource, count) in zip(used, resources, strict=True):
        of: dict[str, Any] = {"level": level, "priority": priority}
        yield Bad(
            alert="TmuxHostCpuHigh",
            faults={
                'tmux_host_cpu_seconds_total{mode="user"}': adds(8 * cpu - 0.5),
                'tmux_host_cpu_seconds_total{mode="idle"}': adds(0.5 - 8 * cpu),
            },
            **{**of, "priority": "P4"},
        )
        yield Bad(
            alert="TmuxHostMemoryHigh",
            faults={"tmux_host_memory_available_bytes": during((1 - memory) * MEMORY)},
            **of,
        )
        yield Bad(
            alert="TmuxHostNearLimit",
            who={"resource": resource},
            faults={f"tmux_host_{resource}": during(count)},
            **of,
        )
        at: dict[str, Any] = {"who": {"mountpoint": "/"}, **of}
        yield Bad(alert="TmuxHostDiskFull", faults={space: during((1 - disk) * DISK)}, **at)
        yield Bad(alert="TmuxHostInodesFull", faults={inodes: during((1 - disk) * 3e7)}, **at)
    yield Bad(
        alert="TmuxHostDiskRunsOut",
        level="critical",
        priority="P2",
        who={"mountpoint": "/"},
        lasts=14 * MINUTE,
        within=14 * MINUTE,
        faults={space: climbs(0.28 * DISK, -0.012 * DISK / MINUTE)},
    )
    yield Bad(
        alert="TmuxHostDiskRunsOut",
        level="warning",
        priority="P3",
        who={"mountpoint": "/"},
        faults={space: climbs(0.45 * DISK, -0.035 * DISK / QUARTER)},
        **{**GROWS, "within": 95 * MINUTE},
    )
    yield Bad(
        alert="TmuxHostMemoryRunsOut",
        priority="P3",
        faults={"tmux_host_memory_available_bytes": climbs(0.45 * MEMORY, -0.035 * MEMORY / QUARTER)},
        **{**GROWS, "within": 95 * MINUTE},
    )
    yield Bad(
        alert="TmuxHostOomKill", priority="P2", faults={"tmux_host_oom_kills_total": jumps()}, within=MINUTE
    )
    for resource in ("memory", "io"):
        full = f'tmux_host_pressure_seconds_total{{resource="{resource}", kind="full"}}'
        yield Bad(
            alert="TmuxHostPressure",
            priority="P3",
            who={"resource": resource},
            faults={full: adds(0.9)},
        )
    yield Bad(
        alert="TmuxHostDiskBusy",
        priority="P3",
        who={"device": "sda"},
        faults={'tmux_host_disk_io_seconds_total{device="sda"}': adds(0.9)},
    )
    yield Bad(
        alert="TmuxHostNetworkBusy",
        priority="P3",
        who={"device": "eth0"},
        faults={'tmux_host_network_receive_bytes_total{device="eth0"}': adds(1e8)},
    )


def _remediator() -> Iterator[Bad]:
    def one(name: str, priority: str, series: str, fault: Fault, **more: object) -> Bad:
        of = {"policy": "stop-orphans"} if "policy" in series else {}
        faults = {f"tmux_remediator_{series}": fault}
        return Bad(alert=f"TmuxRemediator{name}", priority=priority, who=of, faults=faults, **more)  # type: ignore[arg-type]

    long = {"lasts": 80 * MINUTE}
    yield one("Down", "P3", "up", during(0))
    yield one("Blind", "P3", "blind", during(1))
    yield one("AuditUnhealthy", "P3", "audit_healthy", during(0))
    yield one("PoliciesRefused", "P4", "config_last_reload_successful", during(0), **long)
    yield one("BreakerOpen", "P3", f"breaker_open{{{POLICY}}}", during(1))
    yield one("LeaseOverdue", "P3", f"lease_end_timestamp_seconds{{{POLICY}}}", shown(HOUR))
    yield one("Refusing", "P4", f"matches{{{POLICY}}}", during(1), **long)
    ended = f'actions_total{{{POLICY}, action="end", outcome="done"}}'
    yield one("Acted", "P4", ended, jumps(), within=2 * MINUTE)
    yield one(
        "HoldsLong",
        "P4",
        f"leases{{{POLICY}}}",
        during(1),
        lasts=6 * HOUR,
        within=4.2 * HOUR,
        over=80 * MINUTE,
        until=20 * HOUR,
    )


def _budgets() -> Iterator[Bad]:
    def one(name: str, priority: str, every: int, begins: float, **more: object) -> Bad:
        """Each `every`-th operation fails from then on; there are 72 an hour, too few for an error alert."""
        operation = Operation(
            name="deploy",
            every=50,
            fails=lambda number: number * 50 >= begins and number % every == 0,
            from_time=0,
            to_time=60 * DAY,
        )
        host = {"operations": (operation,), "agents": ()}
        lasts: dict[str, Any] = {"lasts": 90 * DAY, "begins": begins}
        return Bad(alert=name, priority=priority, who={"slo": "errors"}, host=host, **lasts, **more)  # type: ignore[arg-type]

    day = {"until": 20 * HOUR}
    yield one(BURNS, "P2", 2, 14.0 * HOUR, level="critical", within=25 * MINUTE, beside=(BURNS,), **day)
    yield one(BURNS, "P3", 8, 13.0 * HOUR, level="warning", within=4 * HOUR, **day)
    weeks = {"until": 16 * DAY, "scraped": 120}
    slowly, spent = "TmuxErrorBudgetBurnsSlowly", "TmuxErrorBudgetSpent"
    yield one(slowly, "P4", 40, 8.0 * DAY, within=40 * HOUR, beside=(spent,), **weeks)
    # One in forty fails where one in a hundred may: spent after two thirds of the time that all went well.
    yield one(spent, "P4", 40, 8.0 * DAY, within=5.5 * DAY, beside=(slowly,), **weeks)


MAKERS = (_left_behind, _operations, _host, _remediator, _budgets)
