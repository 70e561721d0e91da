"""Log lines for schedulers without a server that `--server` leaves out; pure.

Without this line a user who names the wrong server would wait forever.
"""

from collections.abc import Iterator

from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import Report, SchedulerReport
from tmux_exporter.remediator.decide.candidates import targets_out_of_scope
from tmux_exporter.remediator.policies.policy import PolicySet


def left_out_words(policies: PolicySet, report: Report) -> dict[ProcessId, str]:
    """A sentence for each of them, by its shell."""
    found = (each.subject for policy in policies.policies for each in targets_out_of_scope(policy, report))
    return {each.process: _words(each) for each in found if isinstance(each, SchedulerReport)}


def _words(scheduler: SchedulerReport) -> str:
    names = ", ".join(_names(scheduler)) or "a server that is not known"
    return (
        f"left out: the scheduler of pid {scheduler.process.pid} has no server any more and was made for "
        f"{names}, which --server does not name"
    )


def _names(scheduler: SchedulerReport) -> Iterator[str]:
    return iter(dict.fromkeys((*scheduler.aimed, *scheduler.made_for)))
