"""tmux servers that are slow, or near a limit."""

from collections.abc import Iterator

from alerts.cases.parts import LEVELS, OF, RATE, SERVER, WHO, percent
from alerts.mechanical import Case


def cases() -> Iterator[Case]:
    """Each alert of this subject."""
    for (level, priority, hold), mark in zip(LEVELS, (0.95, 0.90, 0.75), strict=True):
        yield Case(
            alert="TmuxServerNearFdLimit",
            series={
                f"tmux_server_open_fds{{{SERVER}}}": (10, 1000 * mark + 1, 1000 * mark),
                f"tmux_server_max_fds{{{SERVER}}}": (1000, 1000, 1000),
            },
            priority=priority,
            hold=hold,
            threshold=level,
            labels=OF["server"],
            summary="A tmux server is near its limit of file descriptors.",
            says=f"{WHO['server']} has {percent(mark + 0.001)} of the file descriptors open that it may "
            "have; at 100 % no pane can be opened and nobody can attach.",
        )
    yield Case(
        alert="TmuxServerSlow",
        series={
            f"tmux_server_query_duration_seconds_sum{{{SERVER}}}": (0.01, 0.603, 0.597),
            f"tmux_server_query_duration_seconds_count{{{SERVER}}}": (3, 3, 3),
        },
        priority="P3",
        hold="15m",
        after=RATE,
        labels=OF["server"],
        summary="A tmux server answers slowly.",
        says=f"{WHO['server']} takes 201ms to answer on average: so long every key waits.",
    )
