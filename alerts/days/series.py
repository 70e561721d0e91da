"""The pages of a day's scrapes as series, and how promtool writes these."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import gcd, isnan, nan

from alerts.days.world import Host

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series: its name with the labels of the target, and its samples; NaN where a scrape ends it."""

    name: str
    times: array[int] = field(default_factory=lambda: array("l"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def add(self, time: float, value: float) -> None:
        """One more sample."""
        self.times.append(int(time))
        self.values.append(value)


def series_of(host: Host, until: int) -> list[Series]:
    """What Prometheus stores of a host."""
    target = {"job": "tmux", "instance": host.instance, **host.target}
    found: dict[str, Series] = {}
    shown: set[str] = set()
    for time, page in host.scrapes(until):
        now = page or {}
        for name in shown - now.keys():
            found[name].add(time, nan)
        for name, value in (("up", page is not None), *now.items()):
            if name not in found:
                found[name] = Series(name=_named(name, target))
            found[name].add(time, value)
        shown = {*now}
    return list(found.values())


def grid(hosts: Sequence[Host]) -> int:
    """The longest step that meets all scrapes."""
    return gcd(*(int(number) for host in hosts for number in (host.interval, host.phase or host.interval)))


def as_promtool(series: Series, step: int) -> dict[str, str]:
    """As promtool reads it."""
    return {"series": series.name, "values": " ".join(_short(_values(series, step)))}


def _values(series: Series, step: int) -> Iterator[str]:
    place = 0
    for time, value in zip(series.times, series.values, strict=True):
        yield from ["_"] * (time // step - place)
        yield "stale" if isnan(value) else f"{value:.10g}"
        place = time // step + 1


def _short(values: Iterator[str]) -> Iterator[str]:
    for value, run in groupby(values):
        count = len(list(run))
        if count == 1 or value == "stale":
            yield from [value] * count
        else:
            yield f"_x{count}" if value == "_" else f"{value}x{count - 1}"


def _named(name: str, target: Labels) -> str:
    bare, _, rest = name.partition("{")
    own = ", ".join(f'{key}="{value}"' for key, value in target.items())
    return f"{bare}{{{own}{', ' if rest else ''}{rest or '}'}"
