"""`silence`: keep the alerts of one session quiet for a time, by Alertmanager's API (v2)."""

import getpass
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tmux_exporter.base.clock import Clock
from tmux_exporter.base.errors import CannotSeeError, UsageError
from tmux_exporter.base.paths import ALERTMANAGER_URL
from tmux_exporter.commands.views.text_table import columns, table
from tmux_exporter.config.parsers import parse_duration
from tmux_exporter.facts.label import visible_text

DEFAULT_URL = "http://127.0.0.1:9093"
_LONGEST = 7 * 24 * 3600.0
_SECONDS = 10.0
_MARK = "tmux-exporter silence: "


def address(given: str | None, state: Path) -> str:
    """Where Alertmanager answers: as given, else that of a running `up`, else its usual place.

    Raises UsageError.
    """
    if given:
        if not given.startswith(("http://", "https://")):
            raise UsageError(f"--alertmanager: {given!r} is no URL, such as {DEFAULT_URL}")
        return given.rstrip("/")
    try:
        return (state / ALERTMANAGER_URL).read_text(encoding="utf-8").strip() or DEFAULT_URL
    except OSError:
        return DEFAULT_URL


def add(url: str, labels: Mapping[str, str], time_text: str, clock: Clock, comment: str) -> dict[str, Any]:
    """Silence what has these labels for such a time. Raises UsageError and CannotSeeError."""
    try:
        seconds = parse_duration(time_text)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not 0 < seconds <= _LONGEST:
        raise UsageError(f"{time_text}: a silence lasts for 168h at most; silence it again after that")
    now = clock.time()
    wanted = {
        "matchers": [
            {"name": name, "value": value, "isRegex": False, "isEqual": True}
            for name, value in labels.items()
        ],
        "startsAt": _time(now),
        "endsAt": _time(now + seconds),
        "createdBy": _user(),
        "comment": f"{_MARK}{comment or 'no reason given'}",
    }
    made = _ask(url, "/api/v2/silences", wanted)
    return {"id": str(made["silenceID"]), "labels": dict(labels), "ends": wanted["endsAt"]}


def _user() -> str:
    """Who silences: by name, or by number where the number has none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def active(url: str) -> list[dict[str, Any]]:
    """The silences made here that hold now, the first to end first. Raises CannotSeeError."""
    found = [
        {
            "id": each["id"],
            "labels": {matcher["name"]: matcher["value"] for matcher in each["matchers"]},
            "ends": each["endsAt"],
            "by": each["createdBy"],
            "comment": each["comment"].removeprefix(_MARK),
        }
        for each in _ask(url, "/api/v2/silences")
        if each["status"]["state"] != "expired" and each["comment"].startswith(_MARK)
    ]
    return sorted(found, key=lambda each: str(each["ends"]))


def expire(url: str, which: str) -> list[str]:
    """End a silence by its id, or all of a session; which ones. Raises UsageError and CannotSeeError."""
    ids = [each["id"] for each in active(url) if which in (each["id"], each["labels"].get("session"))]
    if not ids:
        raise UsageError(f"no silence {which!r} holds; tmux-exporter silence --list shows what does")
    for each in ids:
        _ask(url, f"/api/v2/silence/{each}", method="DELETE")
    return ids


def as_text(silences: list[dict[str, Any]]) -> str:
    """The silences as a table."""
    if not silences:
        return "Nothing is silenced by `tmux-exporter silence`."
    rows = [
        (
            " ".join(f"{name}={value}" for name, value in each["labels"].items()),
            each["ends"][:16].replace("T", " "),
            each["comment"],
            each["id"],
        )
        for each in silences
    ]
    cells = [[visible_text(cell) for cell in row] for row in rows]
    return "\n".join(table(columns("WHAT", "UNTIL (UTC)", "WHY", "ID"), cells))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _ask(url: str, path: str, content: object = None, method: str | None = None) -> Any:  # noqa: ANN401 - of its answers
    body = None if content is None else json.dumps(content).encode()
    try:
        request = urllib.request.Request(  # noqa: S310 - `address` takes nothing else
            url + path, body, {"Content-Type": "application/json"}, method=method
        )
        # Never through the proxy that a user's environment may name.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_SECONDS) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None
    except urllib.error.HTTPError as error:
        words = error.read(300).decode("utf-8", "replace").strip().strip('"')
        raise CannotSeeError(f"Alertmanager at {url} refuses it: {words or error.reason}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise CannotSeeError(
            f"no Alertmanager answers at {url} ({reason}); say where it is: --alertmanager URL"
        ) from None
