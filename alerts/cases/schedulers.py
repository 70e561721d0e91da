"""Schedulers, by what is wrong with them."""

from collections.abc import Iterator

from alerts.cases.parts import OF, SESSION
from alerts.mechanical import Case

_STATES = {
    "Dangling": ("dangling", "P3", "15m", "A scheduler has lost its target."),
    "Misdirected": ("misdirected", "P2", "5m", "A scheduler will be typed into the wrong pane."),
    "StaleGeneration": (
        "stale_generation",
        "P3",
        "15m",
        "A scheduler was made for a tmux server that has been restarted.",
    ),
    "Serverless": ("serverless", "P3", "15m", "A scheduler has no tmux server to go to."),
    "Immortal": ("immortal", "P4", "1h", "A scheduler sleeps practically for ever."),
    "Overdue": ("overdue", "P3", "5m", "A scheduler is overdue."),
    "Duplicate": ("duplicate", "P4", "1h", "The same scheduler exists more than once."),
}
_BECOMES = {
    "dangling": "that wait for a pane that does not exist: 1. They cost memory, and nobody will be woken.",
    "misdirected": "that will be typed into another pane than was meant: 1. Whatever runs there gets the "
    "keys.",
    "stale_generation": "that were made for a tmux server that has ended since: 1. The new one may have a "
    "pane of that name, which was never meant.",
    "serverless": "whose tmux server is gone: 1. They cost memory, and nobody will be woken.",
    "immortal": "that sleep longer than any scheduler should: 1.",
    "overdue": "that should have been sent by now and still wait: 1.",
    "duplicate": "that a newer one repeats: 1. Each of them will be typed.",
}


def cases() -> Iterator[Case]:
    """Each alert of this subject."""
    for name, (state, priority, hold, summary) in _STATES.items():
        yield Case(
            alert=f"TmuxScheduler{name}",
            series={
                f'tmux_schedulers{{{SESSION}, state="{state}"}}': (0, 1, 0),
                f'tmux_schedulers{{{SESSION}, state="armed"}}': (3, 3, 3),
            },
            priority=priority,
            hold=hold,
            labels={**OF["session"], "state": state},
            summary=summary,
            says=f"Schedulers of session s (tmux server d on a:1) {_BECOMES[state]}",
        )
    yield Case(
        alert="TmuxSchedulerMissed",
        series={
            f'tmux_scheduler_outcomes_total{{{SESSION}, outcome="missed"}}': (0, 1, 0),
            f'tmux_scheduler_outcomes_total{{{SESSION}, outcome="fired"}}': (1, 1, 1),
        },
        priority="P3",
        hold="0s",
        before="16m",
        over="14m45s",
        labels={**OF["session"], "outcome": "missed"},
        summary="A scheduler's keys did not arrive.",
        says="Schedulers of session s (tmux server d on a:1) whose keys did not arrive within the last 15 "
        "minutes: about 1.",
    )
