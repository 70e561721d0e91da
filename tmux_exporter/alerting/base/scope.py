"""What every rule is made with: the thresholds, a time scale, the job, the address of the runbooks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import dedent

from tmux_exporter import PROJECT
from tmux_exporter.alerting.base.thresholds import Thresholds

Rule = dict[str, object]
"""One alerting or recording rule, as Prometheus' rule file writes it."""

RUNBOOKS = f"{PROJECT}/docs/runbooks"
"""Where anybody can read the pages."""

_SERVED_BY_EXPORTER = re.compile(r"https?://[^/]+/runbooks")

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

# The brace of a selector, or `$key`, `$table.key`, `$key*3`.
_PLACES = re.compile(r"\{(?P<end>\}?)|\$(?:(?P<table>\w+)\.)?(?P<key>\w+)(?:\*(?P<times>\d+))?")
_REGULAR = re.compile(r"[|*+?()\[\]^$\\]")
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
    """For which targets and receivers rules are made.

    `job` is the value of the label `job` that the exporter's targets have in Prometheus, or a regular
    expression of several. All durations are
    multiplied by `time_scale`: 1 for people, less for tests. `runbooks` is put before `/<AlertName>.md`. Each
    alert has `labels` besides its own.
    """

    thresholds: Thresholds
    time_scale: float = 1.0
    job: str = "tmux"
    runbooks: str = RUNBOOKS
    labels: Mapping[str, str] = field(default_factory=dict)
    keep_firing: bool = False
    """Whether alerts fire on for the time of lost scrapes (Prometheus from 2.42 on)."""

    @property
    def several(self) -> bool:
        """Whether `job` is a regular expression; a dot alone makes none."""
        return bool(_REGULAR.search(self.job))

    def promql(self, text: str, *, table: str = "", level: str = "") -> str:
        """PromQL with the job in each selector and the numbers of the thresholds.

        `up{}` becomes `up{job="tmux"}`. `$seconds` is a number, or a scaled duration, of `table`, `$cpu.over`
        of another table, `$window*3` three times the duration, `$level` the number of the level.
        """
        job = f"job{'=~' if self.several else '='}{quoted(self.job)}"

        def fill(found: re.Match[str]) -> str:
            key = found["key"]
            if key is None:
                return f"{{{job}}}" if found["end"] else f"{{{job}, "
            where = found["table"] or table, level if key == "level" else key
            if isinstance(self.thresholds.tables.get(where[0], {}).get(where[1]), str):
                return self.duration(self.thresholds.seconds(*where) * int(found["times"] or 1))
            return self.number(*where)

        return _PLACES.sub(fill, dedent(text).strip()).replace(", \n", ",\n")

    def duration(self, seconds: float) -> str:
        """A duration in Prometheus' writing, scaled."""
        return duration(seconds, self.time_scale)

    def number(self, table: str, key: str) -> str:
        """A number of the thresholds."""
        return f"{self.thresholds.number(table, key):.12g}"

    def record(self, name: str, expr: str, **labels: str) -> Rule:
        """A recording rule, named level:metric:operations, that adds these labels; `expr` as for `promql`."""
        return {"record": name, "expr": self.promql(expr)} | ({"labels": labels} if labels else {})

    def annotations(self, name: str, summary: str, description: str) -> dict[str, str]:
        """What an alert of this name says, and its runbook."""
        return {"summary": summary, "description": description, "runbook_url": self._runbook(name)}

    def _runbook(self, name: str) -> str:
        """Where the page is; an exporter fills the names of an alert into its commands."""
        page = f"{self.runbooks}/{name}.md"
        if self.runbooks == RUNBOOKS or not _SERVED_BY_EXPORTER.fullmatch(self.runbooks):
            return page
        names = "".join(
            f"{{{{ with $labels.{label} }}}}&{label}={{{{ . | urlquery }}}}{{{{ end }}}}"
            for label in ("server", "session", "agent")
        )
        return f"{page}?instance={{{{ $labels.instance | urlquery }}}}{names}"
