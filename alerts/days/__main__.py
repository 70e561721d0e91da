"""Play days, print what they tell, and keep it for docs/days.md: `python -m alerts.days [PART OF A NAME]`.

`bad` plays the bad days, whose name has the part. RULES=FILE takes the rules and routes of that file, as
`--save FILE` has written them, and keeps what they tell as what was told before; with ENGINE=promtool
promtool plays.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from alerts.days.firing import Firing
from alerts.days.ordinary import DAYS, Day
from alerts.days.other import OTHER_DAYS
from alerts.days.play import Play, Rules, by_prometheus, by_promtool, play_bad, play_both, play_days
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.base.thresholds import PRIORITIES, load
from tmux_exporter.alerting.routes import alertmanager_config
from tmux_exporter.alerting.rules import rule_file

HERE = Path(__file__).parent
TOLD = HERE / "told.json"
PAGE = HERE.parents[1] / "docs" / "days.md"
UNSAID = ("alertname", "job", "severity", "priority")
KEEPING = "prometheus-2.42"
ALL_DAYS = (*DAYS, *OTHER_DAYS)


def shipped(*, keep_firing: bool = False) -> Rules:
    """The rules of this version, plain or for Prometheus from 2.42 on."""
    scope = Scope(thresholds=load(), keep_firing=keep_firing)
    return Rules(groups=rule_file(scope)["groups"], routes=alertmanager_config(load()))


def counted(fired: Sequence[Firing]) -> dict[str, int]:
    """How many were told, by priority."""
    counts = Counter(each.priority for each in fired if each.told)
    return {each: counts[each] for each in PRIORITIES}


def line(firing: Firing) -> str:
    """When, how urgent, what and where."""
    where = (value for name, value in sorted(firing.labels.items()) if name not in UNSAID)
    begins, ends = (f"{time // 3600}:{time // 60 % 60:02}" for time in (firing.begins, firing.ends))
    return f"{begins}-{ends} {firing.priority} {firing.name} {' '.join(where)}"


def keep(day: str, column: str, counts: dict[str, int]) -> None:
    """Note what a day told."""
    known = json.loads(TOLD.read_text()) if TOLD.exists() else {}
    known.setdefault(day, {})[column] = counts
    TOLD.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def page() -> Iterator[str]:
    """docs/days.md."""
    known = json.loads(TOLD.read_text())
    yield "# What ordinary days tell\n\n"
    yield (
        "Made by `python -m alerts.days` from what was played; [alerts/days](../alerts/days/README.md) says\n"
        "what happens on each day, and how many may be told. Before: the rules as they were at 8:00 on 1\n"
        "December 2026 (`5208ae42^`), before any of this. An empty cell has not been played.\n\n"
    )
    yield "| day | before: P1, P2, P3, P4 | now: P1, P2, P3, P4 | with `--engine prometheus-2.42` |\n"
    yield "| --- | --- | --- | --- |\n"
    for day in ALL_DAYS:
        columns = (known.get(day.name, {}).get(column) for column in ("before", "prometheus", KEEPING))
        cells = (", ".join(str(each[name]) for name in PRIORITIES) if each else "" for each in columns)
        yield f"| {day.name} | {' | '.join(cells)} |\n".replace("|  |", "| |").replace("|  |", "| |")


def main(words: Sequence[str]) -> None:
    """Play what is asked for."""
    part = "".join(words)
    engine = os.environ.get("ENGINE", "prometheus")
    other = os.environ.get("RULES")
    rules = Rules(**json.loads(Path(other).read_text())) if other else shipped()
    if words[:1] == ["--save"]:
        Path(words[1]).write_text(json.dumps(asdict(rules)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if words[:1] == ["bad"]:
            found = play_bad(Path(folder), rules, shipped(keep_firing=True), "".join(words[1:]))
            sys.stdout.writelines(f"{each}\n" for each in found)
            return
        chosen = [day for day in ALL_DAYS if part in day.name]
        if other or engine == "promtool":
            play: Play = by_promtool if engine == "promtool" else by_prometheus
            for day, fired in play_days(Path(folder), chosen, rules, play):
                tell(day, "before" if other else engine, fired)
        else:
            for day, fired, kept in play_both(Path(folder), chosen, rules, shipped(keep_firing=True)):
                tell(day, engine, fired)
                tell(day, KEEPING, kept)
    PAGE.write_text("".join(page()))


def tell(day: Day, column: str, fired: Sequence[Firing]) -> None:
    """Print what a day told, and keep it."""
    counts = counted(fired)
    keep(day.name, column, counts)
    shown = ", ".join(f"{name} {count}" for name, count in counts.items())
    sys.stdout.write(f"{day.name}, {column}: {shown} ({len(fired)} fired)\n")
    sys.stdout.writelines(f"  {line(each)}\n" for each in fired if each.told)
    sys.stdout.writelines(f"  BREAKS {each}\n" for each in day.problems(fired))
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
