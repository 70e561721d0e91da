"""`python -m bench.exactness`: measure, write docs/exactness.md and .json."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import isolate
from bench.exactness.measure import WAYS, Way, exactness
from bench.exactness.page import page
from bench.exactness.truth import hierarchies, lacking


def main() -> int:
    arguments = _arguments()
    if arguments.add:
        before = json.loads((arguments.out / "exactness.json").read_text())
        _add(arguments.out, before, json.loads(arguments.add.read_text()))
        return 0
    if why := lacking():
        print(f"bench: {why}", file=sys.stderr)
        return 3
    ways = [each for each in WAYS if each.name in arguments.ways.split(",")]
    if not isolate.inside():
        for way in ways:
            if way.here:
                _measure(way, arguments)
        rest = ",".join(each.name for each in ways if not each.here)
        return isolate.enter([*sys.argv[1:], "--ways", rest], "bench.exactness") if rest else 0
    for way in ways:
        _measure(way, arguments)
    return 0


def _measure(way: Way, arguments: argparse.Namespace) -> None:
    """One pass; the results so far, with it, are written."""
    file = arguments.out / "exactness.json"
    result: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    place = f"{arguments.place}, {'an ordinary user' if arguments.user else 'root'}"
    world = _world() | {"work": arguments.work, "settings": arguments.settings}
    only = arguments.only.split(",") if arguments.only else ()
    if not only:
        result.setdefault(place, {})["world"] = world
    with tempfile.TemporaryDirectory(prefix="exactness-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        found = exactness(
            Path(folder) / way.name,
            way,
            user=arguments.user,
            work=arguments.work,
            settings=arguments.settings,
            only=only,
        )
    _add(arguments.out, result, {place: {"world": world, way.name: found}})


def _add(out: Path, result: dict[str, Any], more: dict[str, Any]) -> None:
    """Write the results with those of another pass or machine: each row that these have is replaced."""
    for place, found in more.items():
        here = result.setdefault(place, {"world": found["world"]})
        for name in found.keys() - {"world"}:
            rows = {row["name"]: row for row in (*here.get(name, {"rows": ()})["rows"], *found[name]["rows"])}
            here[name] = {**here.get(name, {}), **found[name], "rows": list(rows.values())}
    _write(out, result)


def _write(out: Path, result: dict[str, Any]) -> None:
    (out / "exactness.json").write_text(json.dumps(result, indent=1) + "\n")
    (out / "exactness.md").write_text(page(result))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.exactness",
        description="How exact the figures of a pane are, by cgroups; as root, about 8 minutes a way.",
        epilog="Example: python -m bench.exactness --only make,forks --out /tmp",
    )
    parser.add_argument("--as", dest="user", help="run tmux and the exporters as this user")
    parser.add_argument("--only", help="these workloads, such as make,forks; others stay as they were")
    parser.add_argument("--ways", default=",".join(each.name for each in WAYS), help="default: %(default)s")
    parser.add_argument(
        "--work", type=float, default=1.0, help="so much of the work, such as 0.1 where all is emulated"
    )
    parser.add_argument(
        "--settings", default="", help="more of the exporters' file, such as 'tmux: {query_timeout: 20s}'"
    )
    parser.add_argument(
        "--add", type=Path, metavar="FILE", help="only add the results of another machine, by row"
    )
    parser.add_argument("--place", default=_place(), help="the heading of the results; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="where page and JSON go")
    return parser.parse_args()


def _place() -> str:
    return f"cgroup v{2 if len(hierarchies()) == 1 else 1}"


def _world() -> dict[str, Any]:
    said = subprocess.run(["tmux", "-V"], check=True, capture_output=True, text=True).stdout.strip()
    revision = ["git", "rev-parse", "--short", "HEAD"]
    return {
        "kernel": platform.release().split("-")[0],
        "cpus": os.cpu_count(),
        "tmux": said,
        "load1": round(os.getloadavg()[0], 1),
        "revision": subprocess.run(revision, check=False, capture_output=True, text=True).stdout.strip(),
    }


if __name__ == "__main__":
    sys.exit(main())
