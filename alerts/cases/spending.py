"""What agents spend."""

from collections.abc import Iterator

from alerts.cases.parts import AGENT, OF, SERVER, WHO
from alerts.mechanical import Case


def cases() -> Iterator[Case]:
    """Each alert of this subject that no time is in."""
    yield Case(
        alert="TmuxAgentContextFull",
        series={
            f"tmux_agent_context_tokens{{{AGENT}}}": (1000, 180_200, 180_000),
            f"tmux_agent_context_window_tokens{{{AGENT}}}": (200_000, 200_000, 200_000),
        },
        priority="P4",
        hold="5m",
        labels=OF["agent"],
        summary="An agent has filled its context window.",
        says=f"{WHO['agent']} has filled 90.1% of its context window: its program will soon replace the "
        "conversation by a summary.",
    )
    yield Case(
        alert="TmuxSpendHigh",
        series={
            f'tmux_session_cost_dollars_total{{{SERVER}, session="s", source="table"}}': (0, 0.0703, 0.02),
            f'tmux_session_cost_dollars_total{{{SERVER}, session="t", source="agent"}}': (0, 0.0303, 0.06),
        },
        priority="P4",
        hold="5m",
        before="61m",
        after="49m30s",
        lasts="56m",
        over="10m15s",
        summary="Agents spend much.",
        says="The agents on a:1 have spent $22.03 within the hour, as they say themselves or by the table of "
        "prices.",
    )
