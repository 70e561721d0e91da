"""A template for Zabbix: one HTTP agent item over `/metrics`, all else depends on it.

Items come from the catalogue, triggers from the alerts, their numbers and priorities from the thresholds.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from tmux_exporter.alerting.base.scope import RUNBOOKS
from tmux_exporter.alerting.base.thresholds import Thresholds
from tmux_exporter.alerting.rules import ALERTING
from tmux_exporter.metrics.catalogue import BY_NAME, FAMILIES
from tmux_exporter.metrics.catalogue.family import FamilyStatus, MetricType, Spec

VERSIONS = ("6.0", "7.0")
"""Formats of Zabbix' exports: those of its releases with long support."""

Data = dict[str, object]

_TEMPLATE = "tmux agents"
_GROUP = "Templates/Applications"
_MASTER = "tmux.metrics"
_SEVERITY = {"P1": "DISASTER", "P2": "HIGH", "P3": "WARNING", "P4": "INFO"}
_UNITS = {"bytes": "B", "seconds": "s", "timestamp": "unixtime"}
_OF_HOST = ("host", "exporter")
_ALERTS = {alert.name: alert for alerts in ALERTING.values() for alert in alerts}


@dataclass(frozen=True, slots=True)
class _Trigger:
    """An alert as an expression of Zabbix.

    `<name>` is the item of that metric. Macros take the place of `{key}`, a number of the alert's table, of
    `{level}`, that of the level, and of `{for}`, the time for which it must hold.
    """

    alert: str
    expression: str


@dataclass(frozen=True, slots=True)
class _Thing:
    """What is discovered: one series of `series` for each, told by its labels."""

    kind: str
    plural: str
    series: str
    labels: tuple[str, ...]
    triggers: tuple[_Trigger, ...]

    def macro(self, label: str) -> str:
        return f"{{#{label.upper()}}}" if label in self.labels else ""

    @property
    def place(self) -> str:
        return " in ".join(self.macro(label) for label in reversed(self.labels))


def _usage(kind: str) -> tuple[_Trigger, ...]:
    name, used, limit = (
        f"Tmux{kind.title()}Near",
        f"tmux_{kind}_memory_bytes",
        f"tmux_{kind}_memory_limit_bytes",
    )
    return (
        _Trigger(f"{name}MemoryLimit", f"min(<{used}>,{{for}})>{{level}}*last(<{limit}>)"),
        _Trigger(f"{name}FdLimit", f"min(<tmux_{kind}_fd_utilization_ratio>,{{for}})>{{level}}"),
    )


