"""Tests of promtool that are the same for every alert, made from the tables in `cases/`.

Each case is played three times:

- it becomes bad, fires after exactly its patience, and ends; on a second machine it stays just below the
  number, and a third one belongs to another job;
- scrapes fail before it fires and while it does: it fires in time and goes on, for three minutes at most;
- its series end while it fires, as when a server that does not answer is no longer shown: the alert ends with
  them;
- the exporter is restarted while all is well: counters begin again at 0, and nothing fires.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, repeat
from pathlib import Path

from tmux_exporter.alerting.base.scope import RUNBOOKS

TOLD = Path(__file__).parent / "cases" / "told.json"
"""What each case says beside summary and description, by `told_key`; alerts/retell.py writes it."""

STEP = 15
LOST = 180
"""For so many seconds an alert does without scrapes."""

_SEVERITY = {"P1": "critical", "P2": "critical", "P3": "warning", "P4": "info"}
_COUNTER = re.compile(r"_(total|sum|count|bucket)($|\{)")
_UNITS = {"s": 1, "m": 60, "h": 3600}

Data = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One alert at one level.

    `series` are its series, without job and instance, each with its value while all is well, just within what
    is bad, and just outside of it; of a counter the value is its increase per 15 s. `labels` are those of the
    alert besides job, instance, severity, priority and threshold. The condition becomes true `after` the
    series become bad and false `over` after they become good again; `before` is how long all is well at
    first. `says` is the description, `summary` the summary.
    """

    alert: str
    series: Mapping[str, tuple[float, float, float]]
    priority: str
    hold: str
    summary: str
    says: str
    labels: Mapping[str, str] = field(default_factory=dict)
    threshold: str = ""
    before: str = "1m"
    after: str = "0s"
    over: str = "0s"
    lasts: str = "0s"
    """How long it stays bad at least; as long as it takes to fire, and a little more, if that is longer."""

    @property
    def counts(self) -> bool:
        """Whether it looks back at counters."""
        return any(map(_COUNTER.search, self.series))


