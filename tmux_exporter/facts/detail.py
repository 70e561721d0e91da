"""What the live page and `top` show of one thing beside the Report: processes, panes, clues to a state.

Closed lists, names and figures only: whoever reaches the exporter's port can read it.
"""

from dataclasses import dataclass

from tmux_exporter.facts.agents import AgentState, StateSource
from tmux_exporter.facts.owner import Evidence
from tmux_exporter.facts.report import PaneReport, TreeProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One thing, by its labels: the agent, else the pane, else the session, else the server.

    With `pid`: the process of a scheduler or of a leak, and all below it.
    """

    server: str = ""
    session: str = ""
    agent: str = ""
    pane: str = ""
    pid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailProcess:
    """A living process; `evidence` ties it to its owner, `pane` is empty where it is in none."""

    figures: TreeProcess
    evidence: Evidence
    pane: str
    start_time_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """`left_out` processes are beyond what is shown; `clues` to an agent's state did not decide it."""

    processes: tuple[DetailProcess, ...]
    left_out: int
    panes: tuple[PaneReport, ...] = ()
    clues: tuple[tuple[StateSource, AgentState | None], ...] = ()
