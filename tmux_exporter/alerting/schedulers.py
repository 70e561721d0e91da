"""Alerts about scheduled check-ins: shells that sleep and then send keys to a pane."""

from tmux_exporter.alerting.scope import Rule, Scope


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (_dangling(scope),)


def _dangling(scope: Scope) -> Rule:
    dangling = scope.series("tmux_schedulers", 'state="dangling"')
    return scope.alert(
        "TmuxSchedulerDangling",
        "scheduler_dangling",
        f"{dangling} > {scope.number('scheduler_dangling', 'more_than')}",
        summary="A scheduled check-in has lost its target.",
        description="Check-ins of {{ with $labels.session }}session {{ . }}{{ else }}a session that is gone"
        "{{ end }} (tmux server {{ $labels.server }} on {{ $labels.instance }}) that wait for a pane that "
        "does not exist: {{ $value }}. They cost memory, and nobody will be woken.",
    )
