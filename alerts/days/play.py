"""Play a day through the rules, and tell which alerts reached somebody.

A Prometheus plays it (server.py), or promtool: that is asked for the firing alerts at each evaluation, and
prints each answer that is not empty as a failed test.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from alerts.days.bad_agents import MAKERS as OF_AGENTS
from alerts.days.bad_other import MAKERS as OTHERS
from alerts.days.bad_work import MAKERS as OF_WORK
from alerts.days.firing import Firing
from alerts.days.ordinary import Day
from alerts.days.series import Labels, as_promtool, grid, series_of
from alerts.days.server import STEP, Asked, evaluate, running, write
from alerts.days.world import DAY, Host

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ASKED = re.compile(r"time: (\S+),\s+exp: nil\s+got: (.*)")
_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The groups of the rules, in the order of their evaluation, and the configuration of Alertmanager."""

    groups: Sequence[Mapping[str, Any]]
    routes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A rule of which a guard is weakened; without `old` its `for` is `new`."""

    day: str
    alert: str
    level: str = ""
    old: str = ""
    new: str = ""

    def is_of(self, labels: Labels) -> bool:
        """Whether an alert is of this rule."""
        return labels["alertname"] == self.alert and labels.get("threshold", "") in (self.level, "")

    def of(self, rules: Rules) -> list[Mapping[str, Any]]:
        """The rule, weakened."""
        found = [
            rule
            for group in rules.groups
            for rule in group["rules"]
            if rule.get("alert") == self.alert and rule["labels"].get("threshold", "") == self.level
        ]
        if not found or self.old not in found[0]["expr"]:
            raise ValueError(f"{self.alert} {self.level}: {self.old!r} is not in its rule")
        if not self.old:
            return [rule | {"for": self.new} for rule in found]
        return [rule | {"expr": rule["expr"].replace(self.old, self.new)} for rule in found]


Play = Callable[[Path, Sequence[Host], Rules], list[Firing]]


def play_days(
    folder: Path, days: Iterable[Day], rules: Rules, play: Play
) -> Iterator[tuple[Day, list[Firing]]]:
    """What fires on each of these days."""
    together: dict[str, list[Day]] = {}
    for day in days:
        together.setdefault(day.together or day.name, []).append(day)
    for number, some in enumerate(together.values()):
        hosts = [host for day in some for host in day.named_hosts()]
        fired = play(folder / str(number), hosts, rules)
        for day in some:
            yield day, day.own(fired)


def play_both(
    folder: Path,
    days: Iterable[Day],
    rules: Rules,
    keeping: Rules,
    *,
    mutants: Sequence[Mutant] = (),
    seen: Callable[[Mutant, list[Firing]], None] = lambda *_: None,
) -> Iterator[tuple[Day, list[Firing], list[Firing]]]:
    """What fires on each of these days in a Prometheus, and what does under the rules that fire on."""
    kept: list[list[Firing]] = []

    def play(folder: Path, hosts: Sequence[Host], rules: Rules) -> list[Firing]:
        return by_prometheus(
            folder, hosts, rules, mutants=mutants, seen=seen, keeping=keeping, kept=kept.append
        )

    for day, fired in play_days(folder, days, rules, play):
        yield day, fired, day.own(kept[-1])


KEPT = 180
"""Seconds for which alerts fire on (`lost_scrapes.over`)."""
BAD = tuple(bad for make in (*OF_AGENTS, *OF_WORK, *OTHERS) for bad in make())
"""A bad day for each alert and level."""


def play_bad(folder: Path, rules: Rules, keeping: Rules, part: str = "") -> Iterator[str]:
    """What is told wrongly on the bad days whose name has this part, by both."""
    for until in sorted({day.until for day in BAD}):
        days = [day for day in BAD if day.until == until and part in day.name]
        if days:
            hosts = [day.plays() for day in days]
            kept: list[list[Firing]] = []
            fired = by_prometheus(
                folder / str(until),
                hosts,
                rules,
                step=600 if until > DAY else STEP,
                until=until,
                keeping=keeping,
                kept=kept.append,
            )
            yield from (problem for day in days for problem in day.problems(fired))
            of_kept = (day.problems(kept[0], keeps=KEPT) for day in days)
            yield from (f"kept: {problem}" for problems in of_kept for problem in problems)


def by_prometheus(
    folder: Path,
    hosts: Sequence[Host],
    rules: Rules,
    *,
    step: int = STEP,
    until: int = DAY,
    mutants: Sequence[Mutant] = (),
    seen: Callable[[Mutant, list[Firing]], None] = lambda *_: None,
    keeping: Rules | None = None,
    kept: Callable[[list[Firing]], None] = lambda _: None,
) -> list[Firing]:
    """What fires on a day with these hosts under these rules, in the order in which it begins.

    `seen` is given what fires instead with each of these mutants, and `kept` what fires where Prometheus has
    `keeping` instead, which records the same.
    """
    asked: Asked = {}

    def stretched(groups: Sequence[Mapping[str, Any]]) -> list[Firing]:
        return [
            Firing(labels=labels, begins=begins, ends=ends)
            for labels, times in evaluate(url, groups, until, step, asked)
            for begins, ends in _stretches(times, step)
        ]

    with running(folder, step) as url:
        # All at once: what comes later and is older is kept apart, and read slowly.
        write(url, [each for host in hosts for each in series_of(host, until)])
        found = stretched(rules.groups)
        for mutant in mutants:
            others = [each for each in found if not mutant.is_of(each.labels)]
            seen(mutant, _told([*others, *stretched([{"rules": mutant.of(rules)}])], hosts, rules))
        if keeping:
            alerts = [rule for group in keeping.groups for rule in group["rules"] if "alert" in rule]
            kept(_told(stretched([{"rules": alerts}]), hosts, keeping))
    return _told(found, hosts, rules)


def by_promtool(
    folder: Path, hosts: Sequence[Host], rules: Rules, *, evaluation: int = STEP, until: int = DAY
) -> list[Firing]:
    """The same, by promtool."""
    folder.mkdir(exist_ok=True)
    series = [each for host in hosts for each in series_of(host, until)]
    groups = _told_something(rules.groups, {each.name.split("{")[0] for each in series})
    read = {name for group in groups for rule in group["rules"] for name in _names(rule["expr"])}
    shown = [as_promtool(each, grid(hosts)) for each in series if each.name.split("{")[0] in read]
    fired = _run(folder, groups, shown, grid(hosts), range(0, until + 1, evaluation))
    return _told(fired, hosts, rules)


def _told(fired: Iterable[Firing], hosts: Sequence[Host], rules: Rules) -> list[Firing]:
    seen = [each for each in fired if each.name != "Watchdog" and not _unseen(each, hosts, STEP)]
    return sorted(_inhibited(seen, rules.routes), key=lambda each: each.begins)


def _unseen(firing: Firing, hosts: Sequence[Host], every: int) -> bool:
    """Whether it fires only while Prometheus sleeps too: promtool evaluates then, Prometheus does not."""
    return any(
        begins <= firing.begins and firing.ends - every < ends
        for host in hosts
        if host.instance == firing.labels.get("instance")
        for begins, ends in host.hidden
    )


def _told_something(groups: Sequence[Mapping[str, Any]], shown: set[str]) -> list[Mapping[str, Any]]:
    """The rules that read any series of the day: an evaluation costs nearly the same for each rule."""
    known = {"ALERTS", *shown}
    kept: list[Mapping[str, Any]] = []
    for group in groups:
        rules = []
        for rule in group["rules"]:
            if _names(rule["expr"]) & known or "vector(" in rule["expr"]:
                rules.append(rule)
                known.add(rule.get("record", ""))
        if rules:
            kept.append({**group, "rules": rules})
    return kept


def _names(expr: str) -> set[str]:
    return set(re.findall(r"[a-zA-Z_:][\w:]*(?=\{)", expr))


def _run(
    folder: Path,
    groups: Sequence[Mapping[str, Any]],
    shown: Sequence[Mapping[str, str]],
    step: int,
    times: range,
) -> list[Firing]:
    rules, test = folder / "rules.json", folder / "test.json"
    rules.write_text(json.dumps({"groups": groups}))
    expr = 'ALERTS{alertstate="firing", alertname!="Watchdog"}'
    asked = [{"expr": expr, "eval_time": f"{time}s", "exp_samples": []} for time in times]
    content = {
        "rule_files": [str(rules)],
        "group_eval_order": [group["name"] for group in groups],
        "evaluation_interval": f"{times.step}s",
        "tests": [{"interval": f"{step}s", "input_series": shown, "promql_expr_test": asked}],
    }
    test.write_text(json.dumps(content))
    done = subprocess.run(["promtool", "test", "rules", test], capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if "SUCCESS" not in output and not _ASKED.search(output):
        raise RuntimeError(output[-2000:])
    firing: dict[frozenset[tuple[str, str]], list[int]] = {}
    for when, answer in _ASKED.findall(output):
        time = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", when))
        for each in answer.split("} 1E+00"):
            labels = dict(_LABEL.findall(each))
            for name in ("alertstate", "__name__"):
                labels.pop(name, None)
            if labels:
                firing.setdefault(frozenset(labels.items()), []).append(time)
    return [
        Firing(labels=dict(labels), begins=begins, ends=ends)
        for labels, found in firing.items()
        for begins, ends in _stretches(found, times.step)
    ]


def _stretches(times: Iterable[int], every: int) -> Iterator[tuple[int, int]]:
    for _, run in groupby(enumerate(times), key=lambda pair: pair[1] - every * pair[0]):
        whole = [time for _, time in run]
        yield whole[0], whole[-1] + every


# Alertmanager's inhibition.


def _inhibited(firing: Sequence[Firing], routes: Mapping[str, Any]) -> Iterator[Firing]:
    """An alert is told unless something inhibits it until it ends, or until just before."""
    waits = 30
    rules = [
        (_matcher(rule["source_matchers"]), _matcher(rule["target_matchers"]), rule["equal"])
        for rule in routes["inhibit_rules"]
    ]
    for each in firing:
        quiet: set[int] = set()
        for source, target, equal in rules:
            if not target(each.labels):
                continue
            for other in firing:
                same = all(other.labels.get(key, "") == each.labels.get(key, "") for key in equal)
                if other is not each and same and source(other.labels):
                    quiet.update(range(other.begins // waits - 1, other.ends // waits + 1))
        spans = range(each.begins // waits, max(each.begins + 1, each.ends) // waits)
        told = any(span not in quiet for span in spans) if spans else each.begins // waits not in quiet
        yield Firing(labels=each.labels, begins=each.begins, ends=each.ends, told=told)


def _matcher(texts: Sequence[str]) -> Callable[[Labels], bool]:
    parts = [re.fullmatch(r'(\w+)(=~|!=|=)"(.*)"', text) for text in texts]

    def matches(labels: Labels) -> bool:
        for part in parts:
            assert part is not None
            value = labels.get(part[1], "")
            good = re.fullmatch(part[3], value) is not None if part[2] == "=~" else value == part[3]
            if good == (part[2] == "!="):
                return False
        return True

    return matches
