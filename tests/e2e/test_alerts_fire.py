"""Every alert that a real fault can make fire, made to: real tmux, real agents, our exporter, our remediator.

All faults are planted together and told by a real Prometheus with our rules, whose durations are divided by
60. `tests/support/alert_faults/tables.py` has the faults; what can be taken away at once is, and its alerts
have to end.
"""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.alert_faults.fleet import FaultyFleet
from tests.support.alert_faults.house import House, start_prometheus
from tests.support.alert_faults.planted import Planted
from tests.support.alert_faults.tables import PLANTED
from tests.support.alert_faults.wear import Wear, own_network
from tests.support.fixtures import StartExporter, StartTmux
from tests.support.isolation.namespace import in_namespace
from tests.support.programs.up import query
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children import prometheus as stack
from tmux_exporter.sources.tmux import socket_files

FAULTS = tuple(each for each in PLANTED if not each.outside)
PATIENCE = 330.0
SEEN_WHOLE = (
    "count(tmux_agent_info{instance='fleet'}) >= 16 and on () count(tmux_up{instance='fleet'} == 1) >= 11"
)

Alert = tuple[Planted, str]
"""A fault, and the level at which its alert is told; empty where it has none."""

Labels = dict[str, str]


class Stage:
    """All of it, and what has fired."""

    def __init__(self, base: Path, sockets: Path, home: Path, *, links: bool) -> None:
        self.began = time.monotonic()
        self.fleet = FaultyFleet(base, sockets, home)
        self.house = House(home)
        self.wear: Wear | None = None
        self.links = links
        self.faults = [each for each in FAULTS if links or each not in LINKS]

    def plant(self) -> None:
        self.fleet.start()
        self.house.start()
        wait_for(lambda: self.house.ask(SEEN_WHOLE), f"all is seen: {self.house.ask('tmux_agent_info')}")
        self.wear = Wear(self.house.home / "fleet", links=self.links)
        self.fleet.break_it()
        self.house.break_it()
        self.fleet.end_servers()

    def firing(self) -> list[Labels]:
        """What fires now."""
        return [labels for labels, _ in self.house.ask('ALERTS{alertstate="firing"}')]

    def fired(self) -> list[Labels]:
        """What has fired since the beginning."""
        return [labels for labels, _ in self.house.ask('max_over_time(ALERTS{alertstate="firing"}[20m])')]

    def wait_until(
        self, faults: Iterable[Planted], what: str, done: Callable[[list[Alert]], list[Alert]]
    ) -> None:
        """Wait until all of them are among what is done; each is told of once."""
        waiting = [(fault, level) for fault in faults for level in fault.levels or ("",)]

        def all_done() -> bool:
            # Twice a second is enough, and leaves the machine to those who are waited for.
            time.sleep(0.5)
            for each in done(waiting):
                waiting.remove(each)
                self.tell(f"{what}: {each[0].alert} {each[1]}")
            return not waiting

        try:
            wait_for(all_done, "", PATIENCE)
        except AssertionError:
            missing = [(fault.alert, level, dict(fault.labels)) for fault, level in waiting]
            raise AssertionError(f"not {what} within {PATIENCE:g} s: {missing}") from None

    def wait_until_fired(self, faults: Iterable[Planted]) -> None:
        self.wait_until(faults, "fired", lambda waiting: among(waiting, self.fired()))

    def wait_until_resolved(self, faults: Iterable[Planted]) -> None:
        def resolved(waiting: list[Alert]) -> list[Alert]:
            still = among(waiting, self.firing())
            return [each for each in waiting if each not in still]

        self.wait_until(faults, "resolved", resolved)

    def tell(self, words: str) -> None:
        """For whoever wants to know (`pytest -s`)."""
        os.write(1, f"{time.monotonic() - self.began:6.1f} s {words}\n".encode())

    def close(self) -> None:
        if self.wear:
            self.wear.close()
        self.house.close()
        self.fleet.close()


def wanted(fault: Planted, level: str) -> Labels:
    return {"alertname": fault.alert, **fault.labels, **({"threshold": level} if level else {})}


def among(alerts: Iterable[Alert], shown: list[Labels]) -> list[Alert]:
    """Those of them that are shown."""
    return [each for each in alerts if any(labels.items() >= wanted(*each).items() for labels in shown)]


def of(*alerts: str) -> tuple[Planted, ...]:
    return tuple(each for each in FAULTS if each.alert in alerts)


LINKS = of("TmuxHostNetworkBusy")
LATER = of("TmuxRemediatorDown", "TmuxRemediatorBlind")


def play(stage: Stage) -> None:
    stage.plant()
    stage.tell("planted" if stage.links else "planted; no links here")
    stage.wait_until_fired(each for each in stage.faults if each not in LATER)
    assert stage.wear and stage.wear.still_runs()
    milder = [(fault, level) for fault in FAULTS for level in fault.quiet]
    assert among(milder, stage.fired()) == [], "milder faults must not be told as worse ones"
    assert [each for each in stage.fired() if each.get("session") == "well"] == [], "nothing is wrong there"

    stage.house.end_remediator()
    stage.wait_until_fired(of("TmuxRemediatorDown"))
    stage.house.blind_remediator()
    stage.wait_until_fired(of("TmuxRemediatorBlind"))

    stage.fleet.mend()
    stage.wear.mend()
    stage.house.mend()
    stage.wait_until_resolved(each for each in stage.faults if each.ends)


@pytest.fixture(autouse=True)
def _own_places(socket_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_files, "DEFAULT_BASE", str(socket_dir.parent / "none"))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_real_faults_make_the_alerts_fire(socket_dir: Path) -> None:
    home = socket_dir.parent / "home"
    home.mkdir(mode=0o700)

    def work() -> None:
        links = own_network(socket_dir.parent)
        with closing(Stage(socket_dir.parent, socket_dir, home, links=links)) as stage:
            play(stage)

    assert in_namespace(work), "the kernel gives no namespace"


@pytest.mark.long
def test_failing_commands_are_told(
    tmux_server: StartTmux, start_exporter: StartExporter, tmp_path: Path
) -> None:
    """Outside of a namespace: the kernel tells of commands only in the first ones."""
    label = f"tx{os.getpid()}"
    server = tmux_server(label)
    (tmp_path / "exporter.yml").write_text(
        "operations: {watch_commands: true, max_execs_per_second: 100000}\n"
    )
    exporter = start_exporter("--config", str(tmp_path / "exporter.yml"))
    if 'tmux_exporter_collector_success{collector="commands"} 1' not in exporter.metrics():
        pytest.skip("this kernel tells nobody but root: it needs Linux 6.6 and the first namespaces")
    prometheus = start_prometheus(tmp_path, {"fleet": exporter})
    (fault,) = (each for each in PLANTED if each.outside)
    told = f'ALERTS{{alertname="{fault.alert}", alertstate="firing", server="{label}"}}'
    try:

        def is_told() -> bool:
            for target in ("main", "nowhere"):
                server.cmd("send-keys", "-t", target, "x")
            return bool(query(prometheus.url, told))

        wait_for(is_told, "commands that fail are told", 120)
        wait_for(lambda: not query(prometheus.url, told), "the alert ends", 120)
    finally:
        stack.stop([prometheus])
