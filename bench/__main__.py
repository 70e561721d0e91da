"""`python -m bench`: measure, write the page; compare with another revision; lives of panes."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import isolate, store
from bench.accuracy import accuracy
from bench.agents import agents
from bench.compare import compare
from bench.cost import QUICK, Plan, fleet_cost
from bench.fleet import FLEETS, Fleet, Size
from bench.growth import FORKED, burst, forked_in_one_pane, series_of_a_session
from bench.lives import lives
from bench.memory import memory
from bench.peers import process_exporter
from bench.readers import ORPHANS, readers
from bench.say import say

QUICK_FLEETS = (Size(panes=5, others=50),)
READ_FLEET = Size(panes=200, others=3000)
PARTS = ("fleets", "accuracy", "memory", "lives", "agents", "readers", "growth")


def main() -> int:
    arguments = _arguments(sys.argv[1:])
    if not isolate.inside():
        if process_exporter() is None:
            print(
                "bench: prometheus-process-exporter is not installed and is left out; to have it beside us: "
                "apt-get download prometheus-process-exporter && "
                "dpkg -x prometheus-process-exporter*.deb DIR, "
                "then PROCESS_EXPORTER=DIR/usr/bin/prometheus-process-exporter",
                file=sys.stderr,
            )
        return isolate.enter(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return _run(arguments, Path(folder))


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the exporter beside others, in a world of its own (unshare).",
        epilog="Example: python -m bench run --quick --out /tmp/bench",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure, and write docs/performance.md")
    run.add_argument("--quick", action="store_true", help="a small fleet and short windows")
    run.add_argument("--fleets", help="only these, such as 50/1000,200/3000 (panes/others)")
    run.add_argument("--parts", default=",".join(PARTS), help=f"only these: {', '.join(PARTS)}")
    run.add_argument("--windows", type=int, help="so many windows for each row")
    run.add_argument("--lives", type=int, default=10_000, help="so many panes come and go")
    run.add_argument("--out", type=Path, default=Path("docs"), help="where page, JSON and picture go")
    other = commands.add_parser("compare", help="this checkout beside another revision, in one run")
    other.add_argument("revision", help="a commit, tag or branch")
    other.add_argument("--fleet", default="50/1000", help="panes/others")
    other.add_argument("--windows", type=int, default=4)
    other.add_argument("--quick", action="store_true")
    where = commands.add_parser("profile", help="where the CPU of a sample goes")
    where.add_argument("--fleet", default="50/1000", help="panes/others")
    where.add_argument("--lines", type=int, default=40, help="so many functions")
    alone = commands.add_parser("lives", help="resident memory over the lives of many panes")
    alone.add_argument("--lives", type=int, default=10_000)
    return parser.parse_args(words)


def _run(arguments: argparse.Namespace, folder: Path) -> int:
    if arguments.command == "lives":
        found = lives(folder, arguments.lives)
        print(
            f"{found['panes']} lives: {found['first_mib']} to {found['last_mib']} MiB, "
            f"{found['bytes_a_life']} bytes a life"
        )
        return 0
    if arguments.command == "profile":
        Fleet(_sizes(arguments.fleet)[0], folder)
        command = [sys.executable, "-m", "bench.programs.profile", "10", "1", str(arguments.lines)]
        return subprocess.run(command, check=False, env={**os.environ, "TMUX_TMPDIR": str(folder)}).returncode
    if arguments.command == "compare":
        plan = QUICK if arguments.quick else Plan(windows=arguments.windows)
        size = QUICK_FLEETS[0] if arguments.quick else _sizes(arguments.fleet)[0]
        print(compare(arguments.revision, size, folder, plan))
        return 0
    plan = QUICK if arguments.quick else Plan(windows=arguments.windows or Plan().windows)
    fleets = QUICK_FLEETS if arguments.quick else _sizes(arguments.fleets) if arguments.fleets else FLEETS
    parts = arguments.parts.split(",")
    # What an earlier run measured of the other parts stays.
    whole = set(parts) == set(PARTS) and not arguments.fleets and not arguments.quick
    result = {} if whole else store.load(arguments.out)
    world = _world(plan)
    if "fleets" in parts or not result:
        result |= world
    result.setdefault("fleets", [])
    result.setdefault("accuracy", {})
    result.setdefault("left_out", {})
    if "fleets" in parts:
        measured = result["fleets"]
        for size in fleets:
            if why := size.lacking():
                say(f"left out: {size.name}: {why}")
                result["left_out"][size.name] = why
                continue
            place = folder / f"{size.panes}-{size.others}"
            place.mkdir()
            here = {key: result["machine"][key] for key in ("revision", "load1")}
            cost = {**here, **fleet_cost(size, place, plan)}
            same = (size.panes, size.others)
            others = [each for each in measured if (each["panes"], each["others"]) != same]
            measured = sorted([*others, cost], key=lambda each: (each["panes"], each["others"]))
            result["fleets"] = measured
            store.save(result, arguments.out)
    _others(arguments, parts, folder, plan, result)
    store.save(result, arguments.out)
    say(f"written: {arguments.out}/performance.md, performance.json, images/performance.svg")
    return 0


def _others(
    arguments: argparse.Namespace, parts: Sequence[str], folder: Path, plan: Plan, result: dict[str, Any]
) -> None:
    """The parts that need no fleet of the sizes asked for."""
    if "accuracy" in parts:
        say("accuracy of CPU")
        (folder / "accuracy").mkdir()
        result["accuracy"] = accuracy(folder / "accuracy", plan)
    if "memory" in parts:
        say("memory")
        result["memory"] = memory(plan, quick=arguments.quick)
    if "lives" in parts:
        count = 20 if arguments.quick else arguments.lives
        say(f"lives of {count} panes")
        (folder / "lives").mkdir()
        result["lives"] = lives(folder / "lives", count)
    if "agents" in parts:
        say("agents")
        (folder / "agents").mkdir()
        few = {"count": 5, "rounds": 3} if arguments.quick else {}
        result["agents"] = {**_here(), **agents(folder / "agents", **few)}
    if "readers" in parts:
        say("readers")
        (folder / "readers").mkdir()
        size, orphans = (QUICK_FLEETS[0], 10) if arguments.quick else (READ_FLEET, ORPHANS)
        result["readers"] = {**_here(), **readers(folder / "readers", size, plan, orphans=orphans)}
    if "growth" in parts:
        say("growth")
        result["growth"] = {**_here(), **_growth(folder, plan, quick=arguments.quick)}


def _growth(folder: Path, plan: Plan, *, quick: bool) -> dict[str, Any]:
    """What one more session, many processes in one pane and a burst of panes cost."""
    places = [folder / name for name in ("series", "forked", "burst")]
    for place in places:
        place.mkdir()
    small: dict[str, Any] = {"size": Size(panes=2, others=0), "more": 20, "within": 5.0} if quick else {}
    return {
        "series_of_a_session": series_of_a_session(places[0]),
        "forked": forked_in_one_pane(places[1], plan, count=50 if quick else FORKED),
        "burst": burst(places[2], plan, **small),
    }


def _here() -> dict[str, Any]:
    """What is measured, and how busy the machine is."""
    revision = _said("git", "rev-parse", "--short", "HEAD") or "unknown"
    return {"revision": revision, "load1": round(os.getloadavg()[0], 1)}


def _sizes(text: str) -> tuple[Size, ...]:
    pairs = (each.split("/") for each in text.split(","))
    return tuple(Size(panes=int(panes), others=int(others)) for panes, others in pairs)


def _world(plan: Plan) -> dict[str, Any]:
    """Where and how it is measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return {
        "windows": plan.windows,
        "seconds": plan.seconds,
        "machine": {
            "cpu": next(models, platform.machine()),
            "cpus": os.cpu_count(),
            "kernel": platform.release().split("-")[0],
            "python": platform.python_version(),
            "tmux": _said("tmux", "-V"),
            **_here(),
        },
    }


def _said(*command: str) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
