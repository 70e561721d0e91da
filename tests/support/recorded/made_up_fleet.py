"""A made-up fleet as OpenMetrics with times, for promtool to make blocks of: many hosts, many agents.

Every family of the catalogue is there, with every value of its closed lists, and what the rules record.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product

from tests.support.boards.lint import recorded
from tmux_exporter.alerting.recording import slo
from tmux_exporter.metrics.catalogue import FAMILIES
from tmux_exporter.metrics.catalogue.family import FamilyStatus, MetricType, Spec

Labels = Mapping[str, str]

BOUNDS = (0.01, 0.1, 1.0, 2.0, 10.0)
_OPEN: Mapping[str, tuple[str, ...]] = {
    "operation": ("agent_command", "status_check", "inter_agent_message", "scheduling", "recovery"),
    "command": ("send-keys", "list-windows", "capture-pane", "has-session"),
    "policy": ("orphaned-schedulers", "leaks", "agents"), "program": ("claude",), "version": ("1.0",),
    "device": ("sda", "eth0"), "mountpoint": ("/", "/home"), "collector": ("tmux", "agents"),
    "family": ("tmux_pane_dead",), "resource": ("cpu", "io", "memory"), "kind": ("some", "full"),
}  # fmt: skip
"""Values of the labels whose lists are not closed; those that are not here are empty."""

_PLACE = ("server", "session", "window", "pane", "agent")
_FIRING = {
    "alertname": "TmuxAgentNearMemoryLimit",
    "alertstate": "firing",
    "priority": "P2",
    **{"server": "default", "session": "project-0", "agent": "Claude-Agent-0"},
}

_PENDING = {label: text for label, text in _FIRING.items() if label != "alertstate"}

_BESIDE: tuple[tuple[str, Labels], ...] = (
    ("up", {}),
    ("scrape_samples_scraped", {}),
    ("ALERTS_FOR_STATE", _PENDING),
    ("ALERTS", _FIRING),
)
"""What is there beside the catalogue and what is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How many of each, and from when to when (seconds since the epoch) every `step` seconds."""

    hosts: int
    agents_of_host: int
    start: int
    end: int
    step: int = 60

    def lines(self) -> Iterator[str]:
        """All of it, ready for `promtool tsdb create-blocks-from openmetrics`."""
        for spec in FAMILIES:
            if spec.status is FamilyStatus.BUILT:
                yield from self._family(spec)
        for name, labels in _BESIDE:
            yield f"# TYPE {name} gauge\n"
            yield from self._gauge(name, [labels], 1.0)
        yield from self._points("ALERTS", {"alertname": "Watchdog", "alertstate": "firing"}, lambda _at: 1.0)
        for name in recorded():
            yield f"# TYPE {name} gauge\n"
            for labels in [{"slo": each} for each in slo.NAMES] if "_slo_" in name else [{}]:
                if name.startswith("job:"):
                    yield from self._points(name, {"job": "tmux", **labels}, lambda _at: 0.99)
                else:
                    yield from self._gauge(name, [labels], 0.5)
        yield "# EOF\n"

    def _family(self, spec: Spec) -> Iterator[str]:
        name = spec.name
        things = self._things(spec)
        if spec.kind is MetricType.HISTOGRAM:
            yield f"# TYPE {name} histogram\n"
            for labels in self._everywhere(things):
                yield from self._histogram(name, labels)
        elif spec.kind is MetricType.COUNTER:
            yield f"# TYPE {name.removesuffix('_total')} counter\n"
            for place, labels in enumerate(self._everywhere(things)):
                yield from self._points(name, labels, partial(self._rising, place % 7 / 100))
        else:
            yield f"# TYPE {name} gauge\n"
            yield from self._gauge(name, things, self._level(spec))

    def _level(self, spec: Spec) -> float:
        if spec.name.endswith("timestamp_seconds") or "start_time" in spec.name:
            return float(self.start)
        if spec.kind is MetricType.INFO:
            return 1.0
        return 2e8 if spec.name.endswith("_bytes") else 0.4 if spec.name.endswith("_ratio") else 1.0

    def _things(self, spec: Spec) -> list[Labels]:
        """The labels of every series of a host."""
        places: list[dict[str, str]] = [{}]
        if "agent" in spec.labels or "pane" in spec.labels:
            places = [_agent(number) for number in range(self.agents_of_host)]
        elif "session" in spec.labels:
            places = [_agent(number) for number in range(0, self.agents_of_host, 3)]
        elif "server" in spec.labels:
            places = [_agent(0)]
        lists = {
            label: tuple(spec.closed.get(label) or _OPEN.get(label, ("",)))
            for label in spec.labels
            if label not in _PLACE
        }
        return [
            {label: place[label] for label in spec.labels if label in place}
            | dict(zip(lists, values, strict=True))
            for place in places
            for values in product(*lists.values())
        ]

    def _everywhere(self, things: Iterable[Labels]) -> Iterator[Labels]:
        for host, labels in product(range(self.hosts), things):
            yield {"job": "tmux", "instance": f"host-{host:02}:10077", **labels}

    def _gauge(self, name: str, things: Iterable[Labels], level: float) -> Iterator[str]:
        for place, labels in enumerate(self._everywhere(things)):
            wave = 0.0 if level == 1.0 or level > 1e9 else level / 3
            # One of five states at a time, as it should be.
            here = float(place % 5 == place // 5 % 5) if name == "tmux_agent_state" else level
            yield from self._points(name, labels, partial(_waving, here, wave, place))

    def _histogram(self, name: str, labels: Labels) -> Iterator[str]:
        for place, bound in enumerate((*map(str, BOUNDS), "+Inf"), 1):
            yield from self._points(
                f"{name}_bucket", {**labels, "le": bound}, partial(self._rising, place / 6)
            )
        for part in ("sum", "count"):
            yield from self._points(f"{name}_{part}", labels, partial(self._rising, 1.0))

    def _rising(self, slope: float, at: int) -> float:
        return slope * (at - self.start)

    def _points(self, name: str, labels: Labels, value: Callable[[int], float]) -> Iterator[str]:
        written = ",".join(f'{label}="{text}"' for label, text in labels.items())
        for at in range(self.start, self.end, self.step):
            yield f"{name}{{{written}}} {value(at):g} {at}\n"


def _agent(number: int) -> dict[str, str]:
    return {
        "server": "default",
        "session": f"project-{number // 3}",
        "agent": f"Claude-Agent-{number}",
        "window": str(number % 3),
        "pane": f"%{number}",
    }


def _waving(level: float, wave: float, place: int, at: int) -> float:
    return level + wave * math.sin(at / 600 + place)