_WAITING = "tmux_agent_waiting_since_timestamp_seconds"
_THINGS = (
    _Thing(
        "server",
        "tmux servers",
        "tmux_up",
        ("server",),
        (
            # Only a living one has a start.
            _Trigger(
                "TmuxServerNotAnswering",
                "max(<tmux_up>,{for})=0 and nodata(<tmux_server_start_time_seconds>,{for})=0",
            ),
            _Trigger(
                "TmuxServerNearFdLimit",
                "min(<tmux_server_open_fds>,{for})>{level}*last(<tmux_server_max_fds>)",
            ),
        ),
    ),
    _Thing("session", "sessions", "tmux_session_info", ("server", "session"), _usage("session")),
    _Thing(
        "agent",
        "agents",
        "tmux_agent_up",
        ("server", "session", "agent"),
        (
            *_usage("agent"),
            _Trigger("TmuxAgentManyProcesses", "min(<tmux_agent_processes>,{for})>{more_than}"),
            _Trigger("TmuxAgentOomKilled", "sum(<tmux_agent_oom_kills_total>,{within})>0"),
            _Trigger("TmuxAgentWaiting", f"last(<{_WAITING}>)>0 and now()-last(<{_WAITING}>)>{{seconds}}"),
            _Trigger(
                "TmuxAgentExited", "min(<tmux_agent_crashed>,{for})=1 and last(<tmux_agent_declared>)=0"
            ),
            _Trigger("TmuxAgentAbsent", "max(<tmux_agent_up>,{for})=0 and last(<tmux_agent_declared>)=1"),
            _Trigger("TmuxAgentRestarting", "sum(<tmux_agent_restarts_total>,{within})>{more_than}"),
        ),
    ),
)
_SAMPLED = "<tmux_exporter_last_sample_timestamp_seconds>"
_AGE = f"now()-last({_SAMPLED})"
_SCHEDULERS = ("Dangling", "Misdirected", "StaleGeneration", "Serverless", "Immortal", "Overdue")
_HOST = _Thing(
    *("", "", "", ()),
    (
        # {$TMUX.ALWAYS_ON} is what the label always_on of a target is to Prometheus.
        _Trigger("TmuxExporterDown", f"nodata({_SAMPLED},{{for}})=1 and {{$TMUX.ALWAYS_ON}}=1"),
        _Trigger("TmuxExporterAway", f"nodata({_SAMPLED},{{for}})=1"),
        _Trigger(
            "TmuxExporterStale",
            f"{_AGE}>{{intervals}}*last(<tmux_exporter_sample_interval_seconds>) and {_AGE}>{{over}}",
        ),
        _Trigger("TmuxExporterConfigRefused", "max(<tmux_exporter_config_last_reload_successful>,{for})=0"),
        _Trigger(
            "TmuxHostMemoryHigh",
            "max(<tmux_host_memory_available_bytes>,{for})<(1-{level})*last(<tmux_host_memory_bytes>)",
        ),
        *(
            _Trigger(f"TmuxScheduler{state}", "min(<tmux_schedulers>,{for})>{more_than}")
            for state in _SCHEDULERS
        ),
        _Trigger("TmuxLeakedMemory", "min(<tmux_leaked_memory_bytes>,{for})>{bytes}"),
    ),
)


def templates(thresholds: Thresholds) -> dict[str, str]:
    """A file to import for each version. JSON: Zabbix's own reader of YAML knows a part of it only."""
    return {f"{each}.json": f"{json.dumps(_template(thresholds, each), indent=1)}\n" for each in VERSIONS}


def _template(thresholds: Thresholds, version: str) -> Data:
    maker = _Maker(thresholds, version)
    master: Data = {
        "uuid": _uuid(_MASTER),
        "name": "tmux_exporter",
        "type": "HTTP_AGENT",
        "key": _MASTER,
        "delay": "{$TMUX.INTERVAL}",
        "history": "0",
        **({"trends": "0"} if version == "6.0" else {}),
        "value_type": "TEXT",
        "description": "The page that all other items are taken from. It is not kept.",
        "timeout": "10s",
        "url": "{$TMUX.URL}",
    }
    items = [master, *maker.host_items()]
    rules = [maker.rule(thing) for thing in _THINGS]
    triggers = list(maker.triggers(_HOST, "trigger"))
    groups = [{"uuid": _uuid(_GROUP), "name": _GROUP}]
    body: Data = {
        "uuid": _uuid(_TEMPLATE),
        "template": _TEMPLATE,
        "name": _TEMPLATE,
        "description": "Coding agents in tmux, from tmux_exporter. Set {$TMUX.URL} on the host.",
        "groups": [{"name": _GROUP}],
        "items": items,
        "discovery_rules": rules,
        "macros": [
            {"macro": "{$TMUX.URL}", "value": "http://{HOST.CONN}:10077/metrics"},
            {"macro": "{$TMUX.INTERVAL}", "value": "1m"},
            {"macro": "{$TMUX.ALWAYS_ON}", "value": "0", "description": "1 for a host that never sleeps."},
            *({"macro": name, "value": value} for name, value in sorted(maker.macros.items())),
        ],
    }
    kind = "groups" if version == "6.0" else "template_groups"
    return {"zabbix_export": {"version": version, kind: groups, "templates": [body], "triggers": triggers}}


