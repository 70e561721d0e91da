"""A real `tmux-exporter up` with its own home, and questions to the servers that it starts."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.wait import wait_for

LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
"""As /proc/net/tcp and tcp6 write it."""

PREFERRED_PORT = "TMUX_EXPORTER_TEST_PREFERRED_PORT"

_ON_FREE_PORTS = f"""
import os
from tmux_exporter.commands.up_children import prometheus as stack
from tmux_exporter.cli.main import main

stack.PROMETHEUS_PORT = int(os.environ.get("{PREFERRED_PORT}", "0"))
stack.ALERTMANAGER_PORT = 0
main()
"""
"""`tmux-exporter`, but never on 9090 or 9093: somebody's Prometheus may look for its own there."""


class Up:
    """A running `tmux-exporter up` on free ports; `home` is where it keeps its state.

    `python` starts an interpreter that has it: ours, or that of an installation.
    """

    def __init__(
        self,
        home: Path,
        runtime: Path,
        *arguments: str,
        python: Sequence[str] = (sys.executable,),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.home, self.runtime = home, runtime
        self.environ = {
            **(os.environ if environ is None else environ),
            "HOME": str(home),
            "XDG_STATE_HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
        }
        self.output = home / "up.out"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *python, "-c", _ON_FREE_PORTS, "up", "--web.listen-address", "127.0.0.1:0", *arguments,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environ,
                cwd=home if environ else None,
            )  # fmt: skip

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def url(self, name: str) -> str:
        """The address printed behind `name`."""
        pattern = re.compile(rf"^  {name} +(http://\S+)$", re.MULTILINE)
        match = wait_for(
            lambda: pattern.search(self.text()), f"up prints the address of {name}: {self.text()}"
        )
        return match[1]

    def children(self) -> list[int]:
        """Pids below `up`, however deep."""
        return children_of(self.process.pid)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


def children_of(pid: int) -> list[int]:
    """Pids below a process, however deep."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                stat = (folder / "stat").read_bytes()
            except OSError:
                continue
            parents[int(folder.name)] = int(stat[stat.rindex(b")") + 2 :].split()[1])
    found = {pid}
    while more := {each for each, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {pid})


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
    return body.decode()


def query(prometheus: str, expression: str) -> list[tuple[dict[str, str], float]]:
    answer = json.loads(get(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"))
    return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]


def listening(pids: list[int]) -> set[str]:
    """The addresses on which these processes listen, as /proc/net/tcp and tcp6 write them."""
    inodes = set()
    for pid in pids:
        try:
            links = list(Path(f"/proc/{pid}/fd").iterdir())
        except FileNotFoundError:
            continue
        for link in links:
            try:
                inodes.add(os.readlink(link))
            except FileNotFoundError:
                continue
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
    ]
    return {row[1].rpartition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}
