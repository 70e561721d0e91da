"""A real `tmux-exporter serve` in its own process, on a free port."""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.wait import wait_for

_LISTENING = re.compile(r"listening on (http://\S+/)")


class Exporter:
    """Started when made; `home` holds its state and log, `runtime` its sockets."""

    def __init__(
        self,
        home: Path,
        runtime: Path,
        *arguments: str,
        program: Sequence[str] = (sys.executable, "-m", "tmux_exporter"),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.runtime = runtime
        self.log = home / "serve.log"
        listen = () if "--web.listen-address" in arguments else ("--web.listen-address", "127.0.0.1:0")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(*program, "serve", *listen),
                    *("--sampling.interval", "500ms", *arguments),
                ],
                stderr=log,
                env={
                    **os.environ,
                    "XDG_STATE_HOME": str(home),
                    "XDG_RUNTIME_DIR": str(runtime),
                    **(environ or {}),
                },
            )
        try:
            wait_for(lambda: _LISTENING.search(self._text()), "serve listens", 30)
            self.url = _LISTENING.findall(self._text())[0]
            wait_for(self.is_ready, "serve has taken a sample", 30)
        except BaseException:
            self.process.kill()
            raise

    def _text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def get(self, path: str, timeout: float = 20.0, scraper: bool = False) -> str:
        """The body of one of its pages; a scraper tells its timeout, and gets the last sample before it."""
        headers = {"X-Prometheus-Scrape-Timeout-Seconds": str(timeout)} if scraper else {}
        request = urllib.request.Request(f"{self.url}{path.lstrip('/')}", headers=headers)
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            body: bytes = answer.read()
        return body.decode()

    def metrics(self) -> str:
        """The page for Prometheus."""
        return self.get("/metrics")

    def is_ready(self) -> bool:
        try:
            self.get("/-/ready")
        except OSError:
            return False
        return True

    def end(self) -> int:
        """End it as a service manager would; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)
