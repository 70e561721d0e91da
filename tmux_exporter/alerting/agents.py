"""Alerts about agents: waiting, ended, absent, stuck, busy while idle, restarting, slow to recover."""

from tmux_exporter.alerting.base.alert import Alert, kept
from tmux_exporter.alerting.base.scope import AGENT, SERVER, TIME, Rule, Scope

_PLACE = "job, instance, server, session, agent"
_NO_PANE = kept('tmux_agent_info{pane=""}', indent=2)
_EXITED = kept('tmux_agent_state{state="exited"}', where=" == 1")
_DECLARED = kept("tmux_agent_declared{}")
_CRASHED = kept("tmux_agent_crashed{}")
_ARMED = kept('tmux_schedulers{state=~"armed|armed_origin_gone|overdue"}', indent=2, where=" > 0")
_DECLARED_UP = "agent:tmux_agent_declared_up:count"
_IS_ABSENT = "agent:tmux_agent_absent:count"
_WORKING = kept('tmux_agent_state{state="working"}', indent=10, where=" == 1")
_IDLE = kept('tmux_agent_state{state="idle"}', indent=10)


def recorded(scope: Scope) -> tuple[Rule, ...]:
    """Of each declared agent whether it is up, and those that are absent."""
    declared = kept("tmux_agent_declared{}", indent=2)
    exited = kept('tmux_agent_state{state="exited"}', indent=2, where=" == 1")
    return (
        scope.record(
            _DECLARED_UP,
            f"{kept('tmux_agent_up{}')}\n"
            f"and on ({_PLACE}) (\n  {declared}\n  or on ({_PLACE})\n  {_NO_PANE}\n)",
        ),
        # One that cannot be seen has no state.
        scope.record(_IS_ABSENT, f"1 + (\n  {_DECLARED_UP}{{}} == 0\n  and on ({_PLACE})\n  {exited}\n)"),
    )


def _stuck(scope: Scope) -> str:
    minutes = scope.thresholds.seconds("agent_stuck", "over") / 60
    return (
        f"Agent {AGENT} has been working for {minutes:g} minutes and has used "
        "{{ $value | humanizeDuration }} of CPU meanwhile: it hangs, or what it waits for does."
    )


# Prometheus asks itself for it when it writes the message.
_LIMIT_ENDS = (
    "{{ with printf `tmux_agent_usage_limit_reset_timestamp_seconds{job=%q, instance=%q, server=%q, "
    "session=%q, agent=%q}` $labels.job $labels.instance $labels.server $labels.session $labels.agent "
    "| query }}, which ends at {{ . | first | value | humanizeTimestamp }}{{ end }}"
)

ALERTS = (
    Alert(
        "TmuxAgentWaiting",
        "agent_waiting",
        f"time() - {kept('tmux_agent_waiting_since_timestamp_seconds{}')}\n> $seconds",
        "An agent has been waiting for somebody for long.",
        f"Agent {AGENT} has been waiting for {TIME} (reason: {{{{ $labels.reason }}}}{_LIMIT_ENDS}) and does "
        "nothing until somebody answers.",
    ),
    Alert(
        "TmuxAgentExited",
        "agent_exited",
        f"{_EXITED}\nunless on ({_PLACE})\n  {_NO_PANE}\nunless on ({_PLACE})\n  {_DECLARED}\n"
        f"and on ({_PLACE}) (\n  {_CRASHED}\n  or on ({_PLACE})\n  {_EXITED}\n"
        f"  and on (job, instance, server, session) sum without (state) ({_ARMED})\n)",
        "An agent has failed, or has ended while keys are on their way to it.",
        f"Agent {AGENT} has ended; its pane is still there. It failed, or schedulers of its session are "
        "armed: what is typed into it goes to a shell.",
    ),
    Alert(
        "TmuxAgentAbsent",
        "agent_absent",
        f"{_IS_ABSENT}{{}} == 1",
        "An agent that should be there is not.",
        f"Agent {AGENT} is declared, and no process of it is to be seen.",
    ),
    Alert(
        "TmuxAgentsAllAbsent",
        "agents_all_absent",
        f"count without (server, session, agent) ({_IS_ABSENT}{{}}) >= $least\n"
        f"unless count without (server, session, agent) ({_DECLARED_UP}{{}} == 1)",
        "All agents that should be on a host are not there.",
        "None of the {{ $value }} agents that are declared on {{ $labels.instance }} is to be seen.",
    ),
    Alert(
        "TmuxAgentStuck",
        "agent_stuck",
        # It must have worked for the whole window: an agent that began a minute ago has used no CPU either.
        # One that was absent when the window began has a shorter window, and so has one that is gone.
        f"""
        increase(tmux_agent_cpu_seconds_total{{}}[$over]) < $cpu_seconds
        and on ({_PLACE}) (
          min_over_time(tmux_agent_state{{state="working"}}[$over]) == 1
          and {_WORKING}
          and tmux_agent_state{{state="working"}} offset $over == 1
        )
        """,
        "An agent says that it works and uses no CPU.",
        _stuck,
    ),
    Alert(
        "TmuxAgentIdleBurn",
        "agent_idle_burn",
        # A few idle seconds between two prompts say nothing.
        f"""
        increase(tmux_agent_state_cpu_seconds_total{{state="idle"}}[$over])
        / (increase(tmux_agent_state_seconds_total{{state="idle"}}[$over]) > 0)
        > $cores
        and on ({_PLACE}) (
          avg_over_time(tmux_agent_state{{state="idle"}}[$over]) > $idle_ratio
          and {_IDLE}
        )
        """,
        "An agent burns CPU while it is idle.",
        f"Agent {AGENT} uses {{{{ $value | humanize }}}} cores while it is idle.",
    ),
    Alert(
        "TmuxAgentRestarting",
        "agent_restarting",
        "increase(tmux_agent_restarts_total{}[$within])\n> $more_than",
        "An agent is started again and again.",
        f"Agent {AGENT} was restarted about {{{{ $value | humanize }}}} times within the hour.",
    ),
    Alert(
        "TmuxAgentRecoverySlow",
        "agent_recovery",
        """
        increase(tmux_agent_outage_seconds_sum{}[$within])
        / (increase(tmux_agent_outage_seconds_count{}[$within]) > 0)
        > $seconds
        """,
        "Agents are down for long before they are up again.",
        f"Agents of {SERVER} that are declared or had crashed were up again after {TIME} on average; five "
        "minutes are promised.",
    ),
)
