"""Play a day through the rules with promtool, and tell which alerts reached somebody.

promtool is asked for the firing alerts at each evaluation, and prints each answer that is not empty as a
failed test. Service levels look back for hours: they are evaluated once a minute, in a run of their own.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import gcd
from pathlib import Path
from typing import Any

from alerts.days.ordinary import Day
from alerts.days.world import DAY, Host

Labels = Mapping[str, str]

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ASKED = re.compile(r"time: (\S+),\s+exp: nil\s+got: (.*)")
_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One time in which an alert fires, in seconds of the day; not `told` where another one inhibits it."""

    labels: Labels
    begins: int
    ends: int
    told: bool = True

    @property
    def name(self) -> str:
        """The name of the alert."""
        return self.labels["alertname"]

    @property
    def priority(self) -> str:
        """P1 to P4."""
        return self.labels.get("priority", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The groups of the rules, in the order of their evaluation, and the configuration of Alertmanager."""

    groups: Sequence[Mapping[str, Any]]
    routes: Mapping[str, Any]


def play_days(
    folder: Path, days: Iterable[Day], rules: Rules, *, evaluation: int = 60
) -> Iterator[tuple[Day, list[Firing]]]:
    """What fires on each of these days."""
    together: dict[str, list[Day]] = {}
    for day in days:
        together.setdefault(day.together, []).append(day)
    for number, some in enumerate(together.values()):
        hosts = [host for day in some for host in day.named_hosts()]
        fired = play(folder / str(number), hosts, rules, evaluation=evaluation)
        for day in some:
            yield day, [each for each in fired if each.labels.get("instance", "").startswith(f"{day.name}/")]


def play(
    folder: Path, hosts: Sequence[Host], rules: Rules, *, evaluation: int = 30, until: int = DAY
) -> list[Firing]:
    """What fires on a day with these hosts under these rules, in the order in which it begins."""
    found: list[Firing] = []
    folder.mkdir(exist_ok=True)
    series = list(_input(hosts, until))
    step = _grid(hosts)
    for slow, every in ((False, evaluation), (True, max(60, evaluation))):
        chosen = [group for group in rules.groups if ("_slo_" in str(group["name"])) == slow]
        chosen = _told_something(chosen, {each["series"].split("{")[0] for each in series})
        read = {name for group in chosen for rule in group["rules"] for name in _names(rule["expr"])}
        kept = [each for each in series if each["series"].split("{")[0] in read]
        suite = _suite(kept, step, every, until)
        fired = _run(folder / f"day{slow:d}", chosen, suite)
        found += [each for each in fired if not _unseen(each, hosts, max(60, evaluation))]
    return sorted(_inhibited(found, rules.routes), key=lambda each: each.begins)


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
    known = set(shown)
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


def _suite(series: list[dict[str, str]], step: int, every: int, until: int) -> dict[str, Any]:
    expr = 'ALERTS{alertstate="firing", alertname!="Watchdog"}'
    times = range(0, until + 1, every)
    asked = [{"expr": expr, "eval_time": f"{time}s", "exp_samples": []} for time in times]
    test = {"interval": f"{step}s", "input_series": series, "promql_expr_test": asked}
    return {"evaluation_interval": f"{every}s", "tests": [test]}


def _run(base: Path, groups: Sequence[Mapping[str, Any]], suite: dict[str, Any]) -> list[Firing]:
    rules, test = base.with_suffix(".rules.json"), base.with_suffix(".test.json")
    rules.write_text(json.dumps({"groups": groups}))
    order = [group["name"] for group in groups]
    test.write_text(json.dumps(suite | {"rule_files": [str(rules)], "group_eval_order": order}))
    every = int(suite["evaluation_interval"].removesuffix("s"))
    done = subprocess.run(["promtool", "test", "rules", test], capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if "SUCCESS" not in output and not _ASKED.search(output):
        raise RuntimeError(output[-2000:])
    firing: dict[frozenset[tuple[str, str]], list[int]] = {}
    for when, shown in _ASKED.findall(output):
        time = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", when))
        for each in shown.split("} 1E+00"):
            labels = dict(_LABEL.findall(each))
            labels.pop("alertstate", None)
            if labels:
                firing.setdefault(frozenset(labels.items()), []).append(time)
    return [
        Firing(labels=dict(labels), begins=begins, ends=ends)
        for labels, times in firing.items()
        for begins, ends in _stretches(times, every)
    ]


def _stretches(times: Iterable[int], every: int) -> Iterator[tuple[int, int]]:
    for _, run in groupby(enumerate(times), key=lambda pair: pair[1] - every * pair[0]):
        whole = [time for _, time in run]
        yield whole[0], whole[-1] + every


# The page of each scrape, as series of promtool.


def _grid(hosts: Sequence[Host]) -> int:
    return gcd(*(int(number) for host in hosts for number in (host.interval, host.phase or host.interval)))


def _input(hosts: Sequence[Host], until: int) -> Iterator[dict[str, str]]:
    step = _grid(hosts)
    for host in hosts:
        values: dict[str, list[str]] = {}
        shown: set[str] = set()
        place = int(host.phase) // step
        up = {True: "1", False: "0"}
        for time, page in host.scrapes():
            if time > until:
                break
            place = int(time) // step
            now = {} if page is None else page
            ups = values.setdefault("up", [])
            ups += ["_"] * (place - len(ups)) + [up[page is not None]]
            for name in shown - now.keys():
                values[name] += ["_"] * (place - len(values[name])) + ["stale"]
            for name, value in now.items():
                found = values.setdefault(name, [])
                found += ["_"] * (place - len(found)) + [f"{value:.10g}"]
            shown = set(now)
        target = {"job": "tmux", "instance": host.instance, **host.target}
        for name, each in values.items():
            yield {"series": _named(name, target), "values": " ".join(_short(each))}


def _named(name: str, target: Labels) -> str:
    bare, _, rest = name.partition("{")
    own = ", ".join(f'{key}="{value}"' for key, value in target.items())
    return f"{bare}{{{own}{', ' if rest else ''}{rest or '}'}"


def _short(values: Sequence[str]) -> Iterator[str]:
    for value, run in groupby(values):
        count = len(list(run))
        if count == 1 or value == "stale":
            yield from [value] * count
        else:
            yield f"_x{count}" if value == "_" else f"{value}x{count - 1}"


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
