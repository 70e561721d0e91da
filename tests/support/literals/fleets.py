"""Reports of fleets as people have them, by size: with names that are read, calm or in trouble."""

from dataclasses import replace

from tests.support.literals.report import (
    DOWN,
    HELD,
    NOW,
    UP,
    agent,
    example_report,
    leak,
    scheduler,
    session,
    usage,
)
from tmux_exporter.facts.agents import AgentState, WaitingReason
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.report import AgentReport, Report
from tmux_exporter.facts.schedulers import SchedulerState

PROJECTS = ("shop", "billing", "search-index", "docs", "mobile-app", "infra", "data-pipeline", "website")
PROGRAMS = ("claude", "codex", "gemini", "opencode")
ROLES = ("lead", "engineer", "reviewer", "tester")
PER_SESSION = 5


def fleet(agents: int, servers: int = 1, *, trouble: bool) -> Report:
    """So many agents, five to a session, on so many servers."""
    count = -(-agents // PER_SESSION)
    names = [
        PROJECTS[n % len(PROJECTS)] + (f"-{n // len(PROJECTS) + 1}" if n >= len(PROJECTS) else "")
        for n in range(count)
    ]
    hosts = [UP.server] + [f"team-{number}" for number in range(2, servers + 1)]
    of = {name: hosts[place % servers] for place, name in enumerate(names)}
    team = [_agent(number, names[number // PER_SESSION], of) for number in range(agents)]
    report = replace(
        example_report(),
        complete=True,
        servers=tuple(
            replace(UP, server=each, socket=f"/tmp/tmux-1000/{each}", pid=4001 + place)
            for place, each in enumerate(hosts)
        ),
        sessions=tuple(
            replace(
                session(of[name], name, 2 + place % 3),
                created_timestamp_seconds=int(NOW) - 7200,
                panes=PER_SESSION,
            )
            for place, name in enumerate(names)
        ),
        panes=(),
        agents=tuple(team),
        schedulers=tuple(
            replace(
                scheduler(
                    of[name], name, SchedulerState.ARMED, pid=8000 + place, due=NOW + 300 * (place + 1)
                ),
                targets=(f"{name}:0",),
            )
            for place, name in enumerate(names[:3])
        ),
        leaks=(),
        problems=(),
        unreadable_processes={},
        collector_success={},
        stale_sockets=0,
    )
    return _in_trouble(report, names[0]) if trouble else report


def _agent(number: int, name: str, of: dict[str, str]) -> AgentReport:
    state = (AgentState.WORKING, AgentState.WORKING, AgentState.IDLE)[number % 3]
    program = PROGRAMS[number % len(PROGRAMS)]
    found = agent(
        of[name], name, f"{program}:{number % PER_SESSION}", f"%{number}", program=program, state=state
    )
    return replace(
        found,
        role=ROLES[number % len(ROLES)],
        pid=5000 + number,
        state_since_timestamp_seconds=NOW - 40 * (number % 30 + 1),
        usage=replace(usage(1 + number % 4), fd_utilization_ratio=0.05),
    )


def _in_trouble(report: Report, name: str) -> Report:
    """Somebody waits, schedulers are lost, servers are silent, memory is short, something is left over."""
    first, *rest = report.agents
    host = first.server
    reasons = (WaitingReason.PERMISSION, WaitingReason.QUESTION, WaitingReason.USAGE_LIMIT)
    changed = [
        replace(
            each,
            state=AgentState.WAITING,
            waiting_reason=reasons[place % 3],
            state_since_timestamp_seconds=NOW - 500 + 60 * place,
            usage_limit_reset_timestamp_seconds=NOW + 5400 if place % 3 == 2 else None,
        )
        for place, each in enumerate((first, *rest[: len(rest) // 4]))
    ]
    if len(rest) > 2:
        changed[-1] = replace(
            changed[-1],
            state=AgentState.WORKING,
            waiting_reason=None,
            usage_limit_reset_timestamp_seconds=None,
            usage=replace(changed[-1].usage, memory_bytes=8 * 2**30 - 400 * 2**20),
        )
    left = [
        *(leak(host, name, LeakKind.MCP_SERVER, pid=7001 + n, memory=180_000_000) for n in range(3)),
        leak(host, "", LeakKind.DEV_SERVER, pid=7010, memory=420_000_000),
    ]
    lost = [
        replace(
            scheduler(host, name, SchedulerState.DANGLING, pid=6003 + n, due=NOW + 240 * (n + 1)),
            targets=(f"{name}:7",),
        )
        for n in range(2)
    ]
    return replace(
        report,
        complete=False,
        servers=(*report.servers, HELD, DOWN),
        agents=(*changed, *report.agents[len(changed) :]),
        schedulers=(*lost, *report.schedulers),
        leaks=tuple(left),
        problems=(HELD.problem, DOWN.problem) if HELD.problem and DOWN.problem else (),
    )
