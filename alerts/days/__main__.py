"""Play days and print what they tell: `python -m alerts.days [PART OF A NAME]`."""

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from alerts.days.ordinary import DAYS, Day
from alerts.days.play import Firing, Rules, play_days
from tmux_exporter.alerting.base.scope import Scope
from tmux_exporter.alerting.base.thresholds import PRIORITIES, load
from tmux_exporter.alerting.routes import alertmanager_config
from tmux_exporter.alerting.rules import rule_file

UNSAID = ("alertname", "job", "severity", "priority")


def lines(day: Day, fired: list[Firing]) -> Iterator[str]:
    """The number of alerts of a day by priority, and each of them."""
    told = [each for each in fired if each.told]
    counts = Counter(each.priority for each in told)
    yield f"{day.name}: {', '.join(f'{each} {counts[each]}' for each in PRIORITIES)} ({len(fired)} fired)"
    yield from (f"  {line(each)}" for each in told)


def line(firing: Firing) -> str:
    """When, how urgent, what and where."""
    where = (value for name, value in sorted(firing.labels.items()) if name not in UNSAID)
    begins, ends = (f"{time // 3600}:{time // 60 % 60:02}" for time in (firing.begins, firing.ends))
    return f"{begins}-{ends} {firing.priority} {firing.name} {' '.join(where)}"


if __name__ == "__main__":
    rules = Rules(groups=rule_file(Scope(thresholds=load()))["groups"], routes=alertmanager_config(load()))
    if other := os.environ.get("RULES"):
        rules = Rules(**json.loads(Path(other).read_text()))
    with tempfile.TemporaryDirectory() as folder:
        chosen = [day for day in DAYS if "".join(sys.argv[1:]) in day.name]
        for day, fired in play_days(Path(folder), chosen, rules):
            sys.stdout.writelines(f"{each}\n" for each in lines(day, fired))
            sys.stdout.flush()
