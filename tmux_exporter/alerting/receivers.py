"""Receivers of Alertmanager, ready to be filled in: by service, with the messages of `tmux.tmpl`.

Secrets are in files wherever Alertmanager 0.25 takes a file; it does not for Discord, Telegram and Pushover.
"""

from collections.abc import Mapping

from tmux_exporter.alerting.routes import SECRETS, Data

_TITLE, _TEXT = (f'{{{{ template "tmux.{each}" . }}}}' for each in ("title", "text"))
_RESOLVED: Data = {"send_resolved": True}


def _bearer(secret: str) -> Data:
    return {"authorization": {"credentials_file": f"{SECRETS}/{secret}"}}


SERVICES: Mapping[str, Data] = {
    "pagerduty": {
        "pagerduty_configs": [
            {
                "routing_key_file": f"{SECRETS}/pagerduty",
                "description": _TITLE,
                "severity": '{{ or .CommonLabels.severity "critical" }}',
                "client": "Alertmanager",
                "details": {"text": _TEXT},
                **_RESOLVED,
            }
        ]
    },
    "opsgenie": {
        "opsgenie_configs": [
            {
                "api_key_file": f"{SECRETS}/opsgenie",
                "message": _TITLE,
                "description": _TEXT,
                "priority": '{{ or .CommonLabels.priority "P3" }}',
                **_RESOLVED,
            }
        ]
    },
    "slack": {
        "slack_configs": [
            {
                "api_url_file": f"{SECRETS}/slack",
                "channel": "#agents",
                "title": _TITLE,
                "text": _TEXT,
                **_RESOLVED,
            }
        ]
    },
    # Needs prometheus-msteams beside it; Alertmanager 0.28 has msteamsv2_configs.
    "teams": {"webhook_configs": [{"url": "http://127.0.0.1:2000/agents", **_RESOLVED}]},
    "discord": {
        "discord_configs": [
            {
                "webhook_url": "https://discord.com/api/webhooks/NUMBER/TOKEN",
                "title": _TITLE,
                "message": _TEXT,
                **_RESOLVED,
            }
        ]
    },
    "telegram": {
        "telegram_configs": [
            {
                "bot_token": "NUMBER:TOKEN",
                "chat_id": 1,
                "message": f"{_TITLE}\n{_TEXT}",
                "parse_mode": "",
                **_RESOLVED,
            }
        ]
    },
    "pushover": {
        "pushover_configs": [
            {
                "user_key": "USER_KEY",
                "token": "TOKEN",
                "title": _TITLE,
                "message": _TEXT,
                "priority": '{{ if eq .CommonLabels.priority "P1" }}1{{ else }}0{{ end }}',
                **_RESOLVED,
            }
        ]
    },
    # ntfy 2.14 makes a message of what Alertmanager posts.
    "ntfy": {
        "webhook_configs": [
            {
                "url": "https://ntfy.example.org/agents?template=alertmanager",
                "http_config": _bearer("ntfy"),
                **_RESOLVED,
            }
        ]
    },
    "email": {
        "email_configs": [
            {
                "to": "agents@example.org",
                "from": "alertmanager@example.org",
                "smarthost": "smtp.example.org:587",
                "auth_username": "alertmanager",
                "auth_password_file": f"{SECRETS}/smtp",
                "headers": {"subject": _TITLE},
                "html": "",
                "text": _TEXT,
                **_RESOLVED,
            }
        ]
    },
}
"""What stands in a receiver, by the name of the service."""


def dead_mans_switch(url: str | None = None) -> Data:
    """A receiver for the watchdog: a service elsewhere that tells when nothing comes any more.

    Such a URL is its secret; without one there is an example, with a token.
    """
    hook: Data = (
        {"url": url}
        if url
        else {"url": "https://deadmansswitch.example.org/", "http_config": _bearer("watchdog")}
    )
    return {"webhook_configs": [hook | {"send_resolved": False}]}


def example_receivers() -> dict[str, Data]:
    """By the name of the receiver."""
    return {
        "pager": SERVICES["pagerduty"],
        "chat": SERVICES["slack"],
        "digest": SERVICES["email"],
        "watchdog": dead_mans_switch(),
    }
