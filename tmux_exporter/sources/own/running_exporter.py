"""Read the last report of the running exporter of this user over HTTP."""

import http.client
import socket
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from tmux_exporter.base import strict_json
from tmux_exporter.base.clock import Clock
from tmux_exporter.config.parsers import UNIX, ListenAddress, parse_listen_address
from tmux_exporter.facts.detail import Wanted
from tmux_exporter.facts.process import ProcessId
from tmux_exporter.facts.report import Remembered
from tmux_exporter.sources.host.port_owner import listening_uids

ANSWER_SECONDS = 2.0
"""The bound of a whole answer."""

_MOST_BYTES = 64 * 1024 * 1024
_SAMPLE_NOW = "/metrics?fresh=1&collect[]=process"
_CHUNK_BYTES = 1024 * 1024
_VERSION = 1
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterAnswer:
    """A report (`metrics/report_json.py`), None if there is none; then `failure` says why.

    Without both nothing listens.
    """

    document: Mapping[str, Any] | None = None
    failure: str = ""

    def remembered(self) -> tuple[Remembered, ...] | None:
        """What it remembers of processes from earlier samples; None if it does not report that."""
        try:
            return tuple(map(_remembered, self.document["remembered"])) if self.document else None
        except (KeyError, TypeError, ValueError):
            return None

    def cpu_incomplete_ratio(self, server: str, session: str) -> float:
        """The share of a session's CPU time that its counter lacks; 0 where it is not told."""
        try:
            return next(
                (
                    float(each["cpu_incomplete_ratio"])
                    for each in (self.document or {})["sessions"]
                    if (each["server"], each["session"]) == (server, session)
                ),
                0.0,
            )
        except (KeyError, TypeError, ValueError):
            return 0.0


class RunningExporter:
    """The exporter at `listen_address` (host:port, unix:/path), if any; `proc_root` shows the port's owner.

    `uid` None takes any owner, and another machine.
    """

    def __init__(
        self, listen_address: str, *, uid: int | None, clock: Clock, proc_root: str = "/proc"
    ) -> None:
        self._path = listen_address.removeprefix(UNIX) if listen_address.startswith(UNIX) else ""
        address = ListenAddress("localhost", 0) if self._path else parse_listen_address(listen_address)
        self._host = _EVERYWHERE.get(address.host, address.host)
        self._port = address.port
        self._uid = uid
        self._clock = clock
        self._root = proc_root

    def ask(self, *, fresh: bool = False) -> ExporterAnswer:
        """Its last report; with `fresh` it samples first if its last sample is older than a second.

        The port may belong to another user, so its owner is checked first.
        """
        if self._uid is not None and not self._path:
            owners = listening_uids(self._port, self._root)
            if not owners:
                return ExporterAnswer()
            if owners != {self._uid}:
                return ExporterAnswer(failure="is another user's")
        try:
            if fresh:
                self._get(_SAMPLE_NOW)
            status, body = self._get("/api/v1/report")
        except TimeoutError:
            return ExporterAnswer(failure=f"does not answer within {ANSWER_SECONDS:g} s")
        except (ConnectionRefusedError, FileNotFoundError):
            return ExporterAnswer()
        except PermissionError:
            return ExporterAnswer(failure="is another user's")
        except (OSError, http.client.HTTPException) as error:
            return ExporterAnswer(failure=f"does not answer ({error!r})")
        if status == http.HTTPStatus.UNAUTHORIZED:
            return ExporterAnswer(failure=f"wants a password: add {UNIX}/PATH to web.also_listen")
        if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            return ExporterAnswer(failure="has taken no sample yet")
        try:
            document = strict_json.record(strict_json.parse(body)) if status == http.HTTPStatus.OK else {}
        except (ValueError, TypeError):
            document = {}
        if not isinstance(document.get("version"), int):
            return ExporterAnswer(failure="is no tmux-exporter")
        if document["version"] != _VERSION:
            return ExporterAnswer(failure="is of another version")
        return ExporterAnswer(document=document)

    def detail(self, wanted: Wanted) -> Mapping[str, Any] | None:
        """One thing of its last sample (`report_json.render_detail`); None without an answer."""
        names = {name: value for name, value in asdict(wanted).items() if value}
        try:
            status, body = self._get(f"/api/v1/detail?{urlencode(names)}")
            return strict_json.record(strict_json.parse(body)) if status == http.HTTPStatus.OK else None
        except (OSError, http.client.HTTPException, ValueError, TypeError):
            return None

    def _connect_unix(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(ANSWER_SECONDS)
            connection.connect(self._path)
            if self._uid not in (None, _uid_of(connection)):
                raise PermissionError
        except BaseException:
            connection.close()
            raise
        return connection

    def _get(self, path: str) -> tuple[int, bytes]:
        deadline = self._clock.monotonic() + ANSWER_SECONDS
        connection = http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_SECONDS)
        try:
            if self._path:
                connection.sock = self._connect_unix()
            connection.request("GET", path)
            response = connection.getresponse()
            body = bytearray()
            while len(body) < _MOST_BYTES and (chunk := response.read1(_CHUNK_BYTES)):
                body += chunk
                if self._clock.monotonic() > deadline:
                    raise TimeoutError
            return response.status, bytes(body)
        finally:
            connection.close()


def _uid_of(connection: socket.socket) -> int:
    """Who listens at the other end of a Unix socket."""
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", peer)[1]
    return uid


def _remembered(told: Mapping[str, Any]) -> Remembered:
    return Remembered(
        process=ProcessId(int(told["pid"]), int(told["start_ticks"])),
        origin=ProcessId(int(told["server_pid"]), int(told["server_start_ticks"])),
        pane=str(told["pane"]),
        server=str(told["server"]),
        session=str(told["session"]),
        leaked=bool(told["leaked"]),
        by_folder=bool(told["by_folder"]),
        by_lineage=bool(told.get("by_lineage")),
    )