def seconds(text: str) -> int:
    """A duration of a case: `1m30s`."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smh])", text))


def tests(cases: Iterable[Case]) -> list[Data]:
    """The tests of all cases."""
    makers = (_fires, _fades, _loses_scrapes, _restarts)
    return [test for case in cases for make in makers for test in make(case)]


def _steps(text: str) -> int:
    return seconds(text) // STEP


def _fires(case: Case) -> Iterable[Data]:
    begins = _steps(case.before)
    told = begins + _steps(case.after) + _steps(case.hold)
    ends = max(told + 2, begins + _steps(case.lasts))
    calm = _steps(case.over) + 2
    phases = ((begins, 0), (ends - begins, 1), (calm, 0))
    outside = ((begins, 0), (ends - begins, 2), (calm, 0))
    yield _test(
        case,
        f"{_what(case)} fires after {case.hold}, and ends",
        {"a:1": phases, "b:1": outside},
        [(told - 1, False), (told, True), (ends + _steps(case.over), False)],
        other=phases,
    )


def _fades(case: Case) -> Iterable[Data]:
    # A window goes on to show what was counted in it.
    if case.counts:
        return
    begins = _steps(case.before)
    told = begins + _steps(case.after) + _steps(case.hold)
    phases = ((begins, 0), (told + 2 - begins, 1))
    yield _test(
        case,
        f"{_what(case)} ends with its series",
        {"a:1": phases},
        [(told, True), (told + 2, False), (told + 40, False)],
    )


def _loses_scrapes(case: Case) -> Iterable[Data]:
    # What looks back at counters does so over a lost scrape too.
    if case.counts:
        return
    begins = _steps(case.before)
    told = begins + _steps(case.after) + _steps(case.hold)
    # One while the condition is new, two one after the other while it is told; after three minutes it ends.
    lost = {begins + 1, told + 2, told + 3}
    dead = told + 8
    last = dead + LOST // STEP
    yield {
        "name": f"{_what(case)} takes no notice of scrapes that fail, for {LOST // 60} minutes",
        "interval": f"{STEP}s",
        "input_series": [
            {"series": _named(name, "tmux", "a:1"), "values": " ".join(values)}
            for name, values in [
                ("up", ["0" if step in lost or step >= dead else "1" for step in range(last + 4)]),
                *(
                    (
                        name,
                        [
                            "stale" if step in lost else f"{values[step >= begins]:.12g}"
                            for step in range(dead)
                        ]
                        + ["stale"],
                    )
                    for name, values in case.series.items()
                ),
            ]
        ],
        "promql_expr_test": [
            _counted(case, step, fires)
            for step, fires in (
                *((told - 1, False), (told, True), (told + 3, True)),
                *((last - 1, True), (last + 1, False)),
            )
        ],
    }


def _restarts(case: Case) -> Iterable[Data]:
    if not case.counts:
        return
    yield {
        "name": f"{_what(case)} takes no notice of a restart",
        "interval": f"{STEP}s",
        "input_series": [
            {
                "series": _named(name, "tmux", "a:1"),
                "values": f"{_values(name, ((80, 0),), values)} stale {_values(name, ((80, 0),), values)}",
            }
            for name, values in case.series.items()
        ],
        "promql_expr_test": [
            {
                "expr": f'count_over_time(ALERTS{{alertname="{case.alert}", alertstate="firing"}}[2h])',
                "eval_time": "40m",
            }
        ],
    }


def _what(case: Case) -> str:
    return f"{case.alert} {case.threshold}".strip()


Phases = Sequence[tuple[int, int]]


def _test(
    case: Case,
    name: str,
    machines: Mapping[str, Phases],
    checks: Sequence[tuple[int, bool]],
    other: Phases = (),
) -> Data:
    played = [("tmux", instance, phases) for instance, phases in machines.items()]
    played += [("other", "a:1", other)] if other else []
    series = [
        {
            "series": _named(name, job, instance),
            "values": _values(name, phases, values) + ("" if other else " stale"),
        }
        for job, instance, phases in played
        for name, values in case.series.items()
    ]
    if case.counts and case.threshold in ("emergency", "critical"):
        # On its way up a rate has passed the milder levels, which may fire by now.
        asked = {"promql_expr_test": [_firing(case, step, fires) for step, fires in checks]}
    else:
        asked = {"alert_rule_test": [_told(case, step, fires) for step, fires in checks]}
    if other and _steps(case.over):
        # Until then it fires.
        last = [_counted(case, checks[-1][0] - 1, True)]
        asked["promql_expr_test"] = asked.get("promql_expr_test", []) + last
    return {"name": name, "interval": f"{STEP}s", "input_series": series, **asked}


def _counted(case: Case, step: int, fires: bool) -> Data:
    """How many fire, whatever they say: one at this level, or none."""
    level = f', threshold="{case.threshold}"' if case.threshold else ""
    asked = f'count(ALERTS{{alertname="{case.alert}", alertstate="firing", instance="a:1"{level}}})'
    return {"eval_time": f"{step * STEP}s", "expr": asked} | (
        {"exp_samples": [{"labels": "{}", "value": 1}]} if fires else {}
    )


def _told(case: Case, step: int, fires: bool) -> Data:
    return {"eval_time": f"{step * STEP}s", "alertname": case.alert} | (
        {"exp_alerts": [_expected(case)]} if fires else {}
    )


def _firing(case: Case, step: int, fires: bool) -> Data:
    labels = {"alertname": case.alert, "alertstate": "firing", **labels_of(case)}
    shown = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    matched = f'alertname="{case.alert}", alertstate="firing", threshold="{case.threshold}"'
    return {"eval_time": f"{step * STEP}s", "expr": f"ALERTS{{{matched}}}"} | (
        {"exp_samples": [{"labels": f"ALERTS{{{shown}}}", "value": 1}]} if fires else {}
    )


def labels_of(case: Case) -> dict[str, str]:
    """The labels of the alert of a case."""
    return {
        "job": "tmux",
        "instance": "a:1",
        **case.labels,
        "severity": _SEVERITY[case.priority],
        "priority": case.priority,
        **({"threshold": case.threshold} if case.threshold else {}),
    }


def _expected(case: Case) -> Data:
    notes = {
        "summary": case.summary,
        "description": case.says,
        "runbook_url": f"{RUNBOOKS}/{case.alert}.md",
    }
    return {
        "exp_labels": labels_of(case),
        "exp_annotations": notes | texts_of_cases().get(told_key(case), {}),
    }


@cache
def texts_of_cases() -> dict[str, dict[str, str]]:
    """The table of `TOLD`."""
    found: dict[str, dict[str, str]] = json.loads(TOLD.read_text()) if TOLD.exists() else {}
    return found


def told_key(case: Case) -> str:
    """A case in the table of texts."""
    return " ".join(filter(None, (case.alert, case.threshold, case.says)))


def _named(name: str, job: str, instance: str) -> str:
    own = f'job="{job}", instance="{instance}"'
    return name.replace("{", f"{{{own}, ") if "{" in name else f"{name}{{{own}}}"


def _values(name: str, phases: Phases, values: tuple[float, float, float]) -> str:
    """The values of a series, one after the other; of a counter the sums of its increases, from 0."""
    each = [value for steps, which in phases for value in repeat(values[which], steps)]
    if not _COUNTER.search(name):
        return " ".join(f"{values[which]:.12g}x{steps - 1}" for steps, which in phases if steps)
    return " ".join(f"{value:.12g}" for value in accumulate([0.0, *each[1:]]))
