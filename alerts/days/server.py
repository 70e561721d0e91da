"""Play days through a real Prometheus, which gets their series by remote write.

It is asked for each rule over the whole day at once, and what is recorded is written back. So a day costs a
fraction of what promtool takes, which evaluates each rule each minute; whole days are played like this, and
some by promtool too.
"""

from __future__ import annotations

import json
import re
import struct
import urllib.error
import urllib.parse
import urllib.request
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any

from alerts.days.series import Labels, Series
from tmux_exporter.commands.up_children import prometheus

STEP = 60
"""Seconds between two evaluations."""
_SETTINGS = {"storage": {"tsdb": {"out_of_order_time_window": "30d"}}}
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_SPAN = 1800
_STALE = struct.pack("<Q", 0x7FF0000000000002)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_UNITS = {"h": 3600, "m": 60, "s": 1}


@contextmanager
def running(folder: Path, step: int = STEP) -> Iterator[str]:
    """The URL of a Prometheus that takes samples of any time, for rules evaluated each `step` seconds."""
    folder.mkdir(exist_ok=True)
    started = prometheus.start_prometheus(
        "prometheus",
        folder,
        json.dumps(_SETTINGS),
        "--web.enable-remote-write-receiver",
        "--query.timeout=1h",
        # What is recorded counts at its own evaluation only, as a rule manager marks what has ended.
        f"--query.lookback-delta={step - 1}s",
        preferred=0,
    )
    try:
        while prometheus.fetch(f"{started.url}/-/ready") is None:
            if started.process.poll() is not None:
                raise RuntimeError(started.log.read_text()[-2000:])
        yield started.url
    finally:
        prometheus.stop([started])


def write(url: str, series: Sequence[Series]) -> None:
    """Store these series, half an hour of all of them after the other."""
    named = [
        (_labels({"__name__": each.name.partition("{")[0]} | dict(_LABEL.findall(each.name))), each)
        for each in series
    ]
    last = max((each.times[-1] for each in series if each.times), default=0)
    places = [0] * len(named)
    for end in range(_SPAN, last + _SPAN + 1, _SPAN):
        message = bytearray()
        for number, (labels, each) in enumerate(named):
            first = place = places[number]
            while place < len(each.times) and each.times[place] < end:
                place += 1
            if place > first:
                message += _field(1, labels + _samples(each, first, place))
                places[number] = place
        if message:
            _send(f"{url}/api/v1/write", bytes(message))


Asked = dict[str, list[tuple[Labels, list[int]]]]
"""By the expression of an alert: its labels, with the times at which it is true."""


def evaluate(
    url: str, groups: Sequence[Mapping[str, Any]], until: int, step: int, asked: Asked
) -> Iterator[tuple[Mapping[str, str], list[int]]]:
    """Record what these groups record; each alert's labels, with the times at which it fires.

    No alert is asked for that is in `asked`. ALERTS has those that a rule reads.
    """
    exprs = [rule["expr"] for group in groups for rule in group["rules"]]
    causes = {name for expr in exprs if "ALERTS{" in expr for name in re.findall(r"Tmux\w+", expr)}
    for group in groups:
        for rule in group["rules"]:
            expr = rule["expr"]
            if "record" in rule:
                answer = _ask(url, expr, until, step)
                write(url, [_recorded(rule, labels, samples) for labels, samples in answer])
                continue
            if expr not in asked:
                answer = _ask(url, expr, until, step)
                asked[expr] = [(labels, [int(time) for time, _ in samples]) for labels, samples in answer]
            for labels, true in asked[expr]:
                named = {key: value for key, value in labels.items() if key != "__name__"}
                named |= {"alertname": rule["alert"]} | rule.get("labels", {})
                fires = list(_firing(true, rule, until, step))
                if rule["alert"] in causes:
                    states = (("firing", fires), ("pending", sorted({*true} - {*fires})))
                    write(url, [_state(named, state, times) for state, times in states])
                yield named, fires


def _recorded(rule: Mapping[str, Any], labels: Labels, samples: Iterable[tuple[float, str]]) -> Series:
    own = {key: value for key, value in labels.items() if key != "__name__"} | rule.get("labels", {})
    times, values = zip(*((int(time), float(value)) for time, value in samples), strict=True)
    return _named(rule["record"], own, times, values)


def _state(labels: Labels, state: str, times: Sequence[int]) -> Series:
    return _named("ALERTS", {**labels, "alertstate": state}, times, [1.0] * len(times))


def _named(name: str, labels: Labels, times: Sequence[int], values: Sequence[float]) -> Series:
    shown = ", ".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
    return Series(name=f"{name}{{{shown}}}", times=array("l", times), values=array("d", values))


def _firing(true: Sequence[int], rule: Mapping[str, Any], until: int, step: int) -> Iterator[int]:
    """At which evaluations an alert fires that is true at these."""
    hold, keep = (_seconds(rule.get(key, "0s")) for key in ("for", "keep_firing_for"))
    since: int | None = None
    last = 0
    fires = False
    at = {*true}
    for time in range(0, until + 1, step):
        if time in at:
            since = time if since is None else since
            fires = fires or time - since >= hold
            last = time
        elif not (fires and keep and time - last - step < keep):
            since, fires = None, False
        if fires:
            yield time


def _seconds(text: str) -> int:
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([hms])", text))


def _ask(url: str, expr: str, until: int, step: int) -> list[tuple[Labels, list[tuple[float, str]]]]:
    asked = urllib.parse.urlencode({"query": expr, "start": 0, "end": until, "step": step}).encode()
    with _OPENER.open(f"{url}/api/v1/query_range", asked, timeout=3600) as answer:
        result = json.load(answer)["data"]["result"]
    return [(each["metric"], each["values"]) for each in result]


# The messages of remote write: protocol buffers, in a frame of Snappy that compresses nothing.


def _send(url: str, message: bytes) -> None:
    framed = _varint(len(message)) + b"\xfc" + struct.pack("<I", len(message) - 1) + message
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    try:
        request = urllib.request.Request(url, framed, headers)  # noqa: S310 - our own server on loopback
        _OPENER.open(request, timeout=3600).close()
    except urllib.error.HTTPError as error:
        raise RuntimeError(error.read().decode()) from error


def _labels(labels: Labels) -> bytes:
    return b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels.items())
    )


def _samples(series: Series, first: int, end: int) -> bytes:
    data = series.values[first:end].tobytes()
    return b"".join(
        _sample(time) + (_STALE if isnan(value) else data[place : place + 8])
        for time, value, place in zip(
            series.times[first:end], series.values[first:end], range(0, len(data), 8), strict=True
        )
    )


@cache
def _sample(time: int) -> bytes:
    """The message of a sample up to its value."""
    stamp = b"\x10" + _varint(time * 1000) + b"\x09"
    return b"\x12" + _varint(len(stamp) + 8) + stamp


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])
