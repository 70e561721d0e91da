"""Agent state from screens: recorded ones of real agents, and texts that only look like them."""

from pathlib import Path

import pytest

from tests.support.real_agents.recorded import is_told, program_of, recorded, rows_of
from tmux_exporter.analysis.agents.hook_state import WindowActivity
from tmux_exporter.analysis.agents.screen_patterns import SCREENS, ScreenMeaning
from tmux_exporter.analysis.agents.screen_state import read_screen, screen_clue
from tmux_exporter.analysis.programs.agent_programs import SIGNATURES
from tmux_exporter.facts.agents import AgentState, StateSource, WaitingReason
from tmux_exporter.sources.agents.limit_end import limit_end
from tmux_exporter.sources.tmux.screens import LAST_ROWS, last_rows

SCREENS_SEEN = Path(__file__).parents[3] / "fixtures" / "agents" / "screens"
WORKING, IDLE, WAITING = AgentState.WORKING, AgentState.IDLE, AgentState.WAITING
RULE = "─" * 80
PROMPT = ("", RULE, "❯ ", RULE, "  ? for shortcuts")
"""The foot of Claude's screen at rest."""

SEEN: dict[str, tuple[AgentState, WaitingReason | None]] = {
    "claude-idle": (IDLE, None), "claude-interrupted": (IDLE, None), "claude-working": (WORKING, None),
    "claude-retrying": (WORKING, None), "claude-permission": (WAITING, WaitingReason.PERMISSION),
    "claude-question": (WAITING, WaitingReason.QUESTION), "claude-trust": (WAITING, WaitingReason.TRUST),
    "claude-api-error": (WAITING, WaitingReason.API_ERROR), "claude-no-login": (WAITING, WaitingReason.AUTH),
    "codex-idle": (IDLE, None), "codex-interrupted": (IDLE, None), "codex-working": (WORKING, None),
    # While it streams its answer it draws what it draws at rest: its title tells, which is stronger.
    "codex-streaming": (IDLE, None), "codex-permission": (WAITING, WaitingReason.PERMISSION),
    "codex-hooks-review": (WAITING, WaitingReason.DIALOG), "codex-login": (WAITING, WaitingReason.AUTH),
    "gemini-idle": (IDLE, None), "gemini-interrupted": (IDLE, None), "gemini-working": (WORKING, None),
    "gemini-permission": (WAITING, WaitingReason.PERMISSION), "gemini-login": (WAITING, WaitingReason.AUTH),
    "opencode-idle": (IDLE, None), "opencode-working": (WORKING, None),
    "opencode-permission": (WAITING, WaitingReason.PERMISSION), "aider-idle": (IDLE, None),
    "aider-question": (WAITING, WaitingReason.QUESTION), "copilot-idle": (IDLE, None),
    "copilot-working": (WORKING, None), "copilot-permission": (WAITING, WaitingReason.PERMISSION),
    "claude-trust-80": (WAITING, WaitingReason.TRUST), "codex-trust-80": (WAITING, WaitingReason.TRUST),
    "gemini-trust-80": (WAITING, WaitingReason.TRUST), "copilot-trust-80": (WAITING, WaitingReason.TRUST),
    "codex-usage-limit-80": (WAITING, WaitingReason.USAGE_LIMIT), "codex-idle-80": (IDLE, None),
    "gemini-permission-80": (WAITING, WaitingReason.PERMISSION),
    "copilot-permission-80": (WAITING, WaitingReason.PERMISSION), "claude-tool-80": (WORKING, None),
    "opencode-permission-80": (WAITING, WaitingReason.PERMISSION), "opencode-tool-80": (WORKING, None),
}  # fmt: skip


def meaning(program: str, *rows: str) -> ScreenMeaning | None:
    return read_screen(program, last_rows("\n".join(rows).encode()))


def seen(name: str) -> list[str]:
    return (SCREENS_SEEN / f"{name}.txt").read_text().splitlines()


def test_every_screen_that_was_recorded_is_judged() -> None:
    assert {each.stem for each in SCREENS_SEEN.glob("*.txt")} == set(SEEN)


@pytest.mark.parametrize("name", SEEN)
def test_screens_of_real_agents(name: str) -> None:
    found = meaning(name.partition("-")[0], *seen(name))
    assert found and (found.state, found.reason) == SEEN[name]
    # Rest is a guess: what is drawn while it works may not be known.
    assert found.certain is (found.state is not IDLE)


@pytest.mark.parametrize("name", recorded())
def test_screens_of_real_programs_that_were_played(name: str) -> None:
    """At a dialog the screen alone tells; at work and at rest it may tell nothing, and never `waiting`."""
    state, *reasons = recorded()[name]
    assert is_told(program_of(name), "\n".join(rows_of(name)), state, reasons)


def test_the_end_of_a_limit_is_on_the_screens_that_name_it() -> None:
    ends = {name: limit_end(rows_of(name), 1_796_000_000.0) for name in recorded() if "limit" in name}
    assert ends and all(ends.values())


