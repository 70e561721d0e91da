"""Many acts on one sample: each reads its own target again, tmux is asked again, and it costs little."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.isolation.namespace import in_namespace
from tests.support.processes.started import is_gone
from tests.support.remediator.ending import carried_out
from tests.support.remediator.orders import pair_order, single_order
from tests.support.remediator.orphans import with_stop
from tests.support.remediator.policies import write
from tests.support.remediator.process import RemediatorProcess, command
from tests.support.remediator.remediation import CHECK_IN, FLEET, Fleet, alive, running_fleet
from tests.support.remediator.text import FILE
from tests.support.wait import wait_for
from tmux_exporter.facts.remediation import Action, ActionOutcome, Method, Refusal
from tmux_exporter.remediator.act.live_view import LiveView
from tmux_exporter.remediator.act.shared_view import CONFIRMED_SECONDS, SharedView
from tmux_exporter.remediator.decide.order import Order
from tmux_exporter.remediator.policies.builtin import ORPHANED_SCHEDULERS

P = replace(with_stop(ORPHANED_SCHEDULERS, grace=0.3), warmup=0.0)

ORPHANS = 300
SECONDS, CPU_SECONDS = 30.0, 10.0

POLICY = (
    FILE.replace("per_cycle: 100,", "per_cycle: 1000,")
    + """\
  - name: orphans
    mode: enforce
    match: {kind: scheduler, state: [dangling]}
    for: 0s
    actions:
      - {do: stop, method: scheduler_pair, grace: 3s}
      - {do: kill, after: 3s}
    verify: {gone_within: 5s}
"""
)


@pytest.fixture
def fleet(shared: Fleet) -> Iterator[Fleet]:
    yield shared
    shared.reset()


def test_an_act_that_shares_a_sample_reads_its_own_target_again(fleet: Fleet) -> None:
    base = fleet.scene.base
    (base / "turn.sh").write_text("read _ <$0.fifo\nexec sleep 30000\n")
    os.mkfifo(base / "turn.sh.fifo")
    first, second = (fleet.scene.pid(fleet.leave_behind("sh $B/turn.sh")) for _ in range(2))
    orders = {pid: _leak_order(fleet, pid) for pid in (first, second)}
    tools = fleet.tools()
    assert carried_out(orders[first], tools).actions == ((Action.STOP, ActionOutcome.DONE),)
    with open(base / "turn.sh.fifo", "w") as stream:
        stream.write("go\n")
    wait_for(lambda: b"30000" in Path(f"/proc/{second}/cmdline").read_bytes(), "it runs another program")
    # The sample that both share shows what it was.
    assert carried_out(orders[second], tools).refusal is Refusal.EVIDENCE
    assert alive(second)


def _leak_order(fleet: Fleet, pid: int) -> Order:
    report, _ = LiveView(fleet.config(), fleet.clock, os.environ).look()
    (leak,) = [each for each in report.leaks if each.process.pid == pid]
    return single_order(P, Method.LEAKED_PROCESS, leak.process, server=FLEET, argv_sha256=leak.argv_sha256)


def test_an_act_heeds_what_tmux_shows_since_the_act_before_it(fleet: Fleet) -> None:
    orders = [pair_order(P, fleet.scheduler(fleet.orphan()[0])) for _ in range(2)]
    tools = fleet.tools()
    assert carried_out(orders[0], tools).ended
    fleet.tmux("new-session", "-d", "-s", "gone", "cat")
    try:
        fleet.clock.advance(CONFIRMED_SECONDS)
        assert carried_out(orders[1], tools).refusal is Refusal.CHANGED
    finally:
        fleet.tmux("kill-session", "-t", "=gone")
    assert alive(orders[1].target.processes[0].pid)
    assert fleet.fired() == ""


def test_no_act_rests_on_a_sample_before_its_decision(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed: list[bool] = []
    monkeypatch.setattr(SharedView, "renew", lambda _: renewed.append(True))
    remediator = fleet.remediator(enforce=False)
    remediator.cycle()
    remediator.cycle()
    assert len(renewed) == 2


@pytest.mark.long
@pytest.mark.timeout(200)
def test_three_hundred_orphans_end_within_30_seconds_and_10_of_cpu() -> None:
    if not in_namespace(_end_all):
        assert os.getuid() != 0, "root is given a pid namespace"


def _end_all() -> None:
    with running_fleet() as fleet:
        pids = _orphans(fleet)
        flags = ("--enforce", "--interval", "1s", "--policy", str(write(fleet.home, POLICY)))
        remediator = RemediatorProcess(fleet.environ, fleet.home / "log", *flags, "--server", FLEET)
        remediator.wait(lambda: remediator.audit("orphans", "intent"), "the first act has begun")
        started, used = fleet.clock.monotonic(), _cpu_seconds(remediator.process.pid)
        remediator.wait(lambda: all(map(is_gone, pids)), "all of them end", 120.0)
        seconds = fleet.clock.monotonic() - started
        cpu = _cpu_seconds(remediator.process.pid) - used
        assert remediator.end() == 0, remediator.text()
        assert fleet.fired() == ""
        for look in ("--verify", "--replay"):
            done = command(fleet.environ, "audit", look)
            assert (done.returncode, done.stderr) == (0, ""), done
        assert seconds <= SECONDS and cpu <= CPU_SECONDS, f"{seconds:.1f} s, {cpu:.1f} s of CPU"
        print(f"{seconds:.1f} s, {cpu:.1f} s of CPU")


def _orphans(fleet: Fleet) -> list[int]:
    """Their shells and sleeps, all started below one pane."""
    line = f'nohup bash -c "{CHECK_IN.format(target="gone:0")}" >/dev/null 2>&1 & echo $!'
    loop = f"for i in $(seq {ORPHANS}); do {line}; done >$B/shells.part; mv $B/shells.part $B/shells"
    fleet.scene.shell(f"PATH=$B/bin:$PATH; export PATH; {loop}", "-t", "main:", server=FLEET)
    listed = fleet.scene.base / "shells"
    wait_for(listed.exists, "all are started")
    shells = [int(each) for each in listed.read_text().split()]
    assert len(shells) == ORPHANS
    return [*shells, *(fleet.sleep_of(shell) for shell in shells)]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
