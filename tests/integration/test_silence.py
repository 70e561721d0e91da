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
    (listed,) = json.loads(silence("--list", "--json").stdout)["silences"]
    assert (listed["id"], listed["comment"]) == (made["id"], "it may wait")
    assert "session=nightly" in silence("--list").stdout
    assert silence("--expire", "nightly").stdout == f"expired {made['id']}\n"
    wait_for(lambda: quiet() == set(), "it is told again")
    assert json.loads(silence("--list", "--json").stdout)["silences"] == []

    only = silence("web", "5m", "--alert", "TmuxAgentExited", "--server", "main", "--agent", "lead", "--json")
    assert json.loads(only.stdout)["silences"][0]["labels"] == {
        "alertname": "TmuxAgentExited", "session": "web", "agent": "lead", "server": "main",
    }  # fmt: skip
    for words, status in (
        (("web", "soon"), 2), (("web", "999h"), 2), (("web",), 2), ((), 2), (("--list", "--expire", "x"), 2),
        (("--expire", "nobody"), 2), (("--list", "--alertmanager", "http://127.0.0.1:1"), 3),
        (("--list", "--alertmanager", "nowhere"), 2),
    ):  # fmt: skip
        done = silence(*words)
        assert (done.returncode, done.stdout) == (status, ""), words
        assert done.stderr.rstrip().splitlines()[-1]
        assert "Traceback" not in done.stderr
