"""Every message as people get it: each alert of the rules' tests, through a real Alertmanager, by mail.

`python -m tests.support.alerts.messages` prints docs/messages.md.
"""

import html
import json
import tempfile
import urllib.request
from contextlib import closing
from functools import partial
from pathlib import Path

import yaml

from tests.support.alerts.files import TESTS
from tests.support.alerts.phone import Inbox
from tests.support.scenes.main_job import program
from tests.support.wait import wait_for
from tmux_exporter.alerting import rules
from tmux_exporter.alerting.base import thresholds
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.routes import TEMPLATES
from tmux_exporter.commands.export import alertmanager
from tmux_exporter.commands.up_children import prometheus

BEGAN, ENDED = "2026-12-01T02:12:00Z", "2026-12-01T02:31:00Z"
OVER = "TmuxAgentNearMemoryLimit"
Alert = dict[str, dict[str, str]]

HEAD = """\
# What the messages say

<!-- Made by `python -m tests.support.alerts.messages`. -->

Each alert as it arrives by mail from Alertmanager, with the values of the tests of its rules; of one
with several levels the worst that a test tells. One that is over comes first. With a `--board-url` a link to
the board stands before that to the runbook. What `up --notify` sends is [shorter](notifications.md).

"""


def alerts() -> dict[str, Alert]:
    """Labels and annotations of each alert, by its name, as a test of the rules tells them."""
    found: dict[str, Alert] = {}
    for path in TESTS:
        for test in yaml.load(path.read_text(), yaml.CSafeLoader)["tests"]:
            for case in test.get("alert_rule_test", ()):
                for told in case.get("exp_alerts", ()):
                    name, labels = case["alertname"], told["exp_labels"]
                    before = found.get(name, {"labels": {"priority": "P9"}})
                    if labels.get("priority", "P8") < before["labels"].get("priority", "P8"):
                        labels = {"alertname": name, **{key: str(value) for key, value in labels.items()}}
                        found[name] = {"labels": labels, "annotations": told["exp_annotations"]}
    return found


def missing() -> set[str]:
    """Alerts that no test tells with its texts."""
    return {
        str(rule["alert"]) for rule in rules.alerts(Scope(thresholds=thresholds.load()))
    } - alerts().keys()


def messages(folder: Path) -> dict[str, str]:
    """Title and text of each, by the name of its alert; one that is over by `resolved`."""
    with closing(Inbox()) as inbox:
        (folder / TEMPLATES).write_text(alertmanager()[TEMPLATES])
        mail = {
            "to": "b@example.org", "from": "a@example.org", "smarthost": f"127.0.0.1:{inbox.smtp_port}",
            "require_tls": False, "send_resolved": True, "html": "", "text": '{{ template "tmux.text" . }}',
            "headers": {"subject": '{{ template "tmux.title" . }}'}, "hello": "localhost",
        }  # fmt: skip
        settings = folder / "alertmanager.yml"
        route: dict[str, object] = {"receiver": "mail", "group_by": ["..."], "group_wait": "0s"}
        route |= {"group_interval": "1s", "repeat_interval": "4h"}
        settings.write_text(
            prometheus.as_json(
                {
                    "templates": [TEMPLATES],
                    "route": route,
                    "receivers": [{"name": "mail", "email_configs": [mail]}],
                }
            )
        )
        # Never the port of somebody's own.
        prometheus.ALERTMANAGER_PORT = 0
        child = prometheus.start_alertmanager(program("alertmanager"), folder, settings)
        try:
            wait_for(partial(prometheus.fetch, f"{child.url}/-/ready"), "Alertmanager is ready", 60)
            found = alerts()
            lasting = {"startsAt": BEGAN, "endsAt": "2100-01-01T00:00:00Z"}
            post(child.url, *({**each, **lasting} for each in found.values()))
            wait_for(
                lambda: len(inbox.got["mail"]) >= len(found),
                f"all {len(found)} are sent: {len(inbox.got['mail'])}",
                60,
            )
            over = found["TmuxAgentNearMemoryLimit"]
            post(child.url, {**over, "startsAt": BEGAN, "endsAt": ENDED})
            wait_for(lambda: len(_by_name(inbox, found)) == len(found), "all are sent", 60)
            post(child.url, {**found[OVER], "startsAt": BEGAN, "endsAt": ENDED})
            wait_for(lambda: any(" over] " in title for title, _ in inbox.got["mail"]), "its end is sent", 60)
        finally:
            prometheus.stop([child])
    (resolved,) = (each for each in _texts(inbox) if " over] " in each.partition("\n")[0])
    return {"resolved": resolved, **dict(sorted(_by_name(inbox, found).items()))}


def _texts(inbox: Inbox) -> list[str]:
    return [f"{title}\n\n{text.strip()}".replace("\r\n", "\n") for title, text in list(inbox.got["mail"])]


def _by_name(inbox: Inbox, found: dict[str, Alert]) -> dict[str, str]:
    """The mail of each alert that has come, known by its description."""
    by_words = {" ".join(text.split()): text for text in _texts(inbox) if " over] " not in text}
    said = {name: " ".join(each["annotations"]["description"].split()) for name, each in found.items()}
    return {name: text for name, words in said.items() for mail, text in by_words.items() if words in mail}


def post(url: str, *content: object) -> None:
    request = urllib.request.Request(
        f"{url}/api/v2/alerts", json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30):
        pass


def page() -> str:
    """The whole page."""
    with tempfile.TemporaryDirectory() as folder:
        shown = messages(Path(folder))
    heads = {name: f"[{name}](runbooks/{name}.md)" for name in shown} | {"resolved": "One that is over"}
    parts = [
        f"## {heads[name]}\n\n<pre>\n{html.escape(text, quote=False)}\n</pre>\n"
        for name, text in shown.items()
    ]
    return HEAD + "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
