"""Where notifications go, and which URL may stand on a command line."""

import os
from pathlib import Path

import pytest

from tmux_exporter.base.errors import UsageError
from tmux_exporter.commands.notify.targets import VARIABLE, has_secret, kind, library_url, targets

OPEN = (
    "desktop", "ntfy://my-topic", "ntfys://ntfy.example.org/my-topic", "webhook:http://127.0.0.1:8080/hook",
    "webhook:https://example.org/a/b", "mailto://localhost:25?from=a@example.org&to=b@example.org",
)  # fmt: skip
SECRET = (
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "telegram://123456789:abcdefg_hijklmnop/12315544/",
    "mailto://me:word@example.org",
    "mailto://example.org?user=me&pass=word&to=b@example.org",
    "ntfy://me:word@example.org/topic",
    "ntfy://example.org/topic?token=tk_abc",
    "webhook:https://hooks.example.org/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXX1",
    "webhook:https://me:word@example.org/",
    "webhook:https://example.org/?key=1",
    "discord://1/2",
    "https://example.org/",
)


@pytest.mark.parametrize("url", OPEN)
def test_a_url_without_a_secret_may_stand_on_the_command_line(url: str) -> None:
    assert targets([url], {}) == (url,)


@pytest.mark.parametrize("url", SECRET)
def test_a_url_with_a_secret_is_refused_there_and_not_repeated(url: str) -> None:
    assert has_secret(url)
    with pytest.raises(UsageError, match="in the list of processes") as refused:
        targets([url], {})
    assert url.split(":", 1)[1][2:] not in str(refused.value)


def test_a_private_file_and_the_environment_may_have_one(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text(f"# mine\n{SECRET[0]}\n\n{OPEN[1]}\n")
    file.chmod(0o600)
    found = targets([f"@{file}", OPEN[1]], {VARIABLE: f"{SECRET[1]} {OPEN[0]}"})
    assert found == (SECRET[0], OPEN[1], SECRET[1], OPEN[0])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "urls"
    file.write_text(SECRET[0])
    file.chmod(mode)
    with pytest.raises(UsageError, match="chmod 600"):
        targets([f"@{file}"], {})


def test_what_is_no_file_or_no_url_is_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    for given, words in ((f"@{fifo}", "is no file"), (f"@{tmp_path}/none", "No such file"), ("@", "No such")):
        with pytest.raises(UsageError, match=words):
            targets([given], {})
    with pytest.raises(UsageError, match="is no URL"):
        targets([], {VARIABLE: "my-topic"})


def test_urls_are_written_as_the_library_does_and_named_by_their_scheme() -> None:
    assert library_url("webhook:https://example.org/a") == "jsons://example.org/a"
    assert library_url("webhook:http://example.org/a") == "json://example.org/a"
    assert library_url("telegram://1:a/2") == "tgram://1:a/2"
    assert library_url("ntfy://topic") == "ntfy://topic"
    assert [kind(url) for url in (SECRET[1], OPEN[3], "x" * 80)] == ["telegram", "webhook", "?"]
