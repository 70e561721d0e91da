"""Debian's rsyslog ships our log lines with the shipped configuration, whatever happens on the way.

What receives them is a stub of Elasticsearch's `_bulk`, which counts documents; the lines are those of a real
exporter, and of the same formatter, numbered.
"""

import json
import logging
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.fixtures import StartExporter
from tests.support.processes.run_text import run_text
from tests.support.wait import wait_for
from tmux_exporter.base.log import EcsFormatter, log_fields

SHIPPED = Path(__file__).parents[2] / "deploy" / "logs" / "rsyslog.conf"
LINES = 3000
NUMBER = re.compile(r'"number": "([0-9]+)"')


class Bulk:
    """Takes `_bulk` requests and keeps their documents.

    While `is_dead` it ends connections without a word, while `is_refusing` it answers 503 with a reason.
    """

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.malformed: list[bytes] = []
        self.is_dead, self.missed = False, 0
        self.is_refusing, self.refused = False, 0
        bulk = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not bulk.is_dead:
                    self.answer(*bulk.take(body))
                else:
                    bulk.missed += 1
                    self.close_connection = True

            def do_GET(self) -> None:
                if not bulk.is_dead:
                    self.answer(200, b"{}")
                else:
                    bulk.missed += 1
                    self.close_connection = True

            def do_HEAD(self) -> None:
                self.do_GET()

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def take(self, body: bytes) -> tuple[int, bytes]:
        if self.is_refusing:
            self.refused += 1
            return 503, b'{"error":{"type":"unavailable_shards_exception"},"status":503}'
        items = []
        lines = body.split(b"\n")
        for action, document in zip(lines[::2], lines[1::2], strict=False):
            assert "index" in json.loads(action), action
            items.append({"index": {"status": 201}})
            try:
                self.documents.append(json.loads(document))
            except ValueError:
                self.malformed.append(document)
        return 200, json.dumps({"errors": False, "items": items}).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@contextmanager
def shipper(folder: Path, bulk: Bulk) -> Iterator[None]:
    """rsyslog in the foreground with the shipped configuration, in folders of its own."""
    program = shutil.which("rsyslogd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "install rsyslog and rsyslog-elasticsearch: `make check` does it with apt"
    text = SHIPPED.read_text().replace("/var/log/tmux-exporter", str(folder / "log"))
    text = text.replace("/var/spool/rsyslog", str(folder / "work")).replace('interval="60"', 'interval="1"')
    text = text.replace('serverport="9200"', f'serverport="{bulk.server.server_port}"')
    (folder / "rsyslog.conf").write_text(f'global(workDirectory="{folder / "work"}")\n{text}')
    words = (program, "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "rsyslog.pid"))
    with (folder / "rsyslog.out").open("ab") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_line_arrives_once_or_is_kept_as_refused(tmp_path: Path, start_exporter: StartExporter) -> None:
    for name in ("log", "work"):
        (tmp_path / name).mkdir()
    exporter = start_exporter("--log.format", "ecs", "--log.level", "debug")
    exporter.end()
    own = exporter.log.read_text().splitlines()
    assert any("listening on" in line for line in own)
    formatter, written = EcsFormatter(), tmp_path / "log" / "exporter.log"
    written.write_text("".join(f"{line}\n" for line in own))
    bulk, stats = Bulk(), tmp_path / "work" / "tmux-exporter.stats"

    def write(first: int, last: int) -> None:
        with written.open("a") as stream:
            for number in range(first, last):
                extra = log_fields(number=number, name='a "b" \\ %msg% é\n')
                record = logging.getLogger("night").makeRecord(
                    "night", logging.INFO, "", 0, "line", (), None, None, extra
                )
                stream.write(f"{formatter.format(record)}\n")

    def arrived(last: int) -> bool:
        return {each for each in numbers() if each.isdecimal()} >= {str(each) for each in range(last)}

    def numbers() -> list[str]:
        return [each.get("labels", {}).get("number", "") for each in list(bulk.documents)]

    try:
        with shipper(tmp_path, bulk):
            write(0, LINES // 4)
            wait_for(lambda: arrived(LINES // 4), "lines arrive", 120)
            # As logrotate does without copytruncate.
            written.rename(tmp_path / "log" / "exporter.log.1")
            write(LINES // 4, LINES // 2)
            wait_for(lambda: arrived(LINES // 2), "lines arrive after a rotation", 120)
            # The server ends each connection for a while, and then is back.
            bulk.is_dead = True
            write(LINES // 2, 3 * LINES // 4)
            wait_for(lambda: bulk.missed > 2, "it is tried again", 60)
            bulk.is_dead = False
            wait_for(lambda: arrived(3 * LINES // 4), "lines arrive once the server is back", 300)
            # The server refuses for a while, and meanwhile the shipper is stopped.
            bulk.is_refusing = True
            write(3 * LINES // 4, 7 * LINES // 8)
            wait_for(lambda: bulk.refused > 0, "the server refuses", 60)
            wait_for(lambda: re.search('"failed.es": [1-9]', stats.read_text()), "it is counted", 60)
        bulk.is_refusing = False
        # Nobody ships what is written now, until somebody does.
        write(7 * LINES // 8, LINES)
        with shipper(tmp_path, bulk):
            refused = tmp_path / "work" / "tmux-exporter.refused"
            lost = NUMBER.findall(refused.read_text().replace("\\", ""))
            assert lost
            sent = set(map(str, range(LINES))) - set(lost)
            wait_for(lambda: sent <= set(numbers()), "all others arrive after a restart", 120)
            assert sorted(filter(str.isdecimal, numbers())) == sorted(sent)
            # As the file says.
            (again,) = re.findall(r"^# +(jq .*)$", SHIPPED.read_text(), re.MULTILINE)
            again = again.replace(" refused ", f" {refused} ").replace(":9200", f":{bulk.server.server_port}")
            assert '"errors": false' in run_text(("sh", "-c", again), check=True).stdout
    finally:
        bulk.close()
    assert bulk.malformed == []
    assert sorted(each for each in numbers() if each.isdecimal()) == sorted(map(str, range(LINES)))
    shipped = [each["message"] for each in bulk.documents]
    for line in own:
        assert json.loads(line)["message"] in shipped
