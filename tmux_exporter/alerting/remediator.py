"""Alerts about the remediator: does it live, does it see, may it act, has it acted."""

from tmux_exporter.alerting.base.scope import Rule, Scope

_POLICY = "policy {{ $labels.policy }} of the remediator on {{ $labels.instance }}"


# End of the alert's name, series, the value that is wrong, and what is wrong.
_IS = (
    (
        "Down",
        "tmux_remediator_up == 0",
        "The remediator has ended or is stuck.",
        "The remediator on {{ $labels.instance }} ran and does not run any more, or is stuck: nothing is "
        "cleaned up there.",
    ),
    (
        "Blind",
        "tmux_remediator_blind == 1",
        "The remediator cannot see the processes and does nothing.",
        "The remediator on {{ $labels.instance }} cannot list the processes and "
        "therefore does nothing at all.",
    ),
    (
        "AuditUnhealthy",
        "tmux_remediator_audit_healthy == 0",
        "The remediator cannot write its record and does nothing.",
        "The remediator on {{ $labels.instance }} cannot write down what it does, and therefore does "
        "nothing.",
    ),
    (
        "PoliciesRefused",
        "tmux_remediator_config_last_reload_successful == 0",
        "The policies of the remediator have a mistake; the ones before are in use.",
        "The remediator on {{ $labels.instance }} was told to read its policies again, found a mistake, and "
        "goes on with the ones before. After a restart it would not start.",
    ),
    (
        "BreakerOpen",
        "tmux_remediator_breaker_open == 1",
        "A policy of the remediator was stopped because it acted too often.",
        f"The breaker of {_POLICY} is open: it acted more often than it may.",
    ),
)


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (*(_is(scope, *each) for each in _IS), _refusing(scope), _acted(scope))


def _is(scope: Scope, end: str, wrong: str, summary: str, description: str) -> Rule:
    series, _, value = wrong.partition(" ")
    return scope.alert(
        f"TmuxRemediator{end}",
        series.removeprefix("tmux_"),
        f"{scope.series(series)} {value}",
        summary=summary,
        description=description,
    )


def _done(scope: Scope, table: str) -> str:
    """What it has done to something, within the time of the table; to warn is not to act."""
    done = scope.series("tmux_remediator_actions_total", 'action!="warn"', 'outcome="done"')
    return f"sum by (job, instance, policy) (\n  increase({done}[{scope.range(table, 'within')}])\n)"


def _refusing(scope: Scope) -> Rule:
    enforces = scope.series("tmux_remediator_mode", 'mode="enforce"')
    return scope.alert(
        "TmuxRemediatorRefusing",
        "remediator_refusing",
        f"{scope.series('tmux_remediator_matches')} > 0\n"
        # One that only observes says so by its mode, and leaves alone what it was told to leave alone.
        f"and on (job, instance) {enforces} == 1\n"
        f"unless on (job, instance, policy)\n  {_done(scope, 'remediator_refusing')} > 0",
        summary="The remediator has left something alone for long that its policy matches.",
        description=f"What {_POLICY} matches and has been left alone: {{{{ $value }}}}.",
    )


def _acted(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxRemediatorActed",
        "remediator_acted",
        f"{_done(scope, 'remediator_acted')} > 0",
        summary="The remediator has ended something.",
        description=f"By {_POLICY} about {{{{ $value | humanize }}}} things were ended within the "
        f"last minutes.",
    )