class _Maker:
    """Makes items and triggers, and collects the macros that they need."""

    def __init__(self, thresholds: Thresholds, version: str) -> None:
        self._thresholds, self._version = thresholds, version
        self.macros: dict[str, str] = {}

    def host_items(self) -> Iterator[Data]:
        """Items of the host: families without labels, schedulers by state, and what is leaked."""
        for spec in _built(()):
            if spec.subject in _OF_HOST:
                yield self._item(_HOST, spec)
        for state in BY_NAME["tmux_schedulers"].closed["state"]:
            yield self._sum(BY_NAME["tmux_schedulers"], f'{{state="{state}"}}', state)
        for name in ("tmux_leaked_processes", "tmux_leaked_memory_bytes"):
            yield self._sum(BY_NAME[name], "", "")

    def rule(self, thing: _Thing) -> Data:
        """The discovery of all things of a kind."""
        made = [self._item(thing, spec) for spec in _built(thing.labels)]
        if thing.kind == "agent":
            # Not there while it does not wait.
            made.append(self._item(thing, BY_NAME[_WAITING], missing="0"))
        return {
            "uuid": _uuid("discovery", thing.kind),
            "name": f"Discovery of {thing.plural}",
            "type": "DEPENDENT",
            "key": f"tmux.discovery.{thing.kind}",
            **self._delay(),
            "lifetime": "7d",
            "item_prototypes": made,
            "trigger_prototypes": list(self.triggers(thing, "prototype")),
            "master_item": {"key": _MASTER},
            "lld_macro_paths": [
                {"lld_macro": thing.macro(label), "path": f"$.labels.{label}"} for label in thing.labels
            ],
            "preprocessing": [{"type": "PROMETHEUS_TO_JSON", "parameters": [thing.series]}],
        }

    def triggers(self, thing: _Thing, what: str) -> Iterator[Data]:
        """A trigger for each level of each alert; a lower one is quiet while a higher one is raised."""
        for trigger in thing.triggers:
            alert, higher = _ALERTS[trigger.alert], list[Data]()
            for level in alert.levels:
                priority = self._thresholds.priority(alert.table, level)
                subject = f"{thing.kind} {thing.place}: " if thing.labels else ""
                name = f"{subject}{alert.summary.removesuffix('.')}{f' ({level})' if level else ''}"
                expression = self._expression(thing, trigger, level, priority)
                yield {
                    "uuid": _uuid(what, trigger.alert, level),
                    "expression": expression,
                    "name": name[:1].upper() + name[1:],
                    "priority": _SEVERITY[priority],
                    "url": f"{RUNBOOKS}/{trigger.alert}.md",
                    **({"dependencies": list(higher)} if higher else {}),
                    "tags": _tags(alert=trigger.alert, priority=priority),
                }
                higher.append({"name": name[:1].upper() + name[1:], "expression": expression})

    def _expression(self, thing: _Thing, trigger: _Trigger, level: str, priority: str) -> str:
        table, text = _ALERTS[trigger.alert].table, trigger.expression
        if thing.labels:
            # What is gone has no problem any more; of what nobody can scrape another trigger tells.
            first, over = text[text.index("<") : text.index(">") + 1], self._seconds("lost_scrapes", "over")
            text += f" and nodata({first},{self._macro('lost_scrapes', '', 'over', over)})=0"
        state = table.removeprefix("scheduler_")
        text = text.replace("<tmux_schedulers>", f"/{_TEMPLATE}/tmux.schedulers[{state}]")
        for spec in FAMILIES:
            text = text.replace(f"<{spec.name}>", f"/{_TEMPLATE}/{_key(thing, spec)}")
        if "{for}" in text:
            held = f"{self._thresholds.hold(table, priority):g}s"
            text = text.replace("{for}", self._macro(table, level, "for", held))
        for key, value in self._thresholds.tables[table].items():
            if f"{{{key}}}" in text:
                told = self._seconds(table, key) if isinstance(value, str) else f"{value:.12g}"
                text = text.replace(f"{{{key}}}", self._macro(table, "", key, told))
        if level:
            number_of = f"{self._thresholds.number(table, level):.12g}"
            text = text.replace("{level}", self._macro(table, level, "", number_of))
        return text

    def _seconds(self, table: str, key: str) -> str:
        return f"{self._thresholds.seconds(table, key):g}s"

    def _macro(self, table: str, level: str, key: str, value: str) -> str:
        name = "{$TMUX." + ".".join(each.upper() for each in (table, level, key) if each) + "}"
        self.macros[name] = value
        return name

    def _delay(self) -> Data:
        return {"delay": "0"} if self._version == "6.0" else {}

    def _item(self, thing: _Thing, spec: Spec, missing: str = "") -> Data:
        told = ",".join(f'{label}="{thing.macro(label)}"' for label in thing.labels)
        pattern = f"{spec.name}{{{told}}}" if told else spec.name
        how = ("function", "max") if set(spec.labels) != set(thing.labels) else ("value", "")
        steps = [_pattern(pattern, *how, missing)]
        if spec.kind is MetricType.COUNTER:
            # The number of events since the last look, or the pace.
            steps.append({"type": "CHANGE_PER_SECOND" if spec.unit else "SIMPLE_CHANGE", "parameters": [""]})
        name = f"{thing.kind.title()} {thing.place}: {_words(spec)}" if thing.labels else _words(spec)
        tags = _tags(component=spec.subject, **{label: thing.macro(label) for label in thing.labels})
        return self._dependent(spec, name, _key(thing, spec), steps, tags)

    def _sum(self, spec: Spec, labels: str, argument: str) -> Data:
        name = _words(spec) + (f" ({argument})" if argument else "")
        key = _key(_HOST, spec) + (f"[{argument}]" if argument else "")
        steps = [_pattern(f"{spec.name}{labels}", "function", "sum", "0")]
        return self._dependent(spec, name, key, steps, _tags(component=spec.subject))

    def _dependent(self, spec: Spec, name: str, key: str, steps: list[Data], tags: list[Data]) -> Data:
        return {
            "uuid": _uuid("item", spec.name, key),
            "name": name[:1].upper() + name[1:],
            "type": "DEPENDENT",
            "key": key,
            **self._delay(),
            "history": "7d",
            "value_type": "FLOAT",
            **_unit(spec),
            "description": spec.help,
            "preprocessing": steps,
            "master_item": {"key": _MASTER},
            "tags": tags,
        }