@pytest.mark.parametrize("name", SEEN)
def test_a_screen_means_nothing_to_another_programs_agent_that_it_would_have_wait(name: str) -> None:
    own = name.partition("-")[0]
    for program in set(SCREENS) - {own}:
        found = meaning(program, *seen(name))
        assert found is None or found.state is not WAITING or SEEN[name][0] is WAITING, (program, found)


@pytest.mark.parametrize("name", [name for name, (state, _) in SEEN.items() if state is not IDLE])
def test_what_an_agent_quotes_above_its_prompt_is_none_of_it(name: str) -> None:
    """The whole screen of another state, as a transcript of it, and below it the foot of one at rest."""
    program = name.partition("-")[0]
    rest = [row for row in seen(f"{program}-idle") if row.strip()]
    found = meaning(program, *seen(name), *(f"  quoted line {number}" for number in range(9)), *rest[-12:])
    assert found and found.state is IDLE


@pytest.mark.parametrize(
    ("rows", "state", "reason"),
    [
        (("  ⎿  You've hit your limit · resets 3pm",), WAITING, WaitingReason.USAGE_LIMIT),
        (("  ⎿  API Error: 500 overloaded",), WAITING, WaitingReason.API_ERROR),
        (("● You've hit your limit · resets 3pm",), IDLE, None),
        (("● They said: API Error",), IDLE, None),
        (("● API Error: Request rejected (429)", "✻ Sautéed for 2m"), WAITING, WaitingReason.API_ERROR),
        (("  ⎿  API Error: 500", *("more" for _ in range(8))), IDLE, None),
        (("● API Error: 500", "❯ again", "  ⎿  Interrupted"), IDLE, None),
        (("● API Error: 500", "● said"), IDLE, None),
        (("❯ Do you want to proceed?", "❯ 1. Yes", "Esc to cancel"), IDLE, None),
        (("● esc to interrupt",), IDLE, None),
    ],
)
def test_errors_above_the_prompt(
    rows: tuple[str, ...], state: AgentState, reason: WaitingReason | None
) -> None:
    found = meaning("claude", *rows, *PROMPT)
    assert found and (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize(
    ("program", "rows", "state", "reason"),
    [
        ("claude",
            ("What do you want to do?", "❯ 1. Stop and wait for limit to reset", "2. Upgrade",
            "Enter to confirm"), WAITING, WaitingReason.USAGE_LIMIT),
        ("codex", ("tab to add notes | enter to submit answer | esc to interrupt",), WAITING,
            WaitingReason.QUESTION),
        ("codex", ("■ You've hit your usage limit.", "› Ask", "  gpt", "  ? for shortcuts"), WAITING,
            WaitingReason.USAGE_LIMIT),
        ("aider", ("Run shell command? (Y)es/(N)o/(D)on't ask again [Yes]:",), WAITING,
            WaitingReason.QUESTION),
        ("aider", ("tokens: 3k", "architect>"), None, None),
        ("aider", ("tokens: 3k", "> "), IDLE, None),
        ("cursor-agent", ("Run this command? (y) (enter)",), WAITING, WaitingReason.PERMISSION),
        ("cursor-agent", ("⬡ Generating  ctrl+c to stop",), WORKING, None),
        ("claude", (), None, None),
        ("claude", ("$ ls", "file"), None, None),
        ("crush", ("Do you want to proceed?", "❯ 1. Yes", "Esc to cancel"), None, None),
    ],
)  # fmt: skip
def test_screens_that_were_only_described(
    program: str, rows: tuple[str, ...], state: AgentState | None, reason: WaitingReason | None
) -> None:
    found = meaning(program, *rows)
    assert (found and found.state, found and found.reason) == (state, reason)


def test_every_program_of_the_table_is_one_that_can_be_recognised() -> None:
    assert set(SCREENS) <= {each.program for each in SIGNATURES}
    for patterns in SCREENS.values():
        for pattern in patterns:
            assert all(0 <= words.most_below < LAST_ROWS and words.text for words in pattern.words)


def test_a_prompt_that_is_drawn_at_work_too_is_rest_only_while_nothing_is_written() -> None:
    rest = meaning("cline", "❯ Ask anything...", " Auto-approve all disabled (Shift+Tab)")
    window = WindowActivity(moved=1000.0, alone=True)
    assert [screen_clue(rest, window, 1000.5, settled=each).state for each in (True, False)] == [IDLE, None]


def test_work_is_only_believed_while_the_window_moves() -> None:
    works = ScreenMeaning(state=WORKING)
    said = [screen_clue(works, WindowActivity(moved=1000.0, alone=True), 1000.0 + quiet) for quiet in (9, 11)]
    assert [clue.state for clue in said] == [WORKING, None]
    waits = screen_clue(
        ScreenMeaning(state=WAITING, reason=WaitingReason.AUTH), WindowActivity(moved=1.0, alone=True), 9000.0
    )
    assert (waits.state, waits.reason, waits.source) == (WAITING, WaitingReason.AUTH, StateSource.PANE_TEXT)
    assert waits.why == "its text says waiting (auth)"
    assert screen_clue(None, WindowActivity(moved=1.0, alone=True), 2.0).state is None
