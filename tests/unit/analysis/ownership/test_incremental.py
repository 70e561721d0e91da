"""Incremental attribution: what it works out again, and the audit that corrects it."""

import pytest

from tests.support.literals.facts import answering, pane, process, table, tmux_environ, tmux_server, tmux_view
from tmux_exporter.analysis.ownership.attribution import Attribution, attribute
from tmux_exporter.analysis.ownership.incremental import Attributor
from tmux_exporter.facts.changes import AUDIT_SECONDS, AuditTurns, ChangeTracker
from tmux_exporter.facts.process import Process

SERVER = tmux_server(100)
SHELL = process(200, 100, environ=tmux_environ(100, "%0"))
TOOL = process(201, 200)
VIEW = tmux_view(answering(SERVER, pane("%0", 200)))


def test_only_what_changed_is_decided_again(monkeypatch: pytest.MonkeyPatch) -> None:
    decided: list[int] = []
    real = Attribution._decide

    def noting(self: Attribution, each: Process, parent: Process | None) -> object:
        decided.append(each.id.pid)
        return real(self, each, parent)

    taking, tracker = Attributor({}), ChangeTracker()
    others = [process(300 + number, 200) for number in range(5)]
    for _ in range(2):
        seen = table(SERVER, SHELL, *others)
        taking.observe(seen, VIEW, tracker.processes(seen))
    monkeypatch.setattr(Attribution, "_decide", noting)
    seen = table(SERVER, SHELL, TOOL, *others)
    found = taking.observe(seen, VIEW, tracker.processes(seen))
    assert decided == [201]
    assert found.changed == {TOOL.id}


def test_an_audit_corrects_what_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    taking, tracker = Attributor({}), ChangeTracker()
    seen = table(SERVER, SHELL)
    taking.observe(seen, VIEW, tracker.processes(seen))
    monkeypatch.setattr(Attributor, "_stale", lambda *_: set())
    found = [
        taking.observe(seen, VIEW, tracker.processes(seen))
        for at in (1.0, AUDIT_SECONDS, AUDIT_SECONDS + 1.0)
        for seen in [table(SERVER, SHELL, TOOL, taken_at=at)]
    ]
    assert [each.corrected for each in found] == [0, 0, 1]
    assert TOOL.id not in found[-2].owners
    assert found[-1].owners == attribute(table(SERVER, SHELL, TOOL), VIEW, {})


def test_an_audit_changes_nothing_where_nothing_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AuditTurns, "come", lambda *_: True)
    taking, tracker = Attributor({}), ChangeTracker()
    for tools in ([], [TOOL], []):
        seen = table(SERVER, SHELL, *tools)
        assert taking.observe(seen, VIEW, tracker.processes(seen)).corrected == 0


def test_nothing_is_kept_of_processes_that_have_ended() -> None:
    taking, tracker = Attributor({}), ChangeTracker()
    for number in range(300, 340, 2):
        child = process(number + 1, number, session=number, tty=number)
        seen = table(SERVER, SHELL, process(number, 200), child)
        taking.observe(seen, VIEW, tracker.processes(seen))
    index = taking._index
    assert index._dependents.keys() == {SERVER.ppid, SERVER.session_id, 100, 200, 338, SHELL.session_id}
    assert index._on_terminal == {338: (339,)}
