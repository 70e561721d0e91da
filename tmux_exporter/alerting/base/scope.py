"""What every rule is made with: the numbers, one time scale, one job, one place for runbooks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tmux_exporter import PROJECT
from tmux_exporter.alerting.base.thresholds import Thresholds

Rule = dict[str, object]
"""One alerting or recording rule, as Prometheus' rule file writes it."""

RUNBOOKS = f"{PROJECT}/docs/runbooks"
"""Where the pages can be read by anybody."""

# How descriptions name things, the same everywhere.
SERVER = "tmux server {{ $labels.server }} on {{ $labels.instance }}"
SESSION = "session {{ $labels.session }} of " + SERVER
AGENT = "{{ $labels.agent }} in " + SESSION
SESSION_OR_GONE = (
    "{{ with $labels.session }}session {{ . }}{{ else }}a session that is gone{{ end }} (" + SERVER + ")"
)
PERCENT = "{{ $value | humanizePercentage }}"
TIME = "{{ $value | humanizeDuration }}"
SIZE = "{{ $value | humanize1024 }}B"

_UNITS = (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def duration(seconds: float, time_scale: float = 1.0) -> str:
    """A duration in Prometheus' writing, such as `1m30s`, scaled: never below a second, but 0 stays 0."""
    if seconds == 0:
        return "0s"
    rest = round(max(1.0, seconds * time_scale) * 1000)
    parts = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)


def quoted(text: str) -> str:
    """A text as a string of PromQL or of Alertmanager's matchers."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """For whom rules are made.

    `job` is the value of the label `job` that the exporter's targets have in Prometheus. All durations are
    multiplied by `time_scale`: 1 for people, less for tests. `runbooks` is put before `/<AlertName>.md`. Each
    alert has `labels` besides its own.
    """

    thresholds: Thresholds
    time_scale: float = 1.0
    job: str = "tmux"
    runbooks: str = RUNBOOKS
    labels: Mapping[str, str] = field(default_factory=dict)

    def series(self, name: str, *matchers: str) -> str:
        """A selector of our own series, narrowed by matchers such as `state="dangling"`."""
        return f"{name}{{{', '.join((f'job={quoted(self.job)}', *matchers))}}}"

    def range(self, table: str, key: str) -> str:
        """A duration of the thresholds, for the brackets of a range."""
        return self.duration(self.thresholds.seconds(table, key))

    def duration(self, seconds: float) -> str:
        """A duration in Prometheus' writing, scaled."""
        return duration(seconds, self.time_scale)

    def number(self, table: str, key: str) -> str:
        """A number of the thresholds."""
        return f"{self.thresholds.number(table, key):.12g}"

    def record(self, name: str, expr: str, **labels: str) -> Rule:
        """A recording rule, named level:metric:operations, that adds these labels."""
        return {"record": name, "expr": expr} | ({"labels": labels} if labels else {})

    def alert(
        self, name: str, table: str, expr: str, *, summary: str, description: str, level: str = ""
    ) -> Rule:
        """An alert with the priority of its table in the thresholds, or of its level.

        `summary` is one sentence without values, `description` names the thing and its value.
        """
        priority = self.thresholds.text("levels", level) if level else self.thresholds.priority(table)
        labels = {"severity": self.thresholds.text(priority, "severity"), "priority": priority}
        return {
            "alert": name,
            "expr": expr,
            "for": duration(self.thresholds.hold(table, priority), self.time_scale),
            "labels": labels | ({"threshold": level} if level else {}) | dict(self.labels),
            "annotations": {
                "summary": summary,
                "description": description,
                "runbook_url": f"{self.runbooks}/{name}.md",
            },
        }
