"""A host with tmux servers and agents, and the pages that its exporter shows through a day.

Times are seconds since midnight, which is 0 in the time of Prometheus too. What happens is a plan: values,
each from a time on. A page has what rules read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from zlib import crc32

from tmux_exporter.analysis.operations.objectives import objective_of
from tmux_exporter.config import ObjectiveConfig
from tmux_exporter.facts.operations import Objective

MINUTE, HOUR, DAY = 60, 3600, 86_400
THREADS = 5
"""Threads of a process: programs on Node have a dozen, a shell one."""
DOLLARS = 3 / 3600
"""What an agent that works spends in a second; each dollar fills its context, which is emptied at 80 %."""
WINDOW = 200_000
GIB = 2**30

Page = dict[str, float]
"""Values by series, without the labels of the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What an agent does from a time on: its state, or "gone" once its pane is closed."""

    state: str = "idle"
    cores: float = 0.01
    memory: float = 0.4 * GIB
    fds: float = 40
    of_fds: float = 0.04
    processes: float = 4
    reason: str = "permission"


Plan = Sequence[tuple[float, Doing]]


def hours(text: str) -> float:
    """Seconds of a time of day: `9:30`."""
    hour, minute = text.split(":")
    return int(hour) * HOUR + int(minute) * MINUTE


def at(plan: Plan, time: float) -> Doing:
    """What a plan says at a time; before its first entry, that one."""
    place = bisect_right(plan, time, key=lambda entry: entry[0])
    return plan[max(0, place - 1)][1]


@dataclass(slots=True, kw_only=True)
class Agent:
    """An agent in a session of its own, or in one that it shares."""

    name: str
    session: str
    plan: Plan
    server: str = "default"
    declared: bool = False
    memory_limit: float = 16 * GIB
    counters: dict[str, float] = field(default_factory=dict)
    since: float = 0.0
    last: str = "idle"

    @property
    def labels(self) -> str:
        """As in a page."""
        return f'server="{self.server}", session="{self.session}", agent="{self.name}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Operations of one name: at which times they finish, how long each takes, which ones fail.

    `within` is the objective of those with a name of their user's, who may have given none.
    """

    name: str
    every: float
    seconds: Callable[[int], float] = lambda _: 0.3
    fails: Callable[[int], bool] = lambda _: False
    from_time: float = 8 * HOUR
    to_time: float = 18 * HOUR
    in_flight: float = 0
    within: float | None = None

    @property
    def objective(self) -> Objective | None:
        """As an exporter concludes it."""
        given = () if self.within is None else (ObjectiveConfig(operation=self.name, within=self.within),)
        return objective_of(self.name, given)


STATES = ("working", "idle", "waiting", "exited", "unknown")
SCHEDULERS = (
    *("unknown", "opaque", "firing", "immortal", "serverless", "stale_generation", "dangling", "misdirected"),
    *("overdue", "duplicate", "armed_origin_gone", "armed"),
)

Figure = Callable[[float], float | None]
"""A value by time; None where there is none."""
Change = Callable[[float, float | None], float | None]
"""A value by time and by what it would be else."""


