"""`tmux-exporter silence` with a real Alertmanager: what keeps quiet, what does not, errors in a line."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.integration.test_alertmanager import Alertmanager
from tests.support.processes.run_text import run_text
from tests.support.wait import wait_for
from tmux_exporter.base.clock import SystemClock
from tmux_exporter.base.errors import UsageError
from tmux_exporter.base.paths import ALERTMANAGER_URL
from tmux_exporter.commands import silence as silences


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    started = Alertmanager(tmp_path, "http://127.0.0.1:1/")
    yield started
    started.close()


def test_one_session_keeps_quiet_until_its_silence_is_expired(alertmanager: Alertmanager) -> None:
    url = alertmanager.url.removesuffix("/api/v2/alerts")

    def silence(*words: str) -> CompletedProcess[str]:
        command = [sys.executable, "-m", "tmux_exporter", "silence", "--alertmanager", url, *words]
        return run_text(command)

    names = ("nightly", "web")
    alertmanager.post(*({"alertname": "TmuxAgentWaiting", "session": name} for name in names))
    done = silence("nightly", "2h", "--comment", "it may wait", "--json")
    (made,) = json.loads(done.stdout)["silences"]
    assert made["labels"] == {"session": "nightly"}

    def quiet() -> set[str]:
        return {dict(each)["session"] for each in alertmanager.keeps_quiet()}

    wait_for(lambda: quiet() == {"nightly"}, "only that session keeps quiet")
    (listed,) = silences.active(url)
    assert (listed["id"], listed["comment"]) == (made["id"], "it may wait")
    assert "session=nightly" in silence("--list").stdout
    assert silence("--expire", "nightly").stdout == f"expired {made['id']}\n"
    wait_for(lambda: quiet() == set(), "it is told again")
    assert silences.active(url) == []
    only = {"alertname": "TmuxAgentExited", "session": "web", "agent": "lead", "server": "main"}
    assert silences.add(url, only, "5m", SystemClock(), "")["labels"] == only
    with pytest.raises(UsageError, match="no silence 'nobody' holds"):
        silences.expire(url, "nobody")
    lost = silence("--list", "--alertmanager", "http://127.0.0.1:1")
    assert (lost.returncode, lost.stdout, lost.stderr.count("\n")) == (3, "", 1)


@pytest.mark.parametrize("time", ["soon", "999h", "0s", "5"])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    with pytest.raises(UsageError):
        silences.add("http://127.0.0.1:1", {"session": "web"}, time, SystemClock(), "")


def test_alertmanager_is_where_you_say_or_where_up_has_it(tmp_path: Path) -> None:
    assert silences.address(None, tmp_path) == silences.DEFAULT_URL
    (tmp_path / ALERTMANAGER_URL).write_text("http://127.0.0.1:40000\n")
    assert silences.address(None, tmp_path) == "http://127.0.0.1:40000"
    assert silences.address("https://alerts.example.org/", tmp_path) == "https://alerts.example.org"
    with pytest.raises(UsageError, match="is no URL"):
        silences.address("file:///etc/passwd", tmp_path)
