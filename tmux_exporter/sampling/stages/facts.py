"""What was read for one sample, before any conclusion."""

from dataclasses import dataclass

from tmux_exporter.analysis.labels import SessionLabels
from tmux_exporter.config import Config
from tmux_exporter.facts.changes import Changes
from tmux_exporter.facts.process import ProcessTable
from tmux_exporter.facts.tmux import TmuxView


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFacts:
    """All processes, what tmux said after they were read, the labels of its sessions, the settings.

    `changes` are those since the facts of the sample before.
    """

    table: ProcessTable
    view: TmuxView
    labels: SessionLabels
    config: Config
    changes: Changes
