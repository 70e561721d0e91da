"""Record an hour of `/metrics` of a real fleet, for the replay that looks for false alarms.

`python -m tests.support.recorded.record_fleet demo|calm FOLDER [SECONDS]` plays the fleet in an own pid
namespace, so that nothing else of the machine is on record, and writes one compressed page every 15 s; an
empty one where the exporter did not answer. `tests.support.recorded.replay` makes the fixture of it.

The demo fleet has what demos have (a leaking agent, one that waits, two lost schedulers); in that hour its
exporter is restarted, a fifth of its operations fails for ten minutes, and its tmux server hangs twice: three
minutes long and half a minute long. In the calm fleet nothing is wrong.
"""

import gzip
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.support.isolation.namespace import in_namespace
from tests.support.programs.exporter import Exporter
from tests.support.wait import wait_for
from tmux_exporter.commands.demo import fleet, keeper
from tmux_exporter.commands.demo.fleet import PLAIN, PlayedWindow
from tmux_exporter.commands.demo.home import home_of

STEP = 15
LASTS = 3900
RESTART = 900
DOWN = 45
FAILURES = range(1200, 1800)
HANGS = (range(2400, 2580), range(3000, 3030))

CALM: dict[str, tuple[PlayedWindow, ...]] = {
    "billing": (
        PlayedWindow(window="Claude-Agent", program="claude", role="works"),
        PlayedWindow(window="Uvicorn-API", program=PLAIN, role="serves"),
    ),
    "orchestrator": (
        PlayedWindow(window="Orchestrator", program="claude", role="idles"),
        PlayedWindow(window="Scheduler-Shell", program=PLAIN, role="schedules", arguments=("20=billing:0",)),
    ),
}


def keep_calm_fleet() -> None:
    """What the demo's keeper does, with a fleet in which nothing is wrong."""
    fleet.FLEET = CALM
    fleet._GONE_PARTS = (PlayedWindow(window="Claude-Agent", program=PLAIN, role="idles"),)
    keeper.main()


class Recording:
    """One fleet, its exporter and a remediator that observes."""

    def __init__(self, folder: Path, home: Path, name: str, lasts: int) -> None:
        self.folder, self.home, self.name, self.lasts = folder, home, name, lasts
        self.began = time.monotonic()
        os.environ |= {"XDG_RUNTIME_DIR": str(home), "XDG_STATE_HOME": str(home), "HOME": str(home)}
        self.exporter: Exporter | None = None
        self.server = 0

    def run(self) -> None:
        command = {
            "demo": (sys.executable, "-m", "tmux_exporter.commands.demo.keeper"),
            "calm": (sys.executable, "-m", "tests.support.recorded.record_fleet", "keep-calm"),
        }
        keeps = subprocess.Popen(command[self.name], stdout=subprocess.DEVNULL)
        home = home_of(os.environ)
        wait_for(home.ready.exists, "the fleet stands", 60)
        ask = ("tmux", "-S", str(home.socket), "display-message", "-p", "#{pid}")
        self.server = int(subprocess.run(ask, capture_output=True, check=True).stdout)
        self.exporter = Exporter(self.home, self.home, "--sampling.interval", "5s")
        watches = subprocess.Popen(
            (sys.executable, "-m", "tmux_exporter.cli.remediator", "run"),
            stderr=(self.home / "remediator.log").open("wb"),
        )
        threading.Thread(target=self._operate, daemon=True).start()
        self.began = time.monotonic()
        try:
            for number in range(self.lasts // STEP + 1):
                self._wait_until(number * STEP)
                self._record(number)
        finally:
            self.exporter.end()
            for process in (watches, keeps):
                process.terminate()
                process.wait(30)

    def _wait_until(self, moment: int) -> None:
        """Wait, and do to the fleet what is due meanwhile."""
        while (now := time.monotonic() - self.began) < moment:
            if self.name == "demo":
                self._harm(now)
            time.sleep(min(0.5, moment - now))

    def _harm(self, now: float) -> None:
        hangs = any(int(now) in each for each in HANGS)
        os.kill(self.server, signal.SIGSTOP if hangs else signal.SIGCONT)
        if self.exporter and RESTART <= now < RESTART + DOWN:
            self.exporter.end()
            self.exporter = None
        elif self.exporter is None and now >= RESTART + DOWN:
            self.exporter = Exporter(self.home, self.home, "--sampling.interval", "5s")

    def _record(self, number: int) -> None:
        try:
            page = self.exporter.metrics() if self.exporter else ""
        except OSError:
            page = ""
        (self.folder / f"{number:04}.gz").write_bytes(gzip.compress(f"# {time.time()}\n{page}".encode()))

    def _operate(self) -> None:
        """Report an operation now and then, as an orchestrator would."""
        from tmux_exporter.instrument import operation

        dice = random.Random(1)
        while True:
            with operation("status_check") as op:
                time.sleep(dice.uniform(0.05, 0.4))
                now = int(time.monotonic() - self.began)
                if self.name == "demo" and now in FAILURES and dice.random() < 0.2:
                    op.fail("timeout")
            time.sleep(3)


def main(name: str, folder: Path, lasts: int) -> None:
    """Record into a new folder."""
    folder.mkdir(parents=True)
    home = folder / "home"
    home.mkdir(mode=0o700)
    assert in_namespace(Recording(folder, home, name, lasts).run), "the kernel gives no namespace"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["keep-calm"]:
            keep_calm_fleet()
        case [name, folder, *rest]:
            main(name, Path(folder), int(rest[0]) if rest else LASTS)
        case _:
            sys.exit(__doc__)
