"""The golden page: what the example report looks like in the text format.

To write it again after a deliberate change:
`python -m tests.support.web.golden >tests/fixtures/metrics/example.prom`
"""

import sys
from pathlib import Path

from tests.support.literals.report import NOW, example_report
from tmux_exporter.config import defaults
from tmux_exporter.metrics.collectors import collect_all
from tmux_exporter.metrics.exporter import ExporterStatus
from tmux_exporter.metrics.render import text

GOLDEN = Path(__file__).parents[2] / "fixtures" / "metrics" / "example.prom"

_OF_THIS_MACHINE = ("tmux_exporter_build_info", "process_")


def golden_page() -> bytes:
    """The example report as a page, without what differs from machine to machine."""
    status = ExporterStatus(config_loaded_at=NOW - 300)
    families = collect_all(example_report(), defaults(), status).families
    return text(each for each in families if not each.spec.name.startswith(_OF_THIS_MACHINE))


if __name__ == "__main__":
    sys.stdout.buffer.write(golden_page())
