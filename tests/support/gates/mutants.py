"""The promises of docs/safety.md, each without the guard that keeps it.

A plugin for pytest: with `-p tests.support.gates.mutants` and the name of a guard in TMUX_EXPORTER_MUTANT the
tests run without that guard. The one that proves its promise must fail then.
"""

import dataclasses
import fcntl
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tmux_exporter.facts.cgroups import CgroupBounds
from tmux_exporter.facts.remediation import Mode
from tmux_exporter.remediator import lock, loop
from tmux_exporter.remediator.act import (
    attempt,
    fd_limit,
    lease_keeper,
    lease_scope,
    pane_history,
    request_check,
    running_leases,
    shared_view,
    terminate,
    throttle,
)
from tmux_exporter.remediator.decide import (
    culprit,
    cycle,
    decide,
    last_checks,
    objections,
    protection,
    throttled,
    vetoes,
)
from tmux_exporter.remediator.record import audit, audit_fields, log_fields, waits

VARIABLE = "TMUX_EXPORTER_MUTANT"


def _put(place: object, name: str, value: object) -> None:
    """Set an attribute of a module or class, whatever its type is."""
    setattr(place, name, value)


def _without_veto(guard: Callable[[Any], bool]) -> Callable[[], None]:
    def mutate() -> None:
        _put(vetoes, "VETOES", tuple(each for each in vetoes.VETOES if each.allows is not guard))

    return mutate


def _without_proof(guard: Callable[[Any], bool]) -> Callable[[], None]:
    def mutate() -> None:
        _put(
            last_checks,
            "LAST_CHECKS",
            tuple(each for each in last_checks.LAST_CHECKS if each.holds is not guard),
        )

    return mutate


def _steps(*names: str) -> None:
    by_name = dict(terminate.STEPS)
    _put(terminate, "STEPS", tuple(terminate.Step(name, by_name[name]) for name in names))


def _sleep_first() -> None:
    names = [step.name for step in terminate.STEPS]
    place = names.index("stop")
    _steps(*names[:place], "end_last", *names[place:])


def _no_intent() -> None:
    _steps(*(step.name for step in terminate.STEPS if step.name != "record_intent"))


def _no_outcome() -> None:
    _put(terminate, "_record_outcome", lambda _, __, result: result)


def _by_pid() -> None:
    """Signals go to numbers, and whether one is gone is asked of its number."""
    pids: dict[int, int] = {}
    opened = attempt.Attempt.open

    def open_one(self: Any, pid: int) -> int:
        descriptor = opened(self, pid)
        pids[descriptor] = pid
        return descriptor

    def send(descriptor: int, number: int) -> None:
        try:
            os.kill(pids[descriptor], number)
        except ProcessLookupError:
            return

    def is_gone(descriptor: int, seconds: float = 0.0) -> bool:
        time.sleep(seconds)
        return not os.path.exists(f"/proc/{pids[descriptor]}")

    _put(attempt.Attempt, "open", open_one)
    _put(terminate, "_send", send)
    _put(terminate, "_is_gone", is_gone)


def _no_lock() -> None:
    class Free:
        LOCK_EX, LOCK_NB = fcntl.LOCK_EX, fcntl.LOCK_NB

        @staticmethod
        def flock(_: int, __: int) -> None:
            """Everybody gets it."""

    _put(lock, "fcntl", Free)


def _lock_of_the_session() -> None:
    take = lock.take
    _put(lock, "take", lambda folders, *more: take(tuple(folders)[1:], *more))


def _of_the_first_reading() -> None:
    """The processes of an act are as the act before it has found them."""
    processes = shared_view.SharedView.processes

    def shared(self: Any, targets: Any) -> Any:
        return processes(self, targets) if self._table is None else self._table

    _put(shared_view.SharedView, "processes", shared)


def _of_the_first_sample() -> None:
    """What tmux has shown once holds for every act after it."""
    _put(shared_view, "CONFIRMED_SECONDS", float("inf"))


def _of_an_earlier_cycle() -> None:
    """An act may rest on the sample of an earlier decision."""
    used: list[object] = []
    renew = shared_view.SharedView.renew

    def once(self: Any) -> None:
        if not used:
            used.append(self)
            renew(self)

    tools = attempt.Tools

    def made(**parts: Any) -> attempt.Tools:
        view = parts["renew"].__self__
        return tools(**{**parts, "renew": lambda: once(view)})

    _put(loop, "Tools", made)


