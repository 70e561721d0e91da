"""A second tmux query at the end of a sample: an unchanged listing is as recent as that query.

On a busy machine a sample takes seconds, most of them after tmux has answered.
"""

from collections.abc import Mapping
from dataclasses import replace

from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.facts.report import Report, SchedulerReport
from tmux_exporter.facts.tmux import Listing, ServerView, TmuxView
from tmux_exporter.sources.tmux.source import TmuxSource


class ConfirmingTmuxSource:
    """Queries the tmux servers for a sample, and once more after it."""

    def __init__(self, source: TmuxSource) -> None:
        self.configure = source.configure
        self._source = source
        self._asked: tuple[ProcessTable, TmuxView] | None = None

    def read(self, table: ProcessTable) -> TmuxView:
        """The servers as they are now."""
        view = self._source.read(table)
        self._asked = table, view
        return view

    def confirmed(self, report: Report, table: ProcessTable | None = None) -> Report:
        """The report of that sample; unchanged listings get the time of a new query.

        `table` is a later reading of the processes: servers are looked for in it.
        """
        if self._asked is None:
            return report
        first, before = self._asked
        after = self._source.read(table or first, again=True)
        times = confirmations(before, after)
        searched = after.taken_at if _finds_the_same(before, after) else None
        return replace(
            report,
            servers=tuple(
                replace(each, listing_taken_at=times.get(each.server, each.listing_taken_at))
                for each in report.servers
            ),
            schedulers=tuple(_confirmed(each, times, searched) for each in report.schedulers),
        )


def _confirmed(
    scheduler: SchedulerReport, times: Mapping[str, float], searched: float | None
) -> SchedulerReport:
    """A scheduler whose servers all have been confirmed, or of whose server there still is none."""
    if scheduler.judged_at is None:
        return scheduler
    taken = [times.get(label) for label in scheduler.aimed] or [searched]
    known = [each for each in taken if each is not None]
    return replace(scheduler, judged_at=min(known)) if len(known) == len(taken) else scheduler


def confirmations(before: TmuxView, after: TmuxView) -> dict[str, float]:
    """When the servers that answered the same again were asked, by their labels."""
    known = {each.label: each for each in before.servers}
    return {
        each.label: each.listing.taken_at
        for each in after.servers
        if each.listing is not None and each.label in known and _answers_the_same(known[each.label], each)
    }


def _answers_the_same(before: ServerView, after: ServerView) -> bool:
    return (
        before.up
        and after.up
        and (before.socket, before.process) == (after.socket, after.process)
        and before.listing is not None
        and after.listing is not None
        and _lasting(before.listing) == _lasting(after.listing)
    )


def _finds_the_same(before: TmuxView, after: TmuxView) -> bool:
    """Whether the same servers are there, and the same cannot be known."""
    shown = [
        [(each.label, each.socket, each.process, each.up, each.ended) for each in view.servers]
        for view in (before, after)
    ]
    return (
        shown[0] == shown[1]
        and before.problems == after.problems
        and before.canonical_paths == after.canonical_paths
    )


def _lasting(listing: Listing) -> Listing:
    """A listing without what changes with every byte that a pane prints, which decides nothing."""
    return replace(
        listing,
        taken_at=0.0,
        sessions=tuple(replace(each, activity=0) for each in listing.sessions),
        windows=tuple(replace(each, activity=0) for each in listing.windows),
        panes=tuple(replace(each, history_lines=0, history_bytes=0, title_sign="") for each in listing.panes),
    )
