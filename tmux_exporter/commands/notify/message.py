"""What leaves the machine: of Alertmanager's message a closed list, as a title and a text for a phone.

Alert, priority, host, session, agent, figures, times; the first command to type; links to where you said that
the exporter can be reached. Nothing else of the message is looked at.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tmux_exporter.alerting.base.thresholds import PRIORITIES
from tmux_exporter.alerting.rules import ALERTING

_SHOWN = 10
_LONGEST = 300
_SUMMARIES = {alert.name: alert.summary.removesuffix(".") for alerts in ALERTING.values() for alert in alerts}
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
_OWN_MACHINE = re.compile(r"(127\.|localhost\b|\[::1\])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A title, a text and how urgent they are: `P1` to `P4`."""

    title: str
    text: str
    priority: str
    resolved: bool


def message(payload: Mapping[str, Any], *, host: str, public_url: str = "") -> Message | None:
    """The message of what Alertmanager posted; None where it is none of ours.

    `host` stands for a target on loopback. Without `public_url` there is no link.
    """
    alerts = [each for each in _list(payload, "alerts") if _name(each)]
    if not alerts:
        return None
    firing = [each for each in alerts if each.get("status") != "resolved"]
    first = (firing or alerts)[0]
    priority = _word(first, "labels", "priority")
    priority = priority if priority in PRIORITIES else ""
    over = " over" if not firing else ""
    count = f" ({len(alerts)})" if len(alerts) > 1 else ""
    title = f"[{priority}{over}] {_SUMMARIES[_name(first)]}: {_whom(first, host)}{count}"
    texts = [_text(each, host, public_url) for each in alerts[:_SHOWN]]
    more = [f"and {len(alerts) - _SHOWN} more"] if len(alerts) > _SHOWN else []
    return Message(title=title, text="\n\n".join((*texts, *more)), priority=priority, resolved=not firing)


def _text(alert: Mapping[str, Any], host: str, public_url: str) -> str:
    return "\n".join(_lines(alert, host, public_url))


def _lines(alert: Mapping[str, Any], host: str, public_url: str) -> Iterator[str]:
    began = _time(alert, "startsAt")
    value = _word(alert, "annotations", "value")
    yield f"{_name(alert)}: {_whom(alert, host)}"
    if alert.get("status") == "resolved":
        if now := _word(alert, "annotations", "resolved"):
            yield f"Now: {now}"
        yield f"Over: {began} to {_time(alert, 'endsAt')}"
        if value:
            yield f"Last: {value}"
        return
    if value:
        yield f"Value: {value}"
    yield f"Since: {began}"
    if culprits := _word(alert, "annotations", "culprits"):
        yield f"Most: {culprits}"
    if command := _word(alert, "annotations", "command"):
        yield f"First, on {_host(alert, host)}:\n  {command}"
    if public_url:
        yield f"Page: {public_url}/"
        yield f"Runbook: {public_url}/runbooks/{_name(alert)}{_names(alert)}"


def _name(alert: object) -> str:
    """The name of an alert of ours, else nothing: other rules may have names that say something."""
    name = _word(alert, "labels", "alertname") if isinstance(alert, Mapping) else ""
    return name if name in _SUMMARIES else ""


def _names(alert: Mapping[str, Any]) -> str:
    """The query by which the exporter fills session and agent into the commands of the page."""
    names = {name: _word(alert, "labels", name) for name in ("session", "agent")}
    found = {name: value for name, value in names.items() if value}
    return f"?{urlencode(found)}" if found else ""


def _whom(alert: Mapping[str, Any], host: str) -> str:
    session, agent = (_word(alert, "labels", name) for name in ("session", "agent"))
    thing = "/".join(filter(None, (session, agent)))
    return f"{thing} on {_host(alert, host)}" if thing else f"on {_host(alert, host)}"


def _host(alert: Mapping[str, Any], host: str) -> str:
    named = _word(alert, "labels", "host") or _word(alert, "labels", "instance")
    return host if not named or _OWN_MACHINE.match(named) else named


def _word(alert: Mapping[str, Any], part: str, name: str) -> str:
    found = alert.get(part)
    value = found.get(name) if isinstance(found, Mapping) else None
    return value[:_LONGEST] if isinstance(value, str) else ""


def _time(alert: Mapping[str, Any], name: str) -> str:
    value = alert.get(name)
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    return f"{found[2]} {'UTC' if found[3] == 'Z' else found[3]}, {found[1]}" if found else "an unknown time"


def _list(payload: Mapping[str, Any], name: str) -> list[Any]:
    found = payload.get(name)
    return found if isinstance(found, list) else []
