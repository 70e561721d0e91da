"""Which families the page drops beyond `limits.series`: whole ones, last rank first.

Kept is always a head of one fixed order, so more series never bring a family back, and what is left out does
not depend on how large a family happens to be.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from tmux_exporter.metrics.catalogue.exporter import HOST, REMEDIATOR
from tmux_exporter.metrics.catalogue.family import Spec
from tmux_exporter.metrics.catalogue.spending import QUOTAS, SESSION_SPENDING, SPENDING
from tmux_exporter.metrics.catalogue.tmux import PANES, SERVERS, SESSIONS
from tmux_exporter.metrics.catalogue.work import AGENTS, COMMANDS, LEAKS, OPERATIONS, SCHEDULERS

ROOM = 0.9
"""A family comes back once the page with it takes no more than this part of the limit: it does not flap."""


def _names(specs: Sequence[Spec]) -> tuple[str, ...]:
    return tuple(spec.name for spec in specs)


def _rest(specs: Sequence[Spec], *before: Sequence[str]) -> tuple[str, ...]:
    taken = {name for names in before for name in names}
    return tuple(spec.name for spec in specs if spec.name not in taken)


_UP = (
    *("tmux_up", "tmux_agent_up", "tmux_agent_state", "tmux_agent_waiting_since_timestamp_seconds"),
    *("tmux_agent_declared", "tmux_agent_crashed"),
    *("tmux_agent_restarts_total", "tmux_agent_info", "tmux_agent_usage_limit_reset_timestamp_seconds"),
)
_FEW = (
    *_rest(SERVERS, _UP),
    *_names(REMEDIATOR),
    *_names(HOST),
    *_names(OPERATIONS),
    *_names(COMMANDS),
    *_names(QUOTAS),
)
_SCHEDULERS = ("tmux_schedulers", "tmux_scheduler_outcomes_total")
_LEAKS = ("tmux_leaked_processes", "tmux_leaked_memory_bytes", "tmux_leaked_oldest_start_time_seconds")
_COST = (
    *("tmux_session_memory_bytes", "tmux_session_memory_limit_bytes", "tmux_session_swap_memory_bytes"),
    *("tmux_session_cpu_seconds_total", "tmux_session_cpu_limit_cores"),
    # Who holds most, told in a message.
    *("tmux_session_processes", "tmux_session_history_bytes", "tmux_session_written_bytes_total"),
    *("tmux_session_fd_utilization_ratio", "tmux_agent_memory_bytes", "tmux_agent_memory_limit_bytes"),
    *("tmux_agent_swap_memory_bytes", "tmux_agent_cpu_seconds_total", "tmux_agent_cpu_limit_cores"),
    *("tmux_agent_fd_utilization_ratio", "tmux_agent_open_fds", "tmux_agent_processes"),
    *("tmux_session_threads", "tmux_agent_threads", "tmux_agent_oom_kills_total"),
    *("tmux_agent_outage_seconds", "tmux_agent_state_seconds_total"),
    *("tmux_agent_state_cpu_seconds_total", "tmux_agent_context_tokens", "tmux_agent_context_window_tokens"),
    *("tmux_session_cost_dollars_total", "tmux_agent_state_since_timestamp_seconds"),
)
_MORE = (
    "tmux_session_info",
    *("tmux_scheduler_next_due_timestamp_seconds", "tmux_leaked_cpu_seconds_total"),
    "tmux_leaked_open_fds",
)

RANKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("whether servers and agents are up, and what agents do", _UP),
    ("what is little: servers, the remediator, the host, operations", _FEW),
    ("schedulers", _SCHEDULERS),
    ("leaks", _LEAKS),
    ("what else of sessions and agents the alerts need", _COST),
    ("info of sessions, and what leaks and schedulers add", _MORE),
    (
        "the rest of sessions, agents, leaks and schedulers",
        (
            *_rest(SESSIONS, _COST, _MORE),
            *_rest(AGENTS, _UP, _COST, _MORE),
            *_rest((*SPENDING, *SESSION_SPENDING), _COST),
            *_rest(LEAKS, _LEAKS, _MORE),
            *_rest(SCHEDULERS, _SCHEDULERS, _MORE),
        ),
    ),
    ("panes", _names(PANES)),
)
"""Every family that `limits.series` can take, those first that go last."""

FOR_ALERTS = 5
"""The first ranks, which hold every family that the shipped rules read."""

RANKED = tuple(name for _, names in RANKS for name in names)


def cut(sizes: Sequence[int], limit: int, before: int) -> int:
    """How many families from the first on stay; `before` were on the last page.

    As many as fit; beyond those of the last page only as many as leave room.
    """
    sums = list(accumulate(sizes))
    fit = bisect_right(sums, limit)
    return fit if fit < before else max(before, bisect_right(sums, limit * ROOM))
