"""From `up --notify` to a phone: Prometheus, Alertmanager, our receiver, a webhook, ntfy and mail.

The demo plays faults in fast time; then every alert that is told at all is posted at once. The phone is in a
network of its own, and opens each link that it is sent.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.alert_faults.wear import own_network
from tests.support.alerts import phone
from tests.support.alerts.messages import BEGAN, alerts, post
from tests.support.isolation.namespace import in_namespace
from tests.support.programs.up import Up
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children import prometheus
from tmux_exporter.commands.up_children.notify import TOLD_BY

LINK = re.compile(r"https?://\S+")
LOOPBACK = re.compile(r"127\.0\.0\.1|localhost|\[::1\]")


@contextmanager
def notified(base: Path, *words: str, outside: bool) -> Iterator[tuple[Up, phone.Inbox, int]]:
    """`up --notify`, what services get, and a process in the network of the phone."""
    own_network(base)
    home, runtime = base / "home", base / "run"
    for folder in (home, runtime):
        folder.mkdir(mode=0o700)
    with closing(phone.Inbox()) as inbox, phone.own_network() as other:
        urls = home / "urls"
        urls.write_text("\n".join(inbox.urls))
        urls.chmod(0o600)
        if outside:
            address = f"{phone.HOST}:{prometheus.free_port(0)}"
            words = (*words, "--web.listen-address", address, "--public-url", f"http://{address}")
        up = Up(home, runtime, "--notify", f"@{urls}", *words)
        try:
            yield up, inbox, other
        finally:
            up.end()


def assert_readable(inbox: phone.Inbox, other: int, *, outside: bool) -> None:
    """Each says how urgent what is where, what to type, and nothing of loopback; each link opens there."""
    opened: dict[str, int] = {}
    for kind, messages in inbox.got.items():
        for title, text in messages:
            assert re.match(r"\[P[123]( over)?\] [A-Z].* on \S+", title), (kind, title)
            assert not LOOPBACK.search(title + text), (title, text)
            over = " over]" in title
            assert over or re.search(r"\bFirst, on \S+:\s+\S+", text), text
            links = LINK.findall(text)
            assert bool(links) == (outside and not over), text
            opened |= {link: phone.opens(link, other) for link in links if link not in opened}
    assert opened == dict.fromkeys(opened, 200)


def told(base: Path, *, outside: bool) -> None:
    with notified(base, "--demo", outside=outside) as (up, inbox, other):
        wait_for(lambda: all(inbox.got.values()), f"all are told: {inbox.got} {up.text()}", 150)
        assert "P1 to P3 by webhook, ntfy, mailto" in up.text()
        assert "secret-topic" not in up.text()
        assert not [pid for pid in up.children() if b"secret-topic" in argv(pid)]
        (token,) = up.home.rglob(TOLD_BY)
        assert token.stat().st_mode & 0o777 == 0o600
        same = set.intersection(*({title for title, _ in each} for each in inbox.got.values()))
        assert same, inbox.got
        assert_readable(inbox, other, outside=outside)


def told_everything(base: Path, *, outside: bool) -> None:
    """Every alert of the rules, as their tests tell it, of a target on loopback each."""
    found = {name: each for name, each in alerts().items() if each["labels"].get("priority", "P4") != "P4"}
    with notified(base, outside=outside) as (up, inbox, other):
        # One keeps others of its instance quiet.
        for number, each in enumerate(found.values(), 1):
            each["labels"]["instance"] = f"127.0.0.1:{number}"
            each["labels"].pop("host", None)
        url = up.url("Alertmanager")
        wait_for(partial(prometheus.fetch, f"{url}/-/ready"), "Alertmanager is ready")
        post(url, *({**each, "startsAt": BEGAN} for each in found.values()))

        def lacking() -> dict[str, set[str]]:
            return {
                kind: {name for name in found if not any(f"{name}: " in text for _, text in list(got))}
                for kind, got in inbox.got.items()
            }

        wait_for(lambda: not any(lacking().values()), "each of them is told", 180)
        assert_readable(inbox, other, outside=outside)


def argv(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("outside", [True, False], ids=["with a public address", "without one"])
@pytest.mark.parametrize("tell", [told, told_everything], ids=["of a demo", "of every alert"])
def test_what_pages_reaches_a_phone_and_each_link_opens_there(
    socket_dir: Path, tell: Callable[..., None], *, outside: bool
) -> None:
    assert in_namespace(lambda: tell(socket_dir.parent, outside=outside)), "the kernel gives no namespace"
