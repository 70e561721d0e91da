"""The alerts that fire about the fleet of this exporter, as the Prometheus says that scrapes it.

The exporter asks, never the browser, and only while somebody looks at the page. The answer is foreign text:
only the values of known labels are taken from it.
"""

import json
import math
from typing import Any

from tmux_exporter.base.clock import Clock
from tmux_exporter.config.schema import WebSettings

KEPT_SECONDS = 10.0
"""An answer serves everybody for so long."""

_LABELS = ("alertname", "priority", "server", "session", "agent")
_LONGEST = 200
_QUERY = (
    'ALERTS_FOR_STATE{{alertname=~"Tmux.+"}} and ignoring (alertstate) ALERTS{{alertstate="firing"}} '
    "and on (job, instance) (process_start_time_seconds == {start!r})"
)
"""A target does not know its own labels: the start of this process tells which one it is."""


class FiringAlerts:
    """Asks the Prometheus of `settings`; `start_time` is this exporter's `process_start_time_seconds`."""

    def __init__(self, settings: WebSettings, *, start_time: float, clock: Clock) -> None:
        self.url = settings.prometheus_url
        self._grafana = settings.grafana_url or None
        self._token_file = settings.prometheus_token_file
        self._query = _QUERY.format(start=start_time)
        self._clock = clock
        self._body = b""
        self._asked_at = -math.inf

    def read(self) -> bytes:
        """The firing alerts as JSON, at most KEPT_SECONDS old; blocks for about a second at most.

        `prometheus` is null where none is configured. `alerts` is null where nothing is known, and `problem`
        then says why.
        """
        now = self._clock.monotonic()
        if now - self._asked_at >= KEPT_SECONDS:
            self._asked_at = now
            told = self._ask() if self.url else _NOTHING
            links = {"prometheus": self.url or None, "grafana": self._grafana}
            document = {"version": 1, **links, **told}
            self._body = json.dumps(document, separators=(",", ":")).encode("ascii")
        return self._body

    def _ask(self) -> dict[str, Any]:
        from tmux_exporter.web.ask_prometheus import AskError, ask  # noqa: PLC0415 - only where it is used

        try:
            found = ask(self.url, self._query, self._token_file)
        except AskError as error:
            return {"alerts": None, "problem": str(error)}
        alerts = [
            {
                **{name: labels.get(name, "")[:_LONGEST] for name in _LABELS},
                "since_timestamp_seconds": since,
            }
            for labels, since in found
        ]
        return {"alerts": alerts, "problem": None}


_NOTHING: dict[str, Any] = {"alerts": None, "problem": None}
