"""Ordinary days that were thought of after the rules were written."""

from __future__ import annotations

from alerts.days.ordinary import BUILD, GONE, IDLE, LEFT, STEADY, WORK, Day, agents
from alerts.days.world import GIB, MINUTE, Agent, Figure, Host, hours


def nap_in_a_build() -> list[Host]:
    """A lid is closed while an agent builds, and opened three quarters of an hour later."""
    plan = [(0.0, IDLE), (hours("10:00"), BUILD), (hours("10:53"), IDLE)]
    asleep = ((hours("10:04"), hours("10:49")),)
    builds = Agent(name="builds", session="build", plan=plan)
    return [Host(instance="nap:1", agents=[*agents(2), builds], operations=STEADY, asleep=asleep)]


def full_home() -> list[Host]:
    """A disk that is 85 % full all day, and breathes by half a percent."""
    size = 500 * GIB

    def left(time: float) -> float:
        return size * (0.15 - 0.005 * (time % (20 * MINUTE)) / (20 * MINUTE))

    figures: dict[str, Figure] = {'tmux_host_filesystem_avail_bytes{mountpoint="/"}': left}
    return [Host(instance="home:1", agents=agents(3), operations=STEADY, figures=figures)]


def burst() -> list[Host]:
    """Cron starts 300 short sessions in the hour after two."""
    jobs = [
        Agent(
            name=f"job{number}",
            session=f"job{number}",
            plan=[(0.0, GONE), (begin, WORK), (begin + MINUTE, GONE)],
        )
        for number, begin in ((number, hours("2:00") + 12 * number) for number in range(300))
    ]
    return [Host(instance="burst:1", agents=[*agents(2), *jobs], operations=STEADY)]


def bisect() -> list[Host]:
    """A script of a user starts an agent anew each minute, for half an hour."""
    begin = hours("14:00")
    plan = [(0.0, IDLE)]
    for number in range(30):
        plan += [(begin + number * MINUTE, WORK), (begin + number * MINUTE + 50, LEFT)]
    tries = Agent(name="tries", session="bisect", plan=[*plan, (begin + 30 * MINUTE, IDLE)], declared=True)
    restarts = f"tmux_agent_restarts_total{{{tries.labels}}}"
    figures: dict[str, Figure] = {restarts: lambda time: min(30, max(0, (time - begin) // MINUTE))}
    return [Host(instance="bisect:1", agents=[*agents(2), tries], operations=STEADY, figures=figures)]


def set_clock() -> list[Host]:
    """A clock jumps by an hour at night and is set right four minutes later."""
    begin = hours("3:00")
    clock: Figure = lambda time: 3600.0 if begin <= time < begin + 4 * MINUTE else 0.0  # noqa: E731
    return [Host(instance="clock:1", agents=agents(2), operations=STEADY, clock=clock)]


def upgrades() -> list[Host]:
    """An exporter that is put in place twelve times, each twenty minutes."""
    restarts = tuple(hours("10:00") + 20.0 * MINUTE * number for number in range(12))
    return [Host(instance="upgrades:1", agents=agents(3), operations=STEADY, restarts=restarts)]


def backup() -> list[Host]:
    """A backup takes all cores and the disk for fifty minutes."""
    begin, end = hours("3:00"), hours("3:50")

    def more(usual: float | None, time: float, pace: float) -> float:
        return (usual or 0.0) + pace * (min(time, end) - begin) * (time >= begin)

    changes = {
        'tmux_host_cpu_seconds_total{mode="user"}': lambda time, usual: more(usual, time, 7.5),
        'tmux_host_cpu_seconds_total{mode="idle"}': lambda time, usual: more(usual, time, -7.5),
        'tmux_host_disk_io_seconds_total{device="sda"}': lambda time, usual: more(usual, time, 0.94),
        'tmux_host_pressure_seconds_total{resource="io", kind="full"}': lambda time, usual: more(
            usual, time, 0.5
        ),
    }
    return [Host(instance="backup:1", agents=agents(2), operations=STEADY, changes=changes)]


_HOSTS = {
    "a laptop that sleeps in a build": nap_in_a_build,
    "a disk that is 85 % full": full_home,
    "300 short sessions at night": burst,
    "an agent that a script restarts each minute": bisect,
    "a clock that is set": set_clock,
    "an exporter upgraded twelve times": upgrades,
    "a backup": backup,
}
OTHER_DAYS = tuple(Day(name=name, hosts=hosts, together="others") for name, hosts in _HOSTS.items())
"""Played together; they keep the same bounds."""
