"""Bad days of exporters, tmux servers, agents and sessions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from alerts.days.bad import (
    BURNS,
    GROWS,
    LEVELS,
    OF_AGENT,
    OF_SERVER,
    OF_SESSION,
    QUARTER,
    SERVER,
    SESSION,
    WORKS,
    Bad,
    adds,
    climbs,
    counts,
    during,
    jumps,
    shown,
)
from alerts.days.world import DAY, GIB, HOUR, MINUTE, Doing

AGENT = f'{SESSION}, agent="one"'
ACCOUNT = 'program="claude", account="0", window="5h"'
HISTORY = 1.02 * 2**20 * 69


def _exporter() -> Iterator[Bad]:
    begin, end = 1.0 * HOUR, 1.75 * HOUR
    yield Bad(
        alert="TmuxExporterDown",
        priority="P1",
        host={"target": {"always_on": "yes"}, "unreachable": ((begin, end),)},
    )
    yield Bad(
        alert="TmuxExporterAway",
        priority="P4",
        lasts=18 * HOUR,
        within=16.1 * HOUR,
        host={"unreachable": ((begin, 19.0 * HOUR),)},
        until=20 * HOUR,
    )
    yield Bad(
        alert="TmuxExporterSkipsSamples",
        priority="P3",
        within=27 * MINUTE,
        faults={"tmux_exporter_sample_tick_seconds": during(2)},
    )
    yield Bad(
        alert="TmuxExporterStale",
        priority="P2",
        host={"stuck": ((begin, end),)},
        beside=("TmuxExporterSkipsSamples",),
    )
    yield Bad(
        alert="TmuxExporterClockWrong",
        priority="P3",
        host={"clock": lambda time: -90.0 if begin <= time < end else 0.0},
    )
    yield Bad(
        alert="TmuxSamplesPartial",
        priority="P3",
        beside=(BURNS,),
        faults={'tmux_exporter_samples_total{result="partial"}': adds(0.4)},
    )
    yield Bad(
        alert="TmuxExporterBlind",
        priority="P2",
        beside=(BURNS, "TmuxSamplesPartial"),
        within=11 * MINUTE,
        faults={
            'tmux_exporter_samples_total{result="failed"}': adds(0.2),
            'tmux_exporter_samples_total{result="complete"}': adds(-0.2),
        },
    )
    yield Bad(
        alert="TmuxCollectorFailing",
        priority="P3",
        who={"collector": "host"},
        faults={'tmux_exporter_collector_success{collector="host"}': during(0)},
    )
    yield Bad(
        alert="TmuxExporterDroppingSeries",
        priority="P3",
        faults={"tmux_exporter_dropped_series_total": adds(0.1)},
    )
    yield Bad(
        alert="TmuxExporterRestarting",
        priority="P3",
        host={"restarts": tuple(HOUR + 5.0 * MINUTE * number for number in range(6))},
        over=HOUR,
    )
    yield Bad(
        alert="TmuxExporterConfigRefused",
        priority="P4",
        lasts=80 * MINUTE,
        faults={"tmux_exporter_config_last_reload_successful": during(0)},
    )


def _servers() -> Iterator[Bad]:
    yield Bad(
        alert="TmuxServerNotAnswering",
        priority="P1",
        beside=(BURNS,),
        who=OF_SERVER,
        faults={f"tmux_up{{{SERVER}}}": during(0)},
    )
    yield Bad(
        alert="TmuxServerEnded",
        priority="P3",
        who=OF_SERVER,
        host={"servers": {"default": ((-DAY, HOUR),)}},
        within=3 * MINUTE,
    )
    asked = f"tmux_server_query_duration_seconds_sum{{{SERVER}}}"
    yield Bad(alert="TmuxServerSlow", priority="P3", who=OF_SERVER, faults={asked: adds(0.1)})
    for (level, priority), part in zip(LEVELS, (0.96, 0.92, 0.8), strict=True):
        yield Bad(
            alert="TmuxServerNearFdLimit",
            level=level,
            priority=priority,
            who=OF_SERVER,
            faults={f"tmux_server_open_fds{{{SERVER}}}": during(1024 * part)},
        )
    history = f"tmux_server_history_bytes{{{SERVER}}}"
    yield Bad(alert="TmuxHistoryFills", priority="P3", who=OF_SERVER, faults={history: climbs(3e6, 1.2e5)})
    yield Bad(
        alert="TmuxHistoryGrowing",
        priority="P4",
        who=OF_SERVER,
        faults={history: climbs(3e6, HISTORY / QUARTER)},
        **GROWS,
    )


def _near() -> Iterator[Bad]:
    rows = zip(LEVELS, (0.97, 0.92, 0.8), (0.96, 0.88, 0.78), (0.8, 0.6, 0.3), strict=True)
    for (level, priority), near, busy, of_pids in rows:
        of: dict[str, Any] = {"level": level, "priority": priority}
        agent = {"who": OF_AGENT, **of}
        session = {"who": OF_SESSION, **of}
        # Of the agent it is told, and neither of its session nor of its host.
        yield Bad(alert="TmuxAgentNearMemoryLimit", does=replace(WORKS, memory=near * 16 * GIB), **agent)
        yield Bad(alert="TmuxAgentNearFdLimit", does=replace(WORKS, of_fds=near), **agent)
        yield Bad(alert="TmuxAgentNearPidLimit", does=replace(WORKS, processes=of_pids * 2000), **agent)
        yield Bad(
            alert="TmuxAgentNearCpuLimit",
            does=replace(WORKS, cores=8 * busy),
            beside=("TmuxAgentNearCpuLimit",),
            **{**agent, "priority": "P4"},
        )
        limit = f"tmux_session_memory_limit_bytes{{{SESSION}}}"
        yield Bad(
            alert="TmuxSessionNearMemoryLimit",
            faults={
                f"tmux_session_memory_bytes{{{SESSION}}}": during(near * 8 * GIB),
                limit: during(8 * GIB),
            },
            **session,
        )
        yield Bad(
            alert="TmuxSessionNearFdLimit",
            faults={f"tmux_session_fd_utilization_ratio{{{SESSION}}}": during(near)},
            **session,
        )
        yield Bad(
            alert="TmuxSessionNearPidLimit",
            faults={f"tmux_session_threads{{{SESSION}}}": during(10_000 * of_pids)},
            **session,
        )
        yield Bad(
            alert="TmuxSessionNearCpuLimit",
            faults={f"tmux_session_cpu_seconds_total{{{SESSION}}}": adds(8 * busy - 0.15)},
            beside=("TmuxSessionNearCpuLimit",),
            **{**session, "priority": "P4"},
        )


def _grow() -> Iterator[Bad]:
    of_agent, of_session = (f"tmux_{kind}_memory_bytes" for kind in ("agent", "session"))
    grows = climbs(0.8 * GIB, 12 * 2**20 / QUARTER)
    yield Bad(
        alert="TmuxAgentMemoryGrowing",
        priority="P3",
        who=OF_AGENT,
        faults={f"{of_agent}{{{AGENT}}}": grows, f"{of_session}{{{SESSION}}}": grows},
        **GROWS,
    )
    yield Bad(
        alert="TmuxSessionMemoryGrowing",
        priority="P3",
        who=OF_SESSION,
        faults={f"{of_session}{{{SESSION}}}": grows},
        **GROWS,
    )
    yield Bad(
        alert="TmuxAgentFdsGrowing",
        priority="P3",
        who=OF_AGENT,
        faults={f"tmux_agent_open_fds{{{AGENT}}}": climbs(40, 6 / QUARTER)},
        **GROWS,
    )
    yield Bad(
        alert="TmuxAgentManyProcesses",
        priority="P3",
        who=OF_AGENT,
        faults={f"tmux_agent_processes{{{AGENT}}}": during(1100)},
    )
    yield Bad(
        alert="TmuxAgentOomKilled",
        priority="P1",
        who=OF_AGENT,
        faults={
            f"tmux_agent_oom_kills_total{{{AGENT}}}": jumps(),
            "tmux_host_oom_kills_total": jumps(),
        },
    )
    yield Bad(
        alert="TmuxAgentFdsRunOut",
        priority="P2",
        who=OF_AGENT,
        lasts=13 * MINUTE,
        faults={f"tmux_agent_fd_utilization_ratio{{{AGENT}}}": climbs(0.2, 0.04 / MINUTE)},
    )
    yield Bad(
        alert="TmuxAgentMemoryRunsOut",
        priority="P2",
        who=OF_AGENT,
        lasts=9 * MINUTE,
        faults={f"{of_agent}{{{AGENT}}}": climbs(8 * GIB, 0.6 * GIB / MINUTE)},
    )


def _agents() -> Iterator[Bad]:
    def agent(name: str, priority: str, does: Doing | None = None, **more: object) -> Bad:
        return Bad(alert=f"TmuxAgent{name}", priority=priority, who=OF_AGENT, does=does, **more)  # type: ignore[arg-type]

    yield agent("Waiting", "P3", Doing(state="waiting", cores=0.005))
    yield agent(
        "Exited",
        "P3",
        Doing(state="exited", cores=0),
        faults={f"tmux_agent_crashed{{{AGENT}}}": shown(1)},
        beside=(BURNS,),
    )
    yield agent("Absent", "P2", Doing(state="gone"), declared=("one",), beside=(BURNS,))
    yield Bad(
        alert="TmuxAgentsAllAbsent",
        priority="P1",
        does=Doing(state="gone"),
        declared=("one", "two"),
        beside=(BURNS,),
    )
    yield agent("Stuck", "P3", replace(WORKS, cores=0))
    yield agent("IdleBurn", "P4", Doing(state="idle", cores=1.0))
    restarts = counts(5 * MINUTE)
    yield agent(
        "Restarting",
        "P3",
        faults={f"tmux_agent_restarts_total{{{AGENT}}}": restarts},
        within=25 * MINUTE,
        over=HOUR,
    )
    down, count = (f"tmux_agent_outage_seconds_{each}{{{SERVER}}}" for each in ("sum", "count"))
    yield Bad(
        alert="TmuxAgentRecoverySlow",
        priority="P3",
        who=OF_SERVER,
        faults={down: adds(3), count: adds(1 / 300)},
        host={"figures": {down: lambda _: 0.0, count: lambda _: 0.0}},
        lasts=30 * MINUTE,
        over=DAY,
    )


def _spending() -> Iterator[Bad]:
    full = f"tmux_agent_context_tokens{{{AGENT}}}"
    yield Bad(alert="TmuxAgentContextFull", priority="P4", who=OF_AGENT, faults={full: during(190_000)})
    yield Bad(
        alert="TmuxAgentsOutOfQuota",
        priority="P3",
        does=Doing(state="waiting", cores=0.005, reason="usage_limit"),
        declared=("one", "two"),
    )
    reset = f"tmux_agent_usage_limit_reset_timestamp_seconds{{{AGENT}}}"
    yield Bad(
        alert="TmuxAgentIdleAfterLimit",
        priority="P3",
        who=OF_AGENT,
        does=Doing(),
        host={"figures": {reset: lambda time: HOUR if time < HOUR else None}},
    )
    used = f"tmux_agent_quota_used_ratio{{{ACCOUNT}}}"
    ends = f"tmux_agent_quota_reset_timestamp_seconds{{{ACCOUNT}}}"
    yield Bad(
        alert="TmuxQuotaEndsEarly",
        priority="P4",
        who={"account": "0", "window": "5h"},
        faults={used: climbs(0.55, 0.3 / HOUR), ends: during(6.0 * HOUR)},
    )
    spent = f'tmux_session_cost_dollars_total{{{SESSION}, source="table"}}'
    yield Bad(alert="TmuxSpendHigh", priority="P4", lasts=HOUR, over=HOUR, faults={spent: adds(36 / HOUR)})


MAKERS = (_exporter, _servers, _near, _grow, _agents, _spending)
