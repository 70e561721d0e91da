"""This checkout beside another revision: both exporters at the same time on the same fleet."""

import subprocess
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean

from bench import peers
from bench.clocks import resident_bytes
from bench.cost import Plan
from bench.fleet import Fleet, Size
from bench.peers import REPOSITORY, Peer
from bench.say import say
from bench.windows import align, measure


def compare(revision: str, size: Size, folder: Path, plan: Plan) -> str:
    """A table: CPU at rest and at work, resident memory, and the ratio."""
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
            rows: list[tuple[str, float, float]] = []
            say(f"  {plan.windows} windows at rest")
            rows.append(("at rest, ms of CPU", *_cost(theirs, mine, plan)))
            say(f"  {plan.windows} windows with a tenth at work")
            with fleet.active():
                rows.append(("10 % at work, ms of CPU", *_cost(theirs, mine, plan)))
            before, now = (resident_bytes(each.pid) / 2**20 for each in (theirs, mine))
            rows.append(("resident memory, MiB", before, now))
    finally:
        fleet.close()
    lines = [
        f"{size.name}, {plan.seconds:g} s",
        f"{'':26}{revision[:16]:>16}{'this checkout':>16}{'ratio':>8}",
    ]
    lines += [f"{what:26}{before:16.2f}{now:16.2f}{now / before:8.2f}" for what, before, now in rows]
    return "\n".join(lines)


def _cost(theirs: Peer, mine: Peer, plan: Plan) -> tuple[float, float]:
    align(mine, plan.seconds / 3)
    used = measure([theirs, mine], {}, windows=plan.windows, seconds=plan.seconds)
    return fmean(used[theirs.name]), fmean(used[mine.name])
