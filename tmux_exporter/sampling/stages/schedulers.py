"""Stage: pending schedulers, and what became of those that have gone."""

from collections.abc import Mapping, Sequence

from tmux_exporter.analysis.report.counter_keys import scheduler_sessions, schedulers_by_session
from tmux_exporter.analysis.report.view import Snapshot
from tmux_exporter.analysis.schedulers.candidates import ScriptReader
from tmux_exporter.analysis.schedulers.find import find_schedulers
from tmux_exporter.analysis.schedulers.outcomes import SchedulerOutcomes
from tmux_exporter.analysis.schedulers.tmux_program import shell_questions
from tmux_exporter.analysis.schedulers.warnings import pane_states
from tmux_exporter.base.clock import Clock
from tmux_exporter.facts.agents import TrackedAgent
from tmux_exporter.facts.owner import Owner
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import RemediatorReport
from tmux_exporter.facts.schedulers import Scheduler, SchedulerOutcome
from tmux_exporter.sampling.stages.protocols import LeakDetailSource, SampleFacts

IMMINENT_SECONDS = 20.0
"""Longer than any time between two samples, so that a scheduler is seen shortly before it fires."""


class SchedulerStage:
    """Finds schedulers; remembers their scripts, and counts their outcomes.

    `imminent`: one of them is about to fire.
    """

    def __init__(self, clock: Clock, default_socket: str, leak_details: LeakDetailSource | None) -> None:
        """`default_socket` is where tmux looks for its server where TMUX_TMPDIR is not set."""
        self._clock = clock
        self._default_socket = default_socket
        self._leak_details = leak_details
        self._scripts = ScriptReader()
        self._outcomes = SchedulerOutcomes()
        self.imminent = False

    def observe(
        self, facts: SampleFacts, owners: Mapping[ProcessId, Owner], tracked_agents: Sequence[TrackedAgent]
    ) -> tuple[Scheduler, ...]:
        """The schedulers of this sample."""
        candidates = self._scripts.candidates(facts.table)
        asked, now = self._leak_details, self._clock.time()
        found = find_schedulers(
            facts.table,
            owners,
            facts.view,
            self._default_socket,
            now,
            settings=facts.config.schedulers,
            panes=pane_states(tracked_agents),
            candidates=candidates,
            shells=asked.shells(shell_questions(candidates)) if asked else None,
        )
        self.imminent = any(each.due is not None and 0 <= each.due - now < IMMINENT_SECONDS for each in found)
        return found

    def count(
        self, snapshot: Snapshot, remediator: RemediatorReport | None
    ) -> dict[tuple[str, str, SchedulerOutcome], int]:
        """Outcomes by server, session and outcome; the remediator tells which ones it ended."""
        ended = remediator.status.ended if remediator and remediator.status else ()
        self._outcomes.observe(snapshot.table, schedulers_by_session(snapshot), self._clock.time(), ended)
        return self._outcomes.totals(scheduler_sessions(snapshot), snapshot.table.taken_at)
