"""A receiver of Alertmanager's messages on loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """Listens when made; `messages` is what Alertmanager posted."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                webhook.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def told(self, status: str) -> set[tuple[str, str, str]]:
        """Receiver, alert and instance of everything told with this status."""
        return {
            (message["receiver"], alert["labels"]["alertname"], alert["labels"].get("instance", ""))
            for message in list(self.messages)
            for alert in message["alerts"]
            if alert["status"] == status
        }

    def of(self, name: str, status: str, server: str) -> list[tuple[str, dict[str, Any]]]:
        """Every time that an alert of a tmux server was told so: the receiver, and the alert as it was."""
        return [
            (message["receiver"], alert)
            for message in list(self.messages)
            for alert in message["alerts"]
            if (alert["labels"]["alertname"], alert["status"]) == (name, status)
            and alert["labels"].get("server") == server
        ]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
