"""Alerts about what agents do: wait, stand still, burn, restart, are gone."""

from tmux_exporter.alerting.base.scope import AGENT, SERVER, TIME, Rule, Scope

_PLACE = "job, instance, server, session, agent"


def rules(scope: Scope) -> tuple[Rule, ...]:
    """The rules of this subject."""
    return (
        _waiting(scope),
        _exited(scope),
        _absent(scope),
        _stuck(scope),
        _idle_burn(scope),
        _restarting(scope),
        _recovery(scope),
    )


def _waiting(scope: Scope) -> Rule:
    since = scope.series("tmux_agent_waiting_since_timestamp_seconds")
    return scope.alert(
        "TmuxAgentWaiting",
        "agent_waiting",
        f"time() - {since}\n> {scope.number('agent_waiting', 'seconds')}",
        summary="An agent has been waiting for somebody for long.",
        description=f"Agent {AGENT} has been waiting for {TIME} (reason: {{{{ $labels.reason }}}}) and does "
        "nothing until somebody answers.",
    )


def _state(scope: Scope, state: str) -> str:
    return scope.series("tmux_agent_state", f'state="{state}"')


def _nowhere(scope: Scope) -> str:
    """An agent that no pane has."""
    return scope.series("tmux_agent_info", 'pane=""')


def _exited(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxAgentExited",
        "agent_exited",
        f"{_state(scope, 'exited')} == 1\nunless on ({_PLACE})\n  {_nowhere(scope)}",
        summary="An agent has ended and left its shell.",
        description=f"Agent {AGENT} has ended; its pane is still there. "
        "What is typed into it goes to a shell.",
    )


def _absent(scope: Scope) -> Rule:
    return scope.alert(
        "TmuxAgentAbsent",
        "agent_absent",
        # One whose pane is still there is another alert, and one that cannot be seen is none.
        f"{scope.series('tmux_agent_up')} == 0\nand on ({_PLACE})\n  {_state(scope, 'exited')} == 1\n"
        f"and on ({_PLACE})\n  {_nowhere(scope)}",
        summary="An agent that should be there is not.",
        description=f"Agent {AGENT} is declared, and no process of it is to be seen.",
    )


def _stuck(scope: Scope) -> Rule:
    over = scope.range("agent_stuck", "over")
    used = f"increase({scope.series('tmux_agent_cpu_seconds_total')}[{over}])"
    # For the whole of the time: whoever began a minute ago has not used anything either.
    # Of an agent that was not there at the beginning, the window tells less than it seems to.
    state = _state(scope, "working")
    # And of one that is gone it tells for as long as it is.
    works = f"min_over_time({state}[{over}]) == 1\n  and {state}\n  and {state} offset {over} == 1"
    return scope.alert(
        "TmuxAgentStuck",
        "agent_stuck",
        f"{used} < {scope.number('agent_stuck', 'cpu_seconds')}\nand on ({_PLACE}) (\n  {works}\n)",
        summary="An agent says that it works and uses no CPU.",
        description=f"Agent {AGENT} has been working for {duration_in_words(scope)} and has used "
        "{{ $value | humanizeDuration }} of CPU meanwhile: it hangs, or what it waits for does.",
    )


def duration_in_words(scope: Scope) -> str:
    """The window of `agent_stuck`, unscaled, for people."""
    return f"{scope.thresholds.seconds('agent_stuck', 'over') / 60:g} minutes"


def _idle_burn(scope: Scope) -> Rule:
    over = scope.range("agent_idle_burn", "over")
    idles, state = 'state="idle"', _state(scope, "idle")
    used, idle = (
        f"increase({scope.series(f'tmux_agent_state_{what}_total', idles)}[{over}])"
        for what in ("cpu_seconds", "seconds")
    )
    return scope.alert(
        "TmuxAgentIdleBurn",
        "agent_idle_burn",
        f"{used}\n/ ({idle} > 0)\n> {scope.number('agent_idle_burn', 'cores')}\n"
        # Of a few idle seconds between two prompts nothing can be said.
        f"and on ({_PLACE}) (\n  avg_over_time({state}[{over}]) "
        f"> {scope.number('agent_idle_burn', 'idle_ratio')}\n  and {state}\n)",
        summary="An agent burns CPU while it is idle.",
        description=f"Agent {AGENT} uses {{{{ $value | humanize }}}} cores while it is idle.",
    )


def _restarting(scope: Scope) -> Rule:
    restarts = scope.series("tmux_agent_restarts_total")
    return scope.alert(
        "TmuxAgentRestarting",
        "agent_restarting",
        f"increase({restarts}[{scope.range('agent_restarting', 'within')}])\n"
        f"> {scope.number('agent_restarting', 'more_than')}",
        summary="An agent is started again and again.",
        description=f"Agent {AGENT} was restarted about {{{{ $value | humanize }}}} times within the hour.",
    )


def _recovery(scope: Scope) -> Rule:
    within = scope.range("agent_recovery", "within")
    spent, count = (
        "sum by (job, instance, server) "
        f"(increase({scope.series(f'tmux_agent_recovery_seconds_{what}')}[{within}]))"
        for what in ("sum", "count")
    )
    return scope.alert(
        "TmuxAgentRecoverySlow",
        "agent_recovery",
        f"{spent}\n/ ({count} > 0)\n> {scope.number('agent_recovery', 'seconds')}",
        summary="Agents are down for long before they are up again.",
        description=f"Agents of {SERVER} that went down were up again after {TIME} on average; five minutes "
        "are promised.",
    )
