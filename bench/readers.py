"""What reading costs: the page with one viewer, `top`, and the remediator, which has samples of its own."""

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

from bench import peers
from bench.clocks import processes
from bench.cost import Plan
from bench.fleet import Fleet, Size
from bench.peers import REPOSITORY, Peer
from bench.say import say, wait_for
from bench.windows import LEAD_IN, measure
from tmux_exporter.base.paths import REMEDIATOR_STATUS

ORPHANS = 300
_STAYS = "2000000"
"""For so many seconds an orphan sleeps; by this word they are found again."""
TOP, REMEDIATOR = "top", "remediator"
_REMEDIATOR = "from tmux_exporter.cli.main import remediator; remediator()"


def readers(folder: Path, size: Size, plan: Plan, *, orphans: int = ORPHANS) -> dict[str, Any]:
    """Milliseconds of CPU in a window, of the exporter by who reads it, of `top`, and of the remediator."""
    fleet = Fleet(size, folder)
    try:
        arguments = peers.ticks(folder, interval=plan.tick, idle=plan.seconds)
        with peers.ours("read", folder, *arguments) as exporter:
            alone = _cost(exporter, {}, plan)["read"]
            say("  one viewer of the page")
            with viewer(exporter):
                viewed = _cost(exporter, {}, plan)["read"]
            say("  top")
            with _top(exporter, folder) as pid:
                seen = _cost(exporter, {TOP: pid}, plan)
        say("  the remediator at rest")
        at_rest = _remediator(folder / "at-rest", folder, plan)
        say(f"  the remediator beside {orphans} orphans")
        _leave(fleet, orphans)
        beside = _remediator(folder / "beside", folder, plan)
    finally:
        _end_orphans()
        fleet.close()
    return {
        "panes": size.panes,
        "others": size.others,
        "seconds": plan.seconds,
        "orphans": orphans,
        "ms": {
            "exporter, one scrape a window": alone,
            "exporter, and a page with one viewer": viewed,
            "exporter, and top": seen["read"],
            "top itself": seen[TOP],
            "remediator, at rest": at_rest,
            f"remediator, {orphans} orphans": beside,
        },
    }


def _cost(exporter: Peer, beside: dict[str, int], plan: Plan) -> dict[str, float]:
    used = measure([exporter], beside, windows=plan.windows, seconds=plan.seconds, lead_in=LEAD_IN)
    return {name: round(fmean(each), 2) for name, each in used.items()}


@contextmanager
def viewer(exporter: Peer) -> Iterator[None]:
    """An open page: it takes every report."""
    host, port = _address(exporter).split(":")
    taken = [0]

    def follow(stream: socket.socket) -> None:
        while piece := stream.recv(1 << 20):
            taken[0] += len(piece)

    with socket.create_connection((host, int(port))) as stream:
        stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        thread = threading.Thread(target=follow, args=(stream,), daemon=True)
        thread.start()
        wait_for(lambda: taken[0], "the page gets a report")
        yield
        stream.shutdown(socket.SHUT_RDWR)
        thread.join()


def _address(exporter: Peer) -> str:
    return exporter.url.split("/")[2]


@contextmanager
def _top(exporter: Peer, folder: Path) -> Iterator[int]:
    """`top` in a terminal of its own, beside that exporter."""
    config = folder / "top.yml"
    config.write_text(f"web: {{listen_address: '{_address(exporter)}'}}\n")
    main, side = pty.openpty()
    drawn = [0]

    def drain() -> None:
        try:
            while piece := os.read(main, 1 << 16):
                drawn[0] += len(piece)
        except OSError:
            return

    threading.Thread(target=drain, daemon=True).start()
    environ = {**os.environ, "TERM": "xterm-256color", "TMUX_TMPDIR": str(folder)}
    command = [sys.executable, "-m", "tmux_exporter", "top", "--config", str(config)]
    process = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, cwd=REPOSITORY, env=environ)
    try:
        wait_for(lambda: drawn[0] > 1000, "top draws")
        yield process.pid
    finally:
        process.terminate()
        process.wait()
        os.close(side)
        os.close(main)


def _remediator(home: Path, folder: Path, plan: Plan) -> float:
    """Of one that observes with the shipped policies."""
    (home / "run").mkdir(parents=True, mode=0o700)
    environ = {
        **os.environ,
        "TMUX_TMPDIR": str(folder),
        "XDG_STATE_HOME": str(home),
        "XDG_RUNTIME_DIR": str(home / "run"),
    }
    policies = REPOSITORY / "deploy" / "policies.yml"
    run = ("run", "--policy", str(policies), "--interval", f"{plan.tick:g}s")
    command = [sys.executable, "-c", _REMEDIATOR, *run]
    with ExitStack() as stack:
        log = stack.enter_context((home / "log").open("wb"))
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=REPOSITORY, env=environ)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        wait_for(
            lambda: process.poll() is not None or any(home.rglob(REMEDIATOR_STATUS)), "a cycle is run", 120
        )
        if process.poll() is not None:
            raise RuntimeError(f"the remediator ended:\n{(home / 'log').read_text()}")
        used = measure([], {REMEDIATOR: process.pid}, windows=plan.windows, seconds=plan.seconds, lead_in=1)
        return round(fmean(used[REMEDIATOR]), 2)


def _end_orphans() -> None:
    for pid, command in processes().items():
        if _STAYS.encode() in command.split(b"\0"):
            os.kill(pid, signal.SIGKILL)


def _leave(fleet: Fleet, count: int) -> None:
    """Processes that outlive the window that they were started in."""
    before = len(processes())
    script = fleet.folder / "orphans.sh"
    script.write_text(f"for i in $(seq {count}); do setsid sleep {_STAYS} & done\nwait\n")
    fleet.tmux("new-window", "-d", "-n", "leaves", "-t", "work0:", f"exec bash {script}")
    wait_for(lambda: len(processes()) >= before + count, "the orphans run", 120)
    fleet.tmux("kill-window", "-t", "work0:leaves")
