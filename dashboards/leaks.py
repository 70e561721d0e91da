"""The board of leaks and schedulers: what outlived its pane, what will never arrive, and what "
"is done about it."""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.frame import Section, board
from dashboards.marks import alerts, remediations
from dashboards.queries import OF_SESSION
from dashboards.sections import leaks as leaked
from dashboards.sections import remediator, schedulers


def leaks() -> build.Dashboard:
    """Lists of what there is now, then leaked processes, schedulers and the remediator over time."""
    return board(
        "tmux-leaks",
        "tmux leaks and schedulers",
        "What outlived its pane, which schedulers will not arrive, and what the remediator does or would do.",
        [
            Section(
                panels=(
                    leaked.count(1),
                    leaked.memory(2),
                    schedulers.lost(4),
                    schedulers.late(5),
                    schedulers.not_known(3),
                    remediator.mode(6),
                )
            ),
            Section(
                panels=(
                    leaked.table(11),
                    schedulers.table(32),
                    remediator.table(55),
                    remediator.refusals(53),
                )
            ),
            Section(
                number=10,
                title="Leaked processes over time",
                panels=(leaked.processes_by_kind(12), leaked.memory_by_kind(13)),
            ),
            Section(
                number=30,
                title="Schedulers over time",
                panels=(schedulers.states(31), schedulers.outcomes(33), schedulers.cost(34)),
            ),
            Section(number=50, title="The remediator over time", panels=remediator.graphs(51)),
        ],
        marks=(alerts(OF_SESSION), remediations()),
    )
