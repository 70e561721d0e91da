"""Debian's rsyslog ships our log lines with the shipped configuration, whatever happens on the way.

What receives them is a stub of Elasticsearch's `_bulk`, which counts documents; the lines are those of a real
exporter, and of the same handler and formatter, numbered. The log is on a small file system, which gets full.
"""

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.fixtures import StartExporter
from tests.support.isolation.mounted import mount, unmount
from tests.support.processes.run_text import run_text
from tests.support.programs.exporter import Exporter
from tests.support.wait import wait_for
from tmux_exporter.base.log import EcsFormatter, LineHandler, line_counts, log_fields

SHIPPED = Path(__file__).parents[2] / "deploy" / "logs" / "rsyslog.conf"
LINES = 3000
NUMBER = re.compile(r'"number": "([0-9]+)"')


class Bulk:
    """Takes `_bulk` requests and keeps their documents.

    While `is_dead` it ends connections without a word; while `is_refusing` it answers 503 with a reason,
    while `is_mute` without a body.
    """

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.malformed: list[str] = []
        self.is_dead, self.missed = False, 0
        self.is_refusing, self.refused = False, 0
        self.is_mute, self.unanswered = False, ""
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
        if self.is_mute:
            self.unanswered += body.decode()
            return 503, b""
        if self.is_refusing:
            self.refused += 1
            return 503, b'{"error":{"type":"unavailable_shards_exception"},"status":503}'
        items: list[dict[str, Any]] = []
        lines = body.split(b"\n")
        for action, document in zip(lines[::2], lines[1::2], strict=False):
            assert "index" in json.loads(action), action
            try:
                self.documents.append(json.loads(document))
                items.append({"index": {"status": 201}})
            except ValueError:
                self.malformed.append(document.decode())
                items.append({"index": {"status": 400, "error": {"type": "mapper_parsing_exception"}}})
        errors = any("error" in each["index"] for each in items)
        return 200, json.dumps({"errors": errors, "items": items}).encode()

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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB for the log."""
    folder = tmp_path / "log"
    folder.mkdir()
    mount(b"none", os.fsencode(folder), b"tmpfs", b"size=4m")
    yield folder
    unmount(os.fsencode(folder))


def fill(path: Path) -> None:
    """Take all room but that of the pages which files have already."""
    with path.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(b"x" * 4096):
            pass


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_night_of_lines_arrives_or_is_counted(
    tmp_path: Path, small_disk: Path, start_exporter: StartExporter
) -> None:
    (tmp_path / "work").mkdir()
    exporter = start_exporter("--log.format", "ecs", "--log.level", "debug")
    exporter.end()
    own = exporter.log.read_text().splitlines()
    assert any("listening on" in line for line in own)
    formatter, written, before = EcsFormatter(), small_disk / "exporter.log", line_counts()
    written.write_text("".join(f"{line}\n" for line in own))
    bulk, stats = Bulk(), tmp_path / "work" / "tmux-exporter.stats"

    def write(first: int, last: int) -> None:
        with written.open("ab") as stream:
            handler = LineHandler(stream.fileno())
            handler.setFormatter(formatter)
            for number in range(first, last):
                extra = log_fields(number=number, name='a "b" \\ %msg% é\n')
                record = logging.getLogger("night").makeRecord(
                    "night", logging.INFO, "", 0, "line", (), None, None, extra
                )
                handler.handle(record)

    def arrived(last: int) -> bool:
        return {each for each in numbers() if each.isdecimal()} >= {str(each) for each in range(last)}

    def counted() -> dict[str, int]:
        return {each: count - before[each] for each, count in line_counts().items()}

    def numbers() -> list[str]:
        return [each.get("labels", {}).get("number", "") for each in list(bulk.documents)]

    try:
        with shipper(tmp_path, bulk):
            write(0, LINES // 4)
            wait_for(lambda: arrived(LINES // 4), "lines arrive", 120)
            # As logrotate does without copytruncate.
            written.rename(small_disk / "exporter.log.1")
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
            assert sorted(filter(str.isdecimal, numbers())) == sorted(map(str, range(LINES)))
            assert (bulk.malformed, counted()) == ([], {"written": LINES, "lost": 0})
            # The disk is full for a while: what fits into the last page is written.
            fill(small_disk / "filler")
            write(LINES, LINES + 100)
            (small_disk / "filler").unlink()
            lost_on_disk = counted()["lost"]
            assert 0 < lost_on_disk <= 100
            write(LINES + 100, LINES + 200)
            whole = LINES + 200 - lost_on_disk
            wait_for(lambda: len(set(filter(str.isdecimal, numbers()))) == whole, "the whole ones arrive", 60)
            assert counted() == {"written": whole, "lost": lost_on_disk}
            assert set(map(str, range(LINES + 100, LINES + 200))) <= set(numbers())
            # What was there of a torn line is one of its own, which the server refuses.
            assert len(bulk.malformed) <= 1
            for piece in bulk.malformed:
                assert '{"@timestamp": "'.startswith(piece[:16])
                wait_for(lambda: "mapper_parsing_exception" in refused.read_text(), "its refusal is kept", 60)
            # The server says no without a body: rsyslog takes it for a yes and counts nothing.
            bulk.is_mute = True
            write(LINES + 200, LINES + 300)
            wait_for(lambda: len(NUMBER.findall(bulk.unanswered)) == 100, "all were sent", 60)
            bulk.is_mute = False
            write(LINES + 300, LINES + 400)
            wait_for(lambda: str(LINES + 399) in numbers(), "the next ones arrive", 60)
    finally:
        bulk.close()
    gone = set(NUMBER.findall(bulk.unanswered))
    arrived_ones = sorted(filter(str.isdecimal, numbers()))
    assert len(arrived_ones) == len(set(arrived_ones)) and not gone & set(arrived_ones)
    # Lines written are lines shipped and those of the answers without a body; all others are counted as lost.
    assert counted() == {"written": len(arrived_ones) + len(gone), "lost": lost_on_disk}
    assert counted()["written"] + counted()["lost"] == LINES + 400
    shipped = [each["message"] for each in bulk.documents]
    for line in own:
        assert json.loads(line)["message"] in shipped


@pytest.mark.long
def test_an_exporter_on_a_full_disk_counts_what_it_could_not_write(
    tmp_path: Path, small_disk: Path, socket_dir: Path
) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    exporter = Exporter(small_disk, socket_dir.parent, "--log.format", "ecs", environ=environ)

    def said(outcome: str) -> float:
        pattern = rf'^tmux_exporter_log_lines_total{{outcome="{outcome}"}} (\S+)$'
        (found,) = re.findall(pattern, exporter.get("/metrics?fresh=1"), re.MULTILINE)
        return float(found)

    def reload_until(ready: Callable[[], bool], what: str) -> None:
        def again() -> bool:
            exporter.process.send_signal(signal.SIGHUP)
            return ready()

        wait_for(again, what, 60)

    try:
        fill(small_disk / "filler")
        reload_until(lambda: said("lost") > 1, "lines are lost")
        (small_disk / "filler").unlink()
        written = said("written")
        reload_until(lambda: said("written") > written, "lines are written again")
    finally:
        assert exporter.end() == 0
    lines = exporter.log.read_text().splitlines()
    torn = [line for line in lines if not line.endswith("}")]
    assert len(torn) <= 1
    # A torn one ends before the next, which is whole.
    assert lines[-1] not in torn
    assert all(json.loads(line)["message"] for line in lines if line not in torn)
