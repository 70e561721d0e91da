"""Alerts about schedulers: shells that sleep and then send keys to a pane."""

from tmux_exporter.alerting.base.alert import Alert, kept
from tmux_exporter.alerting.base.scope import SESSION_OR_GONE


def _in_state(state: str, name: str, summary: str, consequence: str) -> Alert:
    return Alert(
        f"TmuxScheduler{name}",
        f"scheduler_{state}",
        kept(f'tmux_schedulers{{state="{state}"}}', where=" > $more_than"),
        summary,
        f"Schedulers of {SESSION_OR_GONE} {consequence}",
    )


ALERTS = (
    _in_state(
        "dangling",
        "Dangling",
        "A scheduler has lost its target.",
        "that wait for a pane that does not exist: {{ $value }}. They cost memory, and nobody will be woken.",
    ),
    _in_state(
        "misdirected",
        "Misdirected",
        "A scheduler will be typed into the wrong pane.",
        "that will be typed into another pane than was meant: {{ $value }}. Whatever runs there gets "
        "the keys.",
    ),
    _in_state(
        "stale_generation",
        "StaleGeneration",
        "A scheduler was made for a tmux server that has been restarted.",
        "that were made for a tmux server that has ended since: {{ $value }}. The new one may have a pane of "
        "that name, which was never meant.",
    ),
    _in_state(
        "serverless",
        "Serverless",
        "A scheduler has no tmux server to go to.",
        "whose tmux server is gone: {{ $value }}. They cost memory, and nobody will be woken.",
    ),
    _in_state(
        "immortal",
        "Immortal",
        "A scheduler sleeps practically for ever.",
        "that sleep longer than any scheduler should: {{ $value }}.",
    ),
    _in_state(
        "overdue",
        "Overdue",
        "A scheduler is overdue.",
        "that should have been sent by now and still wait: {{ $value }}.",
    ),
    _in_state(
        "duplicate",
        "Duplicate",
        "The same scheduler exists more than once.",
        "that a newer one repeats: {{ $value }}. Each of them will be typed.",
    ),
    Alert(
        "TmuxSchedulerMissed",
        "scheduler_missed",
        'increase(tmux_scheduler_outcomes_total{outcome="missed"}[$within])\n> $more_than',
        "A scheduler's keys did not arrive.",
        f"Schedulers of {SESSION_OR_GONE} whose keys did not arrive within the last 15 minutes: "
        "about {{ $value | humanize }}.",
    ),
)
