"""The remediator."""

from collections.abc import Iterator

from alerts.mechanical import Case


def cases() -> Iterator[Case]:
    """Each alert of this subject."""
    of = "The remediator on a:1"
    yield Case(
        alert="TmuxRemediatorDown",
        series={"tmux_remediator_up": (1, 0, 1)},
        priority="P3",
        hold="5m",
        summary="The remediator has ended or is stuck.",
        says=f"{of} ran and does not run any more, or is stuck: nothing is cleaned up there.",
    )
    yield Case(
        alert="TmuxRemediatorBlind",
        series={"tmux_remediator_blind": (0, 1, 0)},
        priority="P3",
        hold="15m",
        summary="The remediator cannot see the processes and does nothing.",
        says=f"{of} cannot list the processes and therefore does nothing at all.",
    )
    yield Case(
        alert="TmuxRemediatorAuditUnhealthy",
        series={"tmux_remediator_audit_healthy": (1, 0, 1)},
        priority="P3",
        hold="5m",
        summary="The remediator cannot write its record and does nothing.",
        says=f"{of} cannot write down what it does, and therefore does nothing.",
    )
    yield Case(
        alert="TmuxRemediatorPoliciesRefused",
        series={"tmux_remediator_config_last_reload_successful": (1, 0, 1)},
        priority="P4",
        hold="1h",
        summary="The policies of the remediator have a mistake; the ones before are in use.",
        says=f"{of} was told to read its policies again, found a mistake, and goes on with the ones before. "
        "After a restart it would not start.",
    )
    yield Case(
        alert="TmuxRemediatorBreakerOpen",
        series={'tmux_remediator_breaker_open{policy="p"}': (0, 1, 0)},
        priority="P3",
        hold="1m",
        labels={"policy": "p"},
        summary="A policy of the remediator was stopped because it acted too often.",
        says="The breaker of policy p of the remediator on a:1 is open: it acted more often than it may.",
    )
    yield Case(
        alert="TmuxRemediatorLeaseOverdue",
        series={'tmux_remediator_lease_end_timestamp_seconds{policy="p"}': (7200, 45, 7200)},
        priority="P3",
        hold="2m",
        labels={"policy": "p"},
        summary="What the remediator holds back should be free again, and is not.",
        says="A lease of policy p of the remediator on a:1 should have ended 2m 15s ago, and its bounds are "
        "still there.",
    )
    yield Case(
        alert="TmuxRemediatorHoldsLong",
        series={'tmux_remediator_leases{policy="p", means="scope"}': (0, 1, 0)},
        priority="P4",
        hold="0s",
        before="4h",
        after="3h",
        over="1h",
        labels={"policy": "p"},
        summary="The remediator has been holding something back for hours.",
        says="For hours policy p of the remediator on a:1 has been holding back 1 things or more. A throttle "
        "gives you time; it mends nothing.",
    )
    acted = 'tmux_remediator_actions_total{policy="p", action='
    yield Case(
        alert="TmuxRemediatorActed",
        series={
            f'{acted}"stop", outcome="done"}}': (0, 1, 0),
            f'{acted}"warn", outcome="done"}}': (1, 1, 1),
            f'{acted}"stop", outcome="would"}}': (1, 1, 1),
        },
        priority="P4",
        hold="0s",
        before="11m",
        over="9m45s",
        labels={"policy": "p"},
        summary="The remediator has ended something.",
        says="By policy p of the remediator on a:1 about 1 things were ended within the last minutes.",
    )
    yield Case(
        alert="TmuxRemediatorRefusing",
        series={
            'tmux_remediator_matches{policy="p"}': (0, 2, 0),
            'tmux_remediator_mode{mode="enforce"}': (1, 1, 1),
            f'{acted}"stop", outcome="refused"}}': (1, 1, 1),
            f'{acted}"stop", outcome="done"}}': (0, 0, 0),
        },
        priority="P4",
        hold="1h",
        labels={"policy": "p"},
        summary="The remediator has left something alone for long that its policy matches.",
        says="What policy p of the remediator on a:1 matches and has been left alone: 2.",
    )
