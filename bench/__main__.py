"""`python -m bench`: measure, write the page; compare with another revision; lives of panes."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import isolate, store
from bench.accuracy import accuracy
from bench.agents import agents
from bench.cockpit import cockpit
from bench.compare import compare, lineage
from bench.cost import QUICK, Plan, fleet_cost
from bench.fleet import FLEETS, Fleet, Size
from bench.goals import LIVES
from bench.growth import FORKED, burst, forked_in_one_pane, series_of_a_session
from bench.lives import lives
from bench.memory import memory
from bench.peers import process_exporter
from bench.readers import ORPHANS, readers
from bench.say import say
from bench.spending import spending
from bench.stages import profile

QUICK_FLEETS = (Size(panes=5, others=50),)
READ_FLEET = Size(panes=200, others=3000)
BESIDE = ("series", "lives", "burst")
"""Parts that measure memory and counts, and mostly wait: in a second world, beside the first fleets."""
PARTS = ("fleets", "accuracy", "memory", "agents", "spending", "readers", "cockpit", "forked", *BESIDE)


def main() -> int:
    arguments = _arguments(sys.argv[1:])
    if not isolate.inside() and arguments.command != "lineage":
        if process_exporter() is None:
            print(
                "bench: prometheus-process-exporter is not installed and is left out; to have it beside us: "
                "apt-get download prometheus-process-exporter && "
                "dpkg -x prometheus-process-exporter*.deb DIR, "
                "then PROCESS_EXPORTER=DIR/usr/bin/prometheus-process-exporter",
                file=sys.stderr,
            )
        return _enter(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return _run(arguments, Path(folder))


def _enter(arguments: argparse.Namespace) -> int:
    """Run in a world of its own; of many parts those that mostly wait in a second one at the same time."""
    parts = arguments.parts.split(",") if arguments.command == "run" else []
    beside = [each for each in parts if each in BESIDE]
    if not beside or "fleets" not in parts:
        return isolate.enter(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ThreadPoolExecutor() as pool:
        # The last one counts.
        rest = sys.argv[1:]
        other = pool.submit(isolate.enter, [*rest, "--parts", ",".join(beside), "--out", folder])
        main = isolate.enter([*rest, "--parts", ",".join(each for each in parts if each not in beside)])
        if status := main or other.result():
            return status
        found, more = store.load(arguments.out), store.load(Path(folder))
        for part in ("lives", "growth"):
            if part in more:
                found[part] = {**found.get(part, {}), **more[part]}
        found["took"] = {**found["took"], **more["took"]}
        store.save(found, arguments.out)
    return 0


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
    run.add_argument("--lives", type=int, default=LIVES, help="so many panes come and go")
    run.add_argument("--out", type=Path, default=Path("docs"), help="where page, JSON and picture go")
    other = commands.add_parser("compare", help="this checkout beside another revision, in one run")
    other.add_argument("revision", help="a commit, tag or branch")
    other.add_argument("--fleet", default="50/1000", help="panes/others")
    other.add_argument("--windows", type=int, default=4)
    other.add_argument("--quick", action="store_true")
    told = commands.add_parser("lineage", help="this checkout with lineage beside the same without it")
    told.add_argument("--fleet", default="50/1000", help="panes/others")
    told.add_argument("--windows", type=int, default=4)
    told.add_argument("--quick", action="store_true")
    where = commands.add_parser("profile", help="where the CPU of the daemon goes, in microseconds by stage")
    where.add_argument("--fleet", default="50/1000", help="panes/others")
    where.add_argument("--windows", type=int, default=4)
    where.add_argument("--seconds", type=float, default=15.0, help="of a window, and between two samples")
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
        much = {"windows": arguments.windows, "seconds": arguments.seconds, "settle": Plan().settle}
        print(profile(_sizes(arguments.fleet)[0], folder, **much))
        return 0
    if arguments.command in ("compare", "lineage"):
        plan = QUICK if arguments.quick else Plan(windows=arguments.windows)
        size = QUICK_FLEETS[0] if arguments.quick else _sizes(arguments.fleet)[0]
        other = arguments.command == "compare"
        print(compare(arguments.revision, size, folder, plan) if other else lineage(size, folder, plan))
        return 0
    plan = QUICK if arguments.quick else Plan(windows=arguments.windows or Plan().windows)
    fleets = QUICK_FLEETS if arguments.quick else _sizes(arguments.fleets) if arguments.fleets else FLEETS
    parts = arguments.parts.split(",")
    # What an earlier run measured of the other parts stays.
    result = (
        {} if set(PARTS) - set(parts) <= set(BESIDE) and not arguments.fleets else store.load(arguments.out)
    )
    world = _world(plan)
    if "fleets" in parts or not result:
        result |= world
    for name, empty in (("fleets", []), ("accuracy", {}), ("left_out", {}), ("growth", {}), ("took", {})):
        result.setdefault(name, empty)
    for part, measure in _measures(arguments, fleets, plan, result).items():
        if part in parts:
            say(part)
            begun = time.monotonic()
            (folder / part).mkdir()
            measure(folder / part)
            result["took"][part] = round(time.monotonic() - begun)
            store.save(result, arguments.out)
    say(f"written: {arguments.out}/performance.md, performance.json, images/performance.svg")
    say("minutes: " + ", ".join(f"{part} {took / 60:.1f}" for part, took in result["took"].items()))
    return 0


def _measures(
    arguments: argparse.Namespace, sizes: Sequence[Size], plan: Plan, result: dict[str, Any]
) -> dict[str, Callable[[Path], None]]:
    """What each part does with its folder: it measures, and puts what it found into `result`."""
    quick = arguments.quick
    growth = result["growth"]

    def put(part: str, work: Callable[[Path], dict[str, Any]]) -> Callable[[Path], None]:
        return lambda place: result.update({part: work(place)})

    def put_growth(name: str, work: Callable[[Path], object]) -> Callable[[Path], None]:
        return lambda place: growth.update({**_here(), name: work(place)})

    few: dict[str, Any] = {"count": 5, "rounds": 3} if quick else {}
    brief: dict[str, Any] = {"count": 5, "seconds": 3.0, "large": 50 * 10**6} if quick else {}
    small: dict[str, Any] = {"size": Size(panes=2, others=0), "more": 20, "within": 5.0} if quick else {}
    crowd = {"agents": 5, "kept": 5} if quick else {}
    size, orphans = (QUICK_FLEETS[0], 10) if quick else (READ_FLEET, ORPHANS)
    short = replace(plan, windows=min(2, plan.windows))
    return {
        "fleets": lambda place: _fleets(sizes, place, plan, result, arguments.out),
        "accuracy": put("accuracy", lambda place: accuracy(place, plan)),
        "memory": put("memory", lambda _: memory(plan, quick=quick)),
        "agents": put("agents", lambda place: {**_here(), **agents(place, **few)}),
        "spending": put("spending", lambda place: {**_here(), **spending(place, **brief)}),
        "readers": put("readers", lambda place: {**_here(), **readers(place, size, short, orphans=orphans)}),
        "cockpit": put("cockpit", lambda place: {**_here(), **cockpit(place, short, **crowd)}),
        "forked": put_growth(
            "forked", lambda place: forked_in_one_pane(place, short, count=50 if quick else FORKED)
        ),
        "series": put_growth("series_of_a_session", series_of_a_session),
        "lives": put("lives", lambda place: lives(place, 20 if quick else arguments.lives)),
        "burst": put_growth("burst", lambda place: burst(place, plan, **small)),
    }


def _fleets(sizes: Sequence[Size], folder: Path, plan: Plan, result: dict[str, Any], out: Path) -> None:
    fleet: Fleet | None = None
    for size in sizes:
        if why := size.lacking():
            say(f"left out: {size.name}: {why}")
            result["left_out"][size.name] = why
            continue
        place = folder / f"{size.panes}-{size.others}"
        place.mkdir()
        here = _here()
        if fleet and fleet.size.panes == size.panes and fleet.size.others < size.others:
            say(f"growing to {size.name}")
            fleet.grow(size.others)
        else:
            if fleet:
                fleet.close()
            fleet = Fleet(size, place)
        cost = {**here, **fleet_cost(fleet, place, plan)}
        same = (size.panes, size.others)
        others = [each for each in result["fleets"] if (each["panes"], each["others"]) != same]
        result["fleets"] = sorted([*others, cost], key=lambda each: (each["panes"], each["others"]))
        store.save(result, out)
    if fleet:
        fleet.close()


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
