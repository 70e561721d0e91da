"""Example receivers: e-mail, Slack, PagerDuty and a webhook, with every secret in a file of its own."""

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
