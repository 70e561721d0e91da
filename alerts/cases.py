"""Each alert just within and just outside of its number: the table of which `mechanical.py` makes tests.

Patience and numbers are written out here and not taken from the thresholds: a number that is changed by
mistake makes a test fail. What needs judgement (growth and its shapes, times since, budgets, joins) is in the
tests that are written by hand.
"""

from collections.abc import Iterator

from alerts.mechanical import Case

_LEVELS = (("emergency", "P1", "1m"), ("critical", "P2", "5m"), ("warning", "P3", "15m"))
_SERVER = 'server="d"'
_SESSION = f'{_SERVER}, session="s"'
_AGENT = f'{_SESSION}, agent="x"'
_OF = {
    "server": {"server": "d"},
    "session": {"server": "d", "session": "s"},
    "agent": {"server": "d", "session": "s", "agent": "x"},
}
_SET = {"server": _SERVER, "session": _SESSION, "agent": _AGENT}
_WHO = {
    "server": "The tmux server d on a:1",
    "session": "Session s of tmux server d on a:1",
    "agent": "Agent x in session s of tmux server d on a:1",
}
# A rate over five minutes is wholly bad once the last good increase has left the window.
_RATE = "4m45s"


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.4g}%"


def usage() -> Iterator[Case]:
    """Sessions and agents near their limits."""
    marks = {"emergency": 0.95, "critical": 0.90, "warning": 0.75}
    cores = {"emergency": 0.95, "critical": 0.85, "warning": 0.70}
    for kind, (level, priority, hold) in ((kind, each) for kind in ("agent", "session") for each in _LEVELS):
        start = f"Tmux{kind.capitalize()}Near"
        who = {"agent": "An agent", "session": "A session"}[kind]
        same = {"priority": priority, "hold": hold, "threshold": level, "labels": _OF[kind]}
        bad = marks[level] + 0.001
        yield Case(
            alert=f"{start}MemoryLimit",
            series={
                f"tmux_{kind}_memory_bytes{{{_SET[kind]}}}": (100, 1000 * bad - 50, 1000 * marks[level] - 50),
                f"tmux_{kind}_swap_memory_bytes{{{_SET[kind]}}}": (50, 50, 50),
                f"tmux_{kind}_memory_limit_bytes{{{_SET[kind]}}}": (1000, 1000, 1000),
            },
            summary=f"{who} is near its memory limit.",
            says=f"{_WHO[kind]} uses {_percent(bad)} of the memory that it may use.",
            **same,
        )
        yield Case(
            alert=f"{start}FdLimit",
            series={f"tmux_{kind}_fd_utilization_ratio{{{_SET[kind]}}}": (0.1, bad, marks[level])},
            summary=f"{who} has a process that is near its limit of file descriptors.",
            says=f"{_WHO[kind]} has a process with {_percent(bad)} of the file descriptors open that "
            f"it may have.",
            **same,
        )
        mark = cores[level]
        yield Case(
            alert=f"{start}CpuLimit",
            series={
                f"tmux_{kind}_cpu_seconds_total{{{_SET[kind]}}}": (
                    1,
                    30 * (mark + 0.001),
                    30 * (mark - 0.001),
                ),
                f"tmux_{kind}_cpu_limit_cores{{{_SET[kind]}}}": (2, 2, 2),
            },
            after=_RATE,
            summary=f"{who} uses nearly all the CPU that it may use.",
            says=f"{_WHO[kind]} uses {_percent(mark + 0.001)} of the CPU that it may use.",
            **same,
        )


def servers() -> Iterator[Case]:
    """tmux servers that are slow, or near a limit."""
    for (level, priority, hold), mark in zip(_LEVELS, (0.95, 0.90, 0.75), strict=True):
        yield Case(
            alert="TmuxServerNearFdLimit",
            series={
                f"tmux_server_open_fds{{{_SERVER}}}": (10, 1000 * mark + 1, 1000 * mark),
                f"tmux_server_max_fds{{{_SERVER}}}": (1000, 1000, 1000),
            },
            priority=priority,
            hold=hold,
            threshold=level,
            labels=_OF["server"],
            summary="A tmux server is near its limit of file descriptors.",
            says=f"{_WHO['server']} has {_percent(mark + 0.001)} of the file descriptors open that it "
            f"may have; at "
            "100 % no pane can be opened and nobody can attach.",
        )
    yield Case(
        alert="TmuxServerSlow",
        series={
            f"tmux_server_query_duration_seconds_sum{{{_SERVER}}}": (0.01, 0.603, 0.597),
            f"tmux_server_query_duration_seconds_count{{{_SERVER}}}": (3, 3, 3),
        },
        priority="P3",
        hold="15m",
        after=_RATE,
        labels=_OF["server"],
        summary="A tmux server answers slowly.",
        says=f"{_WHO['server']} takes 201ms to answer on average: so long every key waits.",
    )


