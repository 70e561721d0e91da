"""The plays of `cases` as a policy file writes them."""

from collections.abc import Mapping

from tests.support.remediator.cases import METHODS, Play
from tests.support.remediator.policies import HEAD
from tmux_exporter.facts.remediation import Action

STEPS: Mapping[Action, str] = {
    Action.WARN: "do: warn, via: [pane_message]",
    Action.SNAPSHOT: "do: snapshot, what: [status, limits, fd_kinds, stacks]",
    Action.THROTTLE: "do: throttle, pause: true, lease: 15m",
    Action.RAISE_FD_LIMIT: "do: raise_fd_limit",
    Action.SAVE: "do: save",
    Action.CLEAR_HISTORY: "do: clear_history",
    Action.SET_OPTION: "do: set_option, option: history-limit, value: 20000",
    Action.CLOSE_DEAD_PANE: "do: close_dead_pane",
    Action.STOP: "do: stop",
    Action.KILL: "do: kill",
}
"""Each action as a file writes it; a stop also names its method, a kill its time."""

FILE = (
    HEAD
    + """\
defaults:
  warmup: 0s
  cooldown: 1h
  budget: {per_cycle: 100, per_hour: 1000, per_target_per_hour: 100}
  max_match: {count: 1000, percent: 100, few: 1000}
  breaker: {failed_verifications: 100, regrets: 100}
total: {per_cycle: 1000, per_hour: 1000}
policies:
"""
)
"""The beginning of a file of plays: no wait, and no number is too many."""


def policy(play: Play, match: str) -> str:
    """A play as a file writes it; `match` is what narrows it besides its session."""
    lines = [
        f"  - name: {play.name}",
        f"    mode: {play.mode}",
        f"    match: {{kind: {play.kind}, {match}}}",
        "    for: 0s",
        "    actions:",
        *(f"      - {{{_step(play, action)}}}" for action in play.actions),
    ]
    if Action.STOP in play.actions:
        lines.append(f"    verify: {{gone_within: {round(play.gone_within * 1000)}ms}}")
    return "\n".join(lines) + "\n"


def _step(play: Play, action: Action) -> str:
    if action is Action.KILL:
        return f"{STEPS[action]}, after: {round(play.kill_after * 1000)}ms"
    if action is not Action.STOP:
        return STEPS[action]
    method = METHODS.get(play.kind, "agent_process")
    asks = ", approvals: {required: 1}" if play.approvals else ""
    return f"{STEPS[action]}, method: {method}, grace: {round(play.grace * 1000)}ms{asks}"
