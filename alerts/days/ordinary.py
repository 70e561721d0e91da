"""Ordinary days, and how often they may bother somebody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from alerts.days.firing import Firing
from alerts.days.world import DAY, GIB, HOUR, MINUTE, Agent, Doing, Figure, Host, Operation, Plan, hours

BOUNDS = {"P1": 0, "P2": 0, "P3": 3, "P4": 10}
"""How many alerts of each priority may reach somebody on an ordinary day, beside one P3 for each wait of an
agent that was longer than its threshold."""
TIMES = 2
"""How often one alert may fire and resolve in a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Hosts through a day. `waits` is how many waits of agents were too long.

    Days that are scraped at the same times are played `together`, each with instances of its own: an
    evaluation costs nearly the same for few series and for many.
    """

    name: str
    hosts: Callable[[], Sequence[Host]]
    waits: int = 0
    nobody: bool = False
    """Whether nobody may be told of anything."""
    together: str = ""

    def named_hosts(self) -> list[Host]:
        """Its hosts, whose instances begin with its name."""
        return [replace(host, instance=f"{self.name}/{host.instance}") for host in self.hosts()]

    def own(self, fired: Sequence[Firing]) -> list[Firing]:
        """What is of its hosts."""
        return [each for each in fired if each.labels.get("instance", "").startswith(f"{self.name}/")]

    def problems(self, fired: Sequence[Firing]) -> Iterator[str]:
        """Which bounds a day breaks."""
        told = [each for each in fired if each.told]
        waits = [each for each in told if each.name == "TmuxAgentWaiting"]
        counts = Counter(each.priority for each in told if each not in waits)
        counts["P3"] += max(0, len(waits) - self.waits)
        for priority, count in counts.items():
            if count > (0 if self.nobody else BOUNDS[priority]):
                yield f"{self.name}: {count} {priority}"
        for labels, times in Counter(frozenset(each.labels.items()) for each in told).items():
            if times > TIMES:
                yield f"{self.name}: {dict(labels)['alertname']} {times} times"


IDLE, GONE, LEFT = Doing(), Doing(state="gone"), Doing(state="exited", cores=0)
WORK = Doing(state="working", cores=0.15, memory=0.7 * GIB)
BUILD = Doing(state="working", cores=16, memory=6 * GIB, processes=60, fds=300, of_fds=0.2)
TESTS = Doing(state="working", cores=6, memory=3 * GIB, processes=120, fds=200, of_fds=0.3)
WAIT = Doing(state="waiting", cores=0.005)


def works(seed: int, *, begins: str = "8:30", ends: str = "18:00") -> Plan:
    """A working day: turns of some minutes with answers between them, one build and one test run."""
    time, plan = hours(begins) + 37 * seed % 600, [(0.0, IDLE)]
    turn = 0
    while time < hours(ends):
        turn += 1
        does = BUILD if turn % 11 == 5 else TESTS if turn % 7 == 3 else WORK
        plan.append((time, does))
        time += 8 * MINUTE if does is BUILD else 240 + (97 * (seed + turn)) % 420
        plan.append((time, WAIT if turn % 5 == 0 else IDLE))
        time += 60 + (131 * (seed + turn)) % 480
    return [*plan, (time, IDLE)]


def small(seed: int) -> Plan:
    """The same without builds."""
    return [(time, WORK if does in (BUILD, TESTS) else does) for time, does in works(seed)]


def agents(count: int, plan: Callable[[int], Plan] = small, *, declared: bool = False) -> list[Agent]:
    """So many, each in a session of its own."""
    return [
        Agent(name=f"agent{number}", session=f"work{number}", plan=plan(number), declared=declared)
        for number in range(count)
    ]


STEADY = (
    Operation(name="agent_command", every=7, seconds=lambda number: 0.4 if number % 97 else 3.0),
    Operation(name="status_check", every=30),
    Operation(name="inter_agent_message", every=45, seconds=lambda number: 0.2 + number % 3 / 10),
)


def calm() -> list[Host]:
    """Four agents that work without builds."""
    return [Host(instance="calm:1", agents=agents(4), operations=STEADY)]


LEAKS = [hours(f"{each}:15") for each in range(10, 16)]
"""Who quits an agent leaves a process behind now and then."""
RETURNS = (hours("13:05"), hours("13:20"))
"""Two agents that were quit for lunch are started again in the same pane."""


def _leaks(time: float) -> float:
    return sum(begin <= time < begin + 5 * HOUR for begin in LEAKS)


def _returns(time: float) -> float:
    return sum(each <= time for each in RETURNS)


_VISIT = 'server="default", session="visit0"'
BUSY: dict[str, Figure] = {
    'tmux_host_network_speed_bytes{device="eth0"}': lambda _: 125e6,
    f'tmux_leaked_processes{{{_VISIT}, kind="shell_job"}}': _leaks,
    f'tmux_leaked_memory_bytes{{{_VISIT}, kind="shell_job"}}': lambda time: 5e7 * _leaks(time) or None,
    f'tmux_leaked_oldest_start_time_seconds{{{_VISIT}, kind="shell_job"}}': lambda time: (
        max(LEAKS[0], time - 5 * HOUR) if _leaks(time) else None
    ),
    # An agent wakes itself each half an hour, and one that has gone leaves a wake-up behind for ten minutes.
    'tmux_schedulers{server="default", session="work0", state="armed"}': lambda _: 1,
    'tmux_schedulers{server="default", session="work0", state="serverless"}': lambda time: (
        hours("12:31") <= time < hours("12:41")
    ),
    'tmux_scheduler_outcomes_total{server="default", session="work0", outcome="fired"}': lambda time: (
        time // (30 * MINUTE)
    ),
    'tmux_agent_recovery_seconds_count{server="default"}': _returns,
    'tmux_agent_recovery_seconds_sum{server="default"}': lambda time: 3000 * _returns(time),
    # What is used of a quota in five hours lasts until its reset.
    'tmux_agent_quota_used_ratio{program="claude", account="0", window="5h"}': lambda time: (
        0.2 + 0.6 * (time % (5 * HOUR)) / (5 * HOUR)
    ),
    'tmux_agent_quota_reset_timestamp_seconds{program="claude", account="0", window="5h"}': lambda time: (
        5 * HOUR * (time // (5 * HOUR) + 1)
    ),
    # Neither was declared or had crashed.
    'tmux_agent_outage_seconds_count{server="default"}': lambda _: 0,
    'tmux_agent_outage_seconds_sum{server="default"}': lambda _: 0,
    'tmux_agent_outage_seconds_bucket{server="default", le="300.0"}': lambda _: 0,
    # A leftover is ended at night; for twenty minutes a build is held back.
    'tmux_remediator_actions_total{policy="stop-orphans", action="end", outcome="done"}': lambda time: (
        time >= hours("20:40")
    ),
    'tmux_remediator_matches{policy="stop-orphans"}': lambda time: hours("20:20") <= time < hours("20:40"),
    'tmux_remediator_leases{policy="stop-orphans"}': lambda time: hours("11:00") <= time < hours("11:20"),
    'tmux_remediator_lease_end_timestamp_seconds{policy="stop-orphans"}': lambda time: (
        hours("11:20") if hours("11:00") <= time < hours("11:20") else None
    ),
}


def busy() -> list[Host]:
    """Builds, tests, people who quit agents and leave the shell open, renames, restarts of everything."""
    gone = [(0.0, GONE)]
    quits = [
        Agent(
            name=f"quits{number}",
            session=f"visit{number}",
            plan=[
                *gone,
                (begin, IDLE),
                (begin + 5 * MINUTE, WORK),
                (begin + HOUR, IDLE),
                (begin + HOUR + 4 * MINUTE, LEFT),
                (begin + (3 if number % 2 else 9) * HOUR, GONE),
            ],
        )
        for number, begin in enumerate(hours(f"{each}:10") for each in range(9, 15))
    ]
    renamed = [
        Agent(
            name="moves", session=name, plan=[*gone, (begin, WORK), (begin + 30 * MINUTE, IDLE), (end, GONE)]
        )
        for name, begin, end in (
            ("first", hours("9:00"), hours("11:20")),
            ("second", hours("11:20"), hours("13:40")),
            ("third", hours("13:40"), hours("17:00")),
        )
    ]
    waits = [
        Agent(
            name=f"asks{number}",
            session=f"question{number}",
            plan=[(0.0, IDLE), (begin, WAIT), (begin + 25 * MINUTE, WORK), (begin + 40 * MINUTE, IDLE)],
        )
        for number, begin in enumerate((hours("10:00"), hours("15:00")))
    ]
    operations = (
        *STEADY,
        Operation(name="test_run", every=20, seconds=lambda _: 60.0, in_flight=8),
        # Three a minute, of which now and then one is slow and two fail.
        Operation(
            name="deploy",
            every=20,
            seconds=lambda number: 12.0 if number % 200 == 9 else 0.8,
            fails=lambda number: number % 300 in (20, 21),
            from_time=hours("10:00"),
            to_time=hours("16:00"),
        ),
        Operation(name="recovery", every=20 * MINUTE, seconds=lambda _: 90.0),
    )
    return [
        Host(
            instance="busy:1",
            # Three builds at once fill 32 GiB: that would be no ordinary day.
            memory=64 * GIB,
            agents=[*agents(6, works, declared=True), *quits, *renamed, *waits],
            operations=operations,
            # tmux is restarted at lunch, the exporter after two updates, the host in the morning.
            servers={"default": ((-DAY, hours("12:30")), (hours("12:31"), 2 * DAY))},
            restarts=(hours("7:45"), hours("12:40"), hours("16:20")),
            unreachable=((hours("7:43"), hours("7:45")), (hours("12:39"), hours("12:40"))),
            figures=BUSY,
        )
    ]


LIDS = (
    (0.0, hours("8:00")),
    (hours("10:05"), hours("10:25")),
    (hours("12:00"), hours("13:10")),
    (hours("15:30"), hours("15:34")),
    (hours("18:30"), hours("20:30")),
    (hours("22:15"), DAY + 1.0),
)


def laptop() -> list[Host]:
    """A laptop that sleeps, watched from elsewhere."""
    return [Host(instance="laptop:1", agents=agents(3), operations=STEADY, asleep=LIDS)]


def laptop_alone() -> list[Host]:
    """A laptop that sleeps with its own Prometheus: nothing is scraped or evaluated meanwhile."""
    target = {"always_on": "yes"}
    host = Host(instance="laptop:1", agents=agents(3), operations=STEADY, target=target)
    return [replace(host, asleep=LIDS, hidden=LIDS)]


def lost(part: float, interval: float = 15) -> Callable[[], list[Host]]:
    """Scrapes that fail now and then, on a busy day."""
    return lambda: [replace(host, lost=part, interval=interval, seed=7) for host in busy()]


def phases(interval: int) -> Callable[[], list[Host]]:
    """Exporters that are scraped at every phase of an interval, with samples each 1, 5 and 15 s."""
    step = max(1, interval // 12)
    return lambda: [
        Host(
            instance=f"phase{phase}:{sampling}",
            interval=interval,
            phase=phase,
            sampling=sampling,
            seed=phase + sampling,
            bare=True,
        )
        for phase in range(0, interval, step)
        for sampling in (1, 5, 15)
    ]


def constant(value: float) -> Figure:
    """The same all day."""
    return lambda _: value


def clocks() -> list[Host]:
    """Clocks that are wrong by what people do not notice, one that drifts, one that is 90 s behind."""
    return [
        *(
            Host(instance=f"clock:{number}", clock=constant(skew), bare=True, seed=number)
            for number, skew in enumerate((-30.0, -8.0, 3.0, 8.0))
        ),
        Host(instance="drifts:1", clock=lambda time: -20 * time / DAY, bare=True),
        Host(instance="behind:1", clock=lambda _: -90.0, agents=agents(1)),
    ]


def crowd(count: int) -> Callable[[], list[Host]]:
    """So many agents on a large host."""
    return lambda: [
        Host(
            instance="crowd:1",
            agents=agents(count),
            operations=STEADY,
            interval=60,
            cores=64,
            memory=512 * GIB,
        )
    ]


def few() -> list[Host]:
    """An operation each ten minutes: one is slow, three fail, one in a burst of five is slow."""
    return [
        Host(
            instance="few:1",
            agents=agents(2),
            operations=(
                Operation(
                    name="agent_command",
                    every=600,
                    seconds=lambda number: 30.0 if number == 20 else 0.5,
                    fails=lambda number: number in (11, 30, 31),
                ),
                Operation(
                    name="inter_agent_message",
                    every=4,
                    seconds=lambda number: 11.0 if number == 3 else 0.2,
                    from_time=hours("14:00"),
                    to_time=hours("14:00") + 25,
                ),
            ),
        )
    ]


def two_users() -> list[Host]:
    """Two users of one host, each with an exporter: a long build takes all of it for eight minutes, twice."""
    build = [(0.0, IDLE), (hours("10:00"), BUILD), (hours("10:08"), IDLE)]
    build += [(hours("14:00"), BUILD), (hours("14:08"), IDLE)]
    one, other = agents(2), agents(2)
    one.append(Agent(name="builds", session="build", plan=build))
    return [
        Host(instance="alice:1", agents=one, target={"host": "desk"}, cores=2, memory=16 * GIB),
        Host(
            instance="bob:1", agents=other, target={"host": "desk"}, cores=2, memory=16 * GIB, background=0.3
        ),
    ]


def evening() -> list[Host]:
    """Everybody goes home after a day of turns: agents quit, sessions are closed, and tmux ends at last."""
    home = hours("17:30")
    staff = [
        Agent(
            name=f"agent{number}",
            session=f"work{number}",
            server="default" if number < 4 else "claude-swarm-1",
            plan=[
                *(entry for entry in small(number) if entry[0] < home - HOUR),
                (home - HOUR, IDLE),
                (home + number * MINUTE, LEFT),
                (home + number * MINUTE + 20, GONE),
            ],
        )
        for number in range(8)
    ]
    return [
        Host(
            instance="evening:1",
            agents=staff,
            servers={"default": ((-DAY, home + 6 * MINUTE),), "claude-swarm-1": ((-DAY, home + 9 * MINUTE),)},
        )
    ]


def _days() -> Iterator[Day]:
    yield Day(name="calm", hosts=calm)
    yield Day(name="builds, tests, quits, renames, restarts of everything", hosts=busy, waits=2)
    yield Day(name="a laptop that sleeps", hosts=laptop, nobody=True)
    yield Day(
        name="a laptop that sleeps with its Prometheus", hosts=laptop_alone, nobody=True, together="laptop"
    )
    for part in (0.01, 0.05, 0.2):
        yield Day(name=f"{part:.0%} of the scrapes lost", hosts=lost(part), waits=2)
    yield Day(name="5% of the scrapes lost at 60 s", hosts=lost(0.05, 60), waits=2)
    for interval in (1, 5, 15, 30, 60):
        yield Day(name=f"every phase at {interval} s", hosts=phases(interval), together=f"{interval} s")
    yield Day(name="clocks that are wrong", hosts=clocks)
    yield Day(name="2 agents", hosts=crowd(2))
    yield Day(name="200 agents", hosts=crowd(200), together="crowd")
    yield Day(name="few operations", hosts=few)
    yield Day(name="two users of a host", hosts=two_users)
    yield Day(name="an empty tmux in the evening", hosts=evening, nobody=True)


DAYS = tuple(_days())
