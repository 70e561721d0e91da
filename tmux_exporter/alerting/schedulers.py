"""Alerts about schedulers: shells that sleep and then send keys to a pane."""

from tmux_exporter.alerting.base.scope import SESSION_OR_GONE, Rule, Scope

# State, end of the alert's name, table, what is wrong in one sentence, and what becomes of them.
_STATES = (
    (
        "dangling",
        "Dangling",
        "A scheduler has lost its target.",
        "that wait for a pane that does not exist: {{ $value }}. They cost memory, and nobody will be woken.",
    ),
    (
        "misdirected",
        "Misdirected",
        "A scheduler will be typed into the wrong pane.",
        "that will be typed into another pane than was meant: {{ $value }}. Whatever runs there gets "
        "the keys.",
    ),
    (
        "stale_generation",
        "StaleGeneration",
        "A scheduler was made for a tmux server that has been restarted.",
        "that were made for a tmux server that has ended since: {{ $value }}. The new one may have a pane of "
        "that name, which was never meant.",
    ),
    (
        "serverless",
        "Serverless",
        "A scheduler has no tmux server to go to.",
        "whose tmux server is gone: {{ $value }}. They cost memory, and nobody will be woken.",
    ),
    (
        "immortal",
        "Immortal",
        "A scheduler sleeps practically for ever.",
        "that sleep longer than any scheduler should: {{ $value }}.",
    ),
    (
        "overdue",
        "Overdue",
        "A scheduler is overdue.",
        "that should have been sent by now and still wait: {{ $value }}.",
    ),
    (
        "duplicate",
        "Duplicate",
        "The same scheduler exists more than once.",
        "that a newer one repeats: {{ $value }}. Each of them will be typed.",
    ),
)


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (*(_in_state(scope, *each) for each in _STATES), _missed(scope))


def _in_state(scope: Scope, state: str, end: str, summary: str, says: str) -> Rule:
    table = f"scheduler_{state}"
    pending = scope.series("tmux_schedulers", f'state="{state}"')
    return scope.alert(
        f"TmuxScheduler{end}",
        table,
        f"{pending} > {scope.number(table, 'more_than')}",
        summary=summary,
        description=f"Schedulers of {SESSION_OR_GONE} {says}",
    )


def _missed(scope: Scope) -> Rule:
    missed = scope.series("tmux_scheduler_outcomes_total", 'outcome="missed"')
    return scope.alert(
        "TmuxSchedulerMissed",
        "scheduler_missed",
        f"increase({missed}[{scope.range('scheduler_missed', 'within')}])\n"
        f"> {scope.number('scheduler_missed', 'more_than')}",
        summary="A scheduler's keys did not arrive.",
        description=f"Schedulers of {SESSION_OR_GONE} whose keys did not arrive within the last 15 minutes: "
        "about {{ $value | humanize }}.",
    )