def _not_up_to_date() -> None:
    """What is printed after the saving is cleared with the rest."""

    def catch_up(_: Any, __: Any, ___: Any, saved: Any, now: Any, **____: Any) -> Any:
        return pane_history.Saved(path=saved.path, figures=now)

    _put(pane_history.PaneHistory, "_catch_up", catch_up)


def _unconditionally() -> None:
    """A history is cleared whatever tmux sees at that moment."""
    _put(pane_history, "_unchanged", lambda *_: [])


def _closed_unconditionally() -> None:
    """A pane is closed whatever tmux sees at that moment."""
    _put(pane_history, "_closable", lambda *_: [])
    _put(pane_history, "_NOT_THE_LAST", "1")
    _any_command()


def _of_any_server() -> None:
    """Whichever server and pane answer, it is taken for the one that was meant."""
    parse = pane_history._parse

    def any_parse(server: Any, pane: str, answer: bytes) -> Any:
        match = pane_history._ROW.match(answer)
        pids = int(match[1]) if match else 0
        return parse(dataclasses.replace(server, pid=pids), pane, answer)

    _put(pane_history, "_parse", any_parse)


def _any_command() -> None:
    _put(request_check, "check_arguments", lambda _: None)


def _step_without_record() -> None:
    _put(pane_history, "on_record", lambda _, __, ___, ____, step: step())


def _of_the_last_limit() -> None:
    """Four times what it is now, again and again."""
    _put(fd_limit, "first_limits", lambda *_: {})


def _of_any_pid() -> None:
    _put(fd_limit, "is_alive", lambda _: True)


def _limit_without_record() -> None:
    _put(fd_limit, "on_record", lambda _, __, ___, ____, step: step())


def _never_off() -> None:
    _put(loop, "is_off", lambda _: False)


def _one_look() -> None:
    _put(cycle, "OBSERVATIONS", 1)


def _no_maximum() -> None:
    _put(cycle.PolicyCycle, "_too_many", lambda _: False)


def _no_budget() -> None:
    objection = cycle.PolicyCycle._objection

    def generous(self: Any, key: Any, counted: Any, left: int, circuit: Any) -> Any:
        return objection(self, key, [], 1, circuit)

    _put(cycle.PolicyCycle, "_objection", generous)


def _no_protection() -> None:
    for each in (protection, objections):
        _put(each, "protection_refusal", lambda *_: None)


def _always_enforce() -> None:
    _put(loop, "least", lambda *_: Mode.ENFORCE)


def _never_reopened() -> None:
    """Whatever has become of the file: the one that is open goes on being written."""
    reopen = audit.Audit._reopen

    def careless(self: Any) -> None:
        if self._descriptor is None:
            reopen(self)

    _put(audit.Audit, "_reopen", careless)


def _kill_at_once() -> None:
    _put(terminate, "stages_refusal", lambda *_: None)
    _put(last_checks, "stages_refusal", lambda *_: None)


def _targets_on_record() -> None:
    of_subject = audit_fields._of_subject
    _put(
        audit_fields,
        "_of_subject",
        lambda subject: {**of_subject(subject), "targets": getattr(subject, "targets", ())},
    )


def _called_by_its_name() -> None:
    pane_line = log_fields.pane_line
    _put(log_fields, "pane_line", lambda it, *more: f"{it.candidate.target.session}: {pane_line(it, *more)}")


def _at_once() -> None:
    _put(decide, "reloaded", lambda _, __, state, ___: state)


def _agent_for_culprit() -> None:
    """Whoever holds the figure, the agent is taken for it."""
    find = culprit.find_culprit

    def blame(*given: Any) -> Any:
        found, (_, candidate, *_) = find(*given), given
        return found and replace(found, process=candidate.target.processes[0], itself=True)

    _put(cycle, "find_culprit", blame)


def _without_a_culprit() -> None:
    _put(cycle.PolicyCycle, "_require_culprit", lambda *_: None)


def _the_culprit_of_then() -> None:
    objection = objections.ReportView.objection
    _put(objections.ReportView, "objection", lambda self, subject, _=None: objection(self, subject))


def _ending_unjudged() -> None:
    _put(last_checks, "descendants", lambda *_: ())


def _throttle_first() -> None:
    """A throttle begins before anything ends it and before it is on record."""
    names = [each.name for each in throttle.STEPS]
    names.remove("begin")
    names.insert(names.index("record"), "begin")
    by_name = dict(throttle.STEPS)
    _put(throttle, "STEPS", tuple(throttle.ThrottleStep(name, by_name[name]) for name in names))