def exporter() -> Iterator[Case]:
    """The exporter itself."""
    yield Case(
        alert="TmuxExporterBlind",
        series={
            'tmux_exporter_samples_total{result="complete"}': (3, 0, 1),
            'tmux_exporter_samples_total{result="partial"}': (0, 0, 0),
            'tmux_exporter_samples_total{result="failed"}': (0, 3, 2),
        },
        priority="P2",
        hold="5m",
        before="6m",
        after=_RATE,
        labels={"result": "failed"},
        summary="The exporter sees nothing at all.",
        says="Every sample of a:1 fails, about 60 of late: what it shows is what it saw last.",
    )
    yield Case(
        alert="TmuxCollectorFailing",
        series={'tmux_exporter_collector_success{collector="host"}': (1, 0, 1)},
        priority="P3",
        hold="15m",
        labels={"collector": "host"},
        summary="A part of the exporter fails.",
        says="The collector host of a:1 fails: its figures are missing or old.",
    )
    yield Case(
        alert="TmuxExporterDroppingSeries",
        series={"tmux_exporter_dropped_series_total": (0, 0.02, 0)},
        priority="P3",
        hold="15m",
        before="11m",
        over="9m45s",
        lasts="20m",
        summary="The exporter leaves out series.",
        says="a:1 has left out about 800m series of late: there are more than limits.series, or two "
        "of one name.",
    )


_STATES = {
    "Dangling": ("dangling", "P3", "15m", "A scheduled check-in has lost its target."),
    "Misdirected": ("misdirected", "P2", "5m", "A scheduled check-in will be typed into the wrong pane."),
    "StaleGeneration": (
        "stale_generation",
        "P3",
        "15m",
        "A scheduled check-in is of a tmux server that has been restarted.",
    ),
    "Serverless": ("serverless", "P3", "15m", "A scheduled check-in has no tmux server to go to."),
    "Immortal": ("immortal", "P4", "1h", "A scheduled check-in sleeps practically for ever."),
    "Overdue": ("overdue", "P3", "5m", "A scheduled check-in is overdue."),
    "Duplicate": ("duplicate", "P4", "1h", "The same check-in is scheduled more than once."),
}
_BECOMES = {
    "dangling": "that wait for a pane that does not exist: 1. They cost memory, and nobody will be woken.",
    "misdirected": "that will be typed into another pane than was meant: 1. Whatever runs there gets "
    "the keys.",
    "stale_generation": "that were made for a tmux server that has ended since: 1. The new one may "
    "have a pane of "
    "that name, which was never meant.",
    "serverless": "whose tmux server is gone: 1. They cost memory, and nobody will be woken.",
    "immortal": "that sleep longer than any check-in should: 1.",
    "overdue": "that should have been sent by now and still wait: 1.",
    "duplicate": "that a newer one repeats: 1. Each of them will be typed.",
}


def schedulers() -> Iterator[Case]:
    """Check-ins, by what is wrong with them."""
    for name, (state, priority, hold, summary) in _STATES.items():
        yield Case(
            alert=f"TmuxScheduler{name}",
            series={
                f'tmux_schedulers{{{_SESSION}, state="{state}"}}': (0, 1, 0),
                f'tmux_schedulers{{{_SESSION}, state="armed"}}': (3, 3, 3),
            },
            priority=priority,
            hold=hold,
            labels={**_OF["session"], "state": state},
            summary=summary,
            says=f"Check-ins of session s (tmux server d on a:1) {_BECOMES[state]}",
        )
    yield Case(
        alert="TmuxSchedulerMissed",
        series={f'tmux_scheduler_outcomes_total{{{_SESSION}, outcome="missed"}}': (0, 1, 0)},
        priority="P3",
        hold="0s",
        before="16m",
        over="14m45s",
        labels={**_OF["session"], "outcome": "missed"},
        summary="A scheduled check-in did not arrive.",
        says="Check-ins of session s (tmux server d on a:1) that did not arrive within the last 15 "
        "minutes: about 1.",
    )