@dataclass(slots=True, kw_only=True)
class Host:
    """One host, its user's exporter, and how Prometheus scrapes it.

    `asleep` are times in which the host does nothing and answers nobody, `hidden` those in which Prometheus
    does not try (it sleeps too). `servers` have the times at which they start and end. `figures` replace, or
    add, series by time, and `changes` do so by what they would show.
    """

    instance: str
    agents: Sequence[Agent] = ()
    operations: Sequence[Operation] = ()
    servers: Mapping[str, Sequence[tuple[float, float]]] = field(
        default_factory=lambda: {"default": ((-DAY, 2 * DAY),)}
    )
    cores: float = 8
    memory: float = 32 * GIB
    used: float = 0.35
    background: float = 0.2
    figures: Mapping[str, Figure] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    target: Mapping[str, str] = field(default_factory=dict)
    interval: float = 15
    phase: float = 0
    lost: float = 0.0
    unreachable: Sequence[tuple[float, float]] = ()
    asleep: Sequence[tuple[float, float]] = ()
    hidden: Sequence[tuple[float, float]] = ()
    restarts: Sequence[float] = ()
    sampling: float = 5
    clock: Figure = lambda _: 0.0
    stuck: Sequence[tuple[float, float]] = ()
    seed: int = 1
    bare: bool = False
    """Only what the exporter says of itself."""

    def scrapes(self, until: float = DAY) -> Iterator[tuple[float, Page | None]]:
        """Each scrape until then with its page; None for one that fails."""
        random = Random(self.seed)  # noqa: S311 - repeatable
        counters: dict[str, float] = {}
        started, last = -DAY * 1.0, 0.0
        kernel: dict[str, float] = {}
        time = self.phase
        while time <= until:
            asleep = _within(self.asleep, time)
            for restart in self.restarts:
                if last < restart <= time:
                    started, counters = restart, {}
                    for agent in self.agents:
                        agent.counters = {}
            passed = 0.0 if asleep or _within(self.asleep, time - self.interval) else time - last
            page = self._page(time, passed, counters, kernel) if not asleep else {}
            page["process_start_time_seconds"] = started
            last = time
            lost = asleep or _within(self.unreachable, time) or random.random() < self.lost
            if not _within(self.hidden, time):
                yield time, None if lost else page
            time += self.interval

    def _page(self, time: float, passed: float, counters: dict[str, float], kernel: dict[str, float]) -> Page:
        page: Page = {}
        self._of_the_exporter(page, time, passed, counters)
        if not self.bare:
            cores = self._of_agents(page, time, passed)
            self._of_servers(page, time, passed, counters)
            self._of_operations(page, time, passed, counters)
            self._of_the_host(page, time, passed, kernel, cores)
            self._of_the_remediator(page)
        made = [(name, figure(time)) for name, figure in self.figures.items()]
        made += [(name, change(time, page.get(name))) for name, change in self.changes.items()]
        for name, value in made:
            if value is None:
                page.pop(name, None)
            else:
                page[name] = value
        return page

    def _of_the_exporter(self, page: Page, time: float, passed: float, counters: dict[str, float]) -> None:
        stuck = next((begin for begin, end in self.stuck if begin <= time < end), None)
        sampled = stuck if stuck is not None else time
        skew = self.clock(time) or 0.0
        page["tmux_exporter_last_sample_timestamp_seconds"] = (
            sampled - (sampled + self.seed) % self.sampling + skew
        )
        page["tmux_exporter_sample_interval_seconds"] = self.sampling
        page["tmux_exporter_sample_tick_seconds"] = self.sampling
        taken = 0.0 if stuck is not None else passed / self.sampling
        page['tmux_exporter_samples_total{result="complete"}'] = _count(counters, "complete", taken)
        for result in ("partial", "failed"):
            page[f'tmux_exporter_samples_total{{result="{result}"}}'] = 0
        for collector in ("processes", "tmux", "host"):
            page[f'tmux_exporter_collector_success{{collector="{collector}"}}'] = 1
        page["tmux_exporter_config_last_reload_successful"] = 1
        page["tmux_exporter_dropped_series_total"] = 0
        page['tmux_exporter_operations_lost_total{reason="malformed"}'] = 0

    def _of_agents(self, page: Page, time: float, passed: float) -> float:
        """Returns the cores that they use."""
        cores = 0.0
        sessions: dict[str, list[tuple[Agent, Doing]]] = {}
        for agent in self.agents:
            does = at(agent.plan, time)
            if not self._lives(agent.server, time):
                does = Doing(state="gone")
            if does.state != agent.last:
                agent.since, agent.last = time, does.state
            if does.state == "gone" and not agent.declared:
                continue
            cores += does.cores if does.state != "gone" else 0
            self._of_an_agent(page, agent, does, passed)
            if does.state != "gone":
                sessions.setdefault(f'server="{agent.server}", session="{agent.session}"', []).append(
                    (agent, does)
                )
        for labels, within in sessions.items():
            page[f"tmux_session_memory_bytes{{{labels}}}"] = sum(does.memory for _, does in within) + 5e6
            page[f"tmux_session_swap_memory_bytes{{{labels}}}"] = 0
            page[f"tmux_session_memory_limit_bytes{{{labels}}}"] = self.memory
            page[f"tmux_session_cpu_limit_cores{{{labels}}}"] = self.cores
            page[f"tmux_session_fd_utilization_ratio{{{labels}}}"] = max(does.of_fds for _, does in within)
            processes = sum(does.processes for _, does in within) + 1
            page[f"tmux_session_processes{{{labels}}}"] = processes
            page[f"tmux_session_threads{{{labels}}}"] = THREADS * processes
            page[f"tmux_session_cpu_seconds_total{{{labels}}}"] = sum(
                agent.counters.get("cpu", 0.0) for agent, _ in within
            )
            spent = sum(agent.counters.get("seconds working", 0.0) * DOLLARS for agent, _ in within)
            page[f'tmux_session_cost_dollars_total{{{labels}, source="table"}}'] = spent
            for state in SCHEDULERS:
                page[f'tmux_schedulers{{{labels}, state="{state}"}}'] = 0
            for outcome in ("fired", "missed", "cancelled", "unknown"):
                page[f'tmux_scheduler_outcomes_total{{{labels}, outcome="{outcome}"}}'] = 0
            page[f'tmux_leaked_processes{{{labels}, kind="shell_job"}}'] = 0
        return cores

    def _of_an_agent(self, page: Page, agent: Agent, does: Doing, passed: float) -> None:
        labels, count = agent.labels, agent.counters
        up = does.state not in ("exited", "gone")
        page[f"tmux_agent_up{{{labels}}}"] = up
        state = "exited" if does.state == "gone" else does.state
        for each in STATES:
            page[f'tmux_agent_state{{{labels}, state="{each}"}}'] = each == state
            seconds = _count(count, f"seconds {each}", passed if each == state else 0)
            cpu = _count(count, f"cpu {each}", passed * does.cores if each == state and up else 0)
            page[f'tmux_agent_state_seconds_total{{{labels}, state="{each}"}}'] = seconds
            page[f'tmux_agent_state_cpu_seconds_total{{{labels}, state="{each}"}}'] = cpu
        pane = "" if does.state == "gone" else f'pane="%{crc32(agent.name.encode()) % 97}", '
        page[f'tmux_agent_info{{{labels}, {pane}program="claude"}}'] = 1
        if agent.declared:
            page[f"tmux_agent_declared{{{labels}}}"] = 1
        page[f"tmux_agent_restarts_total{{{labels}}}"] = 0
        if does.state == "waiting":
            page[f'tmux_agent_waiting_since_timestamp_seconds{{{labels}, reason="{does.reason}"}}'] = (
                agent.since
            )
        page[f"tmux_agent_state_since_timestamp_seconds{{{labels}}}"] = agent.since
        if does.state == "gone":
            return
        page[f"tmux_agent_context_tokens{{{labels}}}"] = count["seconds working"] * DOLLARS % 0.8 * WINDOW
        page[f"tmux_agent_context_window_tokens{{{labels}}}"] = WINDOW
        page[f"tmux_agent_memory_bytes{{{labels}}}"] = does.memory if up else 4e6
        page[f"tmux_agent_swap_memory_bytes{{{labels}}}"] = 0
        page[f"tmux_agent_memory_limit_bytes{{{labels}}}"] = agent.memory_limit
        page[f"tmux_agent_cpu_limit_cores{{{labels}}}"] = self.cores
        page[f"tmux_agent_cpu_seconds_total{{{labels}}}"] = _count(
            count, "cpu", passed * does.cores if up else 0
        )
        page[f"tmux_agent_open_fds{{{labels}}}"] = does.fds if up else 0
        page[f"tmux_agent_fd_utilization_ratio{{{labels}}}"] = does.of_fds if up else 0
        page[f"tmux_agent_processes{{{labels}}}"] = does.processes if up else 0
        page[f"tmux_agent_threads{{{labels}}}"] = THREADS * does.processes if up else 0
        page[f"tmux_agent_oom_kills_total{{{labels}}}"] = 0

    def _lives(self, server: str, time: float) -> bool:
        return _within(self.servers.get(server, ()), time)

    def _of_servers(self, page: Page, time: float, passed: float, counters: dict[str, float]) -> None:
        for server, lives in self.servers.items():
            labels = f'server="{server}"'
            running = next((begin for begin, end in lives if begin <= time < end), None)
            ended = any(end <= time < end + 15 * MINUTE for _, end in lives)
            if running is None and not ended:
                continue
            page[f"tmux_up{{{labels}}}"] = running is not None
            if running is None:
                continue
            page[f"tmux_server_start_time_seconds{{{labels}}}"] = running
            page[f"tmux_server_open_fds{{{labels}}}"] = 60
            page[f"tmux_server_max_fds{{{labels}}}"] = 1024
            page[f"tmux_server_history_bytes{{{labels}}}"] = min(30e6, 2e6 + max(0.0, time - running) * 400)
            page[f"tmux_server_resident_memory_bytes{{{labels}}}"] = 5e7
            asked = _count(counters, f"asked {server}", passed / self.sampling)
            page[f"tmux_server_query_duration_seconds_count{{{labels}}}"] = asked
            page[f"tmux_server_query_duration_seconds_sum{{{labels}}}"] = asked * 0.004
            ran = _count(counters, f"ran {server}", passed / 5)
            # `has-session` fails where there is none.
            page[f'tmux_command_duration_seconds_count{{{labels}, command="has-session"}}'] = ran
            page[f'tmux_command_errors_total{{{labels}, command="has-session"}}'] = ran // 16
            for reason in ("hung", "denied", "untrusted"):
                page[f'tmux_server_query_failures_total{{{labels}, reason="{reason}"}}'] = 0

    def _of_operations(self, page: Page, time: float, passed: float, counters: dict[str, float]) -> None:
        for each in self.operations:
            objective = each.objective
            begin, end = max(each.from_time, time - passed), min(each.to_time, time)
            first = int((begin - each.from_time) // each.every)
            last = int((end - each.from_time) // each.every) if end > begin else first
            for number in range(first + 1, last + 1):
                took = each.seconds(number)
                _count(counters, f"{each.name} count", 1)
                _count(counters, f"{each.name} sum", took)
                _count(counters, f"{each.name} failed", each.fails(number))
                _count(counters, f"{each.name} slow", objective is not None and took > objective.seconds)
            labels = f'operation="{each.name}"'
            name = "tmux_operation_duration_seconds"
            page[f"{name}_count{{{labels}}}"] = counters.get(f"{each.name} count", 0)
            page[f"{name}_sum{{{labels}}}"] = counters.get(f"{each.name} sum", 0)
            if objective is not None:
                page[f"tmux_operation_slow_total{{{labels}}}"] = counters.get(f"{each.name} slow", 0)
                page[f"tmux_operation_objective_ratio{{{labels}}}"] = objective.ratio
                page[f"tmux_operation_objective_seconds{{{labels}}}"] = objective.seconds
            failed = counters.get(f"{each.name} failed", 0)
            page[f'tmux_operation_errors_total{{{labels}, reason="exit_status"}}'] = failed
            busy = each.from_time <= time < each.to_time
            page[f"tmux_operations_in_flight{{{labels}}}"] = each.in_flight if busy else 0

    def _of_the_remediator(self, page: Page) -> None:
        policy = '{policy="stop-orphans"}'
        page["tmux_remediator_up"] = 1
        page["tmux_remediator_blind"] = 0
        page["tmux_remediator_audit_healthy"] = 1
        page["tmux_remediator_config_last_reload_successful"] = 1
        page['tmux_remediator_mode{mode="enforce"}'] = 1
        page[f"tmux_remediator_breaker_open{policy}"] = 0
        page[f"tmux_remediator_leases{policy}"] = 0
        page[f"tmux_remediator_matches{policy}"] = 0
        page['tmux_remediator_actions_total{policy="stop-orphans", action="end", outcome="done"}'] = 0

    def _of_the_host(
        self, page: Page, time: float, passed: float, kernel: dict[str, float], cores: float
    ) -> None:
        busy = min(self.cores, cores + self.background)
        page['tmux_host_cpu_seconds_total{mode="user"}'] = _count(kernel, "user", busy * passed)
        idle = _count(kernel, "idle", (self.cores - busy) * passed)
        page['tmux_host_cpu_seconds_total{mode="idle"}'] = idle
        used = self.used * self.memory
        for agent in self.agents:
            does = at(agent.plan, time)
            used += does.memory if does.state not in ("gone", "exited") else 0
        page["tmux_host_memory_bytes"] = self.memory
        page["tmux_host_memory_available_bytes"] = max(0.01 * self.memory, self.memory - used)
        page['tmux_host_disk_io_seconds_total{device="sda"}'] = _count(kernel, "disk", 0.05 * passed)
        page['tmux_host_filesystem_size_bytes{mountpoint="/"}'] = 500 * GIB
        page['tmux_host_filesystem_avail_bytes{mountpoint="/"}'] = 200 * GIB
        page['tmux_host_filesystem_inodes{mountpoint="/"}'] = 3e7
        page['tmux_host_filesystem_avail_inodes{mountpoint="/"}'] = 2e7
        for way in ("receive", "transmit"):
            name = f'tmux_host_network_{way}_bytes_total{{device="eth0"}}'
            page[name] = _count(kernel, way, 2e5 * passed)
        for resource in ("cpu", "io", "memory"):
            for kind in ("some", "full"):
                rate = 0.3 * busy / self.cores if (resource, kind) == ("cpu", "some") else 0.002
                name = f'tmux_host_pressure_seconds_total{{resource="{resource}", kind="{kind}"}}'
                page[name] = _count(kernel, f"{resource} {kind}", rate * passed)
        processes = sum(at(agent.plan, time).processes for agent in self.agents)
        for name, value, limit in (
            ("pids", 600 + THREADS * processes, 32_768),
            ("user_pids", 80 + THREADS * processes, 15_000),
            ("cgroup_pids", 80 + THREADS * processes, 10_000),
            ("ptys", 20, 4096),
            ("inotify_instances", 20, 128),
        ):
            page[f"tmux_host_{name}"] = value
            page[f"tmux_host_{name}_limit"] = limit
        page["tmux_host_oom_kills_total"] = 0


def _within(times: Sequence[tuple[float, float]], time: float) -> bool:
    return any(begin <= time < end for begin, end in times)


def _count(counters: dict[str, float], name: str, more: float) -> float:
    counters[name] = counters.get(name, 0.0) + more
    return counters[name]
