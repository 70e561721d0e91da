"""Alertmanager's configuration: routes, timing, and inhibition of milder alerts by worse ones.

Example receivers (e-mail, Slack, PagerDuty and a webhook) have every secret in a file of its own.
"""

from collections.abc import Mapping
from types import MappingProxyType

from tmux_exporter.alerting.base.scope import duration, quoted
from tmux_exporter.alerting.base.thresholds import LEVELS, PRIORITIES, Thresholds

Data = dict[str, object]

TEMPLATES = "tmux.tmpl"
"""Beside the configuration: Alertmanager looks there for a relative path."""
SECRETS = "/etc/alertmanager/secrets"

_RESOLVED = {"send_resolved": True}


def example_receivers() -> dict[str, Data]:
    """By the name of the receiver; the messages are those of `tmux.tmpl`."""
    return {
        "pager": {
            "pagerduty_configs": [
                {
                    "routing_key_file": f"{SECRETS}/pagerduty",
                    "description": '{{ template "tmux.title" . }}',
                    "severity": '{{ or .CommonLabels.severity "critical" }}',
                    "client": "Alertmanager",
                    "details": {"text": '{{ template "tmux.text" . }}'},
                    **_RESOLVED,
                }
            ]
        },
        "chat": {
            "slack_configs": [
                {
                    "api_url_file": f"{SECRETS}/slack",
                    "channel": "#agents",
                    "title": '{{ template "tmux.title" . }}',
                    "text": '{{ template "tmux.text" . }}',
                    **_RESOLVED,
                }
            ]
        },
        "digest": {
            "email_configs": [
                {
                    "to": "agents@example.org",
                    "from": "alertmanager@example.org",
                    "smarthost": "smtp.example.org:587",
                    "auth_username": "alertmanager",
                    "auth_password_file": f"{SECRETS}/smtp",
                    "headers": {"subject": '{{ template "tmux.title" . }}'},
                    "html": "",
                    "text": '{{ template "tmux.text" . }}',
                    **_RESOLVED,
                }
            ]
        },
        "watchdog": {
            "webhook_configs": [
                {
                    "url": "https://deadmansswitch.example.org/",
                    "http_config": {"authorization": {"credentials_file": f"{SECRETS}/watchdog"}},
                    "send_resolved": False,
                }
            ]
        },
    }


DEFAULT_RECEIVER = "default"

_GROUP_BY = ("alertname", "job", "instance", "server")

# What two alerts must have in common to be about the same thing; a label that both lack counts as equal. All
# labels that name a thing are here: two servers may have sessions of one name.
SAME_THING = (
    *("alertname", "job", "instance", "server", "session", "window", "pane", "agent", "kind"),
    *("operation", "resource", "slo"),
)


def alertmanager_config(
    thresholds: Thresholds,
    *,
    time_scale: float = 1.0,
    webhook: str | None = None,
    filled: Mapping[str, Data] = MappingProxyType({}),
) -> Data:
    """The configuration, ready for JSON or YAML.

    Without `webhook` the receivers send nothing: Alertmanager's page shows alerts under the receiver that
    would have sent them. With it every receiver posts to that URL. `filled` has receivers that send
    something, by name, and then the templates of messages are loaded.
    """
    routes = [
        _route("watchdog", f"alertname={quoted('Watchdog')}", thresholds, time_scale),
        *(_route(each, f"priority={quoted(each)}", thresholds, time_scale) for each in PRIORITIES),
    ]
    receivers = dict.fromkeys((DEFAULT_RECEIVER, *(str(route["receiver"]) for route in routes)))
    return ({"templates": [TEMPLATES]} if filled else {}) | {
        "route": {
            "receiver": DEFAULT_RECEIVER,
            "group_by": list(_GROUP_BY),
            **_times("P3", thresholds, time_scale),
            "routes": routes,
        },
        "inhibit_rules": [*_worse_over_milder(), *_agent_over_session(), *_cause_over_symptom()],
        "receivers": [_receiver(name, webhook) | filled.get(name, {}) for name in receivers],
    }


def _route(table: str, matcher: str, thresholds: Thresholds, time_scale: float) -> Data:
    return {
        "matchers": [matcher],
        "receiver": thresholds.text(table, "receiver"),
        **_times(table, thresholds, time_scale),
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


_PRECISE = ("NearMemoryLimit", "NearCpuLimit", "NearFdLimit", "MemoryGrowing")


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


def _cause_over_symptom() -> list[Data]:
    return [
        # What was last seen of an exporter that is down is old. An alert never inhibits its own kind.
        _inhibits("TmuxExporterDown", 'alertname=~"Tmux.+"', 'alertname!="TmuxExporterDown"'),
        # A server that hangs makes every sample partial.
        _inhibits("TmuxServerNotAnswering", 'alertname="TmuxSamplesPartial"'),
    ]


def _inhibits(cause: str, *symptoms: str) -> Data:
    return {
        "source_matchers": [f"alertname={quoted(cause)}"],
        "target_matchers": list(symptoms),
        "equal": ["job", "instance"],
    }
