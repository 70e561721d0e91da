"""Alerts about the remediator: running, seeing, allowed to act, refusing, acting."""

from tmux_exporter.alerting.base.alert import Alert, kept

_POLICY = "policy {{ $labels.policy }} of the remediator on {{ $labels.instance }}"
# What the remediator has done to something within the time of the table; to warn is not to act.
_DONE = (
    "sum without (action, outcome) (\n"
    '  increase(tmux_remediator_actions_total{action!="warn", outcome="done"}[$within])\n'
    ") > 0"
)

ALERTS = (
    Alert(
        "TmuxRemediatorDown",
        "remediator_up",
        f"{kept('tmux_remediator_up{}')} == 0",
        "The remediator has ended or is stuck.",
        "The remediator on {{ $labels.instance }} ran and does not run any more, or is stuck: nothing is "
        "cleaned up there.",
    ),
    Alert(
        "TmuxRemediatorBlind",
        "remediator_blind",
        f"{kept('tmux_remediator_blind{}')} == 1",
        "The remediator cannot see the processes and does nothing.",
        "The remediator on {{ $labels.instance }} cannot list the processes and therefore does nothing at "
        "all.",
    ),
    Alert(
        "TmuxRemediatorAuditUnhealthy",
        "remediator_audit_healthy",
        f"{kept('tmux_remediator_audit_healthy{}')} == 0",
        "The remediator cannot write its record and does nothing.",
        "The remediator on {{ $labels.instance }} cannot write down what it does, and therefore does "
        "nothing.",
    ),
    Alert(
        "TmuxRemediatorPoliciesRefused",
        "remediator_config_last_reload_successful",
        f"{kept('tmux_remediator_config_last_reload_successful{}')} == 0",
        "The policies of the remediator have a mistake; the ones before are in use.",
        "The remediator on {{ $labels.instance }} was told to read its policies again, found a mistake, and "
        "goes on with the ones before. After a restart it would not start.",
    ),
    Alert(
        "TmuxRemediatorBreakerOpen",
        "remediator_breaker_open",
        f"{kept('tmux_remediator_breaker_open{}')} == 1",
        "A policy of the remediator was stopped because it acted too often.",
        f"The breaker of {_POLICY} is open: it acted more often than it may.",
    ),
    Alert(
        "TmuxRemediatorLeaseOverdue",
        "remediator_lease_overdue",
        f"time() - {kept('tmux_remediator_lease_end_timestamp_seconds{}')} > 0",
        "What the remediator holds back should be free again, and is not.",
        f"A lease of {_POLICY} should have ended {{{{ $value | humanizeDuration }}}} ago, and its bounds are "
        "still there.",
    ),
    Alert(
        "TmuxRemediatorHoldsLong",
        "remediator_holds_long",
        # Between two leases of the same thing some minutes pass; a new remediator has held nothing before.
        "max without (means) (\n"
        "  quantile_over_time(0.25, tmux_remediator_leases{}[$within]) > 0\n"
        "  and "
        + kept("tmux_remediator_leases{}", indent=2)
        + "\n  and tmux_remediator_leases{} offset $within\n)",
        "The remediator has been holding something back for hours.",
        f"For hours {_POLICY} has been holding back {{{{ $value | humanize }}}} things or more. A throttle "
        "gives you time; it mends nothing.",
    ),
    Alert(
        "TmuxRemediatorRefusing",
        "remediator_refusing",
        # A remediator that only observes says so by its mode and leaves everything alone.
        f"{kept('tmux_remediator_matches{}')} > 0\nand on (job, instance) "
        + kept('tmux_remediator_mode{mode="enforce"}')
        + " == 1\n"
        f"unless on (job, instance, policy)\n  {_DONE}",
        "The remediator has left something alone for long that its policy matches.",
        f"What {_POLICY} matches and has been left alone: {{{{ $value }}}}.",
    ),
    Alert(
        "TmuxRemediatorActed",
        "remediator_acted",
        _DONE,
        "The remediator has ended something.",
        f"By {_POLICY} about {{{{ $value | humanize }}}} things were ended within the last minutes.",
    ),
)
