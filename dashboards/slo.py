"""The board of service levels: is what is promised kept, and what breaks it?"""

from grafana_foundation_sdk.builders import dashboard as build

from dashboards.frame import Section, board
from dashboards.marks import remediations, urgent_alerts
from dashboards.queries import ALERT
from dashboards.sections import levels_of_service, operations
from dashboards.variables import OF_SERVER


def service_levels() -> build.Dashboard:
    """Budgets first, then what they are spent on."""
    return board(
        "tmux-slo",
        "tmux service levels",
        "What is promised, what is left of the budget of 30 days, how quickly it burns, and on what it "
        "is spent.",
        [
            Section(
                panels=(
                    *levels_of_service.budgets(1),
                    operations.came_back(8, width=levels_of_service.TILE_WIDTH),
                )
            ),
            Section(
                panels=(levels_of_service.table(11), levels_of_service.burn(12), levels_of_service.left(13))
            ),
            Section(
                number=20,
                title="Operations",
                panels=(
                    operations.table(21),
                    operations.latency(22),
                    operations.per_minute(23),
                    operations.errors(24),
                    operations.retries(25),
                ),
            ),
            Section(
                number=30,
                title="tmux commands",
                panels=(operations.command_latency(31), operations.command_errors(32)),
            ),
            Section(
                number=40,
                title="Recovery",
                panels=(operations.recovery_time(41), operations.recovery(42)),
            ),
        ],
        variables=OF_SERVER,
        marks=(urgent_alerts(ALERT[:3]), remediations()),
    )
