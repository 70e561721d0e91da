"""The line that tmux shows: plain words, a pid, figures and times, whatever it is about or called."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.literals.report import UP, agent, leak, pane
from tests.support.remediator.orphans import orphan, with_stop
from tmux_exporter.facts.leaks import LeakKind
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.remediation import Action, Mode, TargetKind
from tmux_exporter.facts.schedulers import SchedulerState
from tmux_exporter.remediator.act.pane_message import LONGEST, is_plain
from tmux_exporter.remediator.decide.candidates import TargetCandidate, target_of
from tmux_exporter.remediator.decide.state import Decision, Readings
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.policies.metrics import FIGURES, Subject
from tmux_exporter.remediator.policies.policy import Condition, Policy, TargetMatch
from tmux_exporter.remediator.record.log_fields import fields, pane_line, warning_text

P = ORPHANED_SCHEDULERS
EVIL = "#(reboot); kill-server\n"

SUBJECTS: dict[str, Subject] = {
    **{str(state): orphan(state=state, session=EVIL, server=EVIL) for state in SchedulerState},
    "agent": replace(agent(EVIL, EVIL, EVIL, "%1", program=EVIL), role=EVIL, process=ProcessId(4_194_304, 1)),
    "leak": replace(leak(EVIL, EVIL, LeakKind.OTHER, pid=700), name=EVIL, reason=EVIL),
    "pane": pane(EVIL, EVIL, EVIL),
    "server": replace(UP, server=EVIL),
}


def decision(subject: Subject, policy: Policy = P, **more: Any) -> Decision:
    candidate = TargetCandidate(target=target_of(subject), subject=subject)
    return Decision(policy=policy, candidate=candidate, action=Action.WARN, rung=policy.ladder[0], **more)


def line(subject: Subject, mode: Mode, policy: Policy = P, **more: Any) -> str:
    return pane_line(decision(subject, policy, **more), mode, LONGEST)


def above(metric: str, bound: float, value: float, rate_over: float | None = None) -> Readings:
    return ((Condition(metric=metric, above=bound, clear_below=bound, rate_over=rate_over), value),)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", SUBJECTS)
def test_it_has_no_word_of_anybody_else(name: str, mode: Mode) -> None:
    assert is_plain(line(SUBJECTS[name], mode))


@pytest.mark.parametrize("rate_over", [None, 60.0])
@pytest.mark.parametrize("value", [0.0, 0.912, 7.5, 1e6 / 3, 9e18])
@pytest.mark.parametrize("metric", FIGURES)
def test_every_figure_has_room_in_it(metric: str, value: float, rate_over: float | None) -> None:
    held = above(metric, value / 2, value, rate_over)
    assert is_plain(shown := line(SUBJECTS["agent"], Mode.ENFORCE, readings=held, held=1e6))
    assert value > 1e18 or FIGURES[metric].words in shown
    many = line(SUBJECTS["agent"], Mode.ENFORCE, readings=held * 8, held=1e6)
    assert is_plain(many) and (value > 1e18 or FIGURES[metric].words in many), "as many as there is room for"


@pytest.mark.parametrize(
    "text",
    ["", "a #(date) b", "a #{pid} b", "at %H", "ends;", "a\nb", "a\x1bb", "-p", "x" * (LONGEST + 1), "é"],
)
def test_more_than_plain_words_is_refused(text: str) -> None:
    assert not is_plain(text)


def test_it_threatens_only_with_what_will_happen() -> None:
    end = "tmux-remediator: an orphaned scheduler of this session is to be ended in 5 min. "
    why = "tmux-remediator: an orphaned scheduler of this session (pid 500). Its log says why"
    assert line(orphan(), Mode.ENFORCE) == f"{end}To keep it: tmux-remediator hold 500 1h"
    assert line(orphan(), Mode.RECOMMEND) == line(orphan(), Mode.OBSERVE) == why
    assert line(orphan(), Mode.ENFORCE, with_stop(P, approvals=1)) == why
    assert line(orphan(), Mode.ENFORCE, replace(P, ladder=P.ladder[:1])) == why
    assert "is to be ended in 40 s. " in line(orphan(), Mode.ENFORCE, with_stop(P, after=40.0))
    assert "is to be ended in 2 min. " in line(orphan(), Mode.ENFORCE, with_stop(P, after=61.0))


GIB = 2**30


def test_it_says_which_figure_is_above_which_bound_and_for_how_long() -> None:
    memory = above("tmux_agent_memory_bytes", 4 * GIB, 4.5 * GIB)
    shown = line(SUBJECTS["agent"], Mode.ENFORCE, readings=memory, held=190.0)
    assert " (memory 4.5GiB, above 4GiB for 3 min) is to be ended in 5 min. " in shown
    growth = above("tmux_leaked_cpu_seconds_total", 0.9, 0.97, 300.0)
    shown = line(SUBJECTS["leak"], Mode.OBSERVE, readings=growth, held=59.0)
    assert " (pid 700, cpu 58.2s per min, above 54s per min for 59 s). Its log says why" in shown
    assert " of this session (for 5 min) is to be " in line(orphan(), Mode.ENFORCE, held=300.0)


def test_the_log_says_which_figures_are_above_which_bounds_and_since_when() -> None:
    both = above("tmux_agent_fd_utilization_ratio", 0.8, 0.912) + above(
        "tmux_agent_open_fds", 1 / 60, 0.1, 60
    )
    told = decision(SUBJECTS["agent"], readings=both, held=100.0)
    assert warning_text(told) == "an agent: fd utilization and open fds above its bound"
    found = fields(told, 1_700_000_100.0)
    assert found["figures"] == (
        "tmux_agent_fd_utilization_ratio 0.912, above 0.8; tmux_agent_open_fds 6 per min, above 1 per min"
    )
    assert datetime.fromisoformat(str(found["since"])) == datetime.fromtimestamp(1_700_000_000, UTC)
    assert "figures" not in fields(decision(orphan()), 0.0)


def test_a_pane_with_a_long_history_says_how_long() -> None:
    match = TargetMatch(kind=TargetKind.PANE, history_bytes=64 * 2**20)
    told = decision(replace(pane("a", "b", "%1"), history_bytes=70 * 2**20), replace(P, match=match))
    assert fields(told, 0.0)["figures"] == "tmux_pane_history_bytes 70MiB, at least 64MiB"
    assert warning_text(told) == "a pane: history above its bound"