def agents() -> Iterator[Case]:
    """What agents do."""
    yield Case(
        alert="TmuxAgentExited",
        series={f'tmux_agent_state{{{_AGENT}, state="exited"}}': (0, 1, 0)},
        priority="P3",
        hold="5m",
        labels={**_OF["agent"], "state": "exited"},
        summary="An agent has ended and left its shell.",
        says=f"{_WHO['agent']} has ended; its pane is still there. What is typed into it goes to a shell.",
    )
    yield Case(
        alert="TmuxAgentRestarting",
        series={f"tmux_agent_restarts_total{{{_AGENT}}}": (0, 0.5, 0.05)},
        priority="P3",
        hold="0s",
        before="61m",
        after="1m30s",
        lasts="3m",
        over="58m15s",
        labels=_OF["agent"],
        summary="An agent is started again and again.",
        says=f"{_WHO['agent']} was restarted about 3.5 times within the hour.",
    )
    yield Case(
        alert="TmuxAgentRecoverySlow",
        series={
            f"tmux_agent_recovery_seconds_sum{{{_SERVER}}}": (1, 301, 299),
            f"tmux_agent_recovery_seconds_count{{{_SERVER}}}": (1, 1, 1),
        },
        priority="P3",
        hold="1m",
        before="15s",
        labels=_OF["server"],
        summary="Agents are down for long before they are up again.",
        says="Agents of tmux server d on a:1 that went down were up again after 5m 1s on average; "
        "five minutes are "
        "promised.",
    )


def leaks() -> Iterator[Case]:
    """What outlived its pane."""
    yield Case(
        alert="TmuxLeakedMemory",
        series={
            f'tmux_leaked_memory_bytes{{{_SESSION}, kind="shell_job"}}': (0, 2**29, 2**29),
            f'tmux_leaked_memory_bytes{{{_SESSION}, kind="agent"}}': (0, 2**29 + 2**20, 2**29),
        },
        priority="P3",
        hold="15m",
        labels=_OF["server"],
        summary="Leaked processes hold much memory.",
        says="Processes that outlived their panes of tmux server d on a:1 hold 1.001GiB of memory.",
    )


