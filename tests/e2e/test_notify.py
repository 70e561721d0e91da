"""From `up --notify` to a phone: Prometheus, Alertmanager, our receiver, a webhook, ntfy and mail.

The demo plays faults in fast time. The phone is in a network of its own, and opens each link that it is sent.
"""

import re
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.alert_faults.wear import own_network
from tests.support.alerts import phone
from tests.support.isolation.namespace import in_namespace
from tests.support.programs.up import Up
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children import prometheus
from tmux_exporter.commands.up_children.notify import TOLD_BY

LINK = re.compile(r"https?://\S+")


def told(base: Path, home: Path, *, outside: bool) -> None:
    own_network(base)
    runtime = base / "run"
    for folder in (home, runtime):
        folder.mkdir(mode=0o700)
    with closing(phone.Inbox()) as inbox, phone.own_network() as other:
        urls = home / "urls"
        urls.write_text("\n".join(inbox.urls))
        urls.chmod(0o600)
        words = ["--demo", "--notify", f"@{urls}"]
        if outside:
            address = f"{phone.HOST}:{prometheus.free_port(0)}"
            words += ["--web.listen-address", address, "--public-url", f"http://{address}"]
        up = Up(home, runtime, *words)
        try:
            wait_for(lambda: all(inbox.got.values()), f"all are told: {inbox.got} {up.text()}", 150)
            assert "P1 to P3 by webhook, ntfy, mailto" in up.text()
            assert "secret-topic" not in up.text()
            assert not [pid for pid in up.children() if b"secret-topic" in argv(pid)]
            (token,) = home.rglob(TOLD_BY)
            assert token.stat().st_mode & 0o777 == 0o600
            same = set.intersection(*({title for title, _ in each} for each in inbox.got.values()))
            assert same, inbox.got
            for kind, messages in inbox.got.items():
                for title, text in messages:
                    assert re.match(r"\[P[123]( over)?\] [A-Z].* on \S+", title), (kind, title)
                    assert "127.0.0.1" not in title + text and "localhost" not in title + text
                    links = LINK.findall(text)
                    assert bool(links) == (outside and " over]" not in title), text
                    assert {link: phone.opens(link, other) for link in {*links}} == dict.fromkeys(links, 200)
        finally:
            up.end()


def argv(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("outside", [True, False], ids=["with a public address", "without one"])
def test_what_pages_reaches_a_phone_and_each_link_opens_there(socket_dir: Path, *, outside: bool) -> None:
    home = socket_dir.parent / "home"
    assert in_namespace(lambda: told(socket_dir.parent, home, outside=outside)), (
        "the kernel gives no namespace"
    )