def _tags(**tags: str) -> list[Data]:
    return [{"tag": tag, "value": value} for tag, value in tags.items()]


def _built(labels: tuple[str, ...]) -> Iterable[Spec]:
    for spec in FAMILIES:
        built = spec.status is FamilyStatus.BUILT and not spec.option
        if built and spec.labels == labels and spec.kind in (MetricType.COUNTER, MetricType.GAUGE):
            yield spec


def _pattern(pattern: str, kind: str, output: str, missing: str) -> Data:
    """The value of a series; one that is not there gives no value, or `missing`."""
    otherwise: Mapping[str, str] = (
        {"error_handler": "CUSTOM_VALUE", "error_handler_params": missing}
        if missing
        else {"error_handler": "DISCARD_VALUE"}
    )
    return {"type": "PROMETHEUS_PATTERN", "parameters": [pattern, kind, output], **otherwise}


def _unit(spec: Spec) -> Data:
    end = spec.base.removesuffix("_seconds") if spec.base.endswith("_timestamp_seconds") else spec.base
    unit = _UNITS.get(end.rpartition("_")[2], "")
    if spec.kind is MetricType.COUNTER:
        # Seconds per second are cores.
        unit = "Bps" if unit == "B" else ""
    return {"units": unit} if unit else {}


def _words(spec: Spec) -> str:
    subject = "" if spec.subject in _OF_HOST else f"{spec.subject}_"
    words = spec.base.removeprefix("tmux_").removeprefix(subject).removesuffix(f"_{spec.unit}")
    return words.replace("_", " ")


def _key(thing: _Thing, spec: Spec) -> str:
    told = ",".join(f'"{thing.macro(label)}"' for label in thing.labels)
    return spec.name.replace("tmux_", "tmux.", 1) + (f"[{told}]" if told else "")


def _uuid(*words: str) -> str:
    """The same for the same thing in each export, as Zabbix recognises what it has imported before by it."""
    digest = sha256("\n".join(("tmux_exporter", *words)).encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=4).hex
