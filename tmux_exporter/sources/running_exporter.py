"""What the exporter that this user runs on this machine has last reported, asked over its own HTTP."""

import http.client
import json
from collections.abc import Mapping
from typing import Any

from tmux_exporter.config.values import parse_listen_address
from tmux_exporter.sources.port_owner import listening_uids

_TIMEOUT_SECONDS = 2.0
_MOST_BYTES = 64 * 1024 * 1024
_VERSION = 1
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


class RunningExporter:
    """The exporter at `listen_address`, if there is one; `proc_root` says whose the port is."""

    def __init__(self, listen_address: str, *, uid: int, proc_root: str = "/proc") -> None:
        address = parse_listen_address(listen_address)
        self._host = _EVERYWHERE.get(address.host, address.host)
        self._port = address.port
        self._uid = uid
        self._root = proc_root

    def report(self) -> Mapping[str, Any] | None:
        """Its last report (`web/report_json.py`); None where nobody of this user answers with one.

        A port may be anybody's on a machine with several users, so its owner is looked at first.
        """
        if listening_uids(self._port, self._root) != {self._uid}:
            return None
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/api/v1/report")
            response = connection.getresponse()
            body = response.read(_MOST_BYTES)
            document = json.loads(body) if response.status == http.HTTPStatus.OK else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()
        known = isinstance(document, dict) and document.get("version") == _VERSION
        return document if known else None
