"""How each alert was made to fire: by a real fault, by a recorded hour, or by made-up series alone.

`python -m tests.support.alert_faults.tables` prints them as alerts/proof.md, which a test compares.
"""

from collections.abc import Iterator, Mapping

from tests.support.alert_faults.planted import Planted
from tests.support.alert_faults.planted_in_agents import IN_AGENTS
from tests.support.alert_faults.planted_in_house import IN_HOUSE
from tests.support.alert_faults.planted_in_tmux import IN_TMUX
from tests.support.alert_faults.planted_in_work import IN_WORK

PLANTED: tuple[Planted, ...] = (*IN_AGENTS, *IN_TMUX, *IN_WORK, *IN_HOUSE)

RECORDED: Mapping[str, str] = {}
"""Alerts that only a recorded hour has made fire (tests/fixtures/replay), and why no real fault."""

MADE_UP: Mapping[str, str] = {
    **dict.fromkeys(
        ("TmuxAgentNearPidLimit", "TmuxSessionNearPidLimit", "TmuxAgentManyProcesses"),
        "it asks for a thousand processes, which the machine of the tests belongs to others for",
    ),
    **dict.fromkeys(
        ("TmuxAgentOomKilled", "TmuxHostOomKill"),
        "it asks for a process that the kernel kills for memory, and for cgroups that the tests may make",
    ),
    **dict.fromkeys(
        ("TmuxHostInodesFull", "TmuxHostDiskRunsOut"),
        "its rule is that of TmuxHostDiskFull with other series; that one fires on a real file system",
    ),
    **dict.fromkeys(
        ("TmuxAgentFdsRunOut", "TmuxAgentMemoryRunsOut", "TmuxHistoryFills"),
        "it asks for minutes of steady growth, of which a sixtieth is less than a sample",
    ),
    **dict.fromkeys(
        (
            "TmuxAgentContextFull",
            "TmuxAgentsOutOfQuota",
            "TmuxAgentIdleAfterLimit",
            "TmuxQuotaEndsEarly",
            "TmuxSpendHigh",
        ),
        "it asks for files that real agents write; `tests/e2e/test_real_limits.py` has them reach a limit",
    ),
    "TmuxHostPressure": "it asks for a machine that does nothing but wait for memory",
    "TmuxExporterAway": "it asks for most of a day",
    "TmuxExporterSkipsSamples": "it asks for an exporter too slow for its host, which a stopped one is not",
    "TmuxAgentsAllAbsent": "its agents are those of TmuxAgentAbsent, of which others on that host run",
    "TmuxRemediatorLeaseOverdue": "it asks for a systemd of the user that has lost a timer, and where the "
    "tests run there is none; `tests/unit/remediator/act/test_overdue_lease.py` has the rest",
    "TmuxHostMemoryRunsOut": "it asks for growth of all that a machine uses, which other programs that end "
    "undo at any time; a fault that outgrows them would take the machine",
}
"""Alerts that only made-up series have made fire, and why."""

HEAD = """\
# How each alert was made to fire

<!-- Made by `make docs`; edit tests/support/alert_faults/. -->

Beside the made-up series of [tests/](tests), which play every alert on both sides of its number, these
have fired on real faults: tmux servers, agents and processes in which something is wrong, our exporter,
our remediator, and a Prometheus with our rules (`tests/e2e/test_alerts_fire.py`). All durations are
divided by 60 there. Where a number was changed too, the last column says to what, and why. Each level of
an alert has fired; of memory and descriptors a milder fault is told at the milder levels alone.

"""


def table() -> Iterator[str]:
    """The lines of the page below its head."""
    yield "| alert | fault | number changed |"
    yield "| --- | --- | --- |"
    rows: dict[str, Planted] = {each.alert: each for each in PLANTED}
    for name in sorted(rows):
        yield f"| [{name}](../docs/runbooks/{name}.md) | {rows[name].fault} | {rows[name].number} |"
    for title, others in (("In a recorded hour only", RECORDED), ("On made-up series only", MADE_UP)):
        if others:
            yield f"\n## {title}\n"
            yield "| alert | why |"
            yield "| --- | --- |"
            yield from (
                f"| [{name}](../docs/runbooks/{name}.md) | {others[name]} |" for name in sorted(others)
            )


def page() -> str:
    """The whole page."""
    return HEAD + "\n".join(table()) + "\n"


if __name__ == "__main__":
    print(page(), end="")
