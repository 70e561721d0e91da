"""The line that tmux shows: plain words, a pid and a time, whatever it is about, whatever that is called."""

from dataclasses import replace

import pytest

from tests.support.orphans import orphan, with_stop
from tests.support.report import UP, agent, leak, pane
from tmux_exporter.model import LeakKind, SchedulerState
from tmux_exporter.remediation import Action, Mode
from tmux_exporter.remediator.builtin import ORPHANED_SCHEDULERS
from tmux_exporter.remediator.candidates import Candidate, target_of
from tmux_exporter.remediator.figures import Subject
from tmux_exporter.remediator.history import Decision
from tmux_exporter.remediator.pane_message import LONGEST, is_plain
from tmux_exporter.remediator.rules import Policy
from tmux_exporter.remediator.telling import pane_line

P = ORPHANED_SCHEDULERS
EVIL = "#(reboot); kill-server\n"

SUBJECTS: dict[str, Subject] = {
    **{str(state): orphan(state=state, session=EVIL, server=EVIL) for state in SchedulerState},
    "agent": replace(agent(EVIL, EVIL, EVIL, "%1", program=EVIL), role=EVIL),
    "leak": replace(leak(EVIL, EVIL, LeakKind.OTHER, pid=700), name=EVIL, reason=EVIL),
    "pane": pane(EVIL, EVIL, EVIL),
    "server": replace(UP, server=EVIL),
}


def line(subject: Subject, mode: Mode, policy: Policy = P) -> str:
    candidate = Candidate(target=target_of(subject), subject=subject)
    rung = policy.ladder[0]
    return pane_line(Decision(policy=policy, candidate=candidate, action=Action.WARN, rung=rung), mode)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", SUBJECTS)
def test_it_has_no_word_of_anybody_else(name: str, mode: Mode) -> None:
    assert is_plain(line(SUBJECTS[name], mode))


@pytest.mark.parametrize(
    "text",
    ["", "a #(date) b", "a #{pid} b", "at %H", "ends;", "a\nb", "a\x1bb", "-p", "x" * (LONGEST + 1), "é"],
)
def test_more_than_plain_words_is_refused(text: str) -> None:
    assert not is_plain(text)


def test_it_threatens_only_with_what_will_happen() -> None:
    end = "tmux-remediator: an orphaned scheduler of this session, pid 500, is to be ended in 5 min. "
    why = "tmux-remediator: an orphaned scheduler of this session, pid 500. Its log says why"
    assert line(orphan(), Mode.ENFORCE) == f"{end}To keep it: tmux-remediator hold 500 1h"
    assert line(orphan(), Mode.RECOMMEND) == line(orphan(), Mode.OBSERVE) == why
    assert line(orphan(), Mode.ENFORCE, with_stop(P, approvals=1)) == why
    assert line(orphan(), Mode.ENFORCE, replace(P, ladder=P.ladder[:1])) == why
    assert "is to be ended in 40 s. " in line(orphan(), Mode.ENFORCE, with_stop(P, after=40.0))
    assert "is to be ended in 2 min. " in line(orphan(), Mode.ENFORCE, with_stop(P, after=61.0))
