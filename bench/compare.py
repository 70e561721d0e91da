"""Two of our exporters at the same time on the same fleet: of two revisions, or without and with lineage."""

import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean

from bench import peers
from bench.clocks import resident_bytes
from bench.cost import Plan
from bench.fleet import Fleet, Size
from bench.peers import REPOSITORY, Peer
from bench.say import say
from bench.windows import LEAD_IN, measure

LISTENS = '\ntmux_exporter_collector_success{collector="lineage"} 1.0\n'


def compare(revision: str, size: Size, folder: Path, plan: Plan) -> str:
    """A table: CPU at rest, at work and while panes start tools, resident memory, and the ratio."""
    tree = folder / "revision"
    # A plain copy of its files: no work tree is left behind in the repository when the world ends.
    tree.mkdir()
    archive = subprocess.run(
        ["git", "archive", "--format=tar", revision], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE
    )
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
    fleet = Fleet(size, folder)
    try:
        with ExitStack() as stack:
            tick = ("--sampling.interval", f"{plan.tick:g}s")
            theirs = stack.enter_context(peers.ours(revision, folder, *tick, source=tree))
            mine = stack.enter_context(peers.ours("this checkout", folder, *tick))
            return _table(theirs, mine, fleet, plan)
    finally:
        fleet.close()


def lineage(size: Size, folder: Path, plan: Plan) -> str:
    """The same table for this checkout with lineage, beside the same without.

    The kernel tells forks only outside of other namespaces: run it there, beside nothing else.
    """
    config = folder / "lineage.yml"
    config.write_text("processes: {lineage: true}\n")
    fleet = Fleet(size, folder)
    try:
        with ExitStack() as stack:
            off = stack.enter_context(peers.ours("without lineage", folder))
            on = stack.enter_context(peers.ours("with lineage", folder, "--config", str(config)))
            if LISTENS not in on.page():
                raise RuntimeError("no lineage: the kernel tells no forks here; see `tmux-exporter doctor`")
            return _table(off, on, fleet, plan)
    finally:
        fleet.close()


def _table(theirs: Peer, mine: Peer, fleet: Fleet, plan: Plan) -> str:
    rows: list[tuple[str, float, float]] = []
    time.sleep(plan.settle)
    say(f"  {plan.windows} windows at rest")
    rows.append(("at rest, ms of CPU", *_cost(theirs, mine, plan, lead_in=LEAD_IN)))
    say(f"  {plan.windows} windows with a tenth at work")
    with fleet.active():
        rows.append(("10 % at work, ms of CPU", *_cost(theirs, mine, plan)))
    say(f"  {plan.windows} windows with tools")
    with fleet.churning(plan.tick):
        rows.append(("tools start, ms of CPU", *_cost(theirs, mine, plan)))
    before, now = (resident_bytes(each.pid) / 2**20 for each in (theirs, mine))
    rows.append(("resident memory, MiB", before, now))
    lines = [
        f"{fleet.size.name}, {plan.seconds:g} s",
        f"{'':26}{theirs.name[:16]:>16}{mine.name:>16}{'ratio':>8}",
    ]
    lines += [f"{what:26}{before:16.2f}{now:16.2f}{now / before:8.2f}" for what, before, now in rows]
    return "\n".join(lines)


def _cost(theirs: Peer, mine: Peer, plan: Plan, lead_in: int = 0) -> tuple[float, float]:
    used = measure([theirs, mine], {}, windows=plan.windows, seconds=plan.seconds, lead_in=lead_in)
    return fmean(used[theirs.name]), fmean(used[mine.name])