def operations() -> Iterator[Case]:
    """Operations and tmux commands."""
    which = 'operation="status_check"'
    duration = "tmux_operation_duration_seconds"
    same = {"labels": {"operation": "status_check"}, "after": _RATE}
    counts = {f"{duration}_count{{{which}}}": (1000, 1000, 1000)}
    for (level, priority, hold), mark, errors in zip(_LEVELS, (10, 5, 2), (0.10, 0.05, 0.02), strict=True):
        at = {"priority": priority, "hold": hold, "threshold": level, **same}
        yield Case(
            alert="TmuxOperationSlow",
            series={
                **counts,
                f"{duration}_sum{{{which}}}": (100, 1000 * (mark + 0.01), 1000 * (mark - 0.01)),
            },
            summary="An operation takes too long on average.",
            says=f"Operation status_check on a:1 takes {mark + 0.01:.4g}s on average.",
            **at,
        )
        yield Case(
            alert="TmuxOperationErrors",
            series={
                **counts,
                f'tmux_operation_errors_total{{{which}, reason="timeout"}}': (
                    1,
                    1000 * errors + 1,
                    1000 * errors - 1,
                ),
            },
            summary="An operation fails too often.",
            says=f"Operation status_check on a:1: {_percent(errors + 0.001)} of them fail.",
            **at,
        )
        # One in a hundred is in the bucket above the mark; a little more or less moves the quantile in it.
        below, above = {10: (10, 30), 5: (5, 10), 2: (2, 5)}[mark]
        buckets = {
            f'{duration}_bucket{{{which}, le="0.1"}}': (1000, 900, 900),
            f'{duration}_bucket{{{which}, le="{below}.0"}}': (1000, 989.9, 990.1),
            f'{duration}_bucket{{{which}, le="{above}.0"}}': (1000, 1000, 1000),
            f'{duration}_bucket{{{which}, le="+Inf"}}': (1000, 1000, 1000),
        }
        quantile = below + (above - below) * 0.1 / 10.1
        yield Case(
            alert="TmuxOperationTailSlow",
            series={**counts, **buckets},
            summary="One in a hundred of an operation takes too long.",
            says=f"Operation status_check on a:1: one in a hundred takes {quantile:.4g}s or more.",
            **at,
        )
    yield Case(
        alert="TmuxThroughputLow",
        series={
            f"{duration}_count{{{which}}}": (50, 24.9, 25.1),
            "tmux_operations_in_flight{" + which + "}": (4, 4, 4),
        },
        priority="P3",
        hold="15m",
        after=_RATE,
        summary="Fewer operations are finished than are asked for.",
        says="On a:1 99.6 operations a minute are finished while more are under way than there would "
        "be at the "
        "promised throughput and time.",
    )
    yield Case(
        alert="TmuxOperationsLost",
        series={
            'tmux_exporter_operations_lost_total{reason="dropped"}': (0, 0.002, 0),
            'tmux_exporter_operations_lost_total{reason="names"}': (0, 0.002, 0),
        },
        priority="P4",
        hold="1h",
        before="61m",
        over="59m45s",
        summary="Reports of operations are lost.",
        says="a:1 has lost about 960m reports of operations within the hour; figures about operations "
        "are that "
        "much too small.",
    )
    yield Case(
        alert="TmuxThroughputLow",
        series={
            f"{duration}_count{{{which}}}": (50, 20, 20),
            "tmux_operations_in_flight{" + which + "}": (1, 3.34, 3.32),
        },
        priority="P3",
        hold="15m",
        after="5m",
        summary="Fewer operations are finished than are asked for.",
        says="On a:1 80 operations a minute are finished while more are under way than there would be at the "
        "promised throughput and time.",
    )
    # All fail, a little more than two a minute, and a little less.
    yield Case(
        alert="TmuxOperationErrors",
        series={
            f"{duration}_count{{{which}}}": (0, 0.55, 0.45),
            f'tmux_operation_errors_total{{{which}, reason="timeout"}}': (0, 0.55, 0.45),
        },
        priority="P1",
        hold="1m",
        threshold="emergency",
        before="6m",
        after="4m30s",
        over="15s",
        labels={"operation": "status_check"},
        summary="An operation fails too often.",
        says="Operation status_check on a:1: 100% of them fail.",
    )
    yield Case(
        alert="TmuxCommandErrors",
        series={
            f'tmux_command_duration_seconds_count{{{_SERVER}, command="send-keys"}}': (1000, 1000, 1000),
            f'tmux_command_errors_total{{{_SERVER}, command="send-keys"}}': (1, 101, 99),
        },
        priority="P3",
        hold="15m",
        after=_RATE,
        labels=_OF["server"],
        summary="Many tmux commands fail.",
        says="10.1% of the tmux commands for tmux server d on a:1 fail.",
    )


def hosts() -> Iterator[Case]:
    """The host."""
    for (level, priority, hold), cpu, memory, limit in zip(
        _LEVELS, (0.95, 0.85, 0.80), (0.95, 0.90, 0.85), (0.95, 0.90, 0.75), strict=True
    ):
        at = {"priority": priority, "hold": hold, "threshold": level}
        yield Case(
            alert="TmuxHostCpuHigh",
            series={
                'tmux_host_cpu_seconds_total{mode="user"}': (1, 30 * (cpu + 0.001), 30 * (cpu - 0.001)),
                'tmux_host_cpu_seconds_total{mode="idle"}': (29, 30 * (0.999 - cpu), 30 * (1.001 - cpu)),
            },
            after=_RATE,
            summary="The host has hardly any CPU left.",
            says=f"{_percent(cpu + 0.001)} of the CPU of the host of a:1 is used.",
            **at,
        )
        yield Case(
            alert="TmuxHostMemoryHigh",
            series={
                "tmux_host_memory_available_bytes": (900, 1000 * (0.999 - memory), 1000 * (1.001 - memory)),
                "tmux_host_memory_bytes": (1000, 1000, 1000),
            },
            summary="The host has hardly any memory left.",
            says=f"{_percent(memory + 0.001)} of the memory of the host of a:1 is used.",
            **at,
        )
        for resource in ("pids", "ptys", "inotify_instances"):
            yield Case(
                alert="TmuxHostNearLimit",
                series={
                    f"tmux_host_{resource}": (1, 1000 * limit + 1, 1000 * limit - 1),
                    f"tmux_host_{resource}_limit": (1000, 1000, 1000),
                },
                labels={"resource": resource},
                summary="A resource of the kernel is nearly used up.",
                says=f"{_percent(limit + 0.001)} of the {resource} that the kernel of the host of a:1 "
                f"can give out "
                "are in use; at 100 % no program, pane or watch can be started.",
                **at,
            )
    p3 = {"priority": "P3", "hold": "15m"}
    yield Case(
        alert="TmuxHostDiskBusy",
        series={'tmux_host_disk_io_seconds_total{device="sda"}': (1, 12.015, 11.985)},
        after=_RATE,
        labels={"device": "sda"},
        summary="A disk of the host is busy nearly all the time.",
        says="Disk sda of the host of a:1 had work at hand in 80.1% of the time.",
        **p3,
    )
    yield Case(
        alert="TmuxHostDiskFull",
        series={
            'tmux_host_filesystem_avail_bytes{mountpoint="/"}': (900, 99, 101),
            'tmux_host_filesystem_size_bytes{mountpoint="/"}': (1000, 1000, 1000),
        },
        labels={"mountpoint": "/"},
        summary="A file system of the host is nearly full.",
        says="90.1% of the file system / of the host of a:1 is used.",
        **p3,
    )
    yield Case(
        alert="TmuxHostNetworkBusy",
        series={
            'tmux_host_network_receive_bytes_total{device="eth0"}': (1, 10515, 10485),
            'tmux_host_network_transmit_bytes_total{device="eth0"}': (1, 1, 1),
            'tmux_host_network_speed_bytes{device="eth0"}': (1000, 1000, 1000),
        },
        after=_RATE,
        labels={"device": "eth0"},
        summary="A network link of the host is nearly full.",
        says="70.1% of the speed of eth0 of the host of a:1 is used in one direction; where the "
        "speed of the link is "
        "not known, of 1 Gbit/s.",
        **p3,
    )


