"""A phone: what it is sent by webhook, ntfy and mail, and whether a link opens in its own network."""

import contextlib
import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST, PHONE = "10.77.0.1", "10.77.0.2"


class Inbox:
    """Services on loopback that keep what they are sent, as title and text, by kind."""

    def __init__(self) -> None:
        self.got: dict[str, list[tuple[str, str]]] = {"webhook": [], "ntfy": [], "mail": []}
        inbox = self

        class Http(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kind = "webhook" if self.path.startswith("/hook") else "ntfy"
                inbox.got[kind].append((content["title"], content["message"]))
                body = b'{"id": "1"}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        class Smtp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                for line in self.rfile:
                    match line[:4].upper():
                        case b"DATA":
                            self.wfile.write(b"354 go on\r\n")
                            lines = iter(self.rfile.readline, b".\r\n")
                            text = b"".join(line.removeprefix(b".") for line in lines)
                            mail = message_from_bytes(text, policy=policy.default)
                            part = mail.get_body(("plain", "html"))
                            inbox.got["mail"].append((mail["Subject"], part.get_content() if part else ""))
                            self.wfile.write(b"250 taken\r\n")
                        case b"QUIT":
                            self.wfile.write(b"221 bye\r\n")
                            return
                        case _:
                            self.wfile.write(b"250 ok\r\n")

        class Mail(socketserver.ThreadingTCPServer):
            # Alertmanager sends all groups at once.
            request_queue_size = 256
            daemon_threads = True

        self._servers = (ThreadingHTTPServer(("127.0.0.1", 0), Http), Mail(("127.0.0.1", 0), Smtp))
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        http, smtp = (server.server_address[1] for server in self._servers)
        self.smtp_port = smtp
        self.urls = (
            f"webhook:http://127.0.0.1:{http}/hook",
            f"ntfy://127.0.0.1:{http}/secret-topic-of-mine",
            f"mailto://localhost:{smtp}?from=a@example.org&to=b@example.org&mode=insecure",
        )

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


@contextlib.contextmanager
def own_network() -> Iterator[int]:
    """A network namespace at the other end of a cable, from within one that is ours; yields a pid in it."""
    ip = shutil.which("ip") or "/usr/sbin/ip"
    keeps = subprocess.Popen(["unshare", "-n", "sleep", "3600"])
    try:
        here = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{keeps.pid}/ns/net") == here:
            os.sched_yield()
        inside = ("nsenter", f"--net=/proc/{keeps.pid}/ns/net", ip)
        for words in (
            (ip, "link", "add", "tx0", "type", "veth", "peer", "name", "tx1", "netns", str(keeps.pid)),
            (ip, "addr", "add", f"{HOST}/24", "dev", "tx0"),
            (ip, "link", "set", "tx0", "up"),
            (*inside, "addr", "add", f"{PHONE}/24", "dev", "tx1"),
            (*inside, "link", "set", "tx1", "up"),
            (*inside, "link", "set", "lo", "up"),
        ):
            subprocess.run(words, check=True)
        yield keeps.pid
    finally:
        keeps.kill()
        keeps.wait()


def opens(url: str, phone: int) -> int:
    """The status with which a link is answered in the network of that process; 0 where it leads nowhere."""
    code = (
        "import sys, urllib.request as r, urllib.error as e\n"
        "try: print(r.build_opener(r.ProxyHandler({})).open(sys.argv[1], timeout=10).status)\n"
        "except e.HTTPError as error: print(error.code)\n"
        "except OSError: print(0)"
    )
    words = ["nsenter", f"--net=/proc/{phone}/ns/net", sys.executable, "-SPc", code, url]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
