"""Alerts about what agents spend: context, quota, limits, money."""

from tmux_exporter.alerting.base.alert import Alert, kept
from tmux_exporter.alerting.base.scope import AGENT, PERCENT, TIME

_PLACE = "job, instance, server, session, agent"
_RESET = "max_over_time(tmux_agent_usage_limit_reset_timestamp_seconds{}[$within])"
_IDLE = kept('tmux_agent_state{state="idle"}', indent=2)
_SINCE = kept("tmux_agent_state_since_timestamp_seconds{}", indent=2)
_QUOTA = "{{ $labels.window }} quota of {{ $labels.program }} (account {{ $labels.account }})"


def _asked(query: str, labels: str) -> str:
    """What Prometheus answers to a query when it writes the message, as the first value."""
    return f"{{{{ with printf `{query}` {labels} | query }}}}{{{{ . | first | value"


_OF_ALL = (
    _asked("count(tmux_agent_up{job=%q, instance=%q} == 1)", "$labels.job $labels.instance").replace(
        "{{ . |", " of {{ . |"
    )
    + " }}{{ end }}"
)
_FIRST_RESET = (
    _asked(
        "min(tmux_agent_usage_limit_reset_timestamp_seconds{job=%q, instance=%q})",
        "$labels.job $labels.instance",
    )
    + " | humanizeTimestamp }}{{ else }}a time that none of them says{{ end }}"
)

ALERTS = (
    Alert(
        "TmuxAgentContextFull",
        "agent_context",
        f"{kept('tmux_agent_context_tokens{}')}\n/ {kept('tmux_agent_context_window_tokens{}')}\n> $ratio",
        "An agent has filled its context window.",
        f"Agent {AGENT} has filled {PERCENT} of its context window: its program will soon replace the "
        "conversation by a summary.",
    ),
    Alert(
        "TmuxAgentsOutOfQuota",
        "agents_out_of_quota",
        "count by (job, instance) (\n  "
        + kept('tmux_agent_waiting_since_timestamp_seconds{reason="usage_limit"}', indent=2)
        + "\n)\n>= $least",
        "Agents stand still because their quota is used up.",
        f"{{{{ $value }}}}{_OF_ALL} agents on {{{{ $labels.instance }}}} stand still at a usage limit, "
        f"until {_FIRST_RESET} at least.",
    ),
    Alert(
        "TmuxAgentIdleAfterLimit",
        "agent_idle_after_limit",
        # It has not worked since: it is idle since the reset, or was told to be before.
        f"time() - {_RESET} >= 0\nand on ({_PLACE})\n  {_IDLE} == 1\nand on ({_PLACE})\n"
        f"  {_SINCE} - {_RESET} <= 60",
        "An agent still does nothing after its usage limit has ended.",
        f"Agent {AGENT} stood at a usage limit that ended {TIME} ago, and is idle since: nobody has told it "
        "to go on.",
    ),
    Alert(
        "TmuxQuotaEndsEarly",
        "quota_pace",
        """
        tmux_agent_quota_used_ratio{}
        + (deriv(tmux_agent_quota_used_ratio{}[$over]) > 0)
        * (tmux_agent_quota_reset_timestamp_seconds{} - time())
        > 1
        and tmux_agent_quota_used_ratio{} > $used
        and tmux_agent_quota_used_ratio{} < 1
        """,
        "A quota will be used up before its reset.",
        f"At the pace of the last hour the {_QUOTA} on {{{{ $labels.instance }}}} is used up before its "
        f"reset: {PERCENT} of it by then.",
    ),
    Alert(
        "TmuxSpendHigh",
        "spend",
        "sum by (job, instance) (increase(tmux_session_cost_dollars_total{}[$over]))\n> $more_than",
        "Agents spend much.",
        "The agents on {{ $labels.instance }} have spent ${{ $value | humanize }} within the hour, as they "
        "say themselves or by the table of prices.",
    ),
)