def _deaf_keeper() -> None:
    """A keeper that does not see that the remediator is gone."""
    source = Path(lease_keeper.__file__).read_text()
    deaf = source.replace("_wait((control, asked), seconds)", "_wait((asked,), seconds)")
    assert deaf != source
    file = Path(tempfile.mkdtemp()) / "lease_keeper.py"
    file.write_text(deaf)
    _put(lease_keeper, "__file__", str(file))


def _everything_held() -> None:
    _put(throttled, "members", lambda _, tree, *__, **___: tuple(tree))


def _no_stranger() -> None:
    _put(throttle, "first_spared", lambda *_, **__: None)
    _put(throttled, "first_spared", lambda *_, **__: None)


def _lifted_for_good() -> None:
    """The timer lifts all bounds, whatever they were before."""
    assignments = lease_scope._assignments
    _put(lease_scope, "_assignments", lambda _, of: assignments(CgroupBounds(), of))


def _second_lease() -> None:
    _put(running_leases.RunningLeases, "holds_in", lambda *_: False)


def _nothing_recovered() -> None:
    _put(running_leases.RunningLeases, "_recover", lambda _: None)


def _attended_is_throttled() -> None:
    _put(cycle.PolicyCycle, "_step_refusal", lambda *_: None)


def _endless_break() -> None:
    _put(waits, "LONGEST_BREAK", float("inf"))


def _seen_already() -> None:
    watch = waits._watch
    _put(waits, "_watch", lambda *given: replace(watch(*given), observations=2))


MUTANTS: dict[str, Callable[[], None]] = {
    "loop.least": _always_enforce,
    "terminate.STEPS": _sleep_first,
    "terminate.pidfd": _by_pid,
    "terminate.record_intent": _no_intent,
    "terminate.record_outcome": _no_outcome,
    "shared_view.processes": _of_the_first_reading,
    "shared_view.look": _of_the_first_sample,
    "shared_view.renew": _of_an_earlier_cycle,
    "pane_history.catch_up": _not_up_to_date,
    "pane_history.unchanged": _unconditionally,
    "pane_history.closable": _closed_unconditionally,
    "pane_history.parse": _of_any_server,
    "pane_history.on_record": _step_without_record,
    "request_check.check_arguments": _any_command,
    "fd_limit.firsts": _of_the_last_limit,
    "fd_limit.is_alive": _of_any_pid,
    "fd_limit.on_record": _limit_without_record,
    "audit.reopen": _never_reopened,
    "throttle.STEPS": _throttle_first,
    "throttle.recover": _nothing_recovered,
    "lease_keeper.control": _deaf_keeper,
    "throttled.members": _everything_held,
    "throttled.first_spared": _no_stranger,
    "lease_scope.assignments": _lifted_for_good,
    "throttle.holds_in": _second_lease,
    "throttled.is_elsewhere": lambda: _put(throttled, "SPARED_BY_A_SCOPE", ()),
    "cycle.waits_itself": lambda: _put(cycle, "waits_itself", lambda *_: False),
    "cycle.step_refusal": _attended_is_throttled,
    "lock.flock": _no_lock,
    "lock.take": _lock_of_the_session,
    "switch.is_off": _never_off,
    "cycle.OBSERVATIONS": _one_look,
    "cycle.too_many": _no_maximum,
    "cycle.objection": _no_budget,
    "cycle.find_culprit": _agent_for_culprit,
    "cycle.require_culprit": _without_a_culprit,
    "objections.find_culprit": _the_culprit_of_then,
    "last_checks.descendants": _ending_unjudged,
    "decide.reloaded": _at_once,
    "waits.LONGEST_BREAK": _endless_break,
    "waits.watch": _seen_already,
    "protection.protection_refusal": _no_protection,
    "last_checks.stages_refusal": _kill_at_once,
    "log_fields.pane_line": _called_by_its_name,
    "audit_fields.of_subject": _targets_on_record,
    **{f"vetoes.{guard.__name__}": _without_veto(guard) for guard in (each.allows for each in vetoes.VETOES)},
    **{
        f"last_checks.{guard.__name__}": _without_proof(guard)
        for guard in (each.holds for each in last_checks.LAST_CHECKS)
    },
}
"""By the name that docs/safety.md gives it, what takes a guard away."""


def pytest_configure(config: pytest.Config) -> None:
    if name := os.environ.get(VARIABLE):
        MUTANTS[name]()
