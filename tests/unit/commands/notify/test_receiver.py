"""The receiver: who may post to it, and that a message reaches each target once."""

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from functools import partial

from tests.support.wait import wait_for
from tests.unit.commands.notify.test_message import ALERT, posted
from tmux_exporter.commands.notify.message import Message
from tmux_exporter.commands.notify.receiver import Receiver, serve
from tmux_exporter.commands.notify.targets import VARIABLE
from tmux_exporter.commands.up_children.prometheus import free_port


class Target:
    """One that can be reached, or not."""

    def __init__(self) -> None:
        self.works = True
        self.got: list[Message] = []

    def __call__(self, told: Message) -> bool:
        if self.works:
            self.got.append(told)
        return self.works


def test_what_one_target_did_not_get_comes_to_it_alone_when_it_is_tried_again() -> None:
    one, other, log = Target(), Target(), list[str]()
    receiver = Receiver({"ntfy://one": one, "slack://other": other}, "dev1", "", log.append)
    other.works = False
    assert not receiver.take(posted(ALERT))
    assert (len(one.got), len(other.got)) == (1, 0)
    other.works = True
    assert receiver.take(posted(ALERT))
    assert (len(one.got), len(other.got)) == (1, 1)
    # Told again because it goes on: both get it.
    assert receiver.take(posted(ALERT))
    assert (len(one.got), len(other.got)) == (2, 2)
    assert log[1] == "cannot send by slack; Alertmanager tries again"
    assert "other" not in " ".join(log)


def test_what_is_urgent_goes_first_and_what_is_tried_again_meanwhile_comes_once() -> None:
    held, calls, order = threading.Event(), threading.Event(), list[str]()

    def slow(told: Message) -> bool:
        calls.set()
        assert held.wait(30)
        order.append(told.priority)
        return True

    receiver = Receiver({"ntfy://one": slow}, "dev1", "", lambda _: None)
    labels = ALERT["labels"]

    def of(priority: str, name: str) -> threading.Thread:
        payload = posted({**ALERT, "labels": {**labels, "priority": priority, "instance": name}})
        thread = threading.Thread(target=receiver.take, args=(payload,))
        thread.start()
        return thread

    first = of("P3", "first:1")
    assert calls.wait(30)
    # What waits for its turn is a waiter of the condition.
    waiters: list[object] = vars(receiver._turns["ntfy://one"]._changed)["_waiters"]
    threads = [first]
    for priority, name in (("P3", "second:1"), ("P1", "third:1"), ("P1", "third:1")):
        threads.append(of(priority, name))
        wait_for(lambda: len(waiters) == len(threads) - 1, "it waits")
    held.set()
    for thread in threads:
        thread.join(30)
    assert order == ["P3", "P1", "P3"]


def post(port: int, body: bytes, token: str) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/", body, {"Authorization": f"Bearer {token}"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def answers(port: int) -> bool:
    try:
        return post(port, b"{}", "t") > 0
    except urllib.error.URLError:
        return False


def test_only_who_has_the_token_is_heard() -> None:
    target, port = Target(), free_port(0)
    receiver = Receiver({"desktop": target}, "dev1", "", lambda _: None)
    threading.Thread(target=serve, args=(receiver, port, "secret"), daemon=True).start()
    wait_for(partial(answers, port), "it listens")
    body = json.dumps(posted(ALERT)).encode()
    assert post(port, body, "guess") == 401
    assert target.got == []
    assert post(port, body, "secret") == 200
    assert len(target.got) == 1
    assert post(port, b"[1]", "secret") == post(port, b"{", "secret") == 400
    target.works = False
    assert post(port, body, "secret") == 502


def checked(urls: str) -> tuple[int, str]:
    """Exit status and words of the check that `up` makes: the library stays out of this process."""
    command = [sys.executable, "-m", "tmux_exporter.commands.notify.receiver", "--check"]
    done = subprocess.run(
        command, env={**os.environ, VARIABLE: urls}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_a_url_that_the_library_does_not_take_is_told_without_its_secret() -> None:
    status, words = checked("slack://only-one-word-of-three")
    assert (status, words.count("\n")) == (2, 1)
    assert "only-one" not in words
    bot = "telegram://123456789:abcdefg_hijklmnopqrstuvwxyzabcdefgh/12315544"
    assert checked(f"ntfy://topic webhook:http://127.0.0.1:1/ desktop {bot}") == (0, "")


def test_no_daemon_imports_the_library() -> None:
    code = "import sys, tmux_exporter.commands.up.up; print('apprise' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
