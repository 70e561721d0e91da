"""Alertmanager's configuration: routes, timing, nights, and inhibition of milder alerts by worse ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tmux_exporter.alerting.base.scope import duration, quoted
from tmux_exporter.alerting.base.thresholds import LEVELS, PRIORITIES, Thresholds

Data = dict[str, object]

TEMPLATES = "tmux.tmpl"
"""Beside the configuration: Alertmanager looks there for a relative path."""
SECRETS = "/etc/alertmanager/secrets"

DEFAULT_RECEIVER = "default"

_GROUP_BY = ("alertname", "job", "instance", "server")

# What two alerts must have in common to be about the same thing; a label that both lack counts as equal. All
# labels that name a thing are here: two servers may have sessions of one name.
SAME_THING = (
    *("alertname", "job", "instance", "server", "session", "window", "pane", "agent", "kind"),
    *("operation", "resource", "slo", "mountpoint", "device"),
)


NIGHTS = "nights"
QUIET_AT_NIGHT = ("P3", "P4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights:
    """From when to when, as `22:00`, in which time zone."""

    begin: str
    end: str
    time_zone: str

    def interval(self) -> Data:
        """As Alertmanager writes it, where no range goes over midnight."""
        ranges = [(self.begin, self.end)]
        if self.begin > self.end:
            ranges = [(self.begin, "24:00"), ("00:00", self.end)]
        times = [{"start_time": begin, "end_time": end} for begin, end in ranges if begin != end]
        return {"name": NIGHTS, "time_intervals": [{"times": times, "location": self.time_zone}]}


def alertmanager_config(
    thresholds: Thresholds,
    *,
    time_scale: float = 1.0,
    webhook: str | None = None,
    filled: Mapping[str, Data] = MappingProxyType({}),
    nights: Nights | None = None,
) -> Data:
    """The configuration, ready for JSON or YAML.

    Without `webhook` the receivers send nothing: Alertmanager's page shows alerts under the receiver that
    would have sent them. With it every receiver posts to that URL. `filled` has receivers that send
    something, by name, and then the templates of messages are loaded. During `nights` only what
    pages is told.
    """
    routes = [
        _route("watchdog", f"alertname={quoted('Watchdog')}", thresholds, time_scale),
        *(_route(each, f"priority={quoted(each)}", thresholds, time_scale) for each in PRIORITIES),
    ]
    for priority, route in zip(PRIORITIES, routes[1:], strict=True):
        if nights and priority in QUIET_AT_NIGHT:
            route["mute_time_intervals"] = [NIGHTS]
    receivers = dict.fromkeys((DEFAULT_RECEIVER, *(str(route["receiver"]) for route in routes)))
    messages: Data = {"templates": [TEMPLATES]} if filled else {}
    intervals: Data = {"time_intervals": [nights.interval()]} if nights else {}
    return {
        **messages,
        "route": {
            "receiver": DEFAULT_RECEIVER,
            "group_by": list(_GROUP_BY),
            **_times("P3", thresholds, time_scale),
            "routes": routes,
        },
        **intervals,
        "inhibit_rules": [*_worse_over_milder(), *_agent_over_session(), *_cause_over_symptom()],
        "receivers": [_receiver(name, webhook) | filled.get(name, {}) for name in receivers],
    }


def _route(table: str, matcher: str, thresholds: Thresholds, time_scale: float) -> Data:
    # Two exporters of a host tell of it in one message: their targets have a label `host`.
    of_host = {
        "matchers": ['alertname=~"TmuxHost.+"', 'host=~".+"'],
        "group_by": ["alertname", "job", "host"],
    }
    return {
        "matchers": [matcher],
        "receiver": thresholds.text(table, "receiver"),
        **_times(table, thresholds, time_scale),
        **({"routes": [of_host]} if table in PRIORITIES else {}),
    }


def _times(table: str, thresholds: Thresholds, time_scale: float) -> dict[str, str]:
    return {
        key: duration(thresholds.seconds(table, key), time_scale)
        for key in ("group_wait", "group_interval", "repeat_interval")
    }


def _receiver(name: str, webhook: str | None) -> Data:
    return {"name": name} | (
        {"webhook_configs": [{"url": webhook, "send_resolved": True}]} if webhook else {}
    )


def _worse_over_milder() -> list[Data]:
    """The same alert at a worse priority, or at a worse level of one priority, is enough."""
    return [
        {
            "source_matchers": [f"{label}={quoted(worse)}"],
            "target_matchers": [f"{label}=~{quoted('|'.join(every[place:]))}"],
            "equal": list(SAME_THING),
        }
        for label, every in (("priority", PRIORITIES), ("threshold", LEVELS))
        for place, worse in enumerate(every[:-1], start=1)
    ]


_PRECISE = ("NearMemoryLimit", "NearCpuLimit", "NearFdLimit", "NearPidLimit", "MemoryGrowing")


def _agent_over_session() -> list[Data]:
    """What is told of an agent need not be told of its session too, unless it is worse there."""
    return [
        {
            "source_matchers": [f"alertname={quoted(f'TmuxAgent{name}')}", f"priority={quoted(worse)}"],
            "target_matchers": [
                f"alertname={quoted(f'TmuxSession{name}')}",
                f"priority=~{quoted('|'.join(PRIORITIES[place:]))}",
            ],
            "equal": ["job", "instance", "server", "session"],
        }
        for name in _PRECISE
        for place, worse in enumerate(PRIORITIES)
    ]


_OF_HOST = (
    ("NearMemoryLimit", "MemoryHigh"),
    ("NearCpuLimit", "CpuHigh"),
    ("NearPidLimit", "NearLimit", 'resource=~"pids|user_pids|cgroup_pids"'),
    ("OomKilled", "OomKill"),
)


def _cause_over_symptom() -> list[Data]:
    return [
        # What was last seen of an exporter that is down is old. An alert never inhibits its own kind.
        _inhibits("TmuxExporterDown", 'alertname=~"Tmux.+"', 'alertname!="TmuxExporterDown"'),
        # One agent that takes what the host has is the more precise culprit.
        *(
            _inhibits(f"Tmux{kind}{name}", f'alertname="TmuxHost{host}"', *more)
            for kind in ("Agent", "Session")
            for name, host, *more in _OF_HOST
        ),
        _inhibits("TmuxAgentsAllAbsent", 'alertname="TmuxAgentAbsent"'),
        # Agents of one account stop together.
        _inhibits("TmuxAgentsOutOfQuota", 'alertname="TmuxAgentWaiting"', 'reason="usage_limit"'),
        _inhibits("TmuxHostDiskFull", 'alertname="TmuxHostDiskRunsOut"', also=("mountpoint",)),
        _inhibits("TmuxAgentNearFdLimit", 'alertname=~"TmuxAgentFds.+"', also=("server", "session", "agent")),
        _inhibits(
            "TmuxAgentNearMemoryLimit",
            'alertname=~"TmuxAgentMemory.+"',
            also=("server", "session", "agent"),
        ),
        _inhibits(
            "TmuxAgentNearPidLimit",
            'alertname="TmuxAgentManyProcesses"',
            also=("server", "session", "agent"),
        ),
        # The mean of slow operations raises their tail.
        _inhibits("TmuxOperationSlow", 'alertname="TmuxOperationTailSlow"', also=("operation",)),
        _inhibits("TmuxExporterBlind", 'alertname=~"TmuxSamplesPartial|TmuxCollectorFailing"'),
        _inhibits("TmuxHistoryFills", 'alertname="TmuxHistoryGrowing"', also=("server",)),
        # A server that hangs makes every sample partial.
        _inhibits("TmuxServerNotAnswering", 'alertname="TmuxSamplesPartial"'),
    ]


def _inhibits(cause: str, *symptoms: str, also: tuple[str, ...] = ()) -> Data:
    return {
        "source_matchers": [f"alertname={quoted(cause)}"],
        "target_matchers": list(symptoms),
        "equal": ["job", "instance", *also],
    }