def remediator() -> Iterator[Case]:
    """The remediator."""
    of = "The remediator on a:1"
    yield Case(
        alert="TmuxRemediatorDown",
        series={"tmux_remediator_up": (1, 0, 1)},
        priority="P3",
        hold="5m",
        summary="The remediator has ended or is stuck.",
        says=f"{of} ran and does not run any more, or is stuck: nothing is cleaned up there.",
    )
    yield Case(
        alert="TmuxRemediatorBlind",
        series={"tmux_remediator_blind": (0, 1, 0)},
        priority="P3",
        hold="15m",
        summary="The remediator cannot see the processes and does nothing.",
        says=f"{of} cannot list the processes and therefore does nothing at all.",
    )
    yield Case(
        alert="TmuxRemediatorAuditUnhealthy",
        series={"tmux_remediator_audit_healthy": (1, 0, 1)},
        priority="P3",
        hold="5m",
        summary="The remediator cannot write its record and does nothing.",
        says=f"{of} cannot write down what it does, and therefore does nothing.",
    )
    yield Case(
        alert="TmuxRemediatorBreakerOpen",
        series={'tmux_remediator_breaker_open{policy="p"}': (0, 1, 0)},
        priority="P3",
        hold="1m",
        labels={"policy": "p"},
        summary="A policy of the remediator was stopped because it acted too often.",
        says="The breaker of policy p of the remediator on a:1 is open: it acted more often than it may.",
    )
    acted = 'tmux_remediator_actions_total{policy="p", action='
    yield Case(
        alert="TmuxRemediatorActed",
        series={
            f'{acted}"stop", outcome="done"}}': (0, 1, 0),
            f'{acted}"warn", outcome="done"}}': (1, 1, 1),
            f'{acted}"stop", outcome="would"}}': (1, 1, 1),
        },
        priority="P4",
        hold="0s",
        before="11m",
        over="9m45s",
        labels={"policy": "p"},
        summary="The remediator has ended something.",
        says="By policy p of the remediator on a:1 about 1 things were ended within the last minutes.",
    )
    yield Case(
        alert="TmuxRemediatorRefusing",
        series={
            'tmux_remediator_matches{policy="p"}': (0, 2, 0),
            'tmux_remediator_mode{mode="enforce"}': (1, 1, 1),
            f'{acted}"stop", outcome="refused"}}': (1, 1, 1),
            f'{acted}"stop", outcome="done"}}': (0, 0, 0),
        },
        priority="P4",
        hold="1h",
        labels={"policy": "p"},
        summary="The remediator has left something alone for long that its policy matches.",
        says="What policy p of the remediator on a:1 matches and has been left alone: 2.",
    )


SUBJECTS = {
    "exporter": exporter,
    "servers": servers,
    "usage": usage,
    "agents": agents,
    "leaks": leaks,
    "schedulers": schedulers,
    "operations": operations,
    "hosts": hosts,
    "remediator": remediator,
}
